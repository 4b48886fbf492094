"""Rounds of short work for many: one worker at a time looks after all of them, several at once, and stops after a short
while, so that a slow one keeps neither the others nor the uploads from their turn.

Who the many are is said by whoever makes a `Rounds`: endpoints to be called, receivers whose posts are to be read.
"""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.db import connections, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from apps.agencies import actor as actors
from apps.audit import trace
from apps.counters import clock, stopping, turns

ROUND_SECONDS: Final = 15.0
"""After so long no further step is begun; what is under way ends within its own time."""

STINT_SECONDS: Final = 5.0
"""After so long one of the many lets another have its place."""

LOST_AFTER: Final = timedelta(seconds=60)
"""A message to the workers that nobody took for so long is taken for lost."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """`table`: with a row of the primary key `name` (see `round_models`). `task`: the dotted path of what the queue
    calls with that name. `ready`: those who have something to do at a time, who waited longest first; `step`: one step
    for the one of that primary key, True where the next may follow; `step_seconds`: how long one takes at the longest.
    `broke_off`: told of a step that raised."""

    table: Any
    name: str
    task: str
    title: str
    ready: Callable[[datetime], QuerySet[Any]]
    step: Callable[[Any], bool]
    step_seconds: Callable[[], float]
    at_once: Callable[[], int]
    broke_off: Callable[[Any, BaseException], None]

    def wake_after_commit(self) -> None:
        """Have what this transaction wrote down done, once it is committed."""
        waiting = transaction.get_connection().run_on_commit
        if not any(hook == self.wake for _savepoints, hook, *_rest in waiting):
            transaction.on_commit(self.wake, robust=True)

    def wake(self) -> None:
        """Put a message to the workers into the queue, unless one is there already. It may be lost or doubled without
        harm: the tick finds what was lost, and the round is given to one."""
        rows = self.table._default_manager
        if not rows.filter(pk=self.name).exists():
            rows.bulk_create([self.table(name=self.name)], ignore_conflicts=True)
        now = timezone.now()
        if rows.filter(turns.untold(now, lost_after=LOST_AFTER), pk=self.name).update(enqueued_at=now):
            async_task(self.task, self.name, task_name=self.title)

    def bring_up(self, now: datetime) -> None:
        """What is due, or was lost."""
        if self.ready(now).exists():
            self.wake()

    def run(self) -> None:
        """One round, if nobody else is at it."""
        seconds = ROUND_SECONDS + self.step_seconds() + LOST_AFTER.total_seconds() / 2
        rows = self.table._default_manager
        fence = turns.take(rows.filter(turns.free(clock.present())), self.name, seconds=seconds)
        if fence is None:
            return
        try:
            self._work(end=time.monotonic() + ROUND_SECONDS)
        finally:
            rows.filter(pk=self.name, fence=fence).update(lease_until=None, enqueued_at=None)
        # What came in the last moment found the round still running: now that its end is committed, one look is enough.
        if not stopping.requested():
            self.bring_up(timezone.now())

    def _work(self, *, end: float) -> None:
        """Until nothing is due or the round is over."""
        at_once = self.at_once()
        with ThreadPoolExecutor(at_once, thread_name_prefix=self.title) as pool:
            busy: dict[Future[None], Any] = {}
            while True:
                if not stopping.requested() and time.monotonic() < end and len(busy) < at_once:
                    due = self.ready(timezone.now()).exclude(pk__in=busy.values())
                    for key in due.values_list("pk", flat=True)[: at_once - len(busy)]:
                        busy[pool.submit(_in_a_thread, partial(self._stint, key, end=end))] = key
                if not busy:
                    return
                done, _rest = wait(busy, timeout=0.25, return_when=FIRST_COMPLETED)
                for future in done:
                    key = busy.pop(future)
                    if problem := future.exception():
                        self.broke_off(key, problem)

    def _stint(self, key: Any, *, end: float) -> None:
        end = min(end, time.monotonic() + STINT_SECONDS)
        while self.step(key):
            if stopping.requested() or time.monotonic() > end:
                return


def _in_a_thread(work: Callable[[], None]) -> None:
    """A thread has connections to the database of its own, and a trace of its own."""
    try:
        with trace.traced(actor=actors.system("worker"), source="worker"):
            work()
    finally:
        connections.close_all()
