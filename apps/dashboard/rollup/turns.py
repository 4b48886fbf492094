"""Who keeps the numbers now: a lease with a fence on one row, taken by compare-and-swap."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from apps.counters import clock, turns
from apps.counters.turns import LongTurn
from apps.dashboard.models import RollUp

TURN_SECONDS = 10.0
"""After so long the worker goes back to its uploads, which may have no other."""

REST = 2
"""A turn is followed by a rest of so many times its length, so that the numbers take a third of a worker at most."""

_THE_ROW = 1


@dataclass(slots=True)
class Turn(LongTurn):
    """One claim of the numbers."""

    @property
    def longest(self) -> float:
        return TURN_SECONDS

    def end(self) -> None:
        rest = timedelta(seconds=REST * self.seconds)
        self.mine().update(lease_until=None, next_at=timezone.now() + rest, fence=self.fence + 1)

    def mine(self) -> QuerySet[RollUp]:
        return RollUp.objects.filter(pk=_THE_ROW, fence=self.fence)


def claim() -> Turn | None:
    """None where another worker has it, or it is not time yet."""
    RollUp.objects.get_or_create(pk=_THE_ROW)
    fence = turns.take(_due(timezone.now()), _THE_ROW, seconds=settings.UPLOAD_LEASE_SECONDS)
    return None if fence is None else Turn(fence)


def call_a_worker(now: datetime) -> bool:
    """Tell the workers, where the time has come. The message may be lost or doubled without harm."""
    RollUp.objects.get_or_create(pk=_THE_ROW)
    untold = turns.untold(now, lost_after=timedelta(seconds=settings.UPLOAD_LEASE_SECONDS))
    if not _due(now).filter(untold).update(enqueued_at=now):
        return False
    transaction.on_commit(lambda: async_task("apps.dashboard.tasks.roll_up", task_name="roll up numbers"), robust=True)
    return True


def _due(now: datetime) -> QuerySet[RollUp]:
    return RollUp.objects.filter(Q(next_at__lte=now), turns.free(clock.present()))
