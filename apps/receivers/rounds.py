"""Rounds of work on posts: one worker at a time looks after all receivers, several of them at once, and stops after a
short while, so that a slow CRM keeps neither the other receivers nor the uploads from their turn.

A receiver's posts go one after the other, in the order in which they came; one that has to wait holds up no other.
"""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog
from django.conf import settings
from django.db import connection, connections, transaction
from django.utils import timezone
from django_q.tasks import async_task

from apps.agencies import actor as actors
from apps.audit import trace
from apps.counters import clock, stopping, turns
from apps.receivers.models import OPEN, Post, Receiver, Round

log = structlog.get_logger(__name__)

WORKING: Final = "working"
ROUND_SECONDS: Final = 15.0
"""After so long no further post is begun; what is under way ends within the time of its calls."""

STINT_SECONDS: Final = 5.0
"""After so long a receiver lets another one have its place."""

AT_ONCE: Final = 4
"""Receivers worked on at the same time."""

MOST_CALLS: Final = 15
"""That one post may take, each of RECEIVER_TIMEOUT_SECONDS at the longest."""

LOST_AFTER: Final = timedelta(seconds=60)
"""A message to the workers that nobody took for so long is taken for lost."""

PRUNED_A_TICK: Final = 20_000
_PRUNED_AT_ONCE: Final = 1000


def wake_after_commit() -> None:
    """Have what this transaction wrote down worked on, once it is committed."""
    current = transaction.get_connection()
    if not any(hook is wake for _savepoints, hook, *_rest in current.run_on_commit):
        transaction.on_commit(wake, robust=True)


def wake() -> None:
    """Put a message to the workers into the queue, unless one is there already. It may be lost or doubled without harm:
    the tick finds what was lost, and the round is given to one."""
    now = timezone.now()
    if not Round.objects.filter(pk=WORKING).exists():
        Round.objects.bulk_create([Round(name=WORKING)], ignore_conflicts=True)
    if Round.objects.filter(turns.untold(now, lost_after=LOST_AFTER), pk=WORKING).update(enqueued_at=now):
        async_task("apps.receivers.tasks.work_round", WORKING, task_name="receivers")


def on_tick(*, now: datetime, **_details: object) -> None:
    """Bring up what is due or was lost, and forget what is old."""
    if Receiver.objects.workable(now).exists():
        wake()
    prune(now=now)


def prune(*, now: datetime) -> int:
    """Forget posts after the days that the setting says; one that still waits for its turn stays. Returns how many."""
    before = now - timedelta(days=settings.RECEIVER_KEPT_DAYS)
    old = Post.objects.filter(received_at__lt=before).exclude(state__in=OPEN).order_by("received_at")
    gone = 0
    while gone < PRUNED_A_TICK and (keys := list(old.values_list("pk", flat=True)[:_PRUNED_AT_ONCE])):
        Post.objects.filter(pk__in=keys).delete()
        gone += len(keys)
    return gone


def run(name: str) -> None:
    """One round, if nobody else is at it."""
    longest = ROUND_SECONDS + MOST_CALLS * settings.RECEIVER_TIMEOUT_SECONDS + LOST_AFTER.total_seconds() / 2
    fence = turns.take(Round.objects.filter(turns.free(clock.present())), name, seconds=longest)
    if fence is None:
        return
    try:
        _work_all(end=time.monotonic() + ROUND_SECONDS)
    finally:
        Round.objects.filter(pk=name, fence=fence).update(lease_until=None, enqueued_at=None)
    # What came in the last moment found the round still running: now that its end is committed, one look is enough.
    if not stopping.requested() and Receiver.objects.workable(timezone.now()).exists():
        wake()


def _work_all(*, end: float) -> None:
    """Until nothing is due or the round is over."""
    # SQLite lets one write at a time: several would only wait for each other.
    at_once = AT_ONCE if connection.vendor == "postgresql" else 2
    with ThreadPoolExecutor(at_once, thread_name_prefix="receiver") as pool:
        busy: dict[Future[None], int] = {}
        while True:
            if not stopping.requested() and time.monotonic() < end and len(busy) < at_once:
                due = Receiver.objects.workable(timezone.now()).exclude(pk__in=busy.values())
                for receiver_id in due.values_list("pk", flat=True)[: at_once - len(busy)]:
                    busy[pool.submit(_in_a_thread, partial(_stint, receiver_id, end=end))] = receiver_id
            if not busy:
                return
            done, _rest = wait(busy, timeout=0.25, return_when=FIRST_COMPLETED)
            for future in done:
                receiver_id = busy.pop(future)
                if problem := future.exception():
                    # The post that it was about is due again later, as its attempt says.
                    log.error("receiver broke off", receiver=receiver_id, exc_info=problem)


def _stint(receiver_id: int, *, end: float) -> None:
    from apps.receivers.working import work_next

    end = min(end, time.monotonic() + STINT_SECONDS)
    while work_next(receiver_id):
        if stopping.requested() or time.monotonic() > end:
            return


def _in_a_thread(work: Callable[[], None]) -> None:
    """A thread has connections to the database of its own, and a trace of its own."""
    try:
        with trace.traced(actor=actors.system("worker"), source="worker"):
            work()
    finally:
        connections.close_all()
