"""From one order to the next: of the list that a person came from, with its search and filters."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from apps.agencies.changelists import rows_of
from apps.orders.models import Order

FILTERS = "_changelist_filters"


@dataclass(frozen=True, slots=True)
class Turn:
    """Addresses; empty where the list ends."""

    back: str
    newer: str
    older: str
    narrowed: bool


def turn(model_admin: Any, request: HttpRequest, order: Order) -> Turn:
    """The neighbours of the order in its list. Two queries besides those of the search."""
    kept = request.GET.get(FILTERS, "")
    rows = _rows(model_admin, request, kept)
    newer = rows.filter(pk__gt=order.pk).order_by("pk").values_list("pk", flat=True).first()
    older = rows.filter(pk__lt=order.pk).order_by("-pk").values_list("pk", flat=True).first()
    tail = f"?{urlencode({FILTERS: kept})}" if kept else ""
    back = reverse("admin:orders_order_changelist") + (f"?{kept}" if kept else "")

    def page(pk: int | None) -> str:
        return reverse("admin:orders_order_change", args=[pk]) + tail if pk else ""

    return Turn(back=back, newer=page(newer), older=page(older), narrowed=bool(kept))


def _rows(model_admin: Any, request: HttpRequest, kept: str) -> QuerySet[Order]:
    """The rows of the list that these parameters narrow; of the whole list where they say nothing that it knows."""
    if kept:
        try:
            return rows_of(model_admin, request, kept).select_related(None)
        except IncorrectLookupParameters:
            pass
    return model_admin.get_queryset(request).select_related(None)
