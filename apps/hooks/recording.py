"""What other apps tell, written down for the endpoints that want to know it, in the same transaction.

Where nobody wants to know, that costs one small query.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Q

from apps.counters.models import Counter
from apps.hooks import rounds
from apps.hooks.models import Delivery as Message
from apps.hooks.models import Endpoint, Event, EventType
from apps.hooks.payloads import MOST_CHANGES
from apps.orders.models import Delivery, StatusChange
from apps.uploads.models import UploadJob

_TYPES = {
    Delivery.DELIVERED: EventType.ORDER_DELIVERED,
    Delivery.REJECTED: EventType.ORDER_REJECTED,
    Delivery.HELD: EventType.ORDER_HELD,
}
_BATCH = 100
"""Events written at once; each may name MOST_CHANGES changes."""

T = TypeVar("T")


def changes_settled(
    *,
    delivery: Delivery,
    upload_id: UUID | None = None,
    change_ids: Collection[Any] | None = None,
    counter_id: int | None = None,
    code: str = "",
    message: str = "",
    **_details: Any,
) -> None:
    """Status changes were delivered, rejected or held: see `apps.orders.events`."""
    counter = _listened_to(upload_id=upload_id, change_ids=change_ids, counter_id=counter_id)
    if counter is None:
        return
    kind = _TYPES[delivery]
    endpoints = _subscribers(counter, kind)
    if not endpoints:
        return
    common = {"agency_id": counter.agency_id, "counter": counter, "type": kind, "code": code, "message": message}
    if delivery == Delivery.DELIVERED and change_ids is None:
        changes = StatusChange.objects.filter(upload_id=upload_id, delivery=Delivery.DELIVERED)
        events: Iterable[Event] = (
            Event(**common, upload_id=upload_id, first_change=first, last_change=last)
            for first, last in _ranges(changes.order_by("pk").values_list("pk", flat=True).iterator())
        )
    elif upload_id is None and change_ids is None:
        events = [Event(**common)]
    else:
        # Those of the same file that could not be written were told with their own code before.
        rejected = StatusChange.objects.filter(upload_id=upload_id, delivery=delivery, reject_code=code)
        settled = rejected.order_by("pk").values_list("pk", flat=True).iterator() if change_ids is None else change_ids
        events = (
            Event(**common, upload_id=upload_id, change_ids=[str(key) for key in some])
            for some in _batched(settled, MOST_CHANGES)
        )
    _write(events, endpoints)


def job_finished(*, job: UploadJob, **_details: Any) -> None:
    """An upload job ended: see `apps.uploads.events`."""
    counter = _listened_to(counter_id=job.counter_id)
    if counter is None:
        return
    if endpoints := _subscribers(counter, EventType.UPLOAD_FINISHED):
        event = Event(agency_id=counter.agency_id, counter=counter, type=EventType.UPLOAD_FINISHED, job_id=job.pk)
        _write([event], endpoints)


def _listened_to(
    *,
    upload_id: UUID | None = None,
    change_ids: Collection[Any] | None = None,
    counter_id: int | None = None,
) -> Counter | None:
    """The counter that this is about, if its agency has an endpoint at all. One query."""
    if counter_id is not None:
        which = Q(pk=counter_id)
    elif upload_id is not None:
        which = Q(upload_jobs__uploads=upload_id)
    else:
        assert change_ids, "somebody settled something"
        key = next(iter(change_ids))
        which = Q(pk__in=StatusChange.objects.filter(pk=key).values("counter_id"))
    return Counter.objects.filter(which, agency__endpoints__active=True).first()


def _subscribers(counter: Counter, kind: EventType) -> list[Endpoint]:
    chosen = Q(counters=None) | Q(counters=counter)
    endpoints = Endpoint.objects.filter(chosen, agency_id=counter.agency_id, active=True).distinct()
    return [endpoint for endpoint in endpoints.order_by("pk") if kind in endpoint.events]


def _write(events: Iterable[Event], endpoints: list[Endpoint]) -> None:
    for some in _batched(events, _BATCH):
        Event.objects.bulk_create(some)
        Message.objects.bulk_create(
            [Message(endpoint=endpoint, event=event) for event in some for endpoint in endpoints]
        )
    rounds.SENDING.wake_after_commit()


def _ranges(keys: Iterable[UUID]) -> Iterator[tuple[UUID, UUID]]:
    """First and last of each MOST_CHANGES keys, which come sorted."""
    for some in _batched(keys, MOST_CHANGES):
        yield some[0], some[-1]


def _batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(values)
    while part := list(islice(source, size)):
        yield part
