"""The holds: a work list by reason, with the fix beside each (R8)."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.agencies.exporting import Cell
from apps.agencies.filters import LinkFilter
from apps.counters.models import Counter
from apps.counters.templatetags.goalpost import badge
from apps.counters.ui.lists import counters_in_view
from apps.orders import numbers
from apps.orders.admin_pages.acts import REJECT_MANY, RELEASE_MANY
from apps.orders.admin_pages.held_groups import STATUS_ROWS, held_counters, held_statuses
from apps.orders.admin_pages.worklist import WorkListAdmin
from apps.orders.hold_advice import sentence
from apps.orders.holds import BY_STATUS
from apps.orders.models import Delivery, HeldChange, HoldReason


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


class RequestFilter(LinkFilter):
    """What one request brought, or the import that it began: pages of imports lead here."""

    title = _("request id")
    parameter_name = "request_id"

    def queryset(self, request: HttpRequest, queryset: QuerySet[HeldChange]) -> QuerySet[HeldChange]:
        known = asked_of_request(request)
        return queryset.filter(request_id=known) if known else queryset


def asked_of_request(request: HttpRequest) -> str:
    """The request whose changes alone are looked at."""
    return request.GET.get(RequestFilter.parameter_name, "").replace("\0", "")


class HeldChangeAdmin(WorkListAdmin):
    listed = Delivery.HELD
    list_display = ("show_order", "show_status", "show_reason", "show_money", "show_happened", "show_fix")
    list_filter = (ReasonFilter, "counter", RequestFilter)
    list_before_template = "admin/orders/heldchange/before.html"
    export_cells = {
        **WorkListAdmin.export_cells,
        "show_reason": (Cell(_("Why held"), lambda change: change.get_hold_reason_display()),),
    }
    actions = (RELEASE_MANY.as_action(), REJECT_MANY.as_action())
    empty_title = _("Nothing is held")
    empty_text = _("Every status change is on its way or delivered. What needs a person will appear here.")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        actor = actor_of(request)
        counters = Counter.objects.visible_to(actor)
        chosen = request.GET.get("counter__id__exact", "")
        if chosen.isdecimal():
            counters = counters.filter(pk=chosen)
            keys = list(counters.values_list("pk", flat=True))
        else:
            keys = list(counters_in_view(request))
        of_request = asked_of_request(request)
        if of_request:
            by_counter, cut = numbers.held_of_request(of_request, keys)
        else:
            by_counter, cut = numbers.held_by_reason(keys), False
        counts = {reason: sum(one.get(reason, 0) for one in by_counter.values()) for reason in HoldReason.values}
        # The count of a counter stops at the limit, their sum does not.
        stopped = {
            why
            for one in by_counter.values()
            for why, number in one.items()
            if cut or (not of_request and number >= numbers.LIMIT)
        }
        by_status = sum(counts[value] for value in BY_STATUS)
        reason = request.GET.get("reason", "")
        kept = {"counter__id__exact": chosen} if chosen.isdecimal() else {}
        if of_request:
            kept["request_id"] = of_request
        base = f"?{urlencode(kept)}&" if kept else "?"
        context = {
            "reasons": [
                {
                    "label": label,
                    "count": counts[value],
                    "more": value in stopped,
                    "on": value == reason,
                    "url": f"{base}reason={value}" if value != reason else base,
                }
                for value, label in HoldReason.choices
                if counts[value]
            ],
            "what_to_do": sentence(reason),
            "held_statuses": (
                held_statuses(
                    HeldChange.objects.filter(counter__in=counters, delivery=Delivery.HELD),
                    many=by_status > STATUS_ROWS or not stopped.isdisjoint(BY_STATUS),
                    of_request=of_request,
                )
                if by_status and reason in ("", *BY_STATUS)
                else []
            ),
            "held_counters": held_counters(by_counter, reason=reason, cut=cut, request=request),
            "of_request": of_request,
            "next": request.get_full_path(),
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
        if fix is None:
            return "—"
        context = {
            "fix": fix,
            "next": change.next,
            "give_up": reverse("admin:orders_heldchange_reject", args=[change.pk]),
        }
        return render_to_string("admin/orders/heldchange/fix.html", context)
