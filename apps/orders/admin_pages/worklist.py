"""Lists of changes, above all of those that wait for a person, held or rejected: searched, drawn and acted on in one
way (R8)."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.agencies.exporting import Cell
from apps.counters.templatetags.goalpost import moment, money, since
from apps.counters.ui import exports
from apps.counters.ui.acts import came_from
from apps.counters.ui.lists import ByCounterMixin, PreparedListMixin, counters_in_view
from apps.counters.ui.pages import PageAdmin
from apps.orders.admin_pages.fixes import fix_for
from apps.orders.models import Delivery, Order, StatusChange


def place_in_timeline(change: StatusChange) -> str:
    return f"{reverse('admin:orders_order_change', args=[change.order_id])}#change-{change.pk}"


class WorkListAdmin(ByCounterMixin, PreparedListMixin, PageAdmin):
    """Changes in the state `listed`, or in any, the newest first, with the fix beside each."""

    # The search has an index by status, and each view of rejected ones goes through the newest of them.
    whole_with = ByCounterMixin.whole_with | {SEARCH_VAR, "show"}
    listed: ClassVar[Delivery | None] = None
    list_display_links = None
    sortable_by = ()
    ordering = ("-id",)
    search_fields = ("order_status",)
    search_help_text = _("Status or order id, whole")
    export_cells = {
        "show_order": (Cell(_("Order"), lambda change: change.order.order_id), *exports.COUNTER),
        "show_status": (Cell(_("Status"), lambda change: change.order_status),),
        "show_money": exports.money(_("Revenue")),
        "show_happened": (
            Cell(_("Happened"), lambda change: change.status_date_time),
            Cell(_("Received"), lambda change: change.received_at),
        ),
        "show_fix": (),
    }
    export_keys = (
        Cell(_("Client id"), lambda change: change.order.client and change.order.client.uniq_id),
        Cell(_("Status change"), lambda change: change.pk),
    )
    empty_icon = "task_alt"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).select_related("order__client", "counter__account")
        return rows if self.listed is None else rows.filter(delivery=self.listed)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term or "\0" in term:
            return queryset, False
        # The order's id is looked up first: an index knows it, and so do only some changes.
        counters = counters_in_view(request)
        orders = (
            Order.objects.filter(counter__pk__among=counters, order_id=term).order_by().values_list("pk", flat=True)
        )
        return queryset.filter(self.in_status(request, term) | Q(order__in=list(orders))), False

    def in_status(self, request: HttpRequest, status: str) -> Q:
        return Q(order_status=status)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A change is looked at in its order's timeline."""
        change = self.get_or_404(request, object_id)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return HttpResponseRedirect(place_in_timeline(change))

    def get_or_404(self, request: HttpRequest, object_id: Any) -> Any:
        """In this state still or not: acts and links of a list that is a minute old still find their change."""
        model: Any = self.model
        rows = model.objects.visible_to(actor_of(request)).select_related("order__client", "counter__account")
        try:
            return rows.get(pk=object_id)
        except (model.DoesNotExist, ValidationError, ValueError):
            raise Http404 from None

    def after_act(self, request: HttpRequest, obj: Any) -> str:
        return came_from(request) or reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        may_operate = self.has_operate_permission(request)
        for row in rows:
            row.fix = fix_for(row, request) if may_operate else None
            row.next = request.get_full_path()

    def prepare_export(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """All cells come with the rows; what to do about each stays on the page."""

    @display(description=_("Order"))
    def show_order(self, change: StatusChange) -> str:
        return format_html(
            '<a class="gp-link gp-wrap" href="{}">{}</a><br><span class="gp-sub">{}</span>',
            place_in_timeline(change),
            change.order.order_id,
            change.counter,
        )

    @display(description=_("Status"))
    def show_status(self, change: StatusChange) -> str:
        return format_html('<span class="gp-strong gp-wrap">{}</span>', change.order_status)

    @display(description=_("Revenue"))
    def show_money(self, change: StatusChange) -> str:
        return money(change.revenue, change.currency)

    @display(description=_("Happened, received"))
    def show_happened(self, change: StatusChange) -> str:
        happened = moment(change.status_date_time, change.counter.zone)
        return format_html(
            '{}<br><span class="gp-sub">{}</span>', happened, since(change.received_at, change.counter.zone)
        )
