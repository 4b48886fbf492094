"""Filters of the list of orders that numbers of other pages lead to: by client, by what an order lacks, by what came of
it at Metrica.

What no index knows is looked for among the newest orders of all that the other filters leave: so it costs the same, be
there a thousand orders or ten million, and the list says so.
"""

from collections.abc import Callable
from typing import Any, Final

from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import DropdownFilter

from apps.agencies.access import actor_of
from apps.agencies.changelists import cut, few, is_few, search_cut
from apps.agencies.filters import COUNTERS, LinkFilter, days_asked, numbers_in
from apps.agencies.merging import Parts, merged
from apps.clients.models import Client
from apps.counters.templatetags.goalpost import goal_name
from apps.counters.ui.lists import counters_in_view
from apps.metrica.vocabulary import OrderType
from apps.orders import search
from apps.orders.identified import KINDS_OF, lacking
from apps.orders.models import Order
from apps.orders.reached import OWN, delivered_as, that_reached

MOST_LOOKED_AT: Final = 3_000
READ: Final = 200_000
"""Entries of an index that are read to find the newest orders: as many of each counter as there may be in all."""


def counters_asked(request: HttpRequest) -> tuple[int, ...]:
    """Primary keys of the counters that the list is of."""
    chosen = {*numbers_in(request.GET.get("counter__id__exact")), *numbers_in(request.GET.get(COUNTERS))}
    return tuple(key for key in counters_in_view(request) if not chosen or key in chosen)


def any_counter_asked(request: HttpRequest) -> bool:
    return bool(request.GET.get("counter__id__exact") or request.GET.get(COUNTERS))


def search_asked(request: HttpRequest) -> str:
    """What the list is searched for; empty for what is no search to Django's list either."""
    term = request.GET.get(SEARCH_VAR, "").strip()
    return "" if "\0" in term else term


def searched(request: HttpRequest, orders: QuerySet[Order], term: str | None = None) -> QuerySet[Order]:
    """Those that the search means, all where it is for nothing. It is done once a request: Django's list comes to it
    last, and a filter that looks through the newest ones has need of it before."""
    term = search_asked(request) if term is None else term
    if not term:
        return orders
    said, found = getattr(request, "orders_searched", (None, None))
    if said != term or found is None:
        found = search.matching(orders, term, actor=actor_of(request))
        request.orders_searched = (term, found)  # type: ignore[attr-defined]
        if found.cut_at:
            search_cut(request, found.cut_at)
        if found.few:
            few(request)
    return orders.filter(found.condition)


def looked_at(request: HttpRequest) -> int:
    """How many orders are looked through: the newest ones; fewer where they are of many counters."""
    return min(MOST_LOOKED_AT, READ // max(1, len(counters_asked(request))))


def among_newest(
    request: HttpRequest, orders: QuerySet[Order], wanted: Callable[[QuerySet[Order]], QuerySet[Order]]
) -> QuerySet[Order]:
    """Of the first of them, in an order in which an index has them (with days chosen, that of their creation), those
    that `wanted` leaves. What is searched for is found before: few have it, be they new or old.

    Both steps are read here: written as one, PostgreSQL takes the newest ones for a handful and looks at each of them
    once for every counter.
    """
    orders = searched(request, orders)
    days = days_asked(request, "create_date_time")
    some = orders.select_related(None).order_by(*(["-create_date_time", "-pk"] if days else ["-pk"]))
    # Few need not be read counter by counter, so as many of them are looked at as of one counter.
    known = is_few(request)
    most = MOST_LOOKED_AT if known else looked_at(request)
    some = merged(some, None if known else Parts("counter", counters_asked(request)), stop=most + 1)
    few(request)
    keys = list(some.values_list("pk", flat=True))
    if len(keys) > most:
        _say_so(request, most)
    newest = Order.objects.filter(pk__among=keys[:most]).order_by()
    return orders.filter(pk__among=list(wanted(newest).values_list("pk", flat=True)))


def _say_so(request: HttpRequest, most: int) -> None:
    text = ngettext(
        "Looked for among the newest %(shown)s order that fits the other filters. "
        "Choose days or a counter to look further back.",
        "Looked for among the newest %(shown)s orders that fit the other filters. "
        "Choose days or a counter to look further back.",
        most,
    )
    cut(request, text, shown=most)


class ClientFilter(LinkFilter):
    """Orders of one client, by the client's key: its id may be the beginning of another's."""

    title = _("client")
    parameter_name = "client"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if not self.value():
            return queryset
        few(request)
        return queryset.filter(client__in=numbers_in(self.value()))

    def only(self) -> str:
        clients: QuerySet[Client] = Client.objects.visible_to(actor_of(self.request))
        client = clients.filter(pk__in=numbers_in(self.value())).first()
        return str(client) if client is not None else "—"


class WithoutFilter(DropdownFilter):
    title = _("what is missing")
    parameter_name = "without"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("client_id", _("Without ClientID")),
            ("phone", _("Without phone")),
            ("email", _("Without e-mail")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        sort = self.value()
        if sort not in KINDS_OF:
            return queryset
        return among_newest(request, queryset, lambda orders: lacking(orders, sort))


class SentAsFilter(DropdownFilter):
    title = _("type delivered")
    parameter_name = "sent_as"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(kind.value, kind.label) for kind in OrderType]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        known = {kind.value: kind for kind in OrderType}
        kind = known.get(self.value() or "")
        if kind is None:
            return queryset
        return among_newest(request, queryset, lambda orders: delivered_as(orders, kind))


class GoalFilter(LinkFilter):
    title = _("goal reached")
    parameter_name = "goal"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        goal = self.value()
        if not goal or "\0" in goal:
            return queryset
        asked = counters_asked(request)
        return among_newest(request, queryset, lambda orders: that_reached(orders, goal, counters=asked))

    def only(self) -> str:
        goal = self.value() or ""
        return _now("Any JavaScript goal") if goal == OWN else str(goal_name(goal))
