"""Metrica's numbers (page: quotas), and how carefully they are kept (R10)."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings

DAY = 86_400

ARRIVAL = 5.0
"""Seconds after its start within which a call has reached Metrica. Until then, or until its end, nobody knows when it
did, so it counts as if it were just coming."""

MIDNIGHT = 60.0
"""Seconds before and after 00:00 GMT in which a call counts for both days: clocks differ."""

REPORTS_WITHIN = 300.0
REPORTS_SLICE = 10.0

GIVEN_UP = 30.0
"""Seconds for which a call that we stopped waiting for keeps its place: Metrica may still be at it."""

DEAD = 10.0
"""Seconds for which a call keeps its place after its process was found dead: Metrica finishes what it has begun."""

KEPT_SHARE = 10
"""One part in so many of a day's calls is kept in equal parts for the agencies that share them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`second`: calls of one address; `parallel`, `day`, `reports`: of one login; `day` of one counter as well."""

    second: int
    parallel: int
    day: int
    reports: int


def current() -> Limits:
    return Limits(
        second=settings.METRICA_CALLS_PER_SECOND,
        parallel=settings.METRICA_CALLS_AT_ONCE,
        day=settings.METRICA_CALLS_PER_DAY,
        reports=settings.METRICA_REPORTS_PER_5_MINUTES,
    )


def day_of(now: float) -> int:
    """The day of GMT, as a number."""
    return int(now // DAY)


def days_of(now: float) -> list[int]:
    """The days for which a call counts: around midnight two."""
    return sorted({day_of(now - MIDNIGHT), day_of(now + MIDNIGHT)})


def opens(day: int) -> float:
    """When calls no longer count for this day."""
    return (day + 1) * DAY + MIDNIGHT


def midnight_after(now: float) -> datetime:
    """00:00 GMT, when Metrica gives the day's calls back."""
    return datetime.fromtimestamp((day_of(now) + 1) * DAY, UTC)
