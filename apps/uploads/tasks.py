"""What the queue calls. Arguments are keys only; the work and its truth are in the database."""

from uuid import UUID

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
    """One step of the scheduler, and the proof that messages still pass through the queue."""
    heartbeats.beat(heartbeats.QUEUE)
    with trace.traced(actor=actors.system("scheduler"), source="worker"):
        scheduler.tick()
