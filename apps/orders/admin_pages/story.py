"""An order's timeline as its page draws it: each change with what became of it, and what a person can do about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.goals.resolve import Meaning, Resolver, forecast
from apps.metrica import rules
from apps.metrica.rules import GoalPrice
from apps.metrica.text import Text
from apps.metrica.vocabulary import SystemGoal
from apps.orders.admin_pages.differences import Difference, differences
from apps.orders.admin_pages.fixes import Fix, fix_for
from apps.orders.models import GIVEN_UP, Delivery, Order, StatusChange
from apps.orders.panels import UploadFact, resend_facts, upload_facts
from apps.orders.reject_advice import Advice, advice_for
from apps.orders.timeline import timeline

FIELD_LABELS = {
    "order_status": _("status"),
    "status_date_time": _("time of the status"),
    "create_date_time": _("creation time"),
    "revenue": _("revenue"),
    "cost": _("cost"),
    "currency": _("currency"),
    "goals": _("extra goals"),
    "products": _("products"),
    "attributes": _("attributes"),
    "identifiers": _("identifiers"),
    "client": _("client"),
    "client_uniq_id": _("client"),
    "client_name": _("client's name"),
    "client_ids": _("ClientID"),
    "emails": _("e-mails"),
    "phones": _("phones"),
    "emails_md5": _("e-mail hashes"),
    "phones_md5": _("phone hashes"),
}


@dataclass(frozen=True, slots=True)
class Reach:
    """A goal with its income, as a chip."""

    name: Text
    income: Decimal | None


@dataclass(slots=True)
class Step:
    """One change of the timeline. `reached`: the goals are Metrica's by now; else they are what it will reach."""

    change: StatusChange
    meaning: Meaning | None
    reaches: list[Reach]
    reached: bool
    is_current: bool
    came_late: bool
    differences: list[Difference]
    fix: Fix | None
    upload: UploadFact | None
    advice: Advice | None = None
    resends: list[UploadFact] = field(default_factory=list)

    @property
    def income(self) -> Decimal | None:
        return rules.goal_income(price=None, revenue=self.change.revenue, cost=self.change.cost)

    @property
    def needs_a_person(self) -> bool:
        """Rejected, and neither overtaken nor left so by a person."""
        change: Any = self.change
        return change.delivery == Delivery.REJECTED and not change.overtaken and change.reject_code != GIVEN_UP

    @property
    def latency(self) -> timedelta | None:
        """From when Goalpost got the change until Metrica had it."""
        return None if self.change.delivered_at is None else self.change.delivered_at - self.change.received_at


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether Metrica has the deal, and if not, why: the first thing that one wants to know."""

    tone: str
    icon: str
    text: Text


def bind_percent(order: Order, *, now: datetime | None = None) -> int:
    """How much of the 21 days in which the order can be bound to a visit is over."""
    passed = ((now or timezone.now()) - order.create_date_time) / rules.BINDING_WINDOW
    return round(min(max(passed, 0.0), 1.0) * 100)


def verdict(order: Order, steps: list[Step]) -> Verdict:
    """`steps`: newest first."""
    held = [step for step in steps if step.change.delivery == Delivery.HELD]
    rejected = [step for step in steps if step.change.delivery == Delivery.REJECTED]
    open_rejections = [step for step in rejected if step.needs_a_person]
    under_way = [step for step in steps if step.change.delivery in (Delivery.WAITING, Delivery.SENDING)]
    current = next((step for step in steps if step.is_current), None)
    if held:
        why = held[-1].change.get_hold_reason_display()
        return Verdict(
            "warn", "pan_tool", _now("Not all of it is delivered: %(why)s.") % {"why": why[:1].lower() + why[1:]}
        )
    if current is not None and current in rejected:
        if any(step.reached for step in steps):
            return Verdict("bad", "block", _now("The current state was rejected, so Metrica still has an earlier one."))
        return Verdict("bad", "block", _now("The current state was rejected: Metrica has nothing of this order yet."))
    if under_way:
        text = ngettext(
            "%(count)s status change is on its way to Metrica.",
            "%(count)s status changes are on their way to Metrica.",
            len(under_way),
        )
        return Verdict("info", "schedule", text % {"count": len(under_way)})
    if open_rejections:
        text = ngettext(
            "%(count)s status was rejected and did not reach its goals.",
            "%(count)s statuses were rejected and did not reach their goals.",
            len(open_rejections),
        )
        return Verdict("bad", "block", text % {"count": len(open_rejections)})
    if order.resend_due:
        return Verdict("info", "replay", _now("The current state will be sent once more."))
    if current is not None and current.reached:
        return Verdict("good", "check_circle", _now("Delivered: Metrica has the current state of this order."))
    return Verdict("info", "info", _now("Metrica has nothing of this order yet."))


def story(order: Order, request: HttpRequest) -> list[Step]:
    """The order's changes, newest first. Five queries however long the timeline is."""
    changes: list[Any] = list(timeline(order).with_overtaken())
    resolver = Resolver.for_counter(order.counter)
    facts = _facts(change.upload_id for change in changes if change.upload_id)
    resends: dict[UUID, list[UploadFact]] = {}
    for read in resend_facts:
        resends.update(read(order))
    steps = []
    for before, change in zip([None, *changes], changes, strict=False):
        upload = facts.get(change.upload_id) if change.upload_id else None
        meaning = _meaning(change, upload, resolver)
        change.order, change.counter = order, order.counter
        steps.append(
            Step(
                change=change,
                meaning=meaning,
                reaches=_reaches(change, meaning),
                reached=change.delivery == Delivery.DELIVERED,
                is_current=change.pk == order.current_change_id,
                came_late=False,
                differences=differences(before, change, FIELD_LABELS) if before is not None else [],
                fix=fix_for(change, request),
                advice=advice_for(change) if change.delivery == Delivery.REJECTED else None,
                upload=upload,
                resends=resends.get(change.pk, []),
            )
        )
    # Told after a change that happened after it: it came late.
    lowest: int | None = None
    for step in reversed(steps):
        step.came_late = lowest is not None and step.change.seq > lowest
        lowest = step.change.seq if lowest is None else min(lowest, step.change.seq)
    return steps[::-1]


def _facts(upload_ids: Iterable[UUID]) -> Mapping[UUID, UploadFact]:
    wanted = set(upload_ids)
    found: dict[UUID, UploadFact] = {}
    if wanted:
        for read in upload_facts:
            found.update(read(wanted))
    return found


def _meaning(change: StatusChange, upload: UploadFact | None, resolver: Resolver) -> Meaning | None:
    """What the status meant in the file that carries it; else what it means now."""
    sent = upload.mapping.get(change.order_status) if upload is not None else None
    if sent:
        return Meaning.from_json(change.order_status, dict(sent))
    return resolver.meaning(change.order_status)


def _reaches(change: StatusChange, meaning: Meaning | None) -> list[Reach]:
    if meaning is None or change.delivery in (Delivery.SUPERSEDED, Delivery.REJECTED):
        return []
    extra = [_goal(goal) for goal in change.goals]
    return [
        Reach(SystemGoal(reach.goal).label if reach.system else reach.goal, reach.income)
        for reach in forecast(meaning, extra_goals=extra, revenue=change.revenue, cost=change.cost)
    ]


def _goal(goal: Mapping[str, Any]) -> GoalPrice:
    price = goal.get("price")
    return GoalPrice(str(goal["goal_action_id"]), None if price is None else Decimal(str(price)))
