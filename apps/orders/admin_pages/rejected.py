"""The rejected changes: a work list with what Metrica said, what that means and what to do (R7, R8)."""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.agencies.changelists import cut, few
from apps.agencies.exporting import Cell
from apps.agencies.merging import merged
from apps.agencies.paginator import ShortPaginator
from apps.counters.ui.lists import chosen_counter
from apps.orders.admin_pages.correcting import LEAVE_MANY, RETRY_MANY
from apps.orders.admin_pages.worklist import WorkListAdmin
from apps.orders.models import GIVEN_UP, Delivery, RejectedChange
from apps.orders.panels import rejected_filters
from apps.orders.reject_advice import OVERTAKEN, advice_for

OPEN, TAKEN_OVER, LEFT, ALL = "open", "overtaken", "left", "all"
LOOKED_AT: Final = 3_000
VIEWS: list[tuple[str, Any]] = [
    (OPEN, _("Needs a person")),
    (TAKEN_OVER, _("Overtaken by a newer status")),
    (LEFT, _("Left as they are")),
]


def shown(request: HttpRequest) -> str:
    """Nothing chosen: what needs a person; of one upload, all that it has rejected, as its page counts it."""
    return request.GET.get("show") or (ALL if request.GET.get("job") else OPEN)


class ShowFilter(SimpleListFilter):
    """Drawn above the list, so it needs no place in the panel of filters."""

    title = _("what to show")
    parameter_name = "show"

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self._list = model_admin

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*VIEWS, (ALL, _("All"))]

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        rows: Any = queryset
        if (chosen := shown(request)) == TAKEN_OVER:
            return self._overtaken(request, rows.exclude(reject_code=GIVEN_UP))
        if chosen == LEFT:
            return rows.filter(reject_code=GIVEN_UP)
        if chosen == ALL:
            return rows
        return rows.needing_a_person()

    def _overtaken(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those among the newest: none of them is work for anybody, and each has to be looked at for itself. What is
        searched for is found before: Django's list comes to it last."""
        searched, _twice = self._list.get_search_results(request, rows, request.GET.get(SEARCH_VAR, ""))
        newest = searched.select_related(None).order_by("-pk")
        everywhere = actor_of(request).agencies is None and chosen_counter(request) is None  # an index has all of them
        newest = merged(newest, None if everywhere else self._list.parts_of(request), stop=LOOKED_AT + 1)
        keys = list(newest.values_list("pk", flat=True))
        if len(keys) > LOOKED_AT:
            _say_so(request)
        few(request)
        overtaken: Any = RejectedChange.objects.filter(pk__among=keys[:LOOKED_AT]).order_by()
        return rows.filter(pk__among=list(overtaken.overtaken().values_list("pk", flat=True)))


def _say_so(request: HttpRequest) -> None:
    text = ngettext(
        "Looked for among the newest %(shown)s rejected status change. Choose a counter to look further back.",
        "Looked for among the newest %(shown)s rejected status changes. Choose a counter to look further back.",
        LOOKED_AT,
    )
    cut(request, text, shown=LOOKED_AT)


class RejectedChangeAdmin(WorkListAdmin):
    paginator = ShortPaginator
    listed = Delivery.REJECTED
    list_display = ("show_order", "show_status", "show_why", "show_money", "show_happened", "show_fix")
    list_filter = ("counter",)
    list_before_template = "admin/orders/rejectedchange/before.html"
    export_cells = {
        **WorkListAdmin.export_cells,
        "show_why": (
            Cell(_("Why rejected"), lambda change: change.reject_message),
            Cell(_("What it means"), lambda change: advice_for(change).means),
            Cell(_("What to do"), lambda change: advice_for(change).next_step),
        ),
    }
    actions = (RETRY_MANY.as_action(), LEAVE_MANY.as_action())
    empty_title = _("Nothing is rejected")
    empty_text = _("What Metrica does not take, with its reason and what to do, will appear here.")

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        # The last looks through what the ones before it leave.
        return [*super().get_list_filter(request), *rejected_filters, ShowFilter]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        chosen = shown(request)
        kept = request.GET.copy()
        views = []
        for value, label in [*([(ALL, _("All"))] if request.GET.get("job") else []), *VIEWS]:
            kept["show"] = value
            views.append({"label": label, "on": value == chosen, "url": f"?{kept.urlencode()}"})
        context = {"views": views, "overtaken_text": OVERTAKEN if chosen == TAKEN_OVER else "", **(extra_context or {})}
        return super().changelist_view(request, context)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        if shown(request) == ALL:
            overtaken: Any = RejectedChange.objects.filter(pk__in=[row.pk for row in rows]).overtaken()
            known = set(overtaken.order_by().values_list("pk", flat=True))
            for row in rows:
                row.overtaken = row.pk in known
        super().prepare(request, rows)

    @display(description=_("Why rejected, what to do"))
    def show_why(self, change: RejectedChange) -> str:
        context = {"change": change, "advice": advice_for(change)}
        return render_to_string("admin/orders/rejection.html", context)

    @display(description="")
    def show_fix(self, change: Any) -> str:
        fix = change.fix
        return render_to_string("admin/orders/fix.html", {"fix": fix, "next": change.next}) if fix else ""
