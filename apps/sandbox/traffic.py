"""A month of visits as a site has them: fewer at night and at weekends, people who come back, some who tell who they
are, some of whom nothing is known. The same seed on the same day gives the same visits."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random

from django.utils import timezone

from apps.sandbox.models import SandboxCounter
from apps.sandbox.services import Visit, add_visits

MOST_DAYS, MOST_PER_DAY = 366, 2000

_HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 10, 13, 15, 16, 15, 14, 14, 14, 14, 14, 15, 16, 15, 12, 8, 4)
_WEEKEND = 0.6
_RETURNING, _WITHOUT_COOKIE, _LEAVES_EMAIL, _LEAVES_PHONE = 0.35, 0.08, 0.25, 0.2


def generate_visits(*, counter: SandboxCounter, days: int = 30, per_day: int = 40, seed: int = 1) -> int:
    """Adds visits of the last `days` days, `per_day` on a working day on average; answers how many.

    Raises ValueError for more than 366 days or 2,000 a day.
    """
    if not 1 <= days <= MOST_DAYS or not 1 <= per_day <= MOST_PER_DAY:
        raise ValueError(f"At most {MOST_DAYS} days with {MOST_PER_DAY} visits each are possible.")
    now = timezone.now()
    visits = list(_visits(Random(f"{seed}:{counter.metrica_id}"), counter, days=days, per_day=per_day, now=now))  # noqa: S311
    add_visits(counter=counter, visits=visits)
    return len(visits)


class _Visitor:
    """Somebody with a cookie, who may leave an e-mail or a phone at some visit and is known by it from then on."""

    def __init__(self, rng: Random, first: datetime) -> None:
        # A ClientID is the second of the first visit and some digits more.
        self.client_id = f"{int(first.timestamp())}{rng.randrange(10**8, 10**9)}"
        number = rng.randrange(10**7)
        self.email = f"visitor{number}@mail.example" if rng.random() < _LEAVES_EMAIL else ""
        self.phone = f"7900{number:07d}" if rng.random() < _LEAVES_PHONE else ""

    def visit(self, started_at: datetime) -> Visit:
        return Visit(
            started_at=started_at,
            client_id=self.client_id,
            emails=[self.email] if self.email else [],
            phones=[self.phone] if self.phone else [],
        )


def _visits(rng: Random, counter: SandboxCounter, *, days: int, per_day: int, now: datetime) -> Iterator[Visit]:
    today = now.astimezone(counter.zone).date()
    visitors: list[_Visitor] = []
    for number in range(days, -1, -1):
        day = today - timedelta(days=number)
        for started_at in sorted(_moments(rng, day, counter, per_day)):
            if not now - timedelta(days=days) <= started_at <= now:
                continue
            if rng.random() < _WITHOUT_COOKIE:
                yield Visit(started_at=started_at)
                continue
            if not visitors or rng.random() >= _RETURNING:
                visitors.append(_Visitor(rng, started_at))
                yield visitors[-1].visit(started_at)
            else:
                yield rng.choice(visitors[-20 * per_day :]).visit(started_at)


def _moments(rng: Random, day: date, counter: SandboxCounter, per_day: int) -> Iterator[datetime]:
    expected = per_day * (_WEEKEND if day.weekday() >= 5 else 1.0)
    for _ in range(max(1, round(rng.gauss(expected, expected**0.5)))):
        hour = rng.choices(range(24), _HOURS)[0]
        minute, second = rng.randrange(60), rng.randrange(60)
        yield datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=counter.zone)
