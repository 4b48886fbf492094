"""The holds: a work list by reason, with the fix beside each (R8)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.admin import SimpleListFilter
from django.db.models import Count, Min, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.counters.models import Counter
from apps.counters.templatetags.goalpost import badge
from apps.orders import numbers
from apps.orders.admin_pages.acts import REJECT_MANY, RELEASE_MANY
from apps.orders.admin_pages.worklist import WorkListAdmin
from apps.orders.hold_advice import sentence
from apps.orders.models import Delivery, HeldChange, HoldReason

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


class HeldChangeAdmin(WorkListAdmin):
    listed = Delivery.HELD
    list_display = ("show_order", "show_status", "show_reason", "show_money", "show_happened", "show_fix")
    list_filter = (ReasonFilter, "counter")
    list_before_template = "admin/orders/heldchange/before.html"
    actions = (RELEASE_MANY.as_action(), REJECT_MANY.as_action())
    empty_title = _("Nothing is held")
    empty_text = _("Every status change is on its way or delivered. What needs a person will appear here.")

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

    @display(description=_("Why held"))
    def show_reason(self, change: HeldChange) -> str:
        return format_html(
            '<span class="gp-reason">{}</span>', badge(change.get_hold_reason_display(), "warn", "pan_tool")
        )

    @display(description=_("What to do"))
    def show_fix(self, change: Any) -> str:
        fix = change.fix
        if fix is None or not fix.url:
            return fix.text if fix else "—"
        return render_to_string("admin/orders/fix.html", {"fix": fix, "next": change.next})
