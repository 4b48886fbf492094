"""The address that a CRM posts to: `/in/<public id>/<secret>/`. The secret is long and random, so a fast hash of it is
enough; it is shown once."""

import hashlib
import secrets
import string
from typing import Final

from django.urls import reverse
from django.utils import timezone

from apps.receivers.models import Receiver

LONGEST_SECRET: Final = 200
_ALPHABET: Final = string.ascii_lowercase + string.digits
_NOBODY: Final = "0" * 64


def new_public_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def path_of(receiver: Receiver, secret: str) -> str:
    return reverse("receiver", args=[receiver.public_id, secret])


def find(public_id: str, secret: str) -> Receiver | None:
    """The open receiver of this address, with its counter and agency; None for an unknown or closed one and for a wrong
    secret alike. One query, and the same work whatever is wrong."""
    known = len(public_id) <= 16 and len(secret) <= LONGEST_SECRET and public_id.isascii()
    rows = Receiver.objects.open().select_related("counter__agency")
    receiver = rows.filter(public_id=public_id if known else "").first()
    given = hash_of(secret[:LONGEST_SECRET])
    right = secrets.compare_digest(receiver.secret_hash if receiver else _NOBODY, given)
    overlaps = receiver is not None and receiver.old_secret_until is not None
    overlaps = overlaps and receiver.old_secret_until > timezone.now()  # type: ignore[union-attr, operator]
    before = receiver.old_secret_hash if receiver is not None and overlaps else _NOBODY
    right_before = secrets.compare_digest(before or _NOBODY, given)
    return receiver if known and (right or right_before) else None
