"""What the queue calls. Arguments are keys only; the work and its truth are in the database."""

from uuid import UUID

from django.conf import settings

from apps.agencies import actor as actors
from apps.audit import trace
from apps.counters import stopping
from apps.uploads import choosing, heartbeats, queueing, runner, scheduler
from apps.uploads.models import UploadJob


def work(permit_id: str) -> None:
    """A turn of the job whose turn it is, under the request id of whoever asked for it."""
    queueing.use(UUID(permit_id))
    if stopping.requested() or (lease := choosing.take_next()) is None:
        return
    job = UploadJob.objects.get(pk=lease.job_id)
    with trace.traced(actor=actors.system("worker"), source="worker", request_id=job.request_id):
        runner.work(lease)
    queueing.send_missing()


def tick() -> None:
    """The proof that messages still pass through the queue; and one step of the scheduler, should nobody else tick."""
    heartbeats.beat(heartbeats.QUEUE)
    if not heartbeats.turn_of(heartbeats.TICK, every=settings.TICK_SECONDS):
        return
    with trace.traced(actor=actors.system("scheduler"), source="worker"):
        scheduler.tick()
