"""Cuts a refused file in halves until the bad row stands alone (R7). The rows go over byte for byte."""

import hashlib
from collections.abc import Iterator
from datetime import datetime

import structlog
from django.utils import timezone

from apps.audit.services import record
from apps.counters.models import Counter
from apps.metrica.errors import MetricaError
from apps.uploads import cargo, files, settle
from apps.uploads.lease import Lease
from apps.uploads.models import Upload, UploadFormat, UploadKind, UploadState
from apps.uploads.scissors import SCISSORS, Piece
from apps.uploads.waits import seconds_for

log = structlog.get_logger(__name__)

MAX_REFUSED_FILES = 500
"""In one job. A cause that spoils every row must not turn a large file into hundreds of thousands of requests."""


def may_split(upload: Upload) -> bool:
    """False once so many files of the job were refused that more splitting would only hammer Metrica."""
    refused = Upload.objects.filter(job_id=upload.job_id, state=UploadState.REFUSED)
    return refused.count() < MAX_REFUSED_FILES


def split(*, lease: Lease, upload: Upload, counter: Counter, error: MetricaError) -> None:
    """Makes two files of the refused one, which keeps its bytes; what it carries moves into the halves.

    The halves' files are written first, under names made from the parent's: a crash before the step is committed
    leaves the parent as it was. Raises FileUnusable, LeaseLost.
    """
    lease.extend(seconds=seconds_for(upload.bytes))
    now = timezone.now()
    halves = [_half(upload, now) for _ in range(2)]
    first = upload.rows // 2
    with files.plain(upload) as source:
        part_of = SCISSORS[UploadFormat(upload.format)](source, cargo.KEY_COLUMN[UploadKind(upload.kind)])
        keys: list[set[str]] = []
        for number, (half, count) in enumerate(zip(halves, (first, upload.rows - first), strict=True), start=1):
            name = files.name_of(upload, counter, suffix=f"-{number}")
            keys.append(_write(half, name=name, pieces=part_of.next(count)))
    in_first = keys[0]
    with lease.step():
        Upload.objects.filter(pk=upload.pk).update(
            state=UploadState.REFUSED,
            finished_at=now,
            not_before=None,
            http_status=error.http_status,
            error_code=error.code,
            error_message=str(error),
        )
        Upload.objects.bulk_create(halves)
        cargo.divide(upload, halves=halves, in_first=in_first)
        settle.note_outcome(counter, "refused")
        record(
            action="upload.split",
            agency=counter.agency_id,
            obj=upload,
            details={
                "counter": counter.metrica_id,
                "code": error.code,
                "said": error.detail,
                "rows": upload.rows,
                "sha256": upload.sha256,
                "halves": [str(half.pk) for half in halves],
            },
        )
    log.warning(
        "upload refused, split in halves",
        upload=str(upload.pk),
        counter=counter.metrica_id,
        rows=upload.rows,
        code=error.code,
    )


def _half(upload: Upload, now: datetime) -> Upload:
    return Upload(
        job_id=upload.job_id,
        parent=upload,
        wave=upload.wave,
        kind=upload.kind,
        format=upload.format,
        mapping=upload.mapping,
        created_at=now,
    )


def _write(half: Upload, *, name: str, pieces: Iterator[Piece]) -> set[str]:
    """Writes the pieces as the half's file, and fills in what the half is. Returns the keys of its rows."""
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
        half.file = draft.keep(name)
    half.rows, half.bytes, half.sha256 = rows, size, checksum.hexdigest()
    return keys
