"""Who keeps the numbers now: a lease with a fence on one row, taken by compare-and-swap."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from apps.counters import clock, stopping, turns
from apps.counters.turns import TurnLost
from apps.dashboard.models import RollUp

TURN_SECONDS = 10.0
"""After so long the worker goes back to its uploads, which may have no other."""

REST = 2
"""A turn is followed by a rest of so many times its length, so that the numbers take a third of a worker at most."""

_THE_ROW = 1
_RENEWED_EVERY = 20.0


@dataclass(slots=True)
class Turn:
    """One claim. Every write goes through `step`."""

    fence: int
    began: float = field(default_factory=time.monotonic)
    renewed: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def over(self) -> bool:
        return stopping.requested() or self.seconds > TURN_SECONDS

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """One committed step; renews the lease. Raises TurnLost, and then nothing of the step is written."""
        with transaction.atomic():
            if not self._mine().update(lease_until=clock.ahead(settings.UPLOAD_LEASE_SECONDS)):
                raise TurnLost
            yield
        self.renewed = time.monotonic()

    def alive(self) -> None:
        """Called often while something long is under way."""
        if time.monotonic() - self.renewed > _RENEWED_EVERY:
            with self.step():
                pass

    def end(self) -> None:
        rest = timedelta(seconds=REST * self.seconds)
        self._mine().update(lease_until=None, next_at=timezone.now() + rest, fence=self.fence + 1)

    def _mine(self) -> QuerySet[RollUp]:
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
