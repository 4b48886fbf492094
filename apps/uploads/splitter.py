"""Divides a refused file until the bad row stands alone (R7). The rows go over byte for byte.

Where Metrica's answer names rows, each of them goes in a file of its own and the rest in another: that finds a bad row
with two calls, where halving a large file takes some thirty. Nobody promises that what Metrica names can be trusted, so
it is put to the test: a named row that passes alone was named wrongly, and from then on the job halves.

The smallest file goes first, so the first bad rows stand alone soon. Where everything that stood alone was refused and
nothing passed, all rows share one cause, and dividing on would only use up the day's calls.

The parts go one after another, as all files of a job do. Several at a time would be safe as far as the order of states
goes, since the parts of a wave hold different orders; but which file comes next hangs on how the last one ended, so
there is little to send side by side, and the three calls that a login may have at once serve more when other counters
have them.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

import structlog
from django.utils import timezone

from apps.audit.services import record
from apps.counters.models import Counter
from apps.metrica.errors import MetricaError
from apps.metrica.places import read_place
from apps.uploads import cargo, files, settle
from apps.uploads.lease import Lease
from apps.uploads.models import Part, Upload, UploadFormat, UploadKind, UploadState
from apps.uploads.scissors import SCISSORS, Piece, Scissors
from apps.uploads.waits import seconds_for

log = structlog.get_logger(__name__)

MAX_REFUSED_FILES = 500
"""In one job. Scattered bad rows must not turn a large file into hundreds of thousands of requests."""

HOPELESS_ROWS = 10
"""So many rows refused alone, and nothing taken of what was divided: then all are refused for one cause."""

MAX_NAMED = 10
"""Rows that are taken out of a file at once because Metrica named them."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """One file to be made: what it is of the refused one, and its rows."""

    part: Part
    pieces: Callable[[], Iterator[Piece]]


def why_not(upload: Upload) -> str:
    """The reason (see problems.py) for which the job's files are not divided any further; empty where they are. Three
    cheap queries."""
    of_job = Upload.objects.filter(job_id=upload.job_id)
    refused = of_job.filter(state=UploadState.REFUSED)
    alone = refused.filter(rows=1)[:HOPELESS_ROWS]
    if len(alone) == HOPELESS_ROWS and not of_job.filter(state=UploadState.PASSED, parent__isnull=False).exists():
        return "every_row_refused"
    return "too_many_refused" if refused.count() >= MAX_REFUSED_FILES else ""


def split(*, lease: Lease, upload: Upload, counter: Counter, error: MetricaError) -> None:
    """Makes smaller files of the refused one, which keeps its bytes; what it carries moves into them.

    Their own rows are there before their bytes: a worker that dies meanwhile leaves the refused file as it was, and the
    job's next owner gives up what was begun, its bytes too. Raises FileUnusable, LeaseLost.
    """
    lease.extend(seconds=2 * seconds_for(upload.bytes))
    now = timezone.now()
    named = _named_rows(upload, error)
    with files.plain(upload) as source:
        cuts = _by_name(upload, source, named) if named else _in_halves(upload, source)
        parts = [_part(upload, cut.part, now) for cut in cuts]
        with lease.step():
            Upload.objects.bulk_create(parts)
        with files.nobodys_if_lost(parts, counter=counter):
            keys = [_write(part, counter=counter, pieces=cut.pieces()) for part, cut in zip(parts, cuts, strict=True)]
            with lease.step():
                _hand_over(upload, parts=parts, keys=keys, counter=counter, error=error, now=now)
    log.warning(
        "upload refused, divided",
        upload=str(upload.pk),
        counter=counter.metrica_id,
        rows=upload.rows,
        code=error.code,
        parts=[part.rows for part in parts],
    )


def _hand_over(
    upload: Upload,
    *,
    parts: Sequence[Upload],
    keys: Sequence[set[str]],
    counter: Counter,
    error: MetricaError,
    now: datetime,
) -> None:
    Upload.objects.filter(pk=upload.pk).update(
        state=UploadState.REFUSED,
        finished_at=now,
        not_before=None,
        http_status=error.http_status,
        error_code=error.code,
        error_message=error.detail,
    )
    Upload.objects.bulk_update(parts, ["file", "rows", "bytes", "sha256"])
    cargo.divide(upload, parts=parts, keys=keys)
    settle.note_outcome(counter, "refused")
    record(
        action="upload.split",
        agency=counter.agency_id,
        obj=upload,
        details={
            "counter": counter.metrica_id,
            "code": error.code,
            "said": error.detail,
            "at": error.location,
            "rows": upload.rows,
            "sha256": upload.sha256,
            "parts": [str(part.pk) for part in parts],
        },
    )


def _named_rows(upload: Upload, error: MetricaError) -> list[int]:
    """Places (from 0) of the rows that Metrica's answer names and that are to be tried alone; none where it named a row
    of this job wrongly before."""
    places = (read_place(location).row for location in error.locations)
    named = sorted({row for row in places if row is not None and row < upload.rows})[:MAX_NAMED]
    wrongly = Upload.objects.filter(job_id=upload.job_id, part=Part.NAMED, state=UploadState.PASSED)
    return [] if named and wrongly.exists() else named


def _in_halves(upload: Upload, source: BinaryIO) -> list[_Cut]:
    rows = _scissors(upload, source)
    first = upload.rows // 2
    return [
        _Cut(Part.HALF, lambda: rows.next(first)),
        _Cut(Part.HALF, lambda: rows.next(upload.rows - first)),
    ]


def _by_name(upload: Upload, source: BinaryIO, named: Sequence[int]) -> list[_Cut]:
    """A file for each row that was named, then one for the rest."""
    alone = _scissors(upload, source)

    def one_after(skipped: int) -> Iterator[Piece]:
        alone.skip(skipped)
        return alone.next(1)

    def rest() -> Iterator[Piece]:
        source.seek(0)
        return _scissors(upload, source).next(upload.rows, without=frozenset(named))

    before = [-1, *named]
    cuts = [
        _Cut(Part.NAMED, lambda skipped=row - last - 1: one_after(skipped))  # type: ignore[misc]
        for last, row in zip(before, named, strict=False)
    ]
    return [*cuts, _Cut(Part.REST, rest)] if len(named) < upload.rows else cuts


def _scissors(upload: Upload, source: BinaryIO) -> Scissors:
    return SCISSORS[UploadFormat(upload.format)](source, cargo.KEY_COLUMN[UploadKind(upload.kind)])


def _part(upload: Upload, part: Part, now: datetime) -> Upload:
    return Upload(
        job_id=upload.job_id,
        parent=upload,
        part=part,
        wave=upload.wave,
        kind=upload.kind,
        format=upload.format,
        mapping=upload.mapping,
        created_at=now,
    )


def _write(part: Upload, *, counter: Counter, pieces: Iterator[Piece]) -> set[str]:
    """Writes the pieces as the part's file, and fills in what the part is. Returns the keys of its rows."""
    keys: set[str] = set()
    checksum = hashlib.sha256()
    size = rows = 0
    with files.Draft() as draft:
        for piece in pieces:
            checksum.update(piece.data)
            size += len(piece.data)
            rows += len(piece.keys)
            keys.update(piece.keys)
            draft.stream.write(piece.data)
        part.file = draft.keep(files.name_of(part, counter))
    part.rows, part.bytes, part.sha256 = rows, size, checksum.hexdigest()
    return keys
