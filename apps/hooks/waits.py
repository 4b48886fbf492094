"""How long to wait before somebody's server is called once more, for webhooks and alerts alike."""

import random
from datetime import timedelta

LONGEST = 6 * 3600.0
"""Seconds; no wait between two attempts is longer, whatever the other side asks for."""


def after(failures: int, *, first: float, asked: float | None = None) -> timedelta:
    """After so many failures in a row: `first` seconds, then twice as long each time, a fifth more or less so that many
    who failed together do not come back together. At least what the other side `asked` for (seconds), within reason."""
    own = min(LONGEST, first * 2 ** min(failures - 1, 30)) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
    return timedelta(seconds=max(own, min(asked or 0.0, LONGEST)))
