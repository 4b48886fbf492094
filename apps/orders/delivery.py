"""The delivery states of a status change: one table of transitions, and moves by compare-and-swap, by the thousand.

Whoever sends calls these; each works on the rows that are still in the state they expect, and says how many those were.
All belong inside the caller's transaction.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.orders.events import changes_settled
from apps.orders.models import GIVEN_UP, Delivery, HoldReason, Order, StatusChange

Key = UUID | str
"""Of a status change: whoever reads a million of them leaves them as text."""

K = TypeVar("K", bound=Key)

TRANSITIONS: dict[Delivery, frozenset[Delivery]] = {
    Delivery.WAITING: frozenset({Delivery.SENDING, Delivery.HELD, Delivery.SUPERSEDED, Delivery.REJECTED}),
    Delivery.SENDING: frozenset({Delivery.DELIVERED, Delivery.WAITING, Delivery.REJECTED}),
    Delivery.HELD: frozenset({Delivery.WAITING, Delivery.REJECTED, Delivery.SUPERSEDED, Delivery.HELD}),
    Delivery.REJECTED: frozenset({Delivery.WAITING}),
    Delivery.DELIVERED: frozenset(),
    Delivery.SUPERSEDED: frozenset(),
}


def claim(*, change_ids: Collection[K], upload_id: UUID) -> set[K]:
    """waiting → sending, for this upload. Returns those that were still waiting and are now the upload's."""
    if not change_ids:
        return set()
    moved = _move(_these(change_ids), Delivery.WAITING, Delivery.SENDING, upload_id=upload_id)
    if moved == len(change_ids):
        return set(change_ids)
    mine = _these(change_ids).filter(upload_id=upload_id, delivery=Delivery.SENDING)
    got = set(mine.values_list("pk", flat=True))
    return {change_id for change_id in change_ids if UUID(str(change_id)) in got}


def settle_delivered(*, upload_id: UUID, at: datetime) -> int:
    """sending → delivered for all of the upload, at `at` (aware). Returns how many.

    Keeps R4: an order whose newest delivered state is not the row that just went is marked to have that state sent
    again; one whose newest state just went needs no repeating.
    """
    mine = StatusChange.objects.filter(upload_id=upload_id)
    moved = _move(mine, Delivery.SENDING, Delivery.DELIVERED, delivered_at=at)
    delivered = mine.filter(delivery=Delivery.DELIVERED)
    outdated = delivered.filter(Exists(_later_delivered()))
    Order.objects.filter(pk__in=outdated.values("order_id"), resend_due=False).update(resend_due=True)
    newest = delivered.filter(~Exists(_later_delivered()), order__resend_due=True)
    Order.objects.filter(pk__in=newest.values("order_id")).update(resend_due=False)
    if moved:
        changes_settled.send(sender=None, delivery=Delivery.DELIVERED, upload_id=upload_id)
    return moved


def settle_resent(*, change_ids: Collection[Key]) -> int:
    """These delivered states were sent once more: their orders need no further repeating, unless a newer went since."""
    resent = StatusChange.objects.filter(pk__in=change_ids, delivery=Delivery.DELIVERED)
    newest = resent.filter(~Exists(_later_delivered()))
    return Order.objects.filter(pk__in=newest.values("order_id"), resend_due=True).update(resend_due=False)


def settle_known(*, change_ids: Collection[K], upload_id: UUID, at: datetime) -> set[K]:
    """waiting → sending → delivered for changes that this upload is known to have carried, at `at` (aware). Returns
    those that were still waiting. What that means for R4 is the caller's: see `settle_resent`, `repeat`."""
    mine = claim(change_ids=change_ids, upload_id=upload_id)
    if mine:
        _move(_of_upload(upload_id, mine), Delivery.SENDING, Delivery.DELIVERED, delivered_at=at)
        changes_settled.send(sender=None, delivery=Delivery.DELIVERED, upload_id=upload_id, change_ids=mine)
    return mine


def repeat(*, order_keys: Collection[int]) -> int:
    """Metrica's last row of these orders is not their newest delivered state: that is to be sent again (R4)."""
    return Order.objects.filter(pk__in=order_keys, resend_due=False).update(resend_due=True)


def repeat_outdated(*, change_ids: Collection[Key]) -> int:
    """The same for those orders of these delivered changes of which a later state had been delivered before."""
    outdated = StatusChange.objects.filter(pk__in=change_ids).filter(Exists(_later_delivered()))
    return Order.objects.filter(pk__in=outdated.values("order_id"), resend_due=False).update(resend_due=True)


def give_back(*, upload_id: UUID, change_ids: Collection[Key] | None = None) -> int:
    """sending → waiting for all of the upload, or for these of it: they will go with another."""
    return _move(_of_upload(upload_id, change_ids), Delivery.SENDING, Delivery.WAITING, upload_id=None)


def move(*, from_upload: UUID, to_upload: UUID, change_ids: Collection[Key]) -> int:
    """Hand changes that are being sent to another upload (one half of a refused file)."""
    being_sent = _of_upload(from_upload, change_ids).filter(delivery=Delivery.SENDING)
    return being_sent.update(upload_id=to_upload)


def reject(
    *, upload_id: UUID, code: str, message: str, field: str = "", change_ids: Collection[Key] | None = None
) -> int:
    """sending → rejected for all of the upload, or for these of it, in the words of whoever refused it; `field`: the
    one that they name."""
    rows = _of_upload(upload_id, change_ids)
    fields = {"reject_code": code[:64], "reject_message": message, "reject_field": field[:64]}
    moved = _move(rows, Delivery.SENDING, Delivery.REJECTED, **fields)
    if moved:
        told = {"upload_id": upload_id, "change_ids": change_ids, "code": code[:64], "message": message}
        changes_settled.send(sender=None, delivery=Delivery.REJECTED, **told)
    return moved


def hold(*, change_ids: Collection[Key], reason: str) -> int:
    """waiting → held."""
    moved = _move(_these(change_ids), Delivery.WAITING, Delivery.HELD, hold_reason=HoldReason(reason))
    if moved:
        held = change_ids
        if moved != len(change_ids):
            held = list(_these(change_ids).filter(delivery=Delivery.HELD).values_list("pk", flat=True))
        changes_settled.send(sender=None, delivery=Delivery.HELD, change_ids=held, code=reason)
    return moved


def release(*, change_ids: Collection[Key], **fields: Any) -> int:
    """held → waiting."""
    return _move(_these(change_ids), Delivery.HELD, Delivery.WAITING, hold_reason="", **fields)


def refuse_held(*, change_ids: Collection[Key], code: str, message: str) -> int:
    """held → rejected, by a person's decision."""
    fields = {"hold_reason": "", "reject_code": code, "reject_message": message}
    moved = _move(_these(change_ids), Delivery.HELD, Delivery.REJECTED, **fields)
    if moved:
        told = {"change_ids": change_ids, "code": code, "message": message}
        changes_settled.send(sender=None, delivery=Delivery.REJECTED, **told)
    return moved


def retry_rejected(*, change_ids: Collection[Key]) -> int:
    """rejected → waiting: it goes once more, with what is known of the order by now."""
    fields = {"reject_code": "", "reject_message": "", "reject_field": "", "upload_id": None}
    return _move(_these(change_ids), Delivery.REJECTED, Delivery.WAITING, **fields)


def leave_rejected(*, change_ids: Collection[Key], message: str) -> int:
    """A person decided that these rejected changes stay as they are: nobody is asked about them again."""
    rows = _these(change_ids).filter(delivery=Delivery.REJECTED)
    return rows.exclude(reject_code=GIVEN_UP).update(reject_code=GIVEN_UP, reject_message=message)


def supersede(*, change_ids: Collection[Key]) -> int:
    """waiting → superseded: the counter wants the latest state only, and this is not it."""
    return _move(_these(change_ids), Delivery.WAITING, Delivery.SUPERSEDED)


def request_resend(*, order_ids: Iterable[int]) -> int:
    """Mark orders (primary keys) whose newest delivered state shall be sent once more. Returns how many have one."""
    delivered = StatusChange.objects.filter(order=OuterRef("pk"), delivery=Delivery.DELIVERED)
    return Order.objects.filter(Exists(delivered), pk__in=list(order_ids)).update(resend_due=True)


def _move(rows: QuerySet[StatusChange], source: Delivery, target: Delivery, **fields: Any) -> int:
    if target not in TRANSITIONS[source]:
        raise ValueError(f"{source} → {target} is no transition")
    return rows.filter(delivery=source).update(delivery=target, **fields)


def _these(change_ids: Collection[Key]) -> QuerySet[StatusChange]:
    if connection.vendor != "postgresql":
        return StatusChange.objects.filter(pk__in=change_ids)
    # One array instead of a parameter for each key: for thousands of them the ORM would take longer than the database.
    keys = "{" + ",".join(map(str, change_ids)) + "}"
    return StatusChange.objects.extra(where=['"orders_statuschange"."id" = ANY(%s::uuid[])'], params=[keys])


def _of_upload(upload_id: UUID, change_ids: Collection[Key] | None) -> QuerySet[StatusChange]:
    rows = StatusChange.objects.filter(upload_id=upload_id)
    return rows if change_ids is None else rows.filter(pk__in=change_ids)


def _later_delivered() -> QuerySet[StatusChange]:
    """For a change: the delivered ones that stand after it in its order's timeline."""
    return StatusChange.objects.filter(order=OuterRef("order"), delivery=Delivery.DELIVERED).filter(
        Q(status_date_time__gt=OuterRef("status_date_time"))
        | Q(status_date_time=OuterRef("status_date_time"), seq__gt=OuterRef("seq"))
    )
