"""How long to wait before the next attempt: growing, with full jitter; Metrica's own word wins."""

import random
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

LONGEST = 3600.0
"""Seconds; no wait of our own is longer."""


def backoff(attempt: int, *, retry_after: float | None = None) -> float:
    """Seconds to wait after the attempt of this number (1, 2, …) failed.

    Between nothing and a bound that doubles with each attempt, so that many who failed together do not come back
    together. Where the server named a time (`retry_after`), it is kept.
    """
    bound = min(LONGEST, settings.UPLOAD_RETRY_SECONDS * 2 ** min(max(attempt, 1) - 1, 30))
    wait = random.uniform(0, bound)  # noqa: S311 - no secret
    return wait if retry_after is None else retry_after + min(wait, 1.0)


def after(seconds: float) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)
