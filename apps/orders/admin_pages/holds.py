"""The holds: a work list by reason, with the fix beside each (R8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.admin import SimpleListFilter
from django.core.exceptions import ValidationError
from django.db.models import Count, Min, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.counters.models import Counter
from apps.counters.templatetags.goalpost import badge, moment, money, since
from apps.counters.ui.acts import came_from
from apps.counters.ui.lists import PreparedListMixin
from apps.counters.ui.pages import PageAdmin
from apps.orders import numbers
from apps.orders.admin_pages.acts import REJECT_MANY, RELEASE_MANY
from apps.orders.admin_pages.fixes import fix_for
from apps.orders.hold_advice import sentence
from apps.orders.models import Delivery, HeldChange, HoldReason, StatusChange

STATUS_ROWS = 5000
STATUSES_SHOWN = 12
BY_STATUS = (HoldReason.UNMAPPED_STATUS.value, HoldReason.STATUS_WITHOUT_GOAL.value)


class ReasonFilter(SimpleListFilter):
    """Drawn above the list with numbers, so it needs no place in the panel of filters."""

    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return HoldReason.choices

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[HeldChange]) -> QuerySet[HeldChange]:
        return queryset.filter(hold_reason=self.value()) if self.value() in HoldReason.values else queryset


@dataclass(frozen=True, slots=True)
class HeldStatus:
    """A status that holds orders of one counter, with its fix."""

    status: str
    counter: str
    count: int
    url: str


def held_statuses(rows: QuerySet[Any]) -> list[HeldStatus]:
    """Statuses that wait for their mapping, those with most changes first: one fix frees all. Two queries."""
    some = rows.filter(hold_reason__in=BY_STATUS).order_by().values("pk")[:STATUS_ROWS]
    groups = list(
        HeldChange.objects.filter(pk__in=some)
        .order_by()
        .values("counter", "order_status")
        .annotate(count=Count("pk"), first=Min(Cast("pk", TextField())))
        .order_by("-count")[:STATUSES_SHOWN]
    )
    counters = Counter.objects.filter(pk__in={group["counter"] for group in groups})
    names = {counter.pk: str(counter) for counter in counters}
    return [
        HeldStatus(
            group["order_status"],
            names[group["counter"]],
            group["count"],
            reverse("admin:orders_heldchange_map", args=[UUID(group["first"])]),
        )
        for group in groups
    ]


def place_in_timeline(change: StatusChange) -> str:
    return f"{reverse('admin:orders_order_change', args=[change.order_id])}#change-{change.pk}"


class HeldChangeAdmin(PreparedListMixin, PageAdmin):
    list_display = ("show_order", "show_status", "show_reason", "show_money", "show_happened", "show_fix")
    list_display_links = None
    list_filter = (ReasonFilter, "counter")
    list_before_template = "admin/orders/heldchange/before.html"
    sortable_by = ()
    ordering = ("-id",)
    search_fields = ("order_status",)
    search_help_text = _("Status or order id, whole")
    actions = (RELEASE_MANY.as_action(), REJECT_MANY.as_action())
    empty_icon = "task_alt"
    empty_title = _("Nothing is held")
    empty_text = _("Every status change is on its way or delivered. What needs a person will appear here.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[HeldChange]:
        rows = super().get_queryset(request).filter(delivery=Delivery.HELD)
        return rows.select_related("order", "counter__account")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[HeldChange], search_term: str
    ) -> tuple[QuerySet[HeldChange], bool]:
        term = search_term.strip()
        if not term or "\0" in term:
            return queryset, False
        return queryset.filter(order_status=term) | queryset.filter(order__order_id=term), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        actor = actor_of(request)
        counters = Counter.objects.visible_to(actor)
        chosen = request.GET.get("counter__id__exact", "")
        if chosen.isdecimal():
            counters = counters.filter(pk=chosen)
        by_counter = numbers.held_by_reason(list(counters.values_list("pk", flat=True)))
        counts = {reason: sum(one.get(reason, 0) for one in by_counter.values()) for reason in HoldReason.values}
        reason = request.GET.get("reason", "")
        base = f"?counter__id__exact={chosen}&" if chosen.isdecimal() else "?"
        context = {
            "reasons": [
                {
                    "label": label,
                    "count": counts[value],
                    "more": counts[value] >= numbers.LIMIT,
                    "on": value == reason,
                    "url": f"{base}reason={value}" if value != reason else base,
                }
                for value, label in HoldReason.choices
                if counts[value]
            ],
            "what_to_do": sentence(reason),
            "held_statuses": (
                held_statuses(HeldChange.objects.filter(counter__in=counters, delivery=Delivery.HELD))
                if any(counts[value] for value in BY_STATUS) and reason in ("", *BY_STATUS)
                else []
            ),
            "may_operate": self.has_operate_permission(request),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A held change is looked at in its order's timeline."""
        change = self.get_or_404(request, object_id)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return HttpResponseRedirect(place_in_timeline(change))

    def get_or_404(self, request: HttpRequest, object_id: Any) -> Any:
        """Released meanwhile or not: acts and links of a list that is a minute old still find their change."""
        rows = HeldChange.objects.visible_to(actor_of(request)).select_related("order__client", "counter__account")
        try:
            return rows.get(pk=object_id)
        except (HeldChange.DoesNotExist, ValidationError, ValueError):
            raise Http404 from None

    def after_act(self, request: HttpRequest, obj: HeldChange) -> str:
        return came_from(request) or reverse("admin:orders_heldchange_changelist")

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        may_operate = self.has_operate_permission(request)
        for row in rows:
            row.fix = fix_for(row) if may_operate else None
            row.next = request.get_full_path()

    @display(description=_("Order"))
    def show_order(self, change: HeldChange) -> str:
        url = place_in_timeline(change)
        return format_html(
            '<a class="gp-link gp-wrap" href="{}">{}</a><br><span class="gp-sub">{}</span>',
            url,
            change.order.order_id,
            change.counter,
        )

    @display(description=_("Status"))
    def show_status(self, change: HeldChange) -> str:
        return format_html('<span class="gp-strong gp-wrap">{}</span>', change.order_status)

    @display(description=_("Why held"))
    def show_reason(self, change: HeldChange) -> str:
        return format_html(
            '<span class="gp-reason">{}</span>', badge(change.get_hold_reason_display(), "warn", "pan_tool")
        )

    @display(description=_("Revenue"))
    def show_money(self, change: HeldChange) -> str:
        return money(change.revenue, change.currency)

    @display(description=_("Happened, received"))
    def show_happened(self, change: HeldChange) -> str:
        happened = moment(change.status_date_time, change.counter.zone)
        return format_html('{}<br><span class="gp-sub">{}</span>', happened, since(change.received_at))

    @display(description=_("What to do"))
    def show_fix(self, change: Any) -> str:
        fix = change.fix
        if fix is None or not fix.url:
            return fix.text if fix else "—"
        return render_to_string("admin/orders/fix.html", {"fix": fix, "next": change.next})
