"""What the pages share: a counter by its number, rows in pages, the goals of a list of visits or orders."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from apps.sandbox.models import SandboxCounter, SandboxReach

ROWS = 50
REACHES = Prefetch("reaches", SandboxReach.objects.order_by("pk"))


def counter_of(number: int) -> SandboxCounter:
    return get_object_or_404(SandboxCounter, metrica_id=min(number, 2**31 - 1))


def page_of(request: HttpRequest, rows: QuerySet[Any]) -> Page[Any]:
    return Paginator(rows, ROWS).get_page(request.GET.get("page"))
