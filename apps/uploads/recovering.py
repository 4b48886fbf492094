"""After a restore: what went out since the backup is looked up before anything else goes (R6).

Metrica's list says of an upload when it came, its format and how many rows it had. The kept files say which uploads
there were: those that the backup knows as open, and those made later, which only the storage knows. A counter sends its
files one after the other, so as long as file after file has the size of upload after upload, they are the same; and
further on, where as many uploads of one size are in the list as there are files of it, they are the same in the same
order. What cannot be told apart so is sent again: the same row twice changes nothing under SAVE.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.utils import timezone

from apps.agencies.ids import uuid7
from apps.audit.services import record
from apps.counters.attributes import Declared
from apps.counters.gateway import metrica_client
from apps.counters.models import AttributeEntity, Counter
from apps.metrica.client import Uploading
from apps.metrica.dates import DateError
from apps.metrica.errors import AuthorizationError, MetricaError, TransientError, UnknownOutcome
from apps.orders.models import StatusChange
from apps.uploads import orphans, reconciler, sender, settle
from apps.uploads.lease import Lease
from apps.uploads.models import CarriedRow, Recovery, Upload, UploadJob, UploadKind, UploadState
from apps.uploads.orphans import Orphan
from apps.uploads.waits import seconds_for

log = structlog.get_logger(__name__)

_TOGETHER = 2000

Item = Upload | Orphan
_Size = tuple[int | None, str]
"""Rows and format."""


@dataclass(frozen=True, slots=True)
class _Story:
    """What was found: `items` in the order in which they were or would have been sent, each with its upload."""

    items: list[tuple[Item, Uploading | None]]
    nobodys: list[Uploading]


def recovered(*, lease: Lease, job: UploadJob, counter: Counter) -> bool:
    """True where nothing of the counter is to be looked up (any more). Else it is looked up, and what was found is
    settled; then what the caller has read is out of date.

    Raises JobFailed, TransientError, UnknownOutcome: nothing is sent before Metrica was asked; and LeaseLost.
    """
    recovery = Recovery.objects.filter(counter=counter, done_at=None).first()
    if recovery is None:
        return True
    files = _examined(counter, recovery)
    uploads = list(
        Upload.objects.filter(job__counter=counter, state=UploadState.UNKNOWN).order_by("wave", "created_at", "pk")
    )
    listed = _listed(lease, counter, recovery)
    story = _told([*uploads, *files], listed)
    for number, (item, uploading) in enumerate(story.items):
        if isinstance(item, Orphan):
            if uploading is not None:
                _adopt(lease=lease, job=job, counter=counter, orphan=item, uploading=uploading)
        elif uploading is not None:
            settle.passed(lease=lease, upload=item, counter=counter, uploading=uploading, adopted=True)
        elif any(later is not None for _item, later in story.items[number + 1 :]):
            # Later files went only after its end, so it did not pass: its changes went, or wait, otherwise.
            settle.given_up(lease=lease, upload=item, counter=counter, code="overtaken", message="")
    _finish(lease, counter, recovery, story)
    return False


def known_first_file(*, lease: Lease, upload: Upload, counter: Counter) -> bool:
    """Before the first file that is planned after a restore is sent: True where it has gone before, since the first
    upload that nobody knows has its size, and it holds nothing that came in after the backup. It is settled then."""
    recovery = Recovery.objects.filter(counter=counter).exclude(nobodys=[]).first()
    if recovery is None or upload.kind == UploadKind.CONTACTS or upload.created_at < recovery.restored_at:
        return False
    nobodys = [Uploading(raw={}, **one) for one in recovery.nobodys]
    newer = StatusChange.objects.filter(upload_id=upload.pk, received_at__gt=recovery.taken_at)
    known = _size(nobodys[0]) == _size(upload) and not newer.exists() and not upload.resends.exists()
    with lease.step():
        Recovery.objects.filter(pk=recovery.pk).update(nobodys=[])
    if known:
        settle.passed(lease=lease, upload=upload, counter=counter, uploading=nobodys[0], adopted=True)
    else:
        log.warning(
            "uploads after the backup cannot be told apart, what waits is sent again",
            counter=counter.metrica_id,
            uploads=len(nobodys),
            rows=upload.rows,
        )
    return known


def _examined(counter: Counter, recovery: Recovery) -> list[Orphan]:
    found = []
    for orphan in orphans.find(counter=counter, since=recovery.taken_at, until=recovery.restored_at):
        try:
            orphans.examine(orphan)
        except (orphans.Unreadable, ValueError) as error:
            log.warning("a kept file cannot be read", file=orphan.name, error=str(error))
        else:
            found.append(orphan)
    return orphans.without_cut_halves(found)


def _listed(lease: Lease, counter: Counter, recovery: Recovery) -> list[Uploading]:
    account = counter.account
    assert account is not None, "a counter without an account is blocked"
    try:
        lease.extend(seconds=settings.METRICA_TIMEOUT_SECONDS)
        with metrica_client(account, counter=counter) as metrica:
            return reconciler.nobodys(metrica, counter=counter, since=recovery.taken_at, until=recovery.restored_at)
    except (TransientError, UnknownOutcome):
        raise
    except MetricaError as error:
        if isinstance(error, AuthorizationError):
            sender.disconnect(lease, account, error)
        raise sender.JobFailed(code=error.code, message=str(error)) from error


def _told(items: Sequence[Item], listed: Sequence[Uploading]) -> _Story:
    """Which file is which upload of the list."""
    matched: dict[int, Uploading] = {}
    for item, uploading in zip(items, listed, strict=False):
        if _size(item) != _size(uploading):
            break
        matched[len(matched)] = uploading
    in_step = len(matched)
    files: dict[_Size, list[int]] = defaultdict(list)
    for number, item in enumerate(items[in_step:], start=in_step):
        files[_size(item)].append(number)
    uploads: dict[_Size, list[Uploading]] = defaultdict(list)
    for uploading in listed[in_step:]:
        uploads[_size(uploading)].append(uploading)
    for size, numbers in files.items():
        found = uploads[size]
        # The last file of all may not have been sent any more.
        if len(numbers) == len(found) + 1 and numbers[-1] == len(items) - 1:
            numbers = numbers[:-1]
        if len(numbers) == len(found):
            matched.update(zip(numbers, found, strict=True))
        elif found:
            log.warning("files and uploads cannot be told apart", rows=size[0], files=len(numbers), uploads=len(found))
    taken = {uploading.uploading_id for uploading in matched.values()}
    return _Story(
        items=[(item, matched.get(number)) for number, item in enumerate(items)],
        nobodys=[uploading for uploading in listed if uploading.uploading_id not in taken],
    )


def _size(one: Item | Uploading) -> _Size:
    if isinstance(one, Uploading):
        return one.elements_count, one.uploading_format
    return one.rows, one.format.upper()


def _adopt(*, lease: Lease, job: UploadJob, counter: Counter, orphan: Orphan, uploading: Uploading) -> None:
    """The file gets its upload back, and its rows are remembered: what it carried is known when it comes up again."""
    zone = counter.zone
    assert zone is not None, "a counter without a zone is blocked"
    came = _came(uploading, counter) or orphan.made_at
    upload = Upload(
        id=orphan.key if not orphan.part else uuid7(),
        job_id=job.pk,
        wave=job.wave,
        kind=orphan.kind,
        format=orphan.format,
        state=UploadState.PASSED,
        rows=orphan.rows,
        bytes=orphan.bytes,
        sha256=orphan.sha256,
        file=orphan.name,
        attempts=1,
        http_status=200,
        uploading_id=uploading.uploading_id,
        created_at=orphan.made_at,
        started_at=came,
        sent_at=came,
        finished_at=came,
    )
    attributes = Declared.of(counter).names(AttributeEntity.ORDER) if counter.is_detailed else {}
    rows = orphans.rows_of(orphan, zone=zone, attributes=attributes)
    with lease.step(seconds=seconds_for(orphan.bytes)):
        upload.save(force_insert=True)
        CarriedRow.objects.bulk_create(
            (
                CarriedRow(counter_id=counter.pk, upload_id=upload.pk, order_id=order_id, digest=digest)
                for order_id, digest in rows
            ),
            batch_size=_TOGETHER,
        )
        record(
            action="upload.recovered",
            agency=counter.agency_id,
            obj=upload,
            details={
                "counter": counter.metrica_id,
                "rows": upload.rows,
                "sha256": upload.sha256,
                "uploading_id": upload.uploading_id,
            },
        )


def _finish(lease: Lease, counter: Counter, recovery: Recovery, story: _Story) -> None:
    found = sum(1 for _item, uploading in story.items if uploading is not None)
    left = [_plain(uploading) for uploading in story.nobodys]
    with lease.step():
        Recovery.objects.filter(pk=recovery.pk).update(done_at=timezone.now(), nobodys=left)
    log.info(
        "uploads after the backup looked up",
        counter=counter.metrica_id,
        files=len(story.items),
        recognised=found,
        unexplained=len(left),
    )


def _plain(uploading: Uploading) -> dict[str, Any]:
    names = ("uploading_id", "datetime", "status", "elements_count", "entity_type")
    return {name: getattr(uploading, name) for name in (*names, "uploading_format", "uploading_source")}


def _came(uploading: Uploading, counter: Counter) -> datetime | None:
    zone = counter.zone
    assert zone is not None, "a counter without a zone is blocked"
    try:
        return uploading.moment(zone).at
    except DateError:
        return None
