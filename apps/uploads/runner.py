"""Runs a job step by step until nothing of its counter is due, or until it has to wait.

Every step is committed; a worker may die between any two of them, and the next one goes on from what is written (R2,
R6). What a dead worker left comes first: a half-written file is given up, a file that was being sent is looked up.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Case, F, When
from django.utils import timezone

from apps.counters.models import Counter
from apps.counters.services import block_reason
from apps.metrica.errors import TransientError, UnknownOutcome
from apps.orders import holds
from apps.uploads import ending, files, schema, settle, stopping
from apps.uploads.lease import Lease, LeaseLost, claim
from apps.uploads.models import Upload, UploadJob, UploadKind, UploadState
from apps.uploads.moving import settled_in
from apps.uploads.planner import plan_file
from apps.uploads.queueing import enqueue
from apps.uploads.reconciler import reconcile
from apps.uploads.selection import something_due
from apps.uploads.sender import JobFailed, send
from apps.uploads.settle import note_trouble
from apps.uploads.waits import after, backoff

log = structlog.get_logger(__name__)

TURN_SECONDS = 20.0
"""After so long a job lets the jobs of other counters have their turn."""

SHORT_WAIT = 3.0
"""Seconds that a worker waits through with the job in hand; for a longer wait it puts the job back."""

MOST_BREAKDOWNS = 10


class _Pause(Exception):
    """The job has to wait until this time (aware)."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


@dataclass(slots=True)
class _Turn:
    """One claim of the job by this worker. `in_step`: the revision of the counter whose statuses, attributes and
    products Metrica was last found to know; None: not looked at yet."""

    lease: Lease
    began: float
    in_step: int | None = None

    @property
    def over(self) -> bool:
        return stopping.requested() or time.monotonic() - self.began > TURN_SECONDS


def run_job(job_id: UUID) -> None:
    """Take the job and work on it for a turn. Does nothing where another worker has it or nothing is to be done.

    A job that has to wait, or whose turn is over, is put back; the queue or the tick brings it up again.
    """
    if stopping.requested():
        UploadJob.objects.filter(pk=job_id).update(enqueued_at=None)
        return
    lease = claim(job_id)
    if lease is None:
        return
    try:
        _work(_Turn(lease, time.monotonic()))
    except LeaseLost:
        log.warning("job was taken over by another worker", job=str(job_id))
    except Exception:
        # A killed or stopped worker comes past here without a word, and its lease runs out.
        log.exception("job broke off", job=str(job_id))
        _broke_off(lease)


def _work(turn: _Turn) -> None:
    job, counter = _facts(turn.lease)
    try:
        if job.breakdowns >= MOST_BREAKDOWNS:
            raise JobFailed(code=job.error_code or "internal_error", message=job.error_message)
        _recover(turn.lease, job, counter)
        while _step(turn):
            if turn.over:
                _put_back(turn.lease)
                return
    except _Pause as pause:
        turn.lease.release(not_before=pause.until)
    except JobFailed as failed:
        ending.fail(lease=turn.lease, code=failed.code, message=failed.message)
        _hold_what_cannot_go(counter)


def _put_back(lease: Lease) -> None:
    """Others may have their turn, and this job its next one. In one transaction: once the job is free, its next owner
    is the one who says whether there is a message about it."""
    with transaction.atomic():
        if lease.release():
            enqueue(lease.job_id)


def _step(turn: _Turn) -> bool:
    """Do the next thing. False when the job has ended."""
    lease = turn.lease
    job, counter = _facts(lease)
    if job.cancel_requested_at is not None:
        ending.cancel(lease=lease)
        return False
    upload = _next_upload(counter)
    if reason := block_reason(counter):
        raise JobFailed(code=reason, message="")
    if not settled_in(lease=lease, job=job, counter=counter, upload=upload):
        turn.in_step = None
        return True
    if upload is not None:
        _wait_until(turn, upload.not_before)
        _forward(lease, upload, counter)
        return True
    _wait_between_waves(turn, job, counter)
    if _plan(turn, job, counter):
        return True
    ending.finish(lease=lease)
    return False


def _plan(turn: _Turn, job: UploadJob, counter: Counter) -> bool:
    """Begin the next file. In detailed mode nothing is planned by settings that Metrica was not asked about. False
    where nothing is due any more."""
    if counter.is_detailed and turn.in_step != counter.revision:
        if not something_due(counter=counter, only_orders=job.only_orders):
            return False
        _bring_in_step(turn, job, counter)
        return True
    return plan_file(lease=turn.lease, job=job, counter=counter).progress


def _bring_in_step(turn: _Turn, job: UploadJob, counter: Counter) -> None:
    """Metrica knows what the rows will name before they come. Where it cannot be asked now, it is asked later.

    What is in step then is the revision that `counter` was read with: what a person saves while Metrica is asked may
    have come too late for it.
    The lease is renewed call by call: of a worker that dies meanwhile the job is free again soon.
    """
    try:
        schema.bring_in_step(counter=counter, lease=turn.lease)
    except (TransientError, UnknownOutcome) as error:
        with turn.lease.step():
            UploadJob.objects.filter(pk=job.pk).update(breakdowns=F("breakdowns") + 1)
            note_trouble(turn.lease, error)
        raise _Pause(after(backoff(job.breakdowns + 1, retry_after=error.retry_after))) from error
    turn.in_step = counter.revision


def _forward(lease: Lease, upload: Upload, counter: Counter) -> None:
    if upload.state == UploadState.UNKNOWN:
        reconcile(lease=lease, upload=upload, counter=counter)
    else:
        send(lease=lease, upload=upload, counter=counter)


def _facts(lease: Lease) -> tuple[UploadJob, Counter]:
    """The job and its counter as they are now: a person may have changed both since the last step."""
    job = UploadJob.objects.select_related("counter__account").get(pk=lease.job_id)
    if job.fence != lease.fence:
        raise LeaseLost
    return job, job.counter


def _next_upload(counter: Counter) -> Upload | None:
    """The counter's next file whose end is open, of this job or left undecided by an earlier one: first what Metrica
    may have, then the smallest, so that of a refused file the bad row stands alone soon (see splitter)."""
    sent = Case(When(state=UploadState.PREPARED, then=1), default=0)
    return (
        Upload.objects.unsettled()
        .filter(job__counter=counter)
        .order_by(sent, "wave", "rows", "created_at", "pk")
        .first()
    )


def _recover(lease: Lease, job: UploadJob, counter: Counter) -> None:
    """Nobody else works for this counter now, so whatever seems to be under way was left by a worker that is gone."""
    for upload in Upload.objects.unsettled().filter(job__counter=counter):
        of_this_job = upload.job_id == job.pk
        if upload.state == UploadState.SENDING:
            settle.unknown(lease=lease, upload=upload, counter=counter)
        elif upload.state == UploadState.UNKNOWN and not of_this_job:
            settle.look_again(lease=lease, upload=upload, seconds=0)
        elif upload.state == UploadState.PREPARED and not (upload.file and of_this_job):
            settle.given_up(lease=lease, upload=upload, counter=counter, code="interrupted", message="")
            if not upload.file:
                files.forget(files.name_of(upload, counter))


def _wait_between_waves(turn: _Turn, job: UploadJob, counter: Counter) -> None:
    """Metrica promises no order between uploads, so a counter may want a pause after each wave (R4)."""
    if not counter.wave_pause_seconds or job.wave_cursor:
        return
    passed = Upload.objects.filter(job=job, state=UploadState.PASSED).exclude(kind=UploadKind.CONTACTS)
    last = passed.order_by("-finished_at").first()
    if last is None or last.finished_at is None:
        return
    until = last.finished_at + timedelta(seconds=counter.wave_pause_seconds)
    if until > timezone.now() and something_due(counter=counter, only_orders=job.only_orders):
        _wait_until(turn, until)


def _wait_until(turn: _Turn, until: datetime | None) -> None:
    """Sleep through a short wait; put the job back for a longer one."""
    if until is None:
        return
    seconds = (until - timezone.now()).total_seconds()
    if seconds <= 0:
        return
    if seconds > SHORT_WAIT or turn.over:
        raise _Pause(until)
    turn.lease.extend(seconds=seconds)
    time.sleep(seconds)


def _hold_what_cannot_go(counter: Counter) -> None:
    """A change that waits for a person says so (R8)."""
    if block_reason(Counter.objects.select_related("account").get(pk=counter.pk)):
        holds.review(counter)


def _broke_off(lease: Lease) -> None:
    """Something that nobody foresaw. Try again later; after many times in a row the job fails (see `_work`)."""
    try:
        with lease.step():
            job = UploadJob.objects.get(pk=lease.job_id)
            job.breakdowns += 1
            job.error_code = "internal_error"
            job.save(update_fields=["breakdowns", "error_code"])
        lease.release(not_before=after(backoff(job.breakdowns)))
    except LeaseLost:
        log.warning("job was taken over by another worker", job=str(lease.job_id))
