"""Puts what is due into the next file (R4, R5): claims changes by the chunk and writes their rows as they come.

A file holds at most one row of an order. A wave is one walk over the counter's orders; a wave with more rows than a
file should have becomes several files. In detailed mode the clients that are due go before each file of orders. Orders
whose window closes soon go in small waves of their own before all others.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from uuid import UUID

from django.db import OperationalError, reset_queries
from django.db.models import F

from apps.counters.models import Counter
from apps.goals.resolve import Resolver
from apps.orders import delivery
from apps.orders.models import Order
from apps.uploads import schema, tallies
from apps.uploads.ahead import read_ahead
from apps.uploads.carried import Carried
from apps.uploads.contacts import plan_contacts
from apps.uploads.detailed import DETAILED, DetailedMaker
from apps.uploads.formats import JSON_ROWS, smallest_format
from apps.uploads.gate import ClientGate, OpenGate
from apps.uploads.lease import Lease
from apps.uploads.making import FileInMaking, file_in_making
from apps.uploads.models import Resend, Upload, UploadFormat, UploadJob, UploadKind
from apps.uploads.pacing import Pace
from apps.uploads.rows import SIMPLE, ChangeRow, Reading, RowMaker
from apps.uploads.scribe import by_cause
from apps.uploads.selection import Due, due_changes, due_resends, rows_waiting, with_present_creation
from apps.uploads.urgency import urgent_orders

_TRIES = 3
_DEADLOCK = "40P01"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one call of `plan_file` came to. `progress`: False where nothing was due any more."""

    upload_id: UUID | None = None
    progress: bool = False


@dataclass
class _Orders:
    """What has become of the changes looked at for a file of orders."""

    file: FileInMaking
    maker: RowMaker
    gate: OpenGate | ClientGate
    reading: Reading
    carried: Carried
    urgent: Sequence[int] | None
    claimed: int = 0
    held: int = 0
    rejected: int = 0
    passed_over: int = 0
    later: int = 0
    recognised: int = 0
    resends: list[ChangeRow] = field(default_factory=list)
    cursor: int = 0
    wave_ended: bool = False


def plan_file(*, lease: Lease, job: UploadJob, counter: Counter, pace: Pace | None = None) -> Plan:
    """Writes the next file of the job, or finds that nothing is due. The counter has its zone and is not blocked.

    In detailed mode nothing is written where the counter has changed since it was read: read it again then.
    Each chunk is one committed step of the lease; raises LeaseLost.
    """
    try:
        urgent = _urgent(job, counter, pace)
        if counter.is_detailed and not job.clients_planned:
            upload = plan_contacts(lease=lease, job=job, counter=counter, only_orders=urgent or None, pace=pace)
            if upload is not None:
                return Plan(upload_id=upload.pk, progress=True)
        if urgent:
            plan = _plan_orders(lease=lease, job=job, counter=counter, urgent=urgent, pace=pace)
            if plan.progress:
                return plan
        return _plan_orders(lease=lease, job=job, counter=counter, urgent=None, pace=pace)
    except schema.Outdated:
        return Plan(progress=True)


def _urgent(job: UploadJob, counter: Counter, pace: Pace | None) -> list[int]:
    if job.only_orders is not None or (pace is not None and pace.none_urgent):
        return []
    found = urgent_orders(counter=counter)
    if pace is not None:
        pace.none_urgent = not found
    return found


def _plan_orders(
    *, lease: Lease, job: UploadJob, counter: Counter, urgent: Sequence[int] | None, pace: Pace | None
) -> Plan:
    """`urgent`: a wave of these orders alone, which goes before the one that is under way."""
    resolver = Resolver.for_counter(counter)
    maker: RowMaker
    gate: OpenGate | ClientGate
    if counter.is_detailed:
        maker, reading = DetailedMaker.of(counter, resolver), DETAILED
        schema.confirm(counter)
        gate = ClientGate(counter=counter, resolver=resolver)
        of_these = job.only_orders if urgent is None else urgent
        waiting = rows_waiting(counter=counter, only_orders=of_these, limit=JSON_ROWS + 1)
        kind, file_format = UploadKind.ORDERS, smallest_format(waiting)
    else:
        maker, gate, reading = RowMaker(counter=counter, resolver=resolver), OpenGate(), SIMPLE
        kind, file_format = UploadKind.SIMPLE_ORDERS, UploadFormat.CSV
    with file_in_making(
        lease=lease,
        job=job,
        counter=counter,
        kind=kind,
        file_format=file_format,
        maker=maker,
        pace=pace,
    ) as file:
        carried = Carried(counter=counter, kind=kind, make=maker.make)
        orders = _Orders(file, maker, gate, reading, carried, urgent)
        _take_changes(orders)
        # One that is to be ended early while nothing is in it takes some too: else nothing would be due to the job.
        if orders.wave_ended and urgent is None and not (file.full and file.taken):
            _take_resends(orders)
        written = file.complete()
        _reject_unwritable(orders)
        return _keep(orders) if written else _nothing_written(orders)


def _take_changes(orders: _Orders) -> None:
    file = orders.file
    job = file.job
    which, cursor = (job.only_orders, job.wave_cursor) if orders.urgent is None else (orders.urgent, 0)
    chunks = due_changes(counter=file.counter, only_orders=which, cursor=cursor, reading=orders.reading)
    with closing(read_ahead(chunks)) as coming:
        for due in coming:
            file.write(_claimed(orders, due))
            orders.cursor = due.cursor
            reset_queries()  # while developing, Django would keep the text of every query
            if file.full:
                return
    orders.wave_ended = True


def _claimed(orders: _Orders, due: Due) -> list[ChangeRow]:
    """Takes what can go of the chunk, and holds what cannot (R8). One committed step, done again where it met another
    writer in a deadlock."""
    file = orders.file
    held: dict[str, list[str]] = defaultdict(list)
    speakable: list[ChangeRow] = []
    for row in due.rows:
        if problem := orders.maker.problem(row):
            held[problem].append(row.id)
        else:
            speakable.append(row)
    unsaved = file.upload._state.adding
    for attempt in range(1, _TRIES + 1):
        try:
            with file.lease.step(more_follow=True):
                rows, counts = _claim(orders, speakable, held, due.passed_over)
            break
        except OperationalError as error:
            if attempt == _TRIES or getattr(error.__cause__, "sqlstate", None) != _DEADLOCK:
                raise
            file.upload._state.adding = unsaved  # what the step wrote is gone
    for name, number in counts.items():
        setattr(orders, name, getattr(orders, name) + number)
    return rows


def _claim(
    orders: _Orders, speakable: list[ChangeRow], held: dict[str, list[str]], passed_over: list[str]
) -> tuple[list[ChangeRow], dict[str, int]]:
    """Within the step: the rows that are the file's now, and what is to be added to the numbers of `orders`."""
    file = orders.file
    # As intake does: first all orders that will be written, one after the other, then clients.
    _lock(orders.gate.written(speakable) | orders.maker.noted(speakable))
    file.begin()
    found = orders.gate.sort(speakable)
    counts = {"later": found.later, "held": 0, "passed_over": 0}
    for reason, change_ids in [*held.items(), *found.held.items()]:
        counts["held"] += delivery.hold(change_ids=change_ids, reason=reason)
    if passed_over:
        counts["passed_over"] = delivery.supersede(change_ids=passed_over)
    known = orders.carried.settle(found.good)
    counts["recognised"] = len(known)
    orders.maker.note([row for row in found.good if row.id in known])
    good = [row for row in found.good if row.id not in known] if known else found.good
    claimed = delivery.claim(change_ids=[row.id for row in good], upload_id=file.upload.pk)
    counts["claimed"] = len(claimed)
    rows = good if len(claimed) == len(good) else [row for row in good if row.id in claimed]
    rows = with_present_creation(rows)
    orders.maker.note(rows)
    return rows, counts


def _lock(order_keys: set[int]) -> None:
    if order_keys:
        list(Order.objects.select_for_update().filter(pk__among=order_keys).order_by("pk").values_list("pk"))


def _take_resends(orders: _Orders) -> None:
    file = orders.file
    for rows in due_resends(counter=file.counter, only_orders=file.job.only_orders, reading=orders.reading):
        # A state that could be said once and cannot be now stays flagged: it goes when its status is mapped again.
        speakable = [row for row in rows if not orders.maker.problem(row)]
        with file.lease.step():
            _lock(orders.gate.written(speakable))
            file.begin()
            found = orders.gate.sort(speakable)
            orders.later += found.later
        orders.resends += found.good
        file.write(found.good)
        if file.full:
            return


def _reject_unwritable(orders: _Orders) -> None:
    file = orders.file
    if not (unwritable := file.scribe.unwritable):
        return
    with file.lease.step():
        for why, change_ids in by_cause(unwritable):
            orders.rejected += delivery.reject(
                upload_id=file.upload.pk, change_ids=change_ids, code="unwritable", message=why
            )
    left_out = {one.row.id for one in unwritable}
    orders.resends = [row for row in orders.resends if row.id not in left_out]


def _keep(orders: _Orders) -> Plan:
    upload = orders.file.upload
    kept = orders.file.store()
    with orders.file.lease.step():
        Upload.objects.filter(pk=upload.pk).update(**kept)
        Resend.objects.bulk_create(
            (Resend(upload_id=upload.pk, order_id=row.order, change_id=row.id) for row in orders.resends),
            batch_size=1000,
        )
        _note_progress(orders)
    return Plan(upload_id=upload.pk, progress=True)


def _nothing_written(orders: _Orders) -> Plan:
    """Nothing was due, or all of it was kept back. What was kept back no longer waits, so a later change of the same
    order may be due now, and so are the clients that orders wait for: there was progress. So there was where the walk
    was to be ended before it had come to something."""
    file = orders.file
    cursor = file.job.wave_cursor if orders.urgent is None else 0
    progress = bool(
        cursor or not orders.wave_ended or orders.held or orders.rejected or orders.passed_over or orders.later
    )
    progress = progress or bool(orders.recognised)
    if orders.urgent is not None and not progress:
        with file.lease.step():
            Upload.objects.filter(pk=file.upload.pk).delete()
    elif cursor or not file.upload._state.adding or file.job.clients_planned:
        with file.lease.step():
            Upload.objects.filter(pk=file.upload.pk).delete()
            _note_progress(orders)
    return Plan(progress=progress)


def _note_progress(orders: _Orders) -> None:
    """A file of urgent orders is a wave of its own, however many of them are left for the next; where the walk over all
    orders stands, it stays."""
    ended = orders.wave_ended or orders.urgent is not None
    place = {} if orders.urgent is not None else {"wave_cursor": 0 if ended else orders.cursor}
    UploadJob.objects.filter(pk=orders.file.job.pk).update(
        **place,
        wave=F("wave") + (1 if ended else 0),
        clients_planned=False,
        changes=F("changes") + orders.claimed + orders.recognised,
        delivered=F("delivered") + orders.recognised,
        held=F("held") + orders.held,
        rejected=F("rejected") + orders.rejected,
    )
    tallies.add(orders.file.counter.pk, {"changes.rejected": orders.rejected, "changes.delivered": orders.recognised})
