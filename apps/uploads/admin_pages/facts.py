"""What the order's page shows of uploads."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from django.urls import reverse

from apps.orders.models import Order
from apps.orders.panels import UploadFact
from apps.uploads.models import Resend, Upload, UploadState
from apps.uploads.problems import describe


def fact(upload: Upload) -> UploadFact:
    # Of a refused row the timeline itself says what that means.
    problem = None if upload.state == UploadState.REFUSED else describe(upload.error_code)
    return UploadFact(
        upload_id=upload.pk,
        url=f"{reverse('admin:uploads_uploadjob_change', args=[upload.job_id])}#upload-{upload.pk}",
        state=upload.state,
        state_label=upload.get_state_display(),
        sent_at=upload.sent_at,
        attempts=upload.attempts,
        problem=f"{problem.message} {problem.next_step}" if problem else "",
        mapping=upload.mapping,
    )


def of_uploads(upload_ids: Collection[UUID]) -> dict[UUID, UploadFact]:
    """One query."""
    return {upload.pk: fact(upload) for upload in Upload.objects.filter(pk__in=upload_ids)}


def of_resends(order: Order) -> dict[UUID, list[UploadFact]]:
    """One query."""
    found: dict[UUID, list[UploadFact]] = defaultdict(list)
    for resend in Resend.objects.filter(order=order).select_related("upload").order_by("pk"):
        found[resend.change_id].append(fact(resend.upload))
    return found
