"""Status changes as a list: those that wait, those of one upload, those that came in on certain days. What numbers of
status changes lead to, so it is never more than an index can find: without an upload or days it shows what waits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.changelists import few, search_cut, stays_unread
from apps.agencies.exporting import Cell
from apps.agencies.filter_pages import whole_list
from apps.agencies.filters import CountersFilter, DayRangeFilter, days_asked
from apps.agencies.ids import first_key
from apps.agencies.merging import WHOLE, Parts, merged
from apps.agencies.paginator import ModestPaginator
from apps.counters.templatetags.goalpost import moment, state_badge
from apps.counters.ui.lists import EmptyLink, counters_in_view
from apps.goals.resolve import counters_knowing
from apps.orders.admin_pages.order import why_not
from apps.orders.admin_pages.worklist import WorkListAdmin
from apps.orders.models import Delivery, StatusChange
from apps.orders.panels import change_filters

WITH_AN_INDEX: Final = (Delivery.WAITING, Delivery.HELD, Delivery.REJECTED)
"""States that are found by themselves."""

AS_THEY_GO: Final = ("order_id", "status_date_time", "seq")
"""The order in which the index has what waits of a counter."""

MOST_FOUND: Final = 1_000
"""Status changes that a search shows."""

_NEAR: Final = timedelta(hours=1)


def is_narrow(request: HttpRequest) -> bool:
    """Whether there are few enough of them to show any state: those of an upload, or of days that can be read."""
    return bool(request.GET.get("job") or days_asked(request, "received_at"))


def states(request: HttpRequest) -> list[Delivery]:
    """Those that can be chosen here."""
    return list(Delivery) if is_narrow(request) else list(WITH_AN_INDEX)


def chosen_state(request: HttpRequest) -> str:
    """Empty for all of them."""
    asked = request.GET.get("delivery", "")
    if asked in states(request):
        return asked
    return "" if is_narrow(request) else Delivery.WAITING.value


def chosen_order(request: HttpRequest) -> tuple[str, ...]:
    """What waits stands as it goes, all else the newest first."""
    return AS_THEY_GO if chosen_state(request) == Delivery.WAITING and not is_narrow(request) else ("-id",)


class StateFilter(SimpleListFilter):
    """Drawn above the list, so it needs no place in the panel of filters."""

    title = _("delivery")
    parameter_name = "delivery"
    template = "admin/link_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Delivery.choices)

    def choices(self, changelist: Any) -> Any:
        return ()

    def queryset(self, request: HttpRequest, queryset: QuerySet[StatusChange]) -> QuerySet[StatusChange]:
        state = chosen_state(request)
        return queryset.filter(delivery=state) if state else queryset


class ReceivedFilter(DayRangeFilter):
    """A change's key is made when it is received, so the days are a stretch of its counter's keys."""

    def narrow(self, rows: QuerySet[Any], *, start: datetime | None, end: datetime | None) -> QuerySet[Any]:
        rows = super().narrow(rows, start=start, end=end)
        if start is not None:
            rows = rows.filter(pk__gte=first_key(start - _NEAR))
        return rows if end is None else rows.filter(pk__lt=first_key(end + _NEAR))


class StatusChangeAdmin(WorkListAdmin):
    paginator = ModestPaginator
    list_display = ("show_order", "show_status", "show_state", "show_money", "show_happened")
    list_filter = ("counter", StateFilter, ("received_at", ReceivedFilter), CountersFilter)
    list_before_template = "admin/orders/statuschange/before.html"
    export_cells = {
        **WorkListAdmin.export_cells,
        "show_state": (
            Cell(_("Delivery"), lambda change: change.get_delivery_display()),
            Cell(_("Why held or rejected"), lambda change: why_not(change)),
            Cell(_("Delivered"), lambda change: change.delivered_at),
        ),
    }
    empty_title = _("Nothing is waiting")
    empty_text = _("Every status change is delivered, held or rejected. What comes in next will appear here.")

    def empty_link(self, request: HttpRequest) -> EmptyLink | None:
        return EmptyLink(whole_list("orders_order"), _("All orders"), "arrow_forward")

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [*super().get_list_filter(request), *change_filters]

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return chosen_order(request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        rows, more = super().get_search_results(request, queryset, search_term)
        if rows is queryset or stays_unread(request):  # a file has all of them
            return rows, more
        # No index has what waits by its status: it is looked through once, until enough of it is found.
        narrow = is_narrow(request)
        found = rows.select_related(None).order_by(*(chosen_order(request) if narrow else ()))
        found = found.values_list("pk", flat=True)
        keys = list(merged(found, super().parts_of(request) if narrow else None, stop=MOST_FOUND + 1))
        if len(keys) > MOST_FOUND:
            search_cut(request, MOST_FOUND)
        few(request)
        return queryset.filter(pk__among=keys[:MOST_FOUND]), more

    def in_status(self, request: HttpRequest, status: str) -> Q:
        """What waits has a status that means something in its counter: the others need not be looked through."""
        found = super().in_status(request, status)
        if chosen_state(request) != Delivery.WAITING or is_narrow(request):
            return found
        knowing = counters_knowing(status)
        return found if knowing is None else found & Q(counter__in=knowing)

    def parts_of(self, request: HttpRequest) -> Parts | None:
        """By the counter for everybody: there is no index of all that waits."""
        found = super().parts_of(request)
        return Parts("counter", counters_in_view(request)) if found is WHOLE else found

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        state, narrow, kept = chosen_state(request), is_narrow(request), request.GET.copy()
        kept.pop("p", None)
        offered: list[tuple[str, Any]] = [(one.value, one.label) for one in states(request)]
        views: list[dict[str, Any]] = []
        for value, label in [("", _("All")), *offered] if narrow else offered:
            kept["delivery"] = value
            views.append({"label": label, "on": value == state, "url": f"?{kept.urlencode()}"})
        return super().changelist_view(request, {"views": views, "narrow": narrow, **(extra_context or {})})

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """All columns come with the rows."""

    @display(description=_("Delivery"))
    def show_state(self, change: StatusChange) -> str:
        drawn = state_badge(change.delivery, change.get_delivery_display(), why_not(change))
        if change.delivered_at is None:
            return drawn
        at = moment(change.delivered_at, change.counter.zone)
        return format_html('{}<br><span class="gp-sub">{}</span>', drawn, at)
