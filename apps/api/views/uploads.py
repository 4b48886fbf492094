"""Upload jobs: asked for, looked at, repeated, cancelled."""

import uuid
from typing import TypedDict

from django.core.exceptions import ValidationError
from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import answer_docs as docs
from apps.api.base import ApiView, choice
from apps.api.formats import clock, clock_or_none
from apps.api.openapi import PAGE_PARAMETERS, described, example, of, page_of, query
from apps.api.paging import PARAMETERS, page
from apps.api.problems import conflict, not_found
from apps.uploads import services
from apps.uploads.models import Trigger, Upload, UploadJob
from apps.uploads.problems import describe


class ErrorShape(TypedDict):
    """`said`: in the words of whoever refused it, Metrica most often; else null."""

    code: str
    message: str
    said: str | None
    next_step: str


class UploadShape(TypedDict):
    """One file. `uploading_id`: the number under which Metrica has it; `cut_from`: the refused file of which this is a
    part (`half`, a row that Metrica `named`, or the `rest`); `sent_again_because`: why it went once more though nobody
    knew whether Metrica had it (`not_listed`, `several_fit`, `listed_as_failed`)."""

    id: str
    wave: int
    kind: str
    format: str
    state: str
    rows: int
    bytes: int
    sha256: str
    cut_from: str | None
    part: str | None
    attempts: int
    sent_again_because: str | None
    http_status: int | None
    uploading_id: str
    error: ErrorShape | None
    started_at: str | None
    finished_at: str | None


class JobShape(TypedDict):
    id: str
    counter: int
    state: str
    trigger: str
    requested_by: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    next_attempt_at: str | None
    changes: int
    delivered: int
    held: int
    rejected: int
    resent: int
    clients: int
    clients_refused: int
    error: ErrorShape | None
    uploads: list[UploadShape]


def _error(code: str, message: str = "", said: str = "") -> ErrorShape | None:
    known = describe(code)
    if known is None:
        return None
    return {
        "code": code,
        "message": message or str(known.message),
        "said": said or None,
        "next_step": str(known.next_step),
    }


def job_shape(job: UploadJob) -> JobShape:
    """No query where counter and uploads came with the job."""
    zone = job.counter.zone
    return {
        "id": str(job.pk),
        "counter": job.counter.metrica_id,
        "state": job.state,
        "trigger": job.trigger,
        "requested_by": job.requested_by,
        "created_at": clock(job.created_at, zone),
        "started_at": clock_or_none(job.started_at, zone),
        "finished_at": clock_or_none(job.finished_at, zone),
        "next_attempt_at": clock_or_none(job.not_before, zone),
        "changes": job.changes,
        "delivered": job.delivered,
        "held": job.held,
        "rejected": job.rejected,
        "resent": job.resent,
        "clients": job.clients,
        "clients_refused": job.clients_refused,
        "error": _error(job.error_code, job.error_message),
        "uploads": [
            {
                "id": str(upload.pk),
                "wave": upload.wave,
                "kind": upload.kind,
                "format": upload.format,
                "state": upload.state,
                "rows": upload.rows,
                "bytes": upload.bytes,
                "sha256": upload.sha256,
                "cut_from": None if upload.parent_id is None else str(upload.parent_id),
                "part": upload.part or None,
                "attempts": upload.attempts,
                "sent_again_because": upload.sent_again or None,
                "http_status": upload.http_status,
                "uploading_id": upload.uploading_id,
                "error": _error(upload.error_code, said=upload.error_message),
                "started_at": clock_or_none(upload.started_at, zone),
                "finished_at": clock_or_none(upload.finished_at, zone),
            }
            for upload in job.uploads.all()
        ],
    }


class JobView(ApiView):
    """What the endpoints of jobs share."""

    def jobs(self) -> QuerySet[UploadJob]:
        """Visible jobs with all that a shape needs. Two queries when read."""
        uploads = Upload.objects.order_by("wave", "id").defer("mapping")
        jobs: QuerySet[UploadJob] = UploadJob.objects.visible_to(self.actor)
        return jobs.select_related("counter").prefetch_related(Prefetch("uploads", uploads))

    def job(self, pk: uuid.UUID) -> UploadJob:
        """Raises a Problem (404)."""
        job = self.jobs().filter(pk=pk).first()
        if job is None:
            raise not_found(_("There is no such upload job."), "unknown_upload_job")
        return job

    def accepted(self, job: UploadJob) -> Response:
        address = reverse("api:upload", args=[job.pk])
        return Response(job_shape(self.job(job.pk)), status=202, headers={"Location": address})


class CounterUploadsView(JobView):
    @described(
        name="list_uploads",
        summary="Upload jobs of a counter, newest first",
        description="What a person, a key or the schedule asked for, with the files of each.",
        answers={200: page_of(JobShape)},
        errors=[400, 404],
        parameters=PAGE_PARAMETERS,
        examples=[example("One job", docs.JOBS, status=200)],
        tags=["uploads"],
    )
    def get(self, request: Request, metrica_id: int) -> Response:
        counter = self.counter(metrica_id)
        return Response(
            page(
                request=request,
                rows=self.jobs().filter(counter=counter),
                parameters=self.parameters(*PARAMETERS),
                shape=lambda found: [job_shape(job) for job in found],
                key=uuid.UUID,
            )
        )

    @described(
        name="request_upload",
        summary="Upload what is due now",
        description="Answers at once; the job runs in the background. Where one waits already, that one is meant.",
        answers={202: of(JobShape)},
        errors=[400, 404, 411, 413, 415],
        body={"type": "object", "additionalProperties": False},
        examples=[example("Nothing to say", {}), example("A job that waits", docs.WAITING_JOB, status=202)],
        tags=["uploads"],
    )
    def post(self, request: Request, metrica_id: int) -> Response:
        counter = self.counter(metrica_id)
        self.no_payload()
        return self.accepted(services.request_upload(counter=counter, trigger=Trigger.API))


class UploadView(JobView):
    @described(
        name="read_upload",
        summary="One upload job with its files",
        description="States: queued, running, succeeded, partly_failed (something was rejected), failed, cancelled.",
        answers={200: of(JobShape)},
        examples=[example("All was delivered", docs.JOB, status=200)],
        tags=["uploads"],
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        return Response(job_shape(self.job(pk)))


class RetryView(JobView):
    @described(
        name="retry_upload",
        summary="Upload again what an ended job was to deliver",
        description=(
            "Answers with the new job. What was delivered is not sent again. With rejected=true, what Metrica rejected "
            "of the job goes once more as well, with what is known of its orders by now."
        ),
        answers={202: of(JobShape)},
        errors=[400, 404, 409, 411, 413, 415],
        body={"type": "object", "additionalProperties": False},
        examples=[example("Nothing to say", {}), example("The new job", docs.WAITING_JOB, status=202)],
        parameters=[query("rejected", "What was rejected goes once more too.", values=["true", "false"])],
        tags=["uploads"],
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        job = self.job(pk)
        self.no_payload()
        rejected = self.parameters("rejected").get("rejected", "false").lower()
        choice(rejected, field="rejected", choices=("true", "false"))
        try:
            return self.accepted(services.retry_job(job=job, trigger=Trigger.API, rejected=rejected == "true"))
        except ValidationError as error:
            raise conflict("job_not_ended", " ".join(error.messages)) from None


class CancelView(JobView):
    @described(
        name="cancel_upload",
        summary="Cancel an upload job",
        description="A file that is being sent is not called back; no further one is begun.",
        answers={200: of(JobShape)},
        errors=[400, 404, 409, 411, 413, 415],
        body={"type": "object", "additionalProperties": False},
        examples=[example("Nothing to say", {}), example("It is over", docs.CANCELLED_JOB, status=200)],
        tags=["uploads"],
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        job = self.job(pk)
        self.no_payload()
        if not services.cancel_job(job=job):
            message = _("The job has ended already.")
            raise conflict("job_ended", message, _("Nothing needs to be done."))
        return Response(job_shape(self.job(pk)))
