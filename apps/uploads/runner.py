"""Runs a job step by step until nothing of its counter is due, or until it has to wait.

Every step is committed; a worker may die between any two of them, and the next one goes on from what is written (R2,
R6). What a dead worker left comes first: a half-written file is given up, a file that was being sent is looked up.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import connections
from django.db.models import Case, F, When
from django.utils import timezone

from apps.counters import stopping
from apps.counters.kept_back import KeptBack
from apps.counters.models import Counter
from apps.counters.services import block_reason
from apps.metrica.errors import TransientError, UnknownOutcome
from apps.orders import holds
from apps.uploads import choosing, ending, files, saving, schema, settle, stages, tallies
from apps.uploads.lease import Lease, LeaseLost, claim
from apps.uploads.models import Upload, UploadJob, UploadKind, UploadState
from apps.uploads.moving import settled_in
from apps.uploads.pacing import Pace
from apps.uploads.planner import plan_file
from apps.uploads.reconciler import reconcile
from apps.uploads.recovering import known_first_file, recovered
from apps.uploads.selection import something_due
from apps.uploads.sender import JobFailed, send
from apps.uploads.settle import note_trouble
from apps.uploads.waits import after, backoff

log = structlog.get_logger(__name__)

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
    products Metrica was last found to know; None: not looked at yet. `looked_back`: what went out before the database
    was restored is known."""

    lease: Lease
    pace: Pace
    in_step: int | None = None
    looked_back: bool = False


def run_job(job_id: UUID) -> None:
    """Take this job and work on it for a turn. Does nothing where another worker has it or nothing is to be done."""
    if not stopping.requested() and (lease := claim(job_id)) is not None:
        work(lease)


def work(lease: Lease) -> None:
    """Work on a job that was taken for a turn. A job that has to wait, or whose turn is over, is put back."""
    turn: _Turn | None = None
    try:
        job, counter = _facts(lease)
        turn = _Turn(lease, Pace(job=job, agency_id=counter.agency_id))
        with stopping.may_be_left():
            _work(turn, job, counter)
    except stopping.Left:
        # The next claim finds what was under way. Whatever the connection was doing, it is not to be trusted any more.
        connections.close_all()
        lease.release()
        log.warning("step left in the middle, the worker is to stop", job=str(lease.job_id))
    except LeaseLost:
        log.warning("job was taken over by another worker", job=str(lease.job_id))
    except Exception:
        # A killed or stopped worker comes past here without a word, and its lease runs out.
        log.exception("job broke off", job=str(lease.job_id))
        connections.close_all()  # it may be the connection that broke
        _broke_off(lease)
    if turn is not None:
        choosing.note_work(agency_id=turn.pace.agency_id, seconds=turn.pace.seconds)


def _work(turn: _Turn, job: UploadJob, counter: Counter) -> None:
    try:
        if job.breakdowns >= MOST_BREAKDOWNS:
            raise JobFailed(code=job.error_code or "internal_error", message=job.error_message)
        _recover(turn.lease, job, counter)
        while _step(turn):
            if turn.pace.turn_over:
                turn.lease.release()
                break
    except _Pause as pause:
        turn.lease.release(not_before=pause.until)
    except JobFailed as failed:
        ending.fail(lease=turn.lease, code=failed.code, message=failed.message)
        _hold_what_cannot_go(counter)
    tallies.add(counter.pk, {f"seconds.{name}": seconds for name, seconds in stages.take().items()})


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
    if not turn.looked_back:
        turn.looked_back = _look_back(turn, job, counter)
        if not turn.looked_back:
            return True
    if not settled_in(lease=lease, job=job, counter=counter, upload=upload):
        turn.in_step = None
        return True
    if upload is not None:
        _wait_until(turn, upload.not_before)
        _forward(lease, upload, counter)
        return True
    _wait_between_waves(turn, job, counter)
    _save_calls(turn, job, counter)
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
    with stages.stage(stages.PLANNING):
        return plan_file(lease=turn.lease, job=job, counter=counter, pace=turn.pace).progress


def _bring_in_step(turn: _Turn, job: UploadJob, counter: Counter) -> None:
    """Metrica knows what the rows will name before they come. Where it cannot be asked now, it is asked later.

    What is in step then is the revision that `counter` was read with: what a person saves while Metrica is asked may
    have come too late for it.
    The lease is renewed call by call: of a worker that dies meanwhile the job is free again soon.
    """
    try:
        schema.bring_in_step(counter=counter, lease=turn.lease)
    except KeptBack as error:
        raise _paused(turn.lease, error) from error
    except (TransientError, UnknownOutcome) as error:
        raise _ask_later(turn, job, error) from error
    turn.in_step = counter.revision


def _look_back(turn: _Turn, job: UploadJob, counter: Counter) -> bool:
    """What went out since the backup of a database that was restored. One query where it was not."""
    try:
        with stages.stage(stages.RECONCILING):
            return recovered(lease=turn.lease, job=job, counter=counter)
    except KeptBack as error:
        raise _paused(turn.lease, error) from error
    except (TransientError, UnknownOutcome) as error:
        raise _ask_later(turn, job, error) from error


def _ask_later(turn: _Turn, job: UploadJob, error: TransientError | UnknownOutcome) -> _Pause:
    with turn.lease.step():
        UploadJob.objects.filter(pk=job.pk).update(breakdowns=F("breakdowns") + 1)
        note_trouble(turn.lease, error)
    return _Pause(after(backoff(job.breakdowns + 1, retry_after=error.retry_after)))


def _forward(lease: Lease, upload: Upload, counter: Counter) -> None:
    try:
        if upload.state == UploadState.UNKNOWN:
            with stages.stage(stages.RECONCILING):
                reconcile(lease=lease, upload=upload, counter=counter)
        elif upload.attempts or not known_first_file(lease=lease, upload=upload, counter=counter):
            with stages.stage(stages.SENDING):
                send(lease=lease, upload=upload, counter=counter)
    except KeptBack as error:
        raise _paused(lease, error) from error


def _paused(lease: Lease, error: KeptBack) -> _Pause:
    """Nothing was tried, so nothing is counted: the job says what it waits for and comes back in time."""
    with lease.step():
        note_trouble(lease, error)
    return _Pause(error.until)


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
    """Metrica promises no order between uploads, so a counter may want a pause after each wave, be it of this job or of
    the one before it (R4)."""
    pause, now = timedelta(seconds=counter.wave_pause_seconds), timezone.now()
    if not pause or counter.last_passed_at is None or counter.last_passed_at + pause <= now:
        return
    passed = Upload.objects.filter(job__counter=counter, state=UploadState.PASSED, finished_at__gt=now - pause)
    last = passed.exclude(kind=UploadKind.CONTACTS).order_by("-finished_at").first()
    if last is None or last.finished_at is None or (last.job_id, last.wave) == (job.pk, job.wave):
        return
    until = last.finished_at + pause
    if until > now and something_due(counter=counter, only_orders=job.only_orders):
        _wait_until(turn, until)


def _save_calls(turn: _Turn, job: UploadJob, counter: Counter) -> None:
    until = saving.wait_until(job=job, counter=counter)
    if until is None or not something_due(counter=counter, only_orders=job.only_orders):
        return
    with turn.lease.step():
        UploadJob.objects.filter(pk=job.pk).update(error_code=saving.CODE, error_message="")
    raise _Pause(until)


def _wait_until(turn: _Turn, until: datetime | None) -> None:
    """Sleep through a short wait; put the job back for a longer one."""
    if until is None:
        return
    seconds = (until - timezone.now()).total_seconds()
    if seconds <= 0:
        return
    if seconds > SHORT_WAIT or turn.pace.turn_over:
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
