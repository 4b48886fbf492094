"""After a restore: what went out since the backup is looked up before anything else goes (R6).

The kept files say which uploads there were: those that the backup knows as open, and those made later, which only the
storage knows. In which order they went is told by them as well (see course), and which of Metrica's list they are by
what it says of each (see recognising). What cannot be told apart so is sent again: the same row twice changes nothing
under SAVE.
"""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.utils import timezone

from apps.audit.services import record
from apps.counters.attributes import Declared
from apps.counters.gateway import metrica_client
from apps.counters.models import AttributeEntity, Counter
from apps.metrica.client import Uploading
from apps.metrica.errors import AuthorizationError, MetricaError, TransientError, UnknownOutcome
from apps.orders.models import StatusChange
from apps.uploads import files, orphans, reconciler, sender, settle
from apps.uploads.course import course_of
from apps.uploads.lease import Lease
from apps.uploads.models import CarriedRow, Recovery, SentAgain, Upload, UploadJob, UploadKind, UploadState
from apps.uploads.orphans import Orphan
from apps.uploads.recognising import may_be, recognised
from apps.uploads.reconciler import Arrival
from apps.uploads.waits import seconds_for

log = structlog.get_logger(__name__)

_TOGETHER = 2000


def recovered(*, lease: Lease, job: UploadJob, counter: Counter) -> bool:
    """True where nothing of the counter is to be looked up (any more). Else it is looked up, and what was found is
    settled; then what the caller has read is out of date.

    Raises JobFailed, TransientError, UnknownOutcome: nothing is sent before Metrica was asked; and LeaseLost.
    """
    recovery = Recovery.objects.filter(counter=counter, done_at=None).first()
    if recovery is None:
        return True
    uploads = list(Upload.objects.filter(job__counter=counter, state=UploadState.UNKNOWN))
    kept = _examined(lease, counter, recovery)
    course = course_of(uploads, kept)
    arrivals = _listed(lease, counter, recovery, uploads)
    found = recognised(course.turns, arrivals)
    taken = {arrival.uploading.uploading_id for arrival in found.values()}
    left = [arrival for arrival in arrivals if arrival.uploading.uploading_id not in taken]
    for place, turn in enumerate(course.turns):
        item, arrival = turn.item, found.get(place)
        if isinstance(item, Orphan):
            if arrival is not None:
                _adopt(lease=lease, job=job, counter=counter, orphan=item, arrival=arrival)
        elif arrival is not None:
            settle.passed(lease=lease, upload=item, counter=counter, uploading=arrival.uploading, adopted=True)
        elif turn.until is not None or place < max(found, default=0):
            # Later files were begun, or went, only after its end. Nobody knows that it passed, so its changes wait, or
            # went with another.
            settle.given_up(lease=lease, upload=item, counter=counter, code="overtaken", message="")
        elif fitting := sum(may_be(turn, arrival) for arrival in left):
            because = SentAgain.SEVERAL_FIT
            settle.send_again(lease=lease, upload=item, counter=counter, because=because, candidates=fitting)
    for upload in course.divided:
        # What its parts carried is known by now, wherever they came.
        settle.given_up(lease=lease, upload=upload, counter=counter, code="overtaken", message="")
    # Where the storage has what was made since, an upload that no file explains is another's, or cannot be told apart.
    nobodys = [] if kept else [arrival.uploading for arrival in left]
    _finish(lease, counter, recovery, files=len(course.turns), found=len(found), left=len(left), nobodys=nobodys)
    return False


def known_first_file(*, lease: Lease, upload: Upload, counter: Counter) -> bool:
    """Before the first file that is planned after a restore is sent: True where it has gone before, since the first
    upload that nobody knows has its size, and it holds nothing that came in after the backup. It is settled then."""
    recovery = Recovery.objects.filter(counter=counter).exclude(nobodys=[]).first()
    if recovery is None or upload.kind == UploadKind.CONTACTS or upload.created_at < recovery.restored_at:
        return False
    nobodys = [Uploading(raw={}, **one) for one in recovery.nobodys]
    newer = StatusChange.objects.filter(upload_id=upload.pk, received_at__gt=recovery.taken_at)
    fits = reconciler.fits(nobodys[0], rows=upload.rows, file_format=upload.format)
    known = fits and not newer.exists() and not upload.resends.exists()
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


def _examined(lease: Lease, counter: Counter, recovery: Recovery) -> list[Orphan]:
    found = []
    for orphan in orphans.find(counter=counter, since=recovery.taken_at, until=recovery.restored_at):
        lease.extend(seconds=0)
        try:
            orphans.examine(orphan)
        except orphans.Unreadable as error:
            log.warning("a kept file cannot be read", file=orphan.name, error=str(error))
        else:
            found.append(orphan)
    return found


def _listed(lease: Lease, counter: Counter, recovery: Recovery, uploads: Sequence[Upload]) -> list[Arrival]:
    """What came since the backup, or since the first of these uploads left that were open then."""
    since = min([recovery.taken_at, *(upload.started_at or upload.created_at for upload in uploads)])
    account = counter.account
    assert account is not None, "a counter without an account is blocked"
    try:
        lease.extend(seconds=settings.METRICA_TIMEOUT_SECONDS)
        with metrica_client(account, counter=counter) as metrica:
            return reconciler.nobodys(metrica, counter=counter, since=since, until=recovery.restored_at)
    except (TransientError, UnknownOutcome):
        raise
    except MetricaError as error:
        if isinstance(error, AuthorizationError):
            sender.disconnect(lease, account, error)
        raise sender.JobFailed(code=error.code, message=str(error)) from error


def _adopt(*, lease: Lease, job: UploadJob, counter: Counter, orphan: Orphan, arrival: Arrival) -> None:
    """The file gets its upload back, and its rows are remembered: what it carried is known when it comes up again."""
    zone = counter.zone
    assert zone is not None, "a counter without a zone is blocked"
    came = arrival.at or orphan.made_at
    upload = Upload(
        id=orphan.pk,
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
        uploading_id=arrival.uploading.uploading_id,
        created_at=orphan.made_at,
        started_at=came,
        sent_at=came,
        finished_at=came,
    )
    attributes = Declared.of(counter).names(AttributeEntity.ORDER) if counter.is_detailed else {}
    with lease.step(seconds=seconds_for(orphan.bytes)):
        upload.save(force_insert=True)
        CarriedRow.objects.bulk_create(_carried(orphan, counter, zone, attributes), batch_size=_TOGETHER)
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
    for name in orphan.older:
        files.forget(name)


def _carried(orphan: Orphan, counter: Counter, zone: ZoneInfo, attributes: dict[str, bool]) -> list[CarriedRow]:
    """The rows of a file, as far as they can be read. What is behind that goes once more, which changes nothing."""
    found: list[CarriedRow] = []
    try:
        for order_id, digest in orphans.rows_of(orphan, zone=zone, attributes=attributes):
            row = CarriedRow(counter_id=counter.pk, upload_id=orphan.pk, order_id=order_id, digest=digest)
            found.append(row)
    except orphans.Unreadable as error:
        log.warning("a kept file cannot be read to its end", file=orphan.name, rows=len(found), error=str(error))
    return found


def _finish(
    lease: Lease,
    counter: Counter,
    recovery: Recovery,
    *,
    files: int,
    found: int,
    left: int,
    nobodys: Sequence[Uploading],
) -> None:
    with lease.step():
        Recovery.objects.filter(pk=recovery.pk).update(
            done_at=timezone.now(), nobodys=[_plain(uploading) for uploading in nobodys]
        )
    say = log.warning if left else log.info
    say(
        "uploads after the backup looked up",
        counter=counter.metrica_id,
        files=files,
        recognised=found,
        unexplained=left,
    )


def _plain(uploading: Uploading) -> dict[str, Any]:
    names = ("uploading_id", "datetime", "status", "elements_count", "entity_type")
    return {name: getattr(uploading, name) for name in (*names, "uploading_format", "uploading_source")}
