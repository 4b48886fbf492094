"""The way of clients to Metrica (R2): a file takes the revision that a client has, and settles exactly that one.

All belong inside the caller's transaction; each says how many clients it moved.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet

from apps.clients.models import Client
from apps.counters.models import Counter


def claim(*, client_keys: Collection[int], upload_id: UUID) -> int:
    """due → under way, with this upload. What is read of them afterwards in the same transaction is what they carry."""
    due = Client.objects.due().filter(pk__among=client_keys)
    return due.update(sending_revision=F("revision"), upload_id=upload_id)


def settle_delivered(*, upload_id: UUID, at: datetime) -> int:
    """Metrica has these clients as they were when the file took them; who changed since is due again."""
    return _settle(_under_way(upload_id), delivered_at=at, reject_code="", reject_message="")


def refuse(*, upload_id: UUID, code: str, message: str, client_keys: Collection[int] | None = None) -> int:
    """Metrica, or the format, takes no such client: it goes again when it has changed."""
    return _settle(_under_way(upload_id, client_keys), reject_code=code[:64], reject_message=message)


def give_back(*, upload_id: UUID) -> int:
    """They will go with another file."""
    return _under_way(upload_id).update(sending_revision=0, upload_id=None)


def move(*, from_upload: UUID, to_upload: UUID, client_keys: Collection[int]) -> int:
    """Hand clients that are under way to another upload (one half of a refused file)."""
    return _under_way(from_upload, client_keys).update(upload_id=to_upload)


def repeat(*, counter: Counter, uniq_ids: Collection[str]) -> int:
    """Metrica may have got an older state of these clients after their present one: they are due again."""
    known = Client.objects.filter(counter=counter, uniq_id__among=uniq_ids, settled_revision__gt=0)
    return known.update(revision=F("revision") + 1)


def forget(*, counter: Counter) -> int:
    """The counter has moved to another Metrica, which has none of its clients: all are due again. One statement."""
    known = Client.objects.filter(counter=counter).filter(Q(settled_revision__gt=0) | Q(delivered_at__isnull=False))
    return known.update(settled_revision=0, delivered_at=None, reject_code="", reject_message="")


def _settle(clients: QuerySet[Client], **fields: Any) -> int:
    return clients.update(settled_revision=F("sending_revision"), sending_revision=0, **fields)


def _under_way(upload_id: UUID, client_keys: Collection[int] | None = None) -> QuerySet[Client]:
    clients = Client.objects.filter(upload_id=upload_id, sending_revision__gt=0)
    return clients if client_keys is None else clients.filter(pk__among=client_keys)
