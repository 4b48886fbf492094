"""What all pages share: the counter of the address, lists in pages."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from apps.sandbox.models import SandboxCounter

ROWS = 50


def counter_of(number: int) -> SandboxCounter:
    return get_object_or_404(SandboxCounter, metrica_id=min(number, 2**31 - 1))


def paged(request: HttpRequest, rows: QuerySet[Any]) -> Page[Any]:
    return Paginator(rows, ROWS).get_page(request.GET.get("page"))
