"""Asks for uploads, and stops or repeats them. One job of a counter waits in the queue at most, one runs at most."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit import trace
from apps.audit.services import record
from apps.clients.models import Client
from apps.counters import schedule
from apps.counters.models import Counter
from apps.counters.services import block_reason
from apps.orders import services as order_services
from apps.orders.models import Delivery, HoldReview, Order, StatusChange
from apps.uploads import saving
from apps.uploads.events import job_finished
from apps.uploads.models import JobState, Trigger, Upload, UploadJob
from apps.uploads.queueing import call_worker
from apps.uploads.waits import LONGEST

RETRIED_AT_ONCE = 10_000
_AFTER_A_CANCEL = timedelta(minutes=10)
_AFTER_REFUSALS = timedelta(hours=6)
_EVERYTHING_REFUSED = ("every_row_refused", "too_many_refused")
_FAILURES_COUNTED = 12


@transaction.atomic
def request_upload(
    *, counter: Counter, trigger: str, only_orders: Sequence[int] | None = None, requested_by: str = ""
) -> UploadJob:
    """Ask for all that is due of the counter, or of these orders (primary keys), to be uploaded.

    Where such a job waits in the queue already, that one is returned; one that runs is followed by another.
    `requested_by`: who is shown as having asked; left out, whoever the present trace names.
    """
    if trigger != Trigger.SCHEDULE:
        saving.hurry(counter=counter)
    current = trace.current()
    who = (requested_by or current.actor.label)[:255]
    if only_orders is None and (waiting := _waiting_job(counter)) is not None:
        if trigger != Trigger.SCHEDULE and waiting.trigger == Trigger.SCHEDULE:
            # It is no longer the schedule's, which may have to save calls.
            waiting.trigger, waiting.requested_by = Trigger(trigger), who
            waiting.save(update_fields=["trigger", "requested_by"])
        return waiting
    try:
        with transaction.atomic():
            job = UploadJob.objects.create(
                counter=counter,
                trigger=Trigger(trigger),
                only_orders=None if only_orders is None else sorted(set(only_orders)),
                requested_by=who,
                request_id=current.request_id[:64],
            )
    except IntegrityError:
        if (waiting := _waiting_job(counter)) is None:
            raise
        return waiting
    record(
        action="upload_job.requested",
        agency=counter.agency_id,
        obj=job,
        details={
            "counter": counter.metrica_id,
            "trigger": trigger,
            "orders": None if only_orders is None else len(only_orders),
        },
    )
    call_worker()
    return job


def request_if_wanted(counter: Counter) -> UploadJob | None:
    """Ask for an upload where the counter's orders go out as they come, something is due and nothing stands in the way.

    After a job that failed or was cancelled there is a pause that grows with each further failure, unless the cause was
    removed since: Metrica is not asked the same in vain every second.
    """
    if counter.schedule != schedule.AS_THEY_COME or block_reason(counter):
        return None
    # First what is so most of the time: it is asked for each order that comes in.
    if UploadJob.objects.unfinished().filter(counter=counter, only_orders__isnull=True).exists():
        return None
    if everything_refused(counter) or not _something_to_send(counter):
        return None
    not_before = _not_before(counter)
    if not_before is not None and timezone.now() < not_before:
        return None
    return request_upload(counter=counter, trigger=Trigger.SCHEDULE, requested_by=str(_("the schedule")))


def _something_to_send(counter: Counter) -> bool:
    """A change that waits, a client who changed, or a state to be sent once more (R4).

    A repeat that the last job could not write, or that Metrica refused, is tried again only after the counter's holds
    were reviewed: before that nothing has changed, and the next job would end like the last.
    """
    if StatusChange.objects.filter(counter=counter, delivery=Delivery.WAITING).exists():
        return True
    if counter.is_detailed and Client.objects.due().filter(counter=counter).exists():
        return True
    if not Order.objects.filter(counter=counter, resend_due=True).exists():
        return False
    ended = UploadJob.objects.filter(counter=counter).exclude(finished_at=None).order_by("-finished_at").first()
    if ended is None or ended.error_code not in ("resend_blocked", "resend_refused"):
        return True
    return HoldReview.objects.filter(counter=counter, reviewed_at__gt=ended.finished_at).exists()


@transaction.atomic
def cancel_job(*, job: UploadJob) -> bool:
    """Stop the job: one that waits at once, one that runs before its next file. False if it has ended already.

    What was not sent waits again. What Metrica may already have is looked up all the same.
    """
    now = timezone.now()
    rows = UploadJob.objects.filter(pk=job.pk)
    if rows.filter(state=JobState.QUEUED).update(state=JobState.CANCELLED, finished_at=now, cancel_requested_at=now):
        job_finished.send(sender=None, job=job)
    elif rows.filter(state=JobState.RUNNING).update(cancel_requested_at=now, not_before=None, waiting_since=now):
        call_worker()
    else:
        return False
    record(
        action="upload_job.cancelled",
        agency=job.counter.agency_id,
        obj=job,
        details={"counter": job.counter.metrica_id},
    )
    return True


@transaction.atomic
def retry_job(*, job: UploadJob, trigger: str = Trigger.PERSON, rejected: bool = False) -> UploadJob:
    """A new job for what an ended one was to deliver. Raises ValidationError while the old one has not ended.

    `rejected`: also for what Metrica rejected of it and somebody would have to decide on, RETRIED_AT_ONCE at a time;
    rejected late states are followed by their orders' current one (R4).
    """
    job.refresh_from_db()
    if job.state in (JobState.QUEUED, JobState.RUNNING):
        message = _("The job has not ended yet. Wait until it ends, or cancel it.")
        raise ValidationError(message, code="job_not_ended")
    if rejected:
        changes = rejected_of(job).select_related("order", "counter")
        order_services.retry_rejected(changes=list(changes[:RETRIED_AT_ONCE]))
    return request_upload(counter=job.counter, trigger=trigger, only_orders=job.only_orders)


def rejected_of(job: UploadJob) -> QuerySet[StatusChange]:
    """Changes that were rejected with files of this job and still need a person."""
    uploads = Upload.objects.filter(job=job)
    return StatusChange.objects.filter(upload_id__in=uploads.values("pk")).needing_a_person()


def _waiting_job(counter: Counter) -> UploadJob | None:
    return UploadJob.objects.filter(counter=counter, state=JobState.QUEUED, only_orders__isnull=True).first()


def everything_refused(counter: Counter) -> bool:
    """True while no job of the counter may start by itself because Metrica refused whatever the last one tried, and
    nothing has changed since: each further job would cost dozens of calls for nothing."""
    ended = UploadJob.objects.filter(counter=counter).exclude(finished_at=None).order_by("-finished_at").first()
    if ended is None or ended.error_code not in _EVERYTHING_REFUSED:
        return False
    if HoldReview.objects.filter(counter=counter, reviewed_at__gt=ended.finished_at).exists():
        return False
    return ended.finished_at is not None and timezone.now() < ended.finished_at + _AFTER_REFUSALS


def _not_before(counter: Counter) -> datetime | None:
    """From when on the next job may start by itself; None before the first one has ended."""
    ended = UploadJob.objects.filter(counter=counter).exclude(finished_at=None).order_by("-finished_at")
    jobs = list(ended.only("state", "finished_at")[:_FAILURES_COUNTED])
    if not jobs or (last_end := jobs[0].finished_at) is None:
        return None
    if jobs[0].state == JobState.CANCELLED:
        return last_end + _AFTER_A_CANCEL
    failures = next((number for number, job in enumerate(jobs) if job.state != JobState.FAILED), len(jobs))
    if not failures or HoldReview.objects.filter(counter=counter, reviewed_at__gt=last_end).exists():
        return last_end
    return last_end + timedelta(seconds=min(LONGEST, settings.UPLOAD_RETRY_SECONDS * 2**failures))
