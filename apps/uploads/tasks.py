"""What the queue calls. Arguments are keys only; the work and its truth are in the database."""

from uuid import UUID

from django.conf import settings

from apps.agencies import actor as actors
from apps.audit import trace
from apps.uploads import heartbeats, runner, scheduler
from apps.uploads.models import UploadJob


def run_job(job_id: str) -> None:
    """A turn of an upload job, under the request id of whoever asked for it."""
    job = UploadJob.objects.filter(pk=UUID(job_id)).first()
    if job is None:
        return
    with trace.traced(actor=actors.system("worker"), source="worker", request_id=job.request_id):
        runner.run_job(job.pk)


def tick() -> None:
    """The proof that messages still pass through the queue; and one step of the scheduler, should nobody else tick."""
    heartbeats.beat(heartbeats.QUEUE)
    if not heartbeats.turn_of(heartbeats.TICK, every=settings.TICK_SECONDS):
        return
    with trace.traced(actor=actors.system("scheduler"), source="worker"):
        scheduler.tick()
