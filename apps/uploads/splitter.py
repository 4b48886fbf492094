"""Cuts a refused file in halves until the bad row stands alone (R7). The rows go over byte for byte."""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import BinaryIO
from uuid import UUID

import structlog
from django.utils import timezone

from apps.audit.services import record
from apps.counters.models import Counter
from apps.metrica.errors import MetricaError
from apps.metrica.vocabulary import SIMPLE_COLUMNS
from apps.orders import delivery
from apps.orders.models import StatusChange
from apps.uploads import files
from apps.uploads.lease import Lease
from apps.uploads.models import Resend, Upload, UploadState
from apps.uploads.selection import CHUNK
from apps.uploads.waits import seconds_for

log = structlog.get_logger(__name__)

MAX_REFUSED_FILES = 500
"""In one job. A cause that spoils every row must not turn a large file into hundreds of thousands of requests."""

_PIECE = 256 * 1024
_ID = SIMPLE_COLUMNS.index("id")


def may_split(upload: Upload) -> bool:
    """False once so many files of the job were refused that more splitting would only hammer Metrica."""
    refused = Upload.objects.filter(job_id=upload.job_id, state=UploadState.REFUSED)
    return refused.count() < MAX_REFUSED_FILES


def split(*, lease: Lease, upload: Upload, counter: Counter, error: MetricaError) -> None:
    """Makes two files of the refused one, which keeps its bytes; its changes move into the halves.

    The halves' files are written first, under names made from the parent's: a crash before the step is committed
    leaves the parent as it was. Raises FileUnusable, LeaseLost.
    """
    lease.extend(seconds=seconds_for(upload.bytes))
    now = timezone.now()
    halves = [_half(upload, now) for _ in range(2)]
    first = upload.rows // 2
    with files.plain(upload) as source:
        records = _records(source)
        header = next(records)
        ids: list[set[str]] = []
        for number, (half, count) in enumerate(zip(halves, (first, upload.rows - first), strict=True), start=1):
            name = files.name_of(upload, counter, suffix=f"-{number}")
            ids.append(_write(half, name=name, header=header, records=records, count=count))
    in_first = ids[0]
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
        for half, change_ids in zip(halves, _divided(upload, in_first), strict=True):
            for start in range(0, len(change_ids), CHUNK):
                part = change_ids[start : start + CHUNK]
                delivery.move(from_upload=upload.pk, to_upload=half.pk, change_ids=part)
        _divide_resends(upload, halves, in_first)
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
        job_id=upload.job_id, parent=upload, wave=upload.wave, kind=upload.kind, mapping=upload.mapping, created_at=now
    )


def _records(source: BinaryIO) -> Iterator[list[str]]:
    return csv.reader(io.TextIOWrapper(source, encoding="utf-8", newline=""), strict=True)


def _write(half: Upload, *, name: str, header: list[str], records: Iterator[list[str]], count: int) -> set[str]:
    """Writes the next `count` records as the half's file, and fills in what the half is. Returns the orders' ids."""
    ids: set[str] = set()
    checksum = hashlib.sha256()
    size = 0
    with files.Draft() as draft:
        for part in _parts(header, islice(records, count), ids):
            checksum.update(part)
            size += len(part)
            draft.stream.write(part)
        half.file = draft.keep(name)
    half.rows, half.bytes, half.sha256 = count, size, checksum.hexdigest()
    return ids


def _parts(header: list[str], records: Iterable[list[str]], ids: set[str]) -> Iterator[bytes]:
    """The file in pieces; collects the ids of its orders on the way."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(header)
    for cells in records:
        ids.add(cells[_ID])
        writer.writerow(cells)
        if buffer.tell() > _PIECE:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _divided(upload: Upload, in_first: set[str]) -> tuple[list[UUID], list[UUID]]:
    first: list[UUID] = []
    second: list[UUID] = []
    changes = StatusChange.objects.filter(upload_id=upload.pk).values_list("pk", "order__order_id")
    for change_id, order_id in changes.iterator():
        (first if order_id in in_first else second).append(change_id)
    return first, second


def _divide_resends(upload: Upload, halves: list[Upload], in_first: set[str]) -> None:
    found: tuple[list[int], list[int]] = ([], [])
    for resend_id, order_id in upload.resends.values_list("pk", "order__order_id").iterator():
        found[0 if order_id in in_first else 1].append(resend_id)
    for half, resend_ids in zip(halves, found, strict=True):
        for start in range(0, len(resend_ids), CHUNK):
            Resend.objects.filter(pk__in=resend_ids[start : start + CHUNK]).update(upload=half)
