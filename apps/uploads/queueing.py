"""Messages to the workers. One about a job carries the job's key only, and may be lost or doubled without harm:
the tick finds what was lost, and a claim is given once."""

from collections.abc import Collection
from uuid import UUID

import structlog
from django.contrib import admin
from django.db import transaction
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success
from django_q.tasks import async_task

from apps.uploads.models import UploadJob

log = structlog.get_logger(__name__)

TICK_SCHEDULE = "tick"


def enqueue(job_id: UUID) -> None:
    """Put a message about the job into the queue, once the present transaction is committed.

    The job is kept by then, so a queue that does not answer is nobody's error: a worker brings the job up as soon as
    the queue is there again.
    """
    UploadJob.objects.filter(pk=job_id).update(enqueued_at=timezone.now())
    transaction.on_commit(lambda: _send(job_id), robust=True)


def enqueue_all(job_ids: Collection[UUID]) -> None:
    for job_id in job_ids:
        enqueue(job_id)


def _send(job_id: UUID) -> None:
    try:
        async_task("apps.uploads.tasks.run_job", str(job_id), task_name=f"upload {job_id}")
    except Exception as error:
        log.warning("the queue did not take a message", job=str(job_id), error=str(error))
        UploadJob.objects.filter(pk=job_id).update(enqueued_at=None)


def hide_queue_admin() -> None:
    """The queue's own pages let a person name any function to be run: they are not shown."""
    for model in (Schedule, Success, Failure, OrmQ):
        if admin.site.is_registered(model):
            admin.site.unregister(model)


def plan_ticks() -> None:
    """The queue's own schedule of the tick: each minute, whatever else ticks. It also proves that messages pass."""
    known = Schedule.objects.filter(name=TICK_SCHEDULE).first()
    # One malformed row stops all schedules, so no other is left, and ours is as it should be.
    Schedule.objects.exclude(pk=known.pk if known else None).delete()
    Schedule.objects.update_or_create(
        name=TICK_SCHEDULE,
        defaults={
            "func": "apps.uploads.tasks.tick",
            "schedule_type": Schedule.MINUTES,
            "minutes": 1,
            "repeats": -1,
            "next_run": timezone.now(),
            "args": None,
            "kwargs": None,
            "hook": None,
            "cluster": None,
            "intended_date_kwarg": None,
        },
    )
