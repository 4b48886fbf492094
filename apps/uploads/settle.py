"""What became of a file: each outcome is one committed step that moves the upload, what it carries and the job
together."""

from datetime import datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.audit.services import record
from apps.counters.models import Counter
from apps.counters.services import note_passed_upload
from apps.metrica.client import Uploading
from apps.metrica.errors import MetricaError
from apps.metrica.places import read_place
from apps.uploads import cargo, files, tallies
from apps.uploads.lease import Lease
from apps.uploads.models import SentAgain, Upload, UploadFormat, UploadJob, UploadKind, UploadState
from apps.uploads.scissors import SCISSORS
from apps.uploads.stages import SETTLING, stage
from apps.uploads.waits import after, backoff

log = structlog.get_logger(__name__)

OUTCOMES = ("passed", "refused", "postponed", "unknown", "failed", "adopted", "not_found")
"""What became of an attempt; the last two are what became of an unknown one later."""


@stage(SETTLING)
def passed(*, lease: Lease, upload: Upload, counter: Counter, uploading: Uploading, adopted: bool = False) -> None:
    """Metrica has the file: what it carries is delivered. `adopted`: found in Metrica's list, not in an answer (R6)."""
    now = timezone.now()
    with lease.step():
        _end(upload, state=UploadState.PASSED, http_status=200, uploading_id=uploading.uploading_id, at=now)
        _count(
            upload,
            counter,
            outcome="adopted" if adopted else "passed",
            **cargo.delivered(upload, counter=counter, at=now),
        )
        # The account before its counter, as whoever disconnects an account has to do it.
        if counter.account_id is not None:
            note_passed_upload(account_id=counter.account_id, at=now)
        Counter.objects.filter(pk=counter.pk).update(last_passed_at=now)
        _progressed(lease)
        _record("upload.adopted" if adopted else "upload.passed", upload, counter, uploading_id=uploading.uploading_id)
    log.info(
        "upload passed",
        upload=str(upload.pk),
        counter=counter.metrica_id,
        rows=upload.rows,
        wave=upload.wave,
        attempt=upload.attempts,
        adopted=adopted,
    )


def came_after_all(*, upload: Upload, counter: Counter, uploading: Uploading) -> None:
    """Metrica took a file from a worker that had lost the job meanwhile: its machine stood still on the way to the
    first byte. The job's next owner may have sent later states before it, so what the file holds goes once more as it
    is now: the last row that Metrica got for an order is its current state (R4). Nothing else is touched."""
    if Upload.objects.filter(pk=upload.pk, uploading_id=uploading.uploading_id).exists():
        return  # the next owner found it in Metrica's list
    repeated = 0
    with files.plain(upload) as source, transaction.atomic():
        whole = SCISSORS[UploadFormat(upload.format)](source, cargo.KEY_COLUMN[UploadKind(upload.kind)])
        for piece in whole.next(upload.rows):
            repeated += cargo.repeat_present_states(upload, counter=counter, keys=piece.keys)
        _record("upload.came_after_all", upload, counter, uploading_id=uploading.uploading_id, repeated=repeated)
    log.warning(
        "Metrica took a file from a worker that had lost its job",
        upload=str(upload.pk),
        counter=counter.metrica_id,
        repeated=repeated,
    )


@stage(SETTLING)
def rejected(*, lease: Lease, upload: Upload, counter: Counter, error: MetricaError) -> None:
    """Metrica refused a file of one row: that change or client is rejected, in Metrica's words and with the field that
    it names (R7). What they mean, and what a person can do, is told by the code when somebody looks, in their language.

    Where the row was a state sent once more, the change stays delivered; it is not tried again by itself.
    """
    now = timezone.now()
    with lease.step():
        _end(upload, state=UploadState.REFUSED, error=error, at=now)
        said = cargo.refused(upload, code=error.code, said=error.detail, field=_field(error))
        _count(upload, counter, outcome="refused", **said)
        _progressed(lease)
        _record("upload.refused", upload, counter, code=error.code, said=error.detail, at=error.location)
    log.warning("upload refused", upload=str(upload.pk), counter=counter.metrica_id, rows=upload.rows, code=error.code)


def given_up(
    *, lease: Lease, upload: Upload, counter: Counter, code: str, message: str, status: int | None = None
) -> None:
    """The file is not sent (any more): its changes wait again."""
    with lease.step():
        give_up(upload=upload, counter=counter, code=code, message=message, status=status)
        if upload.state == UploadState.SENDING:
            note_outcome(counter, "failed")


def give_up(*, upload: Upload, counter: Counter, code: str, message: str, status: int | None = None) -> None:
    """The same within a step that does more."""
    returned = cargo.give_back(upload)
    _end(upload, state=UploadState.FAILED, http_status=status, code=code, message=message, at=timezone.now())
    _record("upload.failed", upload, counter, code=code, returned=returned)
    log.warning("upload given up", upload=str(upload.pk), counter=counter.metrica_id, code=code, waiting_again=returned)


def retry_later(*, lease: Lease, upload: Upload, counter: Counter, error: MetricaError) -> datetime:
    """Nothing happened at Metrica: the same file goes again later. Returns when."""
    wait = after(backoff(upload.attempts, retry_after=error.retry_after))
    with lease.step():
        Upload.objects.filter(pk=upload.pk).update(
            state=UploadState.PREPARED,
            not_before=wait,
            http_status=error.http_status,
            error_code=error.code,
            error_message=error.detail,
        )
        note_trouble(lease, error)
        note_outcome(counter, "postponed")
    log.warning(
        "upload will be repeated",
        upload=str(upload.pk),
        counter=counter.metrica_id,
        code=error.code,
        attempt=upload.attempts,
        not_before=wait.isoformat(),
    )
    return wait


def unknown(*, lease: Lease, upload: Upload, counter: Counter, error: MetricaError | None = None) -> None:
    """Nobody knows whether Metrica has the file: the call broke, or the worker did (`error` left out)."""
    with lease.step():
        Upload.objects.filter(pk=upload.pk).update(
            state=UploadState.UNKNOWN,
            not_before=None,
            lookups=0,
            http_status=error.http_status if error else None,
            error_code=error.code if error else "unknown_outcome",
            error_message=error.detail if error else "",
        )
        if error:
            note_trouble(lease, error)
        note_outcome(counter, "unknown")
        _record("upload.unknown", upload, counter, attempt=upload.attempts)
    log.warning(
        "outcome of upload unknown, asking Metrica",
        upload=str(upload.pk),
        counter=counter.metrica_id,
        attempt=upload.attempts,
        worker_died=error is None,
    )


def send_again(*, lease: Lease, upload: Upload, counter: Counter, because: SentAgain, candidates: int) -> None:
    """Metrica's list does not prove that it has the upload: the same bytes go once more (R6). The upload keeps why."""
    with lease.step():
        Upload.objects.filter(pk=upload.pk).update(state=UploadState.PREPARED, not_before=None, sent_again=because)
        note_outcome(counter, "not_found")
        _record(
            "upload.sent_again",
            upload,
            counter,
            because=because.value,
            candidates=candidates,
            attempt=upload.attempts,
            lookups=upload.lookups,
        )
    log.warning(
        "outcome of upload stays unknown, the same bytes go again",
        upload=str(upload.pk),
        counter=counter.metrica_id,
        because=because.value,
        candidates=candidates,
        attempt=upload.attempts,
        sha256=upload.sha256,
    )


def look_again(*, lease: Lease, upload: Upload, seconds: float, error: MetricaError | None = None) -> datetime:
    """The list could not be read, or does not have the upload yet: ask once more after `seconds`. Returns when."""
    wait = after(seconds)
    with lease.step():
        Upload.objects.filter(pk=upload.pk).update(lookups=F("lookups") + 1, not_before=wait)
        if error:
            note_trouble(lease, error)
    return wait


def exhausted(upload: Upload) -> bool:
    """True once the file was sent as often as is allowed."""
    return upload.attempts >= settings.UPLOAD_MAX_ATTEMPTS


def _end(
    upload: Upload,
    *,
    state: UploadState,
    at: datetime,
    http_status: int | None = None,
    uploading_id: str = "",
    error: MetricaError | None = None,
    code: str = "",
    message: str = "",
) -> None:
    Upload.objects.filter(pk=upload.pk).update(
        state=state,
        finished_at=at,
        not_before=None,
        http_status=error.http_status if error else http_status,
        uploading_id=uploading_id,
        error_code=error.code if error else code,
        error_message=error.detail if error else message,
    )


def _field(error: MetricaError) -> str:
    """The field of the file's one row that Metrica's answer names, if it does."""
    return next((field for location in error.locations if (field := read_place(location).field)), "")


def note_outcome(counter: Counter, outcome: str) -> None:
    """One of OUTCOMES more, within the step that settles it."""
    tallies.add(counter.pk, {f"outcome.{outcome}": 1})


def _count(upload: Upload, counter: Counter, *, outcome: str, **numbers: int) -> None:
    """Into the job that made the file, even where a later one saw it through; and into the totals."""
    tallies.add(counter.pk, {f"outcome.{outcome}": 1, **{f"changes.{name}": n for name, n in numbers.items()}})
    UploadJob.objects.filter(pk=upload.job_id).update(**{name: F(name) + number for name, number in numbers.items()})


def note_trouble(lease: Lease, error: MetricaError) -> None:
    """A job that waits says what for."""
    UploadJob.objects.filter(pk=lease.job_id).update(error_code=error.code, error_message=str(error))


def _progressed(lease: Lease) -> None:
    UploadJob.objects.filter(pk=lease.job_id).update(breakdowns=0, error_code="", error_message="")


def _record(action: str, upload: Upload, counter: Counter, **details: object) -> None:
    record(
        action=action,
        agency=counter.agency_id,
        obj=upload,
        details={
            "counter": counter.metrica_id,
            "job": str(upload.job_id),
            "kind": upload.kind,
            "wave": upload.wave,
            "rows": upload.rows,
            "bytes": upload.bytes,
            "sha256": upload.sha256,
            **details,
        },
    )
