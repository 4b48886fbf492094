"""The delivery of status changes: one table of transitions, and the bulk steps that uploads take (R4, R6, R7).

Every step is a compare-and-swap over many rows: it moves what is still in the state that it expects, and returns what
it moved. A step repeated after a crash moves nothing a second time. None opens a transaction of its own: call them
inside the one that also writes the upload's state.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from apps.metrica.text import Text
from apps.orders.models import Delivery, Order, StatusChange

TRANSITIONS: dict[Delivery, frozenset[Delivery]] = {
    Delivery.WAITING: frozenset({Delivery.SENDING, Delivery.HELD, Delivery.REJECTED, Delivery.SUPERSEDED}),
    Delivery.SENDING: frozenset({Delivery.DELIVERED, Delivery.WAITING, Delivery.REJECTED}),
    Delivery.HELD: frozenset({Delivery.WAITING, Delivery.REJECTED}),
    Delivery.REJECTED: frozenset({Delivery.WAITING, Delivery.HELD}),  # a person has it sent again
    Delivery.DELIVERED: frozenset(),
    Delivery.SUPERSEDED: frozenset(),
}


def swap(changes: QuerySet[StatusChange], source: Delivery, target: Delivery, **values: Any) -> int:
    """Move those of `changes` that are in `source` on to `target`, and set `values`. Returns how many moved."""
    if target not in TRANSITIONS[source]:
        raise ValueError(f"No change goes from {source} to {target}.")
    return changes.filter(delivery=source).update(delivery=target, **values)


def claim(*, change_ids: Sequence[UUID], upload_id: UUID) -> set[UUID]:
    """waiting → sending under this upload. Returns the ids that were got; the others somebody else has, or they moved.

    Read what goes into the file (the order's identifiers and creation time above all) only after this, in the same
    transaction: from here on intake corrects the creation time no more (R9).
    """
    wanted = StatusChange.objects.filter(pk__in=change_ids)
    if swap(wanted, Delivery.WAITING, Delivery.SENDING, upload_id=upload_id) == len(change_ids):
        return set(change_ids)
    return set(wanted.filter(delivery=Delivery.SENDING, upload_id=upload_id).values_list("pk", flat=True))


def move(
    *,
    upload_id: UUID,
    to_upload_id: UUID,
    change_ids: Sequence[UUID] | None = None,
    orders: tuple[int, int] | None = None,
) -> int:
    """Hand sending changes of one upload over to another, as a refused file is split in halves (R7).

    `change_ids` names them; `orders` takes those of the orders from the first to the second primary key, both included;
    neither takes all. Returns how many moved.
    """
    changes = _of_upload(upload_id, change_ids)
    if orders is not None:
        changes = changes.filter(order_id__range=orders)
    return changes.filter(delivery=Delivery.SENDING).update(upload_id=to_upload_id)


def settle_delivered(
    *, upload_id: UUID, at: datetime, resent_order_ids: Iterable[int] | QuerySet[Any] | None = None
) -> int:
    """sending → delivered: Metrica has the upload since `at` (aware). Returns how many changes were delivered.

    `resent_order_ids` are the orders whose delivered state went along once more in the same upload: a list, or a
    queryset of one column. Keeps account of R4: an order one of whose older changes went out after a newer one is
    marked `resend_due`; one whose newest state went out is no longer.
    """
    delivered = swap(_of_upload(upload_id), Delivery.SENDING, Delivery.DELIVERED, delivered_at=at)
    sent = StatusChange.objects.filter(upload_id=upload_id, delivery=Delivery.DELIVERED)
    newer_delivered = Exists(newer_than_outer().filter(delivery=Delivery.DELIVERED))
    late = sent.filter(~Q(order__current_change_id=F("pk")), newer_delivered, order__resend_due=False)
    newest = sent.filter(~newer_delivered, order__resend_due=True)
    Order.objects.filter(pk__in=late.values("order_id")).update(resend_due=True)
    Order.objects.filter(pk__in=newest.values("order_id")).update(resend_due=False)
    if resent_order_ids is not None:
        Order.objects.filter(pk__in=resent_order_ids, resend_due=True).update(resend_due=False)
    return delivered


def give_back(*, upload_id: UUID, change_ids: Sequence[UUID] | None = None) -> int:
    """sending → waiting: it is certain that Metrica did not get them (R6). All of the upload, or those named."""
    return swap(_of_upload(upload_id, change_ids), Delivery.SENDING, Delivery.WAITING, upload_id=None)


def reject(*, upload_id: UUID, code: str, message: Text, change_ids: Sequence[UUID] | None = None) -> int:
    """sending → rejected: Metrica refuses them for good, or no file can carry them. They keep their upload."""
    return swap(
        _of_upload(upload_id, change_ids),
        Delivery.SENDING,
        Delivery.REJECTED,
        reject_code=code[:64],
        reject_message=str(message),
    )


def supersede(*, change_ids: Sequence[UUID]) -> int:
    """waiting → superseded: a counter that wants the latest state only skips them."""
    return swap(StatusChange.objects.filter(pk__in=change_ids), Delivery.WAITING, Delivery.SUPERSEDED)


def supersede_skipped(*, counter_id: int, order_ids: Sequence[int] | None = None) -> int:
    """waiting → superseded for all changes of the counter (or of those orders) that a newer one has overtaken.

    Newer ones that are held or rejected overtake nothing: what waits before them is the latest that can be sent.
    """
    newer = newer_than_outer().filter(delivery__in=[Delivery.WAITING, Delivery.SENDING, Delivery.DELIVERED])
    changes = StatusChange.objects.filter(Exists(newer), counter_id=counter_id)
    if order_ids is not None:
        changes = changes.filter(order_id__in=order_ids)
    return swap(changes, Delivery.WAITING, Delivery.SUPERSEDED)


def newer_than_outer() -> QuerySet[StatusChange]:
    """Subquery: the changes of the outer change's order that come after it in the timeline."""
    later = Q(status_date_time__gt=OuterRef("status_date_time"))
    same_time = Q(status_date_time=OuterRef("status_date_time"), seq__gt=OuterRef("seq"))
    return StatusChange.objects.filter(later | same_time, order_id=OuterRef("order_id"))


def _of_upload(upload_id: UUID, change_ids: Sequence[UUID] | None = None) -> QuerySet[StatusChange]:
    changes = StatusChange.objects.filter(upload_id=upload_id)
    return changes if change_ids is None else changes.filter(pk__in=change_ids)
