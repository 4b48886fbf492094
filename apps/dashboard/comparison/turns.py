"""Who compares a counter now, and that nobody else writes for it: a lease with a fence, taken by compare-and-swap."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, QuerySet, Value, When
from django.utils import timezone
from django_q.tasks import async_task

from apps.counters import clock, turns
from apps.counters.turns import LongTurn, TurnLost
from apps.dashboard.models import CompareState, Comparison

TURN_SECONDS = 240.0


@dataclass(slots=True)
class Turn(LongTurn):
    """One claim of a counter's comparison."""

    counter_id: int

    @property
    def longest(self) -> float:
        return TURN_SECONDS

    def release(self, *, not_before: datetime | None = None, **fields: object) -> None:
        """Let go, so that it can be claimed again, at once or from `not_before` (aware) on."""
        self.mine().update(state=CompareState.QUEUED, lease_until=None, not_before=not_before, **fields)

    def end(self, **fields: object) -> None:
        """The comparison is over; one that was asked for meanwhile is next, unless `fields` drop that wish."""
        again = When(asked_days__gt=0, then=Value(CompareState.QUEUED.value))
        idle = Value(CompareState.IDLE.value)
        state = idle if "asked_days" in fields else Case(again, default=idle)
        ended = {"todo": None, "read_from": None, "planned_at": None, "lease_until": None, "attempts": 0}
        if not self.mine().update(state=state, not_before=None, **ended, **fields):
            raise TurnLost

    def mine(self) -> QuerySet[Comparison]:
        return Comparison.objects.filter(pk=self.counter_id, state=CompareState.RUNNING, fence=self.fence)


def claim(counter_id: int) -> Turn | None:
    """Take a comparison that was asked for and that nobody holds; None where there is nothing to take."""
    fields = {"state": CompareState.RUNNING, "attempts": F("attempts") + 1, "not_before": None}
    claimable = Comparison.objects.claimable(clock.present())
    fence = turns.take(claimable, counter_id, seconds=settings.UPLOAD_LEASE_SECONDS, **fields)
    return None if fence is None else Turn(fence, counter_id)


def enqueue(counter_id: int) -> None:
    """Put a message about the comparison into the queue, once the present transaction is committed. It may be lost or
    doubled without harm: the tick finds what was lost, and a claim is given once."""
    Comparison.objects.filter(pk=counter_id).update(enqueued_at=timezone.now())
    transaction.on_commit(
        lambda: async_task("apps.dashboard.tasks.compare", counter_id, task_name=f"compare {counter_id}"), robust=True
    )
