"""What a person decides about orders and held changes. Rows come in by `orders.intake` alone."""

import hashlib
from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit import trace
from apps.audit.services import record
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.orders import delivery, intake
from apps.orders.events import announce_accepted
from apps.orders.holds import HoldJudge, judged_now, reassess
from apps.orders.models import GIVEN_UP, Delivery, HoldReason, Order, Source, StatusChange
from apps.orders.results import IntakeReport


@transaction.atomic
def hold_by_hand(*, changes: Iterable[StatusChange]) -> int:
    """Keep waiting changes back until somebody releases them. Returns how many were held."""
    done = 0
    for change in changes:
        moved = delivery.hold(change_ids=[change.pk], reason=HoldReason.BY_HAND)
        if moved:
            _record("change.held", change, {"reason": HoldReason.BY_HAND.value})
        done += moved
    return done


@transaction.atomic
def release_by_hand(*, change: StatusChange) -> str:
    """Let a held change go, by a person's decision. Returns the reason that still holds it, or an empty text.

    A person may send what they held themselves, and what Metrica probably takes no more; every other reason has its own
    cause to be mended first.
    """
    change = StatusChange.objects.select_related("counter__account", "order__client").get(pk=change.pk)
    if change.delivery != Delivery.HELD:
        return ""
    change.forced = True
    reason = judged_now(change)
    if reason:
        return reason
    if delivery.release(change_ids=[change.pk], forced=True):
        _record("change.released", change, {"held_for": change.hold_reason})
        announce_accepted(change.counter_id)
    return ""


@transaction.atomic
def release_many_by_hand(*, changes: Collection[StatusChange]) -> int:
    """The same for many, which come with their counters, orders and clients. Returns how many are free; of the others
    each has its own cause to be mended first. A handful of queries for each counter."""
    done = 0
    for chosen in _by_counter(_still(Delivery.HELD, changes)):
        counter = Counter.objects.select_related("account").get(pk=chosen[0].counter_id)
        judge = HoldJudge(counter=counter, now=timezone.now())
        for change in chosen:
            change.forced = True
        free = [change for change in chosen if not judged_now(change, judge=judge)]
        moved = delivery.release(change_ids=[change.pk for change in free], forced=True)
        done += _together("change.released", free, moved, announce=True)
    return done


@transaction.atomic
def reject_by_hand(*, changes: Collection[StatusChange], why: str) -> int:
    """Give held changes up, with a reason: they will not be sent. Returns how many."""
    why = why.strip()
    if not why:
        raise ValidationError({"why": ValidationError(_("Say why it will not be sent."), code="required")})
    done = 0
    for chosen in _by_counter(_still(Delivery.HELD, changes)):
        moved = delivery.refuse_held(change_ids=[change.pk for change in chosen], code=GIVEN_UP, message=why[:1000])
        done += _together("change.given_up", chosen, moved, why=why[:1000])
    return done


@transaction.atomic
def retry_rejected(*, changes: Collection[StatusChange]) -> int:
    """Send rejected changes once more, with what is known of their orders by now: late ones are followed by their
    orders' current state (R4). Returns how many. The changes come with their orders and counters."""
    return sum(
        _together(
            "change.retried",
            chosen,
            delivery.retry_rejected(change_ids=[change.pk for change in chosen]),
            announce=True,
        )
        for chosen in _by_counter(_still(Delivery.REJECTED, changes))
    )


@transaction.atomic
def leave_rejected(*, changes: Collection[StatusChange], why: str) -> int:
    """Leave rejected changes as they are, with a reason: they are not sent, and nobody is asked about them any more.
    Returns how many; the audit log keeps why they were rejected. The changes come with their orders and counters."""
    why = why.strip()[:1000]
    if not why:
        raise ValidationError({"why": ValidationError(_("Say why it will not be sent."), code="required")})
    rejected = _still(Delivery.REJECTED, changes)
    return sum(
        _together(
            "change.left",
            chosen,
            delivery.leave_rejected(change_ids=[change.pk for change in chosen], message=why),
            why=why,
        )
        for chosen in _by_counter(change for change in rejected if change.reject_code != GIVEN_UP)
    )


def correct_rejected(*, change: StatusChange, identifiers: Mapping[str, Any], state: Mapping[str, Any]) -> IntakeReport:
    """Correct what made Metrica refuse a change, and have it sent again. What is given comes in by the door of all rows
    (R1): `identifiers` of the order, and what else is to be said of the change's moment (`state`: revenue, cost,
    currency, goals), each None where it is to be cleared.

    Nothing of the change itself is altered (R3). Where something else is to be said of its moment, another change of
    the same status and moment takes its place; where it is not overtaken so, the change itself goes once more, with the
    order's identifiers of now. What comes late is followed by the order's current state (R4). Returns what intake said;
    where it rejected a row, nothing was done.
    """
    order, counter = change.order, change.counter
    is_present = change.pk == order.current_change_id
    rows: list[dict[str, Any]] = []
    if of_moment := {**identifiers, **state} if is_present else state:
        rows.append(_row(order, change.order_status, change.status_date_time, of_moment))
    if identifiers and not is_present:
        # With the order's present state, so that they are no late row's, and nothing but the identifiers is new.
        rows.append(_row(order, order.order_status, order.status_date_time, identifiers))
    with transaction.atomic():
        report = intake.accept_all(
            counter=counter, rows=rows, source=Source.ADMIN, actor_label=trace.current().actor.label, atomic=True
        )
        if not report.rejected and not StatusChange.objects.filter(pk=change.pk).overtaken().exists():
            retry_rejected(changes=[change])
    return report


@transaction.atomic
def resend_current(*, orders: Collection[Order]) -> int:
    """Have the newest delivered state of these orders sent once more. Returns how many have one."""
    keys = [order.pk for order in orders]
    rows = Order.objects.select_for_update().filter(pk__in=keys, resend_due=False).order_by("pk")
    unasked = set(rows.values_list("pk", flat=True))
    sent = StatusChange.objects.filter(order__in=unasked, delivery=Delivery.DELIVERED)
    unasked.intersection_update(sent.order_by().values_list("order_id", flat=True).distinct())
    done = delivery.request_resend(order_ids=keys)
    for order in orders:
        if order.pk not in unasked:
            continue  # it has nothing to be sent again, or somebody has asked already
        unasked.remove(order.pk)
        record(action="order.resend_requested", agency=order.counter.agency_id, obj=order)
    for counter_id in {order.counter_id for order in orders}:
        announce_accepted(counter_id)
    return done


@transaction.atomic
def send_client_again(*, client: Client) -> None:
    """Have a client that Metrica refused, or one that it has, uploaded once more; what is held for its sake is
    freed. Raises ValidationError for one that is nobody any more: of them there is nothing that Metrica may have."""
    known = Client.objects.present().filter(pk=client.pk, erased_at=None)
    if not known.update(revision=F("revision") + 1):
        raise ValidationError(_("This client has been merged or erased meanwhile."), code="client_gone")
    record(
        action="client.resend_requested",
        agency=client.counter.agency_id,
        obj=client,
        details={"refused_for": client.reject_code},
    )
    held = StatusChange.objects.filter(
        counter=client.counter_id, delivery=Delivery.HELD, hold_reason=HoldReason.CLIENT_REFUSED, order__client=client
    )
    counter = Counter.objects.select_related("account").get(pk=client.counter_id)
    reassess(held, judge=HoldJudge(counter=counter, now=timezone.now()), counter=counter)
    announce_accepted(client.counter_id)


def _row(order: Order, order_status: str, happened: datetime, given: Mapping[str, Any]) -> dict[str, Any]:
    row = {"id": order.order_id, "order_status": order_status, "status_date_time": happened.isoformat()}
    return {**row, **given}


_WHY_IT_STOPPED: Final = ("hold_reason", "reject_code", "reject_message")

_ONE_BY_ONE: Final = 20
"""So many changes decided on at once leave an entry each; more of them one, with their number and a digest."""


def _still(state: Delivery, changes: Collection[StatusChange]) -> list[StatusChange]:
    """Those that nobody has decided on meanwhile, with why they stopped as it is known now; they stay so until the end
    of the transaction."""
    rows = StatusChange.objects.select_for_update().filter(pk__among=[change.pk for change in changes], delivery=state)
    now = {pk: why for pk, *why in rows.order_by("pk").values_list("pk", *_WHY_IT_STOPPED)}
    found = []
    for change in changes:
        if (why := now.pop(change.pk, None)) is not None:  # one that is named twice is decided on once
            change.delivery = state
            change.hold_reason, change.reject_code, change.reject_message = why
            found.append(change)
    return found


def _by_counter(changes: Iterable[StatusChange]) -> Iterator[list[StatusChange]]:
    found: dict[int, list[StatusChange]] = defaultdict(list)
    for change in changes:
        found[change.counter_id].append(change)
    yield from found.values()


def _together(
    action: str, chosen: Sequence[StatusChange], moved: int, *, announce: bool = False, **details: str
) -> int:
    """The trace of what was decided on held or rejected changes of one counter. Returns `moved`."""
    if not moved:
        return 0
    if len(chosen) <= _ONE_BY_ONE:
        for change in chosen:
            _record(action, change, {**details, **_stopped_by(change)})
    else:
        counter = chosen[0].counter
        cause, reasons = _causes(chosen)
        record(
            action=action,
            agency=counter.agency_id,
            obj=counter,
            details={
                **details,
                "changes": moved,
                "changes_sha256": hashlib.sha256(b"".join(sorted(change.pk.bytes for change in chosen))).hexdigest(),
                cause: reasons,
            },
        )
    if announce:
        announce_accepted(chosen[0].counter_id)
    return moved


def _stopped_by(change: StatusChange) -> dict[str, str]:
    if change.delivery == Delivery.HELD:
        return {"held_for": change.hold_reason}
    return {"rejected_for": change.reject_code, "said": change.reject_message}


def _causes(chosen: Sequence[StatusChange]) -> tuple[str, dict[str, int]]:
    if chosen[0].delivery == Delivery.HELD:
        return "held_for", dict(Counts(change.hold_reason for change in chosen))
    return "rejected_for", dict(Counts(change.reject_code for change in chosen))


def _record(action: str, change: StatusChange, details: dict[str, str]) -> None:
    pk: UUID = change.pk
    record(
        action=action,
        agency=change.counter.agency_id,
        obj=change.order,
        details={**details, "change": str(pk), "order_status": change.order_status},
    )
