"""Puts what is due into the next file (R4, R5): claims changes by the chunk and writes their rows as they come.

A file holds at most one row of an order. A wave is one walk over the counter's orders; a wave with more rows than a
file should have becomes several files. Memory stays flat whatever waits. A file that was not finished is given up at
the next claim of the job: what it had taken waits again.
"""

import gc
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from django.db import reset_queries
from django.db.models import F
from django.utils import timezone

from apps.counters.models import Counter
from apps.goals.resolve import Resolver
from apps.metrica.wire.simple_orders import SimpleOrdersWriter
from apps.orders import delivery
from apps.uploads import files
from apps.uploads.ahead import read_ahead
from apps.uploads.lease import Lease
from apps.uploads.models import Resend, Upload, UploadJob
from apps.uploads.rows import ChangeRow, RowMaker
from apps.uploads.scribe import Scribe
from apps.uploads.selection import Due, due_changes, due_resends
from apps.uploads.waits import seconds_for

ROWS_PER_FILE = 300_000
BYTES_PER_FILE = 512 * 1024 * 1024
"""Metrica takes 1 GB. What is under way while the limit is noticed goes into the file as well."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one call of `plan_file` came to. `progress`: False where nothing was due any more."""

    upload_id: UUID | None = None
    progress: bool = False


@dataclass
class _File:
    """The file being planned, and what has become of the changes looked at for it."""

    lease: Lease
    job: UploadJob
    upload: Upload
    writer: SimpleOrdersWriter
    maker: RowMaker
    scribe: Scribe
    claimed: int = 0
    held: int = 0
    rejected: int = 0
    passed_over: int = 0
    resends: list[ChangeRow] = field(default_factory=list)
    cursor: int = 0
    wave_ended: bool = False

    @property
    def full(self) -> bool:
        return self.claimed + len(self.resends) >= ROWS_PER_FILE or self.writer.bytes_written >= BYTES_PER_FILE

    def begin(self) -> None:
        """The upload's own row is there before the first change points to it."""
        if self.upload._state.adding:
            self.upload.save(force_insert=True)


def plan_file(*, lease: Lease, job: UploadJob, counter: Counter) -> Plan:
    """Writes the next file of the job, or finds that nothing is due. The counter has its zone and is not blocked.

    Each chunk is one committed step of the lease; raises LeaseLost.
    """
    zone = counter.zone
    assert zone is not None, "a counter without a zone is blocked"
    maker = RowMaker(counter=counter, resolver=Resolver.for_counter(counter))
    upload = Upload(job_id=job.pk, wave=job.wave, created_at=timezone.now())
    with _collector_resting(), files.Draft() as draft:
        writer = SimpleOrdersWriter(draft.stream, zone=zone)
        with Scribe(writer=writer, maker=maker) as scribe:
            file = _File(lease=lease, job=job, upload=upload, writer=writer, maker=maker, scribe=scribe)
            _take_changes(file, counter)
            if file.wave_ended and not file.full:
                _take_resends(file, counter)
            scribe.finish()
        _reject_unwritable(file)
        if not writer.rows:
            return _nothing_written(file)
        lease.extend(seconds=seconds_for(writer.bytes_written))
        return _keep(file, name=draft.keep(files.name_of(upload, counter)))


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Rows hold no cycles, and are gone as soon as they are written: to search a million of them for cycles again and
    again would cost a good part of the time."""
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()


def _take_changes(file: _File, counter: Counter) -> None:
    job = file.job
    chunks = due_changes(counter=counter, only_orders=job.only_orders, cursor=job.wave_cursor)
    with closing(read_ahead(chunks)) as coming:
        for due in coming:
            file.scribe.write(_claimed(file, due))
            file.cursor = due.cursor
            reset_queries()  # while developing, Django would keep the text of every query
            if file.full:
                return
    file.wave_ended = True


def _claimed(file: _File, due: Due) -> list[ChangeRow]:
    """Takes what can go of the chunk, and holds what cannot (R8). One committed step."""
    held: dict[str, list[str]] = defaultdict(list)
    good: list[ChangeRow] = []
    for row in due.rows:
        if problem := file.maker.problem(row):
            held[problem].append(row.id)
        else:
            good.append(row)
    with file.lease.step(more_follow=True):
        file.begin()
        for reason, change_ids in held.items():
            file.held += delivery.hold(change_ids=change_ids, reason=reason)
        if due.passed_over:
            file.passed_over += delivery.supersede(change_ids=due.passed_over)
        claimed = delivery.claim(change_ids=[row.id for row in good], upload_id=file.upload.pk)
    file.claimed += len(claimed)
    return good if len(claimed) == len(good) else [row for row in good if row.id in claimed]


def _take_resends(file: _File, counter: Counter) -> None:
    for rows in due_resends(counter=counter, only_orders=file.job.only_orders):
        # A state that could be said once and cannot be now stays flagged: it goes when its status is mapped again.
        good = [row for row in rows if not file.maker.problem(row)]
        with file.lease.step():
            file.begin()
        file.resends += good
        file.scribe.write(good)
        if file.full:
            return


def _reject_unwritable(file: _File) -> None:
    if not (unwritable := file.scribe.unwritable):
        return
    with file.lease.step():
        for one in unwritable:
            file.rejected += delivery.reject(
                upload_id=file.upload.pk, change_ids=[one.row.id], code="unwritable", message=one.why
            )
    left_out = {one.row.id for one in unwritable}
    file.resends = [row for row in file.resends if row.id not in left_out]


def _keep(file: _File, *, name: str) -> Plan:
    upload, writer = file.upload, file.writer
    with file.lease.step():
        Upload.objects.filter(pk=upload.pk).update(
            file=name,
            rows=writer.rows,
            bytes=writer.bytes_written,
            sha256=writer.sha256(),
            mapping=file.maker.mapping(),
        )
        Resend.objects.bulk_create(
            (Resend(upload_id=upload.pk, order_id=row.order, change_id=row.id) for row in file.resends),
            batch_size=1000,
        )
        _note_progress(file)
    return Plan(upload_id=upload.pk, progress=True)


def _nothing_written(file: _File) -> Plan:
    """Nothing was due, or all of it was kept back. What was kept back no longer waits, so a later change of the same
    order may be due now: there was progress."""
    cursor = file.job.wave_cursor
    if cursor or not file.upload._state.adding:
        with file.lease.step():
            Upload.objects.filter(pk=file.upload.pk).delete()
            _note_progress(file)
    return Plan(progress=bool(cursor or file.held or file.rejected or file.passed_over))


def _note_progress(file: _File) -> None:
    UploadJob.objects.filter(pk=file.job.pk).update(
        wave=F("wave") + (1 if file.wave_ended else 0),
        wave_cursor=0 if file.wave_ended else file.cursor,
        changes=F("changes") + file.claimed,
        held=F("held") + file.held,
        rejected=F("rejected") + file.rejected,
    )
