"""How long things may take, and how long to wait before the next attempt."""

import random
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

LONGEST = 3600.0
"""Seconds; no wait of our own is longer."""


SLOWEST_BYTES_PER_SECOND = 256 * 1024
LONGEST_CALL = 600.0
"""Seconds. With the time for planning before it, a call ends well within the queue's own timeout of a task."""


def seconds_for(size: int) -> float:
    """The longest that it may take to carry a file of so many bytes somewhere, from connecting to the answer."""
    return min(LONGEST_CALL, settings.METRICA_TIMEOUT_SECONDS + size / SLOWEST_BYTES_PER_SECOND)


def backoff(attempt: int, *, retry_after: float | None = None) -> float:
    """Seconds to wait after the attempt of this number (1, 2, …) failed: growing, with full jitter.

    Between nothing and a bound that doubles with each attempt, so that many who failed together do not come back
    together. Where the server named a time (`retry_after`), it is kept.
    """
    bound = min(LONGEST, settings.UPLOAD_RETRY_SECONDS * 2 ** min(max(attempt, 1) - 1, 30))
    wait = random.uniform(0, bound)  # noqa: S311 - no secret
    return wait if retry_after is None else retry_after + min(wait, 1.0)


def after(seconds: float) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)
