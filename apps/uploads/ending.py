"""How a job ends, and what its end sets off: the counter's next job, and a look for what came in the last moment."""

import structlog
from django.utils import timezone

from apps.audit.services import record
from apps.counters.models import Counter
from apps.uploads import settle
from apps.uploads.events import job_finished
from apps.uploads.lease import Lease
from apps.uploads.models import JobState, Upload, UploadJob, UploadState
from apps.uploads.queueing import call_worker
from apps.uploads.selection import due_resends
from apps.uploads.services import request_if_wanted

log = structlog.get_logger(__name__)

_NUMBERS = ("changes", "delivered", "held", "rejected", "resent", "clients", "clients_refused")


def finish(*, lease: Lease) -> None:
    """Nothing is due any more."""
    job = UploadJob.objects.select_related("counter").get(pk=lease.job_id)
    code = ""
    if Upload.objects.filter(job=job, state=UploadState.REFUSED, rows=1, resends__isnull=False).exists():
        code = "resend_refused"
    elif job.clients_refused:
        code = "clients_refused"
    elif next(due_resends(counter=job.counter, only_orders=job.only_orders), None):
        code = "resend_blocked"  # the planner could not write them
    whole = not (job.held or job.rejected or code)
    _end(lease, state=JobState.SUCCEEDED if whole else JobState.PARTLY_FAILED, code=code)


def fail(*, lease: Lease, code: str, message: str) -> None:
    """The job cannot go on. What it has not sent waits again; what is undecided stays so for the counter's next job."""
    _end(lease, state=JobState.FAILED, code=code, message=message, give_up=code)


def cancel(*, lease: Lease) -> None:
    """A person stopped the job between two files."""
    _end(lease, state=JobState.CANCELLED, give_up="cancelled")


def _end(lease: Lease, *, state: JobState, code: str = "", message: str = "", give_up: str = "") -> None:
    now = timezone.now()
    with lease.step():
        job = UploadJob.objects.select_related("counter").get(pk=lease.job_id)
        for upload in Upload.objects.filter(job=job, state=UploadState.PREPARED):
            settle.give_up(upload=upload, counter=job.counter, code=give_up, message=message)
        job.state, job.finished_at = state, now
        job.error_code, job.error_message = code, message
        job.lease_until = job.not_before = None
        job.save(update_fields=["state", "finished_at", "error_code", "error_message", "lease_until", "not_before"])
        record(
            action="upload_job.finished",
            agency=job.counter.agency_id,
            obj=job,
            after={"state": state},
            details={
                "counter": job.counter.metrica_id,
                **{name: getattr(job, name) for name in _NUMBERS},
                "code": code,
            },
        )
        job_finished.send(sender=None, job=job)
    log.info(
        "upload job ended",
        job=str(job.pk),
        counter=job.counter.metrica_id,
        state=str(state),
        code=code,
        delivered=job.delivered,
        held=job.held,
        rejected=job.rejected,
    )
    follow_up(job.counter)


def follow_up(counter: Counter) -> None:
    """Start the counter's next job. A change that was accepted while the last one was ending found it still running and
    asked for no job; now that the end is committed, one look is enough to miss none."""
    if UploadJob.objects.filter(counter=counter, state=JobState.QUEUED).exists():
        call_worker()
    else:
        request_if_wanted(Counter.objects.select_related("account").get(pk=counter.pk))
