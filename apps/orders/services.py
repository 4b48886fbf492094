"""What a person decides about orders and held changes. Rows come in by `orders.intake` alone."""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.services import record
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.orders import delivery
from apps.orders.events import announce_accepted
from apps.orders.holds import HoldJudge, judged_now, reassess
from apps.orders.models import Delivery, HoldReason, Order, StatusChange


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
def reject_by_hand(*, changes: Collection[StatusChange], why: str) -> int:
    """Give held changes up, with a reason: they will not be sent. Returns how many."""
    why = why.strip()
    if not why:
        raise ValidationError({"why": ValidationError(_("Say why it will not be sent."), code="required")})
    done = 0
    for change in changes:
        moved = delivery.refuse_held(change_ids=[change.pk], code="given_up", message=why[:1000])
        if moved:
            _record("change.given_up", change, {"why": why[:1000], "held_for": change.hold_reason})
        done += moved
    return done


@transaction.atomic
def retry_rejected(*, changes: Collection[StatusChange]) -> int:
    """Send rejected changes once more, with what is known of their orders by now. Returns how many."""
    done = 0
    for change in changes:
        moved = delivery.retry_rejected(change_ids=[change.pk])
        if moved:
            _record("change.retried", change, {"rejected_for": change.reject_code})
            announce_accepted(change.counter_id)
        done += moved
    return done


@transaction.atomic
def resend_current(*, orders: Collection[Order]) -> int:
    """Have the newest delivered state of these orders sent once more. Returns how many have one."""
    done = delivery.request_resend(order_ids=[order.pk for order in orders])
    for order in orders:
        record(action="order.resend_requested", agency=order.counter.agency_id, obj=order)
    for counter_id in {order.counter_id for order in orders}:
        announce_accepted(counter_id)
    return done


@transaction.atomic
def send_client_again(*, client: Client) -> None:
    """Have a client that Metrica refused, or one that it has, uploaded once more; what is held for its sake is
    freed."""
    Client.objects.filter(pk=client.pk).update(revision=F("revision") + 1)
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


def _record(action: str, change: StatusChange, details: dict[str, str]) -> None:
    pk: UUID = change.pk
    record(
        action=action,
        agency=change.counter.agency_id,
        obj=change.order,
        details={**details, "change": str(pk), "order_status": change.order_status},
    )
