"""The filter of orders by what somebody may have to do with: something waits, is held or was rejected, or they are soon
too old."""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import DropdownFilter

from apps.agencies.access import actor_of
from apps.agencies.changelists import counts_modestly, cut, few, is_few
from apps.agencies.filters import days_asked
from apps.agencies.paginator import LimitedPaginator
from apps.orders.admin_pages.order_filters import any_counter_asked, counters_asked, search_asked, searched
from apps.orders.models import Delivery, Order, StatusChange
from apps.orders.numbers import CLOSING_DAYS

CLOSING = "closing"

MOST_WITH_WORK = LimitedPaginator.COUNT_LIMIT
"""Orders of which something waits, is held or was rejected: the newest of them are looked at."""
MOST_EVERYWHERE = 4_000
"""The same over all agencies."""


class WorkFilter(DropdownFilter):
    """Orders with a change in a state that somebody may have to do with: each has its partial index.

    They are found by their changes, as few as these are of all; and where there are more of them than are looked at,
    among the orders that days, a status, a client or the search leave.
    """

    title = _("delivery")
    parameter_name = "delivery"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            (Delivery.WAITING.value, _("Something is waiting")),
            (Delivery.HELD.value, _("Something is held")),
            (Delivery.REJECTED.value, _("Something was rejected")),
            (CLOSING, _("Soon too old to be matched")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        work = self.value()
        if work not in (Delivery.WAITING, Delivery.HELD, Delivery.REJECTED, CLOSING):
            return queryset
        newest, whole = _closing(request) if work == CLOSING else _with_change(request, work)
        if not whole:
            found = searched(request, queryset)
            if _narrowed(request):
                counts_modestly(request)
                return _having(found, work)
            _say_so(request)
        few(request)
        return queryset.filter(pk__among=newest)


def _closing(request: HttpRequest) -> tuple[list[int], bool]:
    """Keys of the newest orders that are soon too old, as many as are looked at; and whether these are all."""
    orders = Order.objects.filter(counter__in=counters_asked(request)).expiring_within(days=CLOSING_DAYS).unsent()
    most = _most(request)
    return _first(list(orders.order_by("-pk").values_list("pk", flat=True)[: most + 1]), most)


def _with_change(request: HttpRequest, state: str) -> tuple[list[int], bool]:
    """The same of orders with a change in that state. Read here: PostgreSQL would begin at all of the orders."""
    changes: QuerySet[Any, int] = StatusChange.objects.filter(delivery=state).values_list("order_id", flat=True)
    most = _most(request)
    if not _is_everywhere(request) or state == Delivery.WAITING:
        changes = changes.filter(counter__in=counters_asked(request)).order_by("-order_id").distinct()
        return _first(list(changes[: most + 1]), most)
    # An index of all of them has the newest changes; an order may have several.
    stop = 2 * most
    read = list(changes.order_by("-pk")[: stop + 1])
    found, whole = _first(list(dict.fromkeys(read[:stop])), most)
    return found, whole and len(read) <= stop


def _first(keys: list[int], most: int) -> tuple[list[int], bool]:
    return keys[:most], len(keys) <= most


def _is_everywhere(request: HttpRequest) -> bool:
    return actor_of(request).agencies is None and not any_counter_asked(request)


def _most(request: HttpRequest) -> int:
    return min(MOST_WITH_WORK, MOST_EVERYWHERE) if _is_everywhere(request) else MOST_WITH_WORK


def _narrowed(request: HttpRequest) -> bool:
    """Whether the list is down to what an index has. Over all agencies days and a status do not do that: so many
    counters' stretches of an index take longer than a page may, and staff can choose one of them."""
    if is_few(request) or request.GET.get("client"):
        return True
    if _is_everywhere(request):
        return False
    return bool(request.GET.get("status") or search_asked(request) or days_asked(request, "create_date_time"))


def _having(orders: QuerySet[Any], work: str) -> QuerySet[Order]:
    """Those of the orders, each looked at for itself; by the counter as well, with which each index begins."""
    if work == CLOSING:
        return orders.expiring_within(days=CLOSING_DAYS).unsent()  # type: ignore[attr-defined]
    changes = StatusChange.objects.filter(counter=OuterRef("counter"), order=OuterRef("pk"), delivery=work)
    return orders.filter(Exists(changes.order_by()))


def _say_so(request: HttpRequest) -> None:
    most = _most(request)
    text = ngettext(
        "Looked for among the newest %(shown)s order with such work. "
        "Choose days, a status or a counter to look further back.",
        "Looked for among the newest %(shown)s orders with such work. "
        "Choose days, a status or a counter to look further back.",
        most,
    )
    cut(request, text, shown=most)
