"""The rejected changes: a work list with what Metrica said, what that means and what to do (R7, R8)."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.counters.templatetags.goalpost import moment, money, since
from apps.counters.ui.acts import came_from
from apps.counters.ui.lists import PreparedListMixin
from apps.counters.ui.pages import PageAdmin
from apps.orders.admin_pages.acts import LEAVE_MANY
from apps.orders.admin_pages.correcting import RETRY_MANY
from apps.orders.admin_pages.fixes import fix_for
from apps.orders.admin_pages.holds import place_in_timeline
from apps.orders.models import GIVEN_UP, Delivery, RejectedChange
from apps.orders.panels import rejected_filters
from apps.orders.reject_advice import OVERTAKEN, advice_for

OPEN, TAKEN_OVER, LEFT = "open", "overtaken", "left"
VIEWS: list[tuple[str, Any]] = [
    (OPEN, _("Needs a person")),
    (TAKEN_OVER, _("Overtaken by a newer status")),
    (LEFT, _("Left as they are")),
]


class ShowFilter(SimpleListFilter):
    """Drawn above the list, so it needs no place in the panel of filters. Nothing chosen: what needs a person."""

    title = _("what to show")
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return VIEWS

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        rows: Any = queryset
        if self.value() == TAKEN_OVER:
            return rows.exclude(reject_code=GIVEN_UP).overtaken()
        if self.value() == LEFT:
            return rows.filter(reject_code=GIVEN_UP)
        return rows.needing_a_person()


class RejectedChangeAdmin(PreparedListMixin, PageAdmin):
    list_display = ("show_order", "show_status", "show_why", "show_money", "show_happened", "show_fix")
    list_display_links = None
    list_filter = (ShowFilter, "counter")
    list_before_template = "admin/orders/rejectedchange/before.html"
    sortable_by = ()
    ordering = ("-id",)
    search_fields = ("order_status",)
    search_help_text = _("Status or order id, whole")
    actions = (RETRY_MANY.as_action(), LEAVE_MANY.as_action())
    empty_icon = "task_alt"
    empty_title = _("Nothing is rejected")
    empty_text = _("What Metrica does not take, with its reason and what to do, will appear here.")

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [*super().get_list_filter(request), *rejected_filters]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RejectedChange]:
        rows = super().get_queryset(request).filter(delivery=Delivery.REJECTED)
        return rows.select_related("order__client", "counter__account")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[RejectedChange], search_term: str
    ) -> tuple[QuerySet[RejectedChange], bool]:
        term = search_term.strip()
        if not term or "\0" in term:
            return queryset, False
        return queryset.filter(order_status=term) | queryset.filter(order__order_id=term), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        chosen = request.GET.get("show") or OPEN
        kept = request.GET.copy()
        views = []
        for value, label in VIEWS:
            kept["show"] = value
            views.append({"label": label, "on": value == chosen, "url": f"?{kept.urlencode()}"})
        context = {"views": views, "overtaken_text": OVERTAKEN if chosen == TAKEN_OVER else "", **(extra_context or {})}
        return super().changelist_view(request, context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A rejected change is looked at in its order's timeline."""
        change = self.get_or_404(request, object_id)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return HttpResponseRedirect(place_in_timeline(change))

    def get_or_404(self, request: HttpRequest, object_id: Any) -> Any:
        """Rejected still or not: acts and links of a list that is a minute old still find their change."""
        rows = RejectedChange.objects.visible_to(actor_of(request)).select_related("order__client", "counter__account")
        try:
            return rows.get(pk=object_id)
        except (RejectedChange.DoesNotExist, ValidationError, ValueError):
            raise Http404 from None

    def after_act(self, request: HttpRequest, obj: RejectedChange) -> str:
        return came_from(request) or reverse("admin:orders_rejectedchange_changelist")

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        may_operate = self.has_operate_permission(request)
        for row in rows:
            row.fix = fix_for(row) if may_operate else None
            row.next = request.get_full_path()

    @display(description=_("Order"))
    def show_order(self, change: RejectedChange) -> str:
        return format_html(
            '<a class="gp-link gp-wrap" href="{}">{}</a><br><span class="gp-sub">{}</span>',
            place_in_timeline(change),
            change.order.order_id,
            change.counter,
        )

    @display(description=_("Status"))
    def show_status(self, change: RejectedChange) -> str:
        return format_html('<span class="gp-strong gp-wrap">{}</span>', change.order_status)

    @display(description=_("Why rejected, what to do"))
    def show_why(self, change: RejectedChange) -> str:
        context = {"change": change, "advice": advice_for(change)}
        return render_to_string("admin/orders/rejection.html", context)

    @display(description=_("Revenue"))
    def show_money(self, change: RejectedChange) -> str:
        return money(change.revenue, change.currency)

    @display(description=_("Happened, received"))
    def show_happened(self, change: RejectedChange) -> str:
        happened = moment(change.status_date_time, change.counter.zone)
        return format_html('{}<br><span class="gp-sub">{}</span>', happened, since(change.received_at))

    @display(description="")
    def show_fix(self, change: Any) -> str:
        fix = change.fix
        return render_to_string("admin/orders/fix.html", {"fix": fix, "next": change.next}) if fix else ""
