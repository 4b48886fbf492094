"""One file being made: its own row in the database, its bytes on their way to the storage, and what goes into it.

Memory stays flat whatever waits. A file that was not finished is given up at the next claim of the job: what it had
taken waits again.
"""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from apps.counters import stopping
from apps.counters.models import Counter
from apps.uploads import files
from apps.uploads.formats import Maker, Writer, finish, open_writer
from apps.uploads.lease import Lease
from apps.uploads.models import Upload, UploadFormat, UploadJob, UploadKind
from apps.uploads.pacing import Pace
from apps.uploads.scribe import Scribe
from apps.uploads.stages import WRITING, stage
from apps.uploads.waits import seconds_for

ROWS_PER_FILE = 300_000
BYTES_PER_FILE = 512 * 1024 * 1024
"""Metrica takes 1 GB. What is under way while the limit is noticed goes into the file as well."""

_TURN_SECONDS = 0.0002


@dataclass
class FileInMaking:
    """`taken`: rows handed to the scribe so far. `pace`: of the turn in which the file is made; None: nobody waits."""

    lease: Lease
    job: UploadJob
    counter: Counter
    upload: Upload
    writer: Writer
    maker: Maker
    scribe: Scribe
    draft: files.Draft
    pace: Pace | None = None
    taken: int = 0

    @property
    def full(self) -> bool:
        """Or to be ended as it is, because others wait or the worker is to stop: the rest goes with another file."""
        size = self.writer.bytes_written
        if self.taken >= ROWS_PER_FILE or size >= BYTES_PER_FILE:
            return True
        if self.pace is not None and self.pace.enough(rows=self.taken, size=size):
            return True
        return stopping.requested() and self.taken > 0

    def begin(self) -> None:
        """The upload's own row is there before the first thing that it carries points to it."""
        if self.upload._state.adding:
            self.upload.save(force_insert=True)

    def write(self, rows: Sequence[Any]) -> None:
        self.taken += len(rows)
        self.scribe.write(rows)

    @stage(WRITING)
    def complete(self) -> bool:
        """Wait until all is written. False where that is nothing."""
        self.scribe.finish()
        finish(self.writer)
        return self.writer.rows > 0

    @stage(WRITING)
    def store(self) -> dict[str, Any]:
        """Move the bytes into the storage. Returns what the upload's row has to say of them."""
        self.lease.extend(seconds=seconds_for(self.writer.bytes_written))
        return {
            "file": self.draft.keep(files.name_of(self.upload, self.counter)),
            "rows": self.writer.rows,
            "bytes": self.writer.bytes_written,
            "sha256": self.writer.sha256(),
            "mapping": self.maker.mapping(),
        }


@contextmanager
def file_in_making(
    *,
    lease: Lease,
    job: UploadJob,
    counter: Counter,
    kind: UploadKind,
    file_format: UploadFormat,
    maker: Maker,
    pace: Pace | None = None,
) -> Iterator[FileInMaking]:
    """A new file. Leaving it unfinished leaves no bytes anywhere."""
    zone = counter.zone
    assert zone is not None, "a counter without a zone is blocked"
    upload = Upload(job_id=job.pk, wave=job.wave, kind=kind, format=file_format, created_at=timezone.now())
    with files.nobodys_if_lost([upload], counter=counter), _collector_resting(), _quick_turns(), files.Draft() as draft:
        writer = open_writer(kind, file_format, draft.stream, zone=zone, attributes=maker.attributes)
        with Scribe(writer=writer, make=maker.make) as scribe:
            yield FileInMaking(lease, job, counter, upload, writer, maker, scribe, draft, pace)


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


@contextmanager
def _quick_turns() -> Iterator[None]:
    """The thread that writes never waits, so at Python's usual interval the planner gets its turn 5 ms after each
    answer of the database, some ten times a chunk: about a tenth of the whole time."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
