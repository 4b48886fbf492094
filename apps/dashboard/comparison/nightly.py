"""Every counter that delivers is compared once a night, on its own clock; not all of them at once."""

import zlib
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings

from apps.counters import clock, turns
from apps.counters.models import Counter
from apps.dashboard.comparison.running import start
from apps.dashboard.comparison.turns import enqueue
from apps.dashboard.models import Comparison

log = structlog.get_logger(__name__)

NIGHT_BEGINS = time(2, 0)
NIGHT = timedelta(hours=4)
"""Long after the last uploads of the day became visible, and before anybody reads reports."""

MOST_AT_ONCE = 5
"""Comparisons of one account that a tick starts, so that after a standstill not all of them come together."""

_LOOKED_AT = 1000


def next_night(counter: Counter, *, after: datetime) -> datetime:
    """The counter's next turn after that moment, in UTC. Each counter has its own minute of the night."""
    zone = counter.zone or ZoneInfo("UTC")
    own = timedelta(seconds=zlib.crc32(f"counter {counter.pk}".encode()) % int(NIGHT.total_seconds()))
    day = after.astimezone(zone).date()
    while True:
        turn = datetime.combine(day, NIGHT_BEGINS, zone).astimezone(UTC) + own
        if turn > after:
            return turn
        day += timedelta(days=1)


def on_tick(*, now: datetime, **_details: Any) -> None:
    """One step: turns for counters that have none yet, comparisons whose turn has come, messages that were lost."""
    give_turns(now)
    start_due(now)
    bring_up(now)


def give_turns(now: datetime) -> int:
    """Counters that have delivered something and have no comparison yet. Returns how many."""
    known = Comparison.objects.exclude(due_at=None).values("counter")
    new = list(Counter.objects.exclude(last_passed_at=None).exclude(pk__in=known)[:_LOOKED_AT])
    Comparison.objects.bulk_create(
        [Comparison(counter=counter, due_at=next_night(counter, after=now)) for counter in new],
        update_conflicts=True,
        unique_fields=["counter"],
        update_fields=["due_at"],
    )
    return len(new)


def start_due(now: datetime) -> int:
    """Who moves `due_at` on starts the comparison, so each night's is started once. Returns how many."""
    due = Comparison.objects.filter(due_at__lte=now).select_related("counter__agency").order_by("due_at")
    of_account: dict[int | None, int] = {}
    started = 0
    for comparison in due[:_LOOKED_AT]:
        counter = comparison.counter
        sleeps = counter.paused_at is not None or not counter.agency.is_active
        if not sleeps and of_account.get(counter.account_id, 0) >= MOST_AT_ONCE:
            continue  # its turn comes with one of the next ticks
        mine = Comparison.objects.filter(pk=counter.pk, due_at=comparison.due_at)
        if not mine.update(due_at=next_night(counter, after=now)) or sleeps:
            continue
        of_account[counter.account_id] = of_account.get(counter.account_id, 0) + 1
        if start(counter.pk):
            enqueue(counter.pk)
            started += 1
    return started


def bring_up(now: datetime) -> int:
    """Messages about comparisons that can be taken but of which nobody has told the workers lately."""
    untold = turns.untold(now, lost_after=timedelta(seconds=settings.UPLOAD_LEASE_SECONDS))
    found = list(Comparison.objects.claimable(clock.present()).filter(untold).values_list("pk", flat=True)[:100])
    for counter_id in found:
        enqueue(counter_id)
    return len(found)
