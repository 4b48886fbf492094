"""API keys as text: how one is made, what of it is kept, and how a caller proves to hold one.

A key reads `gp_<12 characters>_<43 characters>`. Kept are the 12 characters and SHA-256 of the whole; a fast hash is
enough, since a key is long and random. A key brought from outside may be any text of 24 characters or more: its prefix
is then taken from its hash.
"""

import hashlib
import re
import secrets
import string
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from apps.agencies.models import ApiKey

SHORTEST_SECRET = 24
LONGEST_SECRET = 200
TOUCH_EVERY = timedelta(minutes=1)
_ALPHABET = string.ascii_lowercase + string.digits
_OURS = re.compile(r"gp_([a-z0-9]{12})_[\w-]{32,}", re.ASCII)


def new_key() -> str:
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    return f"gp_{prefix}_{secrets.token_urlsafe(32)}"


def prefix_of(text: str) -> str:
    """What the key is found by: its own 12 characters, or the first 12 of its hash."""
    ours = _OURS.fullmatch(text)
    return ours[1] if ours else hash_of(text)[:12]


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def authenticate_key(text: str) -> ApiKey | None:
    """The usable key that this text is, with its agency; None where there is none.

    One query, and at most once a minute a second one that notes the use.
    """
    if not SHORTEST_SECRET <= len(text) <= LONGEST_SECRET:
        return None
    key = ApiKey.objects.usable().select_related("agency").filter(prefix=prefix_of(text)).first()
    kept = key.secret_hash if key else "0" * 64
    if not secrets.compare_digest(kept, hash_of(text)) or key is None:
        return None
    _note_use(key, timezone.now())
    return key


def _note_use(key: ApiKey, now: datetime) -> None:
    if key.last_used_at is not None and key.last_used_at > now - TOUCH_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - TOUCH_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    key.last_used_at = now
