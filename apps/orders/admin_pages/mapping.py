"""What orders add to the mapping's editor: statuses that nobody mapped yet, a draft tried out, goals that came late."""

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Max
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.counters.leaving import leaves
from apps.counters.models import Counter
from apps.counters.panels import COUNTED_AT_MOST
from apps.counters.ui.acts import Act, ActForm
from apps.goals.admin_pages.mapping import MAPPING_FIELDS, drafted
from apps.goals.goal_checks import goals_in_use
from apps.goals.models import Goal, StatusMapping
from apps.goals.resolve import Resolver
from apps.goals.simulator import simulate
from apps.goals.statuses import StatusRow
from apps.goals.suggestions import suggested_type
from apps.metrica.rules import BINDING_WINDOW
from apps.metrica.vocabulary import OrderType
from apps.orders import holds, replay
from apps.orders.models import Delivery, HoldReason, Order, StatusChange

HELD_LOOKED_AT = 10_000
STATUSES_SHOWN = 30
ORDERS_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class UnknownStatus:
    """A status that came in and says nothing yet. `or_more`: not all held changes were looked at."""

    status: str
    count: int
    last_seen: datetime
    suggested: OrderType
    url: str


def unknown_statuses(counter: Counter) -> list[UnknownStatus]:
    """Those that hold most first. One query over at most HELD_LOOKED_AT of the held."""
    held = StatusChange.objects.filter(
        counter=counter, delivery=Delivery.HELD, hold_reason=HoldReason.UNMAPPED_STATUS
    ).order_by()
    groups = (
        StatusChange.objects.filter(pk__in=held.values("pk")[:HELD_LOOKED_AT])
        .order_by()
        .values("order_status")
        .annotate(count=Count("pk"), last_seen=Max("received_at"))
        .order_by("-count", "order_status")[:STATUSES_SHOWN]
    )
    return [
        UnknownStatus(
            group["order_status"],
            group["count"],
            group["last_seen"],
            suggested_type(group["order_status"]),
            reverse("admin:counters_counter_map", args=[counter.pk]),
        )
        for group in groups
    ]


def unknown_statuses_note(request: HttpRequest, counter: Counter) -> str:
    """Each with how often it came, when last, and what it probably is; nothing is mapped by itself."""
    found = unknown_statuses(counter)
    if not found:
        return ""
    held = sum(one.count for one in found)
    capped = held >= HELD_LOOKED_AT
    context = {
        "statuses": found,
        "limit": HELD_LOOKED_AT,
        "capped": capped,
        "leaving": leaves(counter, changes=held, or_more=capped),
        "may_operate": actor_of(request).can(Right.OPERATE),
        "counter": counter,
    }
    return render_to_string("admin/orders/unknown_statuses.html", context, request=request)


@dataclass(frozen=True, slots=True)
class LateGoal:
    """A goal that Metrica has since `since`, and how many orders that reach it were created before."""

    identifier: str
    since: datetime
    orders: int


def late_goals(counter: Counter, *, now: datetime) -> list[LateGoal]:
    """Goals younger than orders that should reach them, among orders that can still be bound. Two queries, a third one
    (over at most ORDERS_LOOKED_AT orders) only where the counter has a goal younger than the binding window.
    """
    begins = now - BINDING_WINDOW
    appeared = Goal.objects.filter(counter=counter, appeared_at__gt=begins, missing_since=None)
    young: dict[str, Any] = dict(appeared.values_list("identifier", "appeared_at"))
    if not young:
        return []
    used = goals_in_use(StatusMapping.objects.filter(counter=counter))
    wanted = {goal: set(used[goal]) for goal in young if goal in used}
    if not wanted:
        return []
    latest = max(young[goal] for goal in wanted)
    orders = (
        Order.objects.filter(counter=counter, create_date_time__gte=begins, create_date_time__lt=latest)
        .order_by("create_date_time")
        .values_list("order_status", "create_date_time")[:ORDERS_LOOKED_AT]
    )
    counts: Tally[str] = Tally()
    for status, created in orders:
        for goal, statuses in wanted.items():
            if status in statuses and created < young[goal]:
                counts[goal] += 1
    return [LateGoal(goal, young[goal], counts[goal]) for goal in wanted if counts[goal]]


def late_goals_note(request: HttpRequest, counter: Counter) -> str:
    found = late_goals(counter, now=timezone.now())
    if not found:
        return ""
    return render_to_string("admin/orders/late_goals.html", {"goals": found, "counter": counter}, request=request)


PERIODS = [(7, _("7 days")), (30, _("30 days")), (90, _("90 days"))]


class SimulateForm(ActForm):
    days = forms.TypedChoiceField(
        label=_("Orders of the last"),
        choices=PERIODS,
        coerce=int,
        required=False,
        initial=30,
        widget=UnfoldAdminSelectWidget,
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        self.draft = drafted(self.request, self.obj)
        if self.draft is None:
            message = _(
                "The mapping as it is written has mistakes, so it cannot be tried. Go back to it and press “Save”: its "
                "fields say what is wrong."
            )
            raise forms.ValidationError(message, code="bad_draft")
        return values


def _simulate(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> TemplateResponse:
    draft = drafted(request, counter)
    assert draft is not None  # the form has seen to it
    days = values["days"] or 30
    done = simulate(
        replay.paths(counter=counter, days=days),
        present=Resolver.for_counter(counter),
        draft=_resolver(counter, draft),
    )
    context = {
        **admin.site.each_context(request),
        "opts": Counter._meta,
        "original": counter,
        "title": _("What would change?"),
        "counter": counter,
        "done": done,
        "days": days,
        "periods": PERIODS,
        "limit": replay.ORDERS,
        "capped": done.orders >= replay.ORDERS,
        "carried": [(name, value) for name, value in request.POST.items() if name.startswith(f"{MAPPING_FIELDS}-")],
    }
    return TemplateResponse(request, "admin/orders/simulation.html", context)


def _resolver(counter: Counter, draft: Sequence[StatusRow]) -> Resolver:
    """The draft's, with goals that only it names known as well."""
    known = set(Goal.objects.filter(counter=counter).values_list("identifier", flat=True))
    goals = {goal for row in draft for goal in row.goal_action_ids}
    return Resolver(mode=counter.mode, mappings=draft, goal_ids=frozenset(known | goals))


def freed_by(counter: Counter, draft: Sequence[StatusRow] | None) -> int:
    """How many held changes would be free with these settings and this mapping; None: with the kept one, which frees
    none that waits for the meaning of its status."""
    statuses = {name for row in draft or () for name in (row.crm_status, *row.goal_action_ids)}
    resolver = Resolver.for_counter(counter) if draft is None else _resolver(counter, draft)
    return holds.would_be_free(counter=counter, resolver=resolver, statuses=statuses, at_most=COUNTED_AT_MOST)


SIMULATE = Act(
    name="simulate",
    title=_("What would change?"),
    icon="science",
    question=lambda request, counter: _(
        "Replays the counter's real orders under the mapping as it is being written. Open it from the mapping: press "
        "“What would change?” there before you save."
    ),
    form=SimulateForm,
    do=_simulate,
    button=_("Try it"),
    in_header=False,
)
