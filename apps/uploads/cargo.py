"""What a file carries: status changes of orders (and states sent once more), or clients. Each kind is settled, given
back and divided in its own way; the rest of the machine does not care which it is. All belong inside a step of the
job."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from apps.clients import outbox
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.orders import delivery, holds
from apps.orders.models import Order, StatusChange
from apps.uploads.models import Resend, Upload, UploadKind
from apps.uploads.selection import CHUNK

KEY_COLUMN = {UploadKind.SIMPLE_ORDERS: "id", UploadKind.ORDERS: "id", UploadKind.CONTACTS: "uniq_id"}
"""By which a row of the file is told from others."""


def delivered(upload: Upload, *, counter: Counter, at: datetime) -> dict[str, int]:
    """Metrica has it, since `at` (aware). Returns what is to be added to the numbers of the job."""
    if upload.kind == UploadKind.CONTACTS:
        Counter.objects.filter(pk=counter.pk, first_clients_at=None).update(first_clients_at=at)
        clients = outbox.settle_delivered(upload_id=upload.pk, at=at)
        holds.release_clients(counter=counter, upload_id=upload.pk)
        return {"clients": clients}
    moved = delivery.settle_delivered(upload_id=upload.pk, at=at)
    return {"delivered": moved, "resent": _resent(upload)}


def refused(upload: Upload, *, code: str, message: str) -> dict[str, int]:
    """Metrica does not take it. Where a row was a state sent once more, the change stays delivered."""
    if upload.kind == UploadKind.CONTACTS:
        return {"clients_refused": outbox.refuse(upload_id=upload.pk, code=code, message=message)}
    count = delivery.reject(upload_id=upload.pk, code=code, message=message)
    Order.objects.filter(resends__upload=upload).update(resend_due=False)
    return {"rejected": count}


def give_back(upload: Upload) -> int:
    """It will go with another file. Returns how much waits again."""
    if upload.kind == UploadKind.CONTACTS:
        return outbox.give_back(upload_id=upload.pk)
    return delivery.give_back(upload_id=upload.pk)


def divide(upload: Upload, *, halves: Sequence[Upload], in_first: Collection[str]) -> None:
    """Hand it over to two files: to the first what has one of these keys, see KEY_COLUMN, to the second the rest."""
    if upload.kind == UploadKind.CONTACTS:
        clients = Client.objects.filter(upload_id=upload.pk, sending_revision__gt=0)
        for half, part in _parts(clients, "uniq_id", halves, in_first):
            outbox.move(from_upload=upload.pk, to_upload=half.pk, client_keys=part)
        return
    changes = StatusChange.objects.filter(upload_id=upload.pk)
    for half, part in _parts(changes, "order__order_id", halves, in_first):
        delivery.move(from_upload=upload.pk, to_upload=half.pk, change_ids=part)
    for half, part in _parts(upload.resends.all(), "order__order_id", halves, in_first):
        Resend.objects.filter(pk__in=part).update(upload=half)


def _parts(
    rows: QuerySet[Any], key: str, halves: Sequence[Upload], in_first: Collection[str]
) -> list[tuple[Upload, list[Any]]]:
    """Primary keys of the rows for each half, by the chunk."""
    found: tuple[list[Any], list[Any]] = ([], [])
    for pk, value in rows.values_list("pk", key).iterator():
        found[0 if value in in_first else 1].append(pk)
    return [
        (half, keys[start : start + CHUNK])
        for half, keys in zip(halves, found, strict=True)
        for start in range(0, len(keys), CHUNK)
    ]


def _resent(upload: Upload) -> int:
    """The orders whose state this file repeated have their newest state at Metrica now."""
    changes = list(upload.resends.values_list("change_id", flat=True))
    for start in range(0, len(changes), CHUNK):
        delivery.settle_resent(change_ids=changes[start : start + CHUNK])
    return len(changes)
