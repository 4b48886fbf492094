"""From one order to the next: of the list that a person came from, with its search and filters."""

from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.urls import reverse

from apps.agencies.changelists import rows_of
from apps.agencies.filter_pages import whole_list
from apps.agencies.merging import Parts, merged
from apps.counters.ui.acts import LIST_FILTERS as FILTERS
from apps.orders.models import Order


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
    rows, parts = _rows(model_admin, request, kept)
    newer, older = _next(rows, order, parts, up=True), _next(rows, order, parts, up=False)
    tail = f"?{urlencode({FILTERS: kept})}" if kept else ""
    whole = whole_list("orders_order")
    back = f"{reverse('admin:orders_order_changelist')}?{kept}" if kept else whole

    def page(pk: int | None) -> str:
        return reverse("admin:orders_order_change", args=[pk]) + tail if pk else ""

    return Turn(back=back, newer=page(newer), older=page(older), narrowed=back != whole)


def _next(rows: QuerySet[Order], order: Order, parts: Parts | None, *, up: bool) -> int | None:
    """The key of the order above or below in a list that is sorted by falling creation time, or by the key alone."""
    beyond, sign = ("gt", "") if up else ("lt", "-")
    if "-create_date_time" not in rows.query.order_by:
        found = rows.filter(**{f"pk__{beyond}": order.pk}).order_by(f"{sign}pk")
    else:
        created = order.create_date_time
        further = Q(**{f"create_date_time__{beyond}": created}) | Q(**{f"pk__{beyond}": order.pk})
        # The second condition is what lets the database enter its index at the right place.
        found = rows.filter(further, **{f"create_date_time__{beyond}e": created})
        found = found.order_by(f"{sign}create_date_time", f"{sign}pk")
    return next(iter(merged(found, parts, stop=1).values_list("pk", flat=True)), None)


def _rows(model_admin: Any, request: HttpRequest, kept: str) -> tuple[QuerySet[Order], Parts | None]:
    """The rows of the list that these parameters narrow, and what they are read by; of the whole list where they say
    nothing that it knows."""
    if kept:
        try:
            found = rows_of(model_admin, request, kept)
            return found.rows.select_related(None), found.parts
        except IncorrectLookupParameters:
            pass
    whole: Any = copy(request)
    whole.GET = QueryDict()
    return model_admin.get_queryset(request).select_related(None), model_admin.parts_of(whole)
