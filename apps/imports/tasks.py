"""What the queue calls. Arguments are keys only; the work and its truth are in the database."""

from uuid import UUID

from apps.agencies import actor as actors
from apps.audit import trace
from apps.imports import running
from apps.imports.models import ImportJob


def take_in(job_id: str) -> None:
    """A turn of an import, under the request id of whoever started it."""
    request_id = ImportJob.objects.filter(pk=job_id).values_list("request_id", flat=True).first() or ""
    with trace.traced(actor=actors.system("worker"), source="worker", request_id=request_id):
        running.run(UUID(job_id))
