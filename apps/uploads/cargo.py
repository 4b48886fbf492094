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


def refused(upload: Upload, *, code: str, said: str, field: str) -> dict[str, int]:
    """Metrica does not take it, in its own words and because of this field (blank: it names none). Where a row was a
    state sent once more, the change stays delivered."""
    if upload.kind == UploadKind.CONTACTS:
        return {"clients_refused": outbox.refuse(upload_id=upload.pk, code=code, message=said)}
    count = delivery.reject(upload_id=upload.pk, code=code, message=said, field=field)
    Order.objects.filter(resends__upload=upload).update(resend_due=False)
    return {"rejected": count}


def repeat_present_states(upload: Upload, *, counter: Counter, keys: Collection[str]) -> int:
    """What has these keys (see KEY_COLUMN) came to Metrica once more, perhaps after a later state of it: the present
    one is to go again. Returns how many have one."""
    if upload.kind == UploadKind.CONTACTS:
        return outbox.repeat(counter=counter, uniq_ids=keys)
    orders = Order.objects.filter(counter=counter, order_id__among=keys)
    return delivery.request_resend(order_ids=orders.values_list("pk", flat=True))


def give_back(upload: Upload) -> int:
    """It will go with another file. Returns how much waits again."""
    if upload.kind == UploadKind.CONTACTS:
        return outbox.give_back(upload_id=upload.pk)
    return delivery.give_back(upload_id=upload.pk)


def divide(upload: Upload, *, parts: Sequence[Upload], keys: Sequence[Collection[str]]) -> None:
    """Hand it over to these files: to each what has one of its keys (see KEY_COLUMN), to the last whatever is left."""
    if upload.kind == UploadKind.CONTACTS:
        clients = Client.objects.filter(upload_id=upload.pk, sending_revision__gt=0)
        for part, chunk in _shares(clients, "uniq_id", parts, keys):
            outbox.move(from_upload=upload.pk, to_upload=part.pk, client_keys=chunk)
        return
    changes = StatusChange.objects.filter(upload_id=upload.pk)
    for part, chunk in _shares(changes, "order__order_id", parts, keys):
        delivery.move(from_upload=upload.pk, to_upload=part.pk, change_ids=chunk)
    for part, chunk in _shares(upload.resends.all(), "order__order_id", parts, keys):
        Resend.objects.filter(pk__in=chunk).update(upload=part)


def _shares(
    rows: QuerySet[Any], key: str, parts: Sequence[Upload], keys: Sequence[Collection[str]]
) -> list[tuple[Upload, list[Any]]]:
    """Primary keys of the rows for each part, by the chunk."""
    found: list[list[Any]] = [[] for _part in parts]
    last = len(parts) - 1
    for pk, value in rows.values_list("pk", key).iterator():
        found[next((number for number in range(last) if value in keys[number]), last)].append(pk)
    return [
        (part, share[start : start + CHUNK])
        for part, share in zip(parts, found, strict=True)
        for start in range(0, len(share), CHUNK)
    ]


def _resent(upload: Upload) -> int:
    """The orders whose state this file repeated have their newest state at Metrica now."""
    changes = list(upload.resends.values_list("change_id", flat=True))
    for start in range(0, len(changes), CHUNK):
        delivery.settle_resent(change_ids=changes[start : start + CHUNK])
    return len(changes)
