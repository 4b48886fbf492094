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

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.agencies import key_uses
from apps.agencies.actor import Actor
from apps.agencies.events import tell
from apps.agencies.key_models import Shut
from apps.agencies.models import ApiKey

SHORTEST_SECRET = 24
LONGEST_SECRET = 200
TOUCH_EVERY = timedelta(minutes=1)
TELL_EVERY = timedelta(hours=1)
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


class KeyRefused(Exception):
    """No such key, or one that opens nothing to this caller now: `why` says which. None: there is none."""

    def __init__(self, why: Shut | None) -> None:
        super().__init__(why or "unknown")
        self.why = why


def find(text: str) -> ApiKey | None:
    """The key that this text is, be it good or not, with its agency. One query."""
    if not SHORTEST_SECRET <= len(text) <= LONGEST_SECRET:
        return None
    key = ApiKey.objects.select_related("agency").filter(prefix=prefix_of(text)).first()
    kept = key.secret_hash if key else "0" * 64
    return key if secrets.compare_digest(kept, hash_of(text)) else None


def admit(text: str, *, address: str | None) -> ApiKey:
    """The key that this text is, for a caller from this address (`callers.address_of`). Raises KeyRefused.

    One query, and at most once a minute a second one that notes the use. Nothing is remembered from one time to the
    next, so what is revoked here opens nothing anywhere.
    """
    key = find(text)
    if key is None:
        raise KeyRefused(None)
    now = timezone.now()
    why = key.why_shut(now, address)
    if why is not None:
        _note_turned_away(key, why, address, now)
        raise KeyRefused(why)
    _note_use(key, address, now)
    return key


def _note_use(key: ApiKey, address: str | None, now: datetime) -> None:
    key_uses.note(key.pk, requests=1)
    if key.last_used_at is not None and key.last_used_at > now - TOUCH_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - TOUCH_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now, last_used_from=address)
    key.last_used_at, key.last_used_from = now, address


def _note_turned_away(key: ApiKey, why: Shut, address: str | None, now: datetime) -> None:
    """For the owner: the number of the day, the last time on the key's page, and once an hour a line in the log."""
    key_uses.note(key.pk, turned_away=1)
    if key.turned_away_at is not None and key.turned_away_at > now - TOUCH_EVERY and key.turned_away_why == why:
        return
    row = ApiKey.objects.filter(pk=key.pk)
    untold = Q(turned_away_told_at=None) | Q(turned_away_told_at__lte=now - TELL_EVERY)
    with transaction.atomic():
        row.update(turned_away_at=now, turned_away_from=address, turned_away_why=why)
        if row.filter(untold).update(turned_away_told_at=now):
            actor = Actor("key", f"key {key}", str(key.pk))
            tell("api_key.turned_away", actor, key.agency, key, after={"why": str(why), "address": address})
