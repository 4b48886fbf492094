"""What is known of the files that carried a client and its orders, for the client; see `orders.known`."""

from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from apps.clients.models import Client
from apps.uploads.models import Resend, Upload

_AT_ONCE = 500


def uploads_of(client: Client, upload_ids: Collection[UUID]) -> Iterator[dict[str, Any]]:
    """Those that carried its orders, a state of them once more, and the newest that carried itself."""
    again = Resend.objects.filter(order__client=client).values_list("upload_id", flat=True).distinct()
    keys = sorted({*upload_ids, *again, *([client.upload_id] if client.upload_id else [])})
    for start in range(0, len(keys), _AT_ONCE):
        for upload in Upload.objects.filter(pk__in=keys[start : start + _AT_ONCE]).order_by("pk"):
            yield {
                "id": upload.pk,
                "kind": upload.kind,
                "state": upload.state,
                "sent_at": upload.sent_at,
                "uploading_id": upload.uploading_id,
                "sha256": upload.sha256,
                "file_kept": bool(upload.file) and upload.file_gone_at is None,
            }
