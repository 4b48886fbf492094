"""What the clock does for the API: answers and counts whose time is over go."""

from datetime import datetime

from apps.api import limits, repeating


def on_tick(*, now: datetime, **_details: object) -> None:
    repeating.prune(now)
    limits.prune(now.timestamp())
