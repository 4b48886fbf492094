"""Orders: the list, one order with its timeline, and adding one by hand."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.exporting import Cell
from apps.agencies.filters import CountersFilter, DayRangeFilter, days_asked
from apps.clients.admin import identifier_rows
from apps.counters.leaving import leaves
from apps.counters.models import Counter
from apps.counters.templatetags.goalpost import moment, money, state_badge, type_badge
from apps.counters.ui import exports
from apps.counters.ui.lists import ByCounterMixin, PreparedListMixin
from apps.counters.ui.pages import PageAdmin
from apps.goals.board import resolvers
from apps.goals.models import StatusMapping
from apps.metrica.vocabulary import OrderType
from apps.orders.admin_pages.intake import NewOrderForm, take_in
from apps.orders.admin_pages.order_filters import ClientFilter, GoalFilter, SentAsFilter, WithoutFilter, searched
from apps.orders.admin_pages.picture import LANES, draw
from apps.orders.admin_pages.story import bind_percent, story, verdict
from apps.orders.admin_pages.turning import turn
from apps.orders.admin_pages.work_filter import WorkFilter
from apps.orders.models import Order, StatusChange
from apps.orders.panels import order_bulk_acts, sent_rows
from apps.orders.timeline import window

MOST_STATUSES = 300
"""That are offered to choose from; any other is found by the search."""


class StatusFilter(DropdownFilter):
    """Orders that stand at a status of the CRM: one that is mapped, or whichever a link names."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        mapped: QuerySet[StatusMapping] = StatusMapping.objects.visible_to(actor_of(request))
        if (counter := request.GET.get("counter__id__exact", "")).isdecimal():
            mapped = mapped.filter(counter__pk=counter)
        known = mapped.order_by("crm_status").values_list("crm_status", flat=True).distinct()[:MOST_STATUSES]
        return [(status, status) for status in dict.fromkeys([*known, *filter(None, [self.value()])])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return queryset.filter(order_status=status) if (status := self.value()) else queryset


def _leaving(counters: QuerySet[Counter], chosen: Any) -> str:
    """When an order of the chosen counter leaves; empty where none is chosen."""
    if not str(chosen or "").isdecimal():
        return ""
    counter = counters.select_related("account").filter(pk=chosen).first()
    return leaves(counter, changes=1) if counter else ""


def why_not(change: StatusChange | None) -> str:
    """Why a change waits for a person, or what was said when it was refused."""
    return "" if change is None else change.get_hold_reason_display() or change.reject_message


def _day(order: Order) -> date:
    """The CRM gave no time: the day on the counter's clock."""
    return order.create_date_time.astimezone(order.counter.zone).date()


class OrderAdmin(ByCounterMixin, PreparedListMixin, PageAdmin):
    add_right = Right.OPERATE
    page_template = "admin/orders/order/page.html"
    list_display = (
        "show_order",
        "show_status",
        "show_delivery",
        "show_money",
        "show_client",
        "show_created",
        "show_received",
    )
    list_filter = (
        *("counter", StatusFilter, ("create_date_time", DayRangeFilter), CountersFilter, ClientFilter),
        # These look through what the ones before them leave.
        *(WorkFilter, WithoutFilter, SentAsFilter, GoalFilter),
    )
    sortable_by = ()
    ordering = ("-id",)
    list_disable_select_all = True
    search_fields = ("order_id",)
    search_help_text = _(
        "A whole e-mail, phone or ClientID, a whole status; or the beginning of an order id, a client id or a name"
    )
    export_cells = {
        "show_order": (Cell(_("Order"), lambda order: order.order_id), *exports.COUNTER),
        "show_status": (
            Cell(_("Status"), lambda order: order.order_status),
            Cell(_("Order type"), lambda order: OrderType(order.type).label if order.type else _("Not mapped")),
        ),
        "show_delivery": (
            Cell(_("Delivery"), lambda order: order.current_change and order.current_change.get_delivery_display()),
            Cell(_("Why held or rejected"), lambda order: why_not(order.current_change)),
        ),
        "show_money": exports.money(_("Revenue"), lambda order: order.current_change),
        "show_client": (
            Cell(_("Client"), lambda order: order.client and order.client.name),
            Cell(_("Client id"), lambda order: order.client and order.client.uniq_id),
        ),
        "show_created": (
            Cell(
                _("Created in the CRM"),
                lambda order: _day(order) if order.create_date_only else order.create_date_time,
            ),
        ),
        "show_received": (Cell(_("Last received"), lambda order: order.updated_at),),
    }
    empty_icon = "receipt_long"
    empty_title = _("No order yet")
    empty_text = _("Orders come by the REST API, from a CSV file, or by hand. Add one to see how it travels.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        return super().get_queryset(request).select_related("counter", "client", "current_change")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # Of a period the indexes have the orders by their creation.
        return ("-create_date_time", "-id") if days_asked(request, "create_date_time") else self.ordering

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        return searched(request, queryset, search_term.strip()), False

    def get_urls(self) -> list[URLPattern]:
        sent = path(
            "<path:object_id>/sent/<uuid:upload_id>/",
            self.admin_site.admin_view(require_safe(self.sent_view)),
            name="orders_order_sent",
        )
        return [sent, *super().get_urls()]

    def sent_view(self, request: HttpRequest, object_id: str, upload_id: UUID) -> HttpResponse:
        """The order's row as it stood in that file, and Metrica's answer."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        order = self.get_or_404(request, object_id)
        row = next((found for read in sent_rows if (found := read(order, upload_id)) is not None), None)
        if row is None:
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": order,
            "title": _now("Row sent: %(order)s") % {"order": order.order_id},
            "row": row,
            "zone": order.counter.zone,
            "back": reverse("admin:orders_order_change", args=[order.pk])
            + (f"?{request.GET.urlencode()}" if request.GET else ""),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/orders/order/sent.html", context)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        offered = [act for act in order_bulk_acts if actor_of(request).can(act.right)]
        return {act.name: (act.as_action(), act.name, act.title) for act in offered}

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        known = resolvers({row.counter for row in rows})
        for row in rows:
            meaning = known[row.counter_id].meaning(row.order_status)
            row.type = meaning.type if meaning else ""

    def page_context(self, request: HttpRequest, obj: Order) -> dict[str, Any]:
        steps = story(obj, request)
        return {
            "steps": steps,
            "picture": draw(steps),
            "lanes": LANES,
            "turn": turn(self, request, obj),
            "verdict": verdict(obj, steps),
            "window": window(obj),
            "bind_percent": bind_percent(obj),
            "identifiers": identifier_rows(obj.identifiers),
            "client_identifiers": identifier_rows(obj.client.identifiers) if obj.client else [],
            "forgotten": _is_forgotten(obj),
            "zone": obj.counter.zone,
            "current": next((step for step in steps if step.is_current), None),
        }

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        counters = Counter.objects.visible_to(actor_of(request)).order_by("name")
        form = NewOrderForm(request.POST or None, counters=counters, initial={"counter": request.GET.get("counter")})
        if request.method == "POST" and form.is_valid():
            order = take_in(form, counter=form.cleaned_data["counter"])
            if order is not None:
                for warning in form.warnings:
                    messages.warning(request, warning)
                messages.success(request, _now("The order is taken in."))
                return HttpResponseRedirect(reverse("admin:orders_order_change", args=[order.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _now("Add an order by hand"),
            "form": form,
            "cancel_url": reverse("admin:orders_order_changelist"),
            "no_counters": not counters,
            "leaving": _leaving(counters, form["counter"].value()),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/orders/order/add.html", context)

    @display(description=_("Order"))
    def show_order(self, order: Order) -> str:
        return format_html(
            '<strong class="gp-strong gp-wrap">{}</strong><br><span class="gp-sub">{}</span>',
            order.order_id,
            order.counter,
        )

    @display(description=_("Status"))
    def show_status(self, order: Any) -> str:
        return format_html('{}<br><span class="gp-sub gp-wrap">{}</span>', type_badge(order.type), order.order_status)

    @display(description=_("Delivery"))
    def show_delivery(self, order: Order) -> str:
        change = order.current_change
        if change is None:
            return "—"
        reason = change.get_hold_reason_display() if change.hold_reason else change.reject_message
        drawn = state_badge(change.delivery, change.get_delivery_display(), reason)
        return (
            format_html('{}<br><span class="gp-sub">{}</span>', drawn, change.get_hold_reason_display())
            if change.hold_reason
            else drawn
        )

    @display(description=_("Revenue"))
    def show_money(self, order: Order) -> str:
        change = order.current_change
        return money(change.revenue, change.currency) if change is not None else "—"

    @display(description=_("Client"))
    def show_client(self, order: Order) -> str:
        return str(order.client) if order.client is not None else "—"

    @display(description=_("Created in the CRM"))
    def show_created(self, order: Order) -> str:
        return moment(order.create_date_time, order.counter.zone, day_only=order.create_date_only)

    @display(description=_("Last received"))
    def show_received(self, order: Order) -> str:
        return moment(order.updated_at, order.counter.zone)


def _is_forgotten(order: Order) -> bool:
    """Whether its identifiers went because the counter keeps them no longer."""
    days = order.counter.keep_people_days
    if days is None or order.identifiers or (order.client is not None and order.client.identifiers):
        return False
    return order.updated_at < timezone.now() - timedelta(days=days)
