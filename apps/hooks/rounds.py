"""Rounds of sending: one worker at a time calls all endpoints that have something waiting, several of them at once, and
stops after a short while, so that a slow one keeps neither the others nor the uploads from their turn.

An endpoint's messages go one after the other, in the order in which they were written down.
"""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone
from django_q.tasks import async_task

from apps.agencies import actor as actors
from apps.audit import trace
from apps.counters import clock, stopping, turns
from apps.hooks.models import Endpoint, Event, Round
from apps.hooks.sending import send_next
from apps.uploads.waits import after

log = structlog.get_logger(__name__)

SENDING = "sending"
ROUND_SECONDS = 15.0
"""After so long no further request begins; what is under way ends within its own timeout."""

STINT_SECONDS = 5.0
"""After so long an endpoint lets another one have its place."""

AT_ONCE = 8
"""Endpoints called at the same time."""

LOST_AFTER = timedelta(seconds=60)
"""A message to the workers that nobody took for so long is taken for lost."""

PRUNED_A_TICK = 20_000
_PRUNED_AT_ONCE = 1000


def wake_after_commit() -> None:
    """Have what this transaction wrote down sent, once it is committed."""
    connection = transaction.get_connection()
    if not any(hook is wake for _savepoints, hook, *_rest in connection.run_on_commit):
        transaction.on_commit(wake, robust=True)


def wake() -> None:
    """Put a message to the workers into the queue, unless one is there already. It may be lost or doubled without harm:
    the tick finds what was lost, and the round is given to one."""
    now = timezone.now()
    if not Round.objects.filter(pk=SENDING).exists():
        Round.objects.bulk_create([Round(name=SENDING)], ignore_conflicts=True)
    if Round.objects.filter(turns.untold(now, lost_after=LOST_AFTER), pk=SENDING).update(enqueued_at=now):
        async_task("apps.hooks.tasks.send_round", SENDING, task_name="webhooks")


def on_tick(*, now: datetime, **_details: object) -> None:
    """Bring up what is due or was lost, and forget what is old."""
    if Endpoint.objects.sendable(now).exists():
        wake()
    prune(now=now)


def prune(*, now: datetime) -> int:
    """Forget events, with their messages, after the days that the setting says. Returns how many."""
    old = Event.objects.filter(created_at__lt=now - timedelta(days=settings.WEBHOOK_KEPT_DAYS)).order_by("created_at")
    gone = 0
    while gone < PRUNED_A_TICK and (keys := list(old.values_list("pk", flat=True)[:_PRUNED_AT_ONCE])):
        Event.objects.filter(pk__in=keys).delete()
        gone += len(keys)
    return gone


def run(name: str) -> None:
    """One round, if nobody else is at it."""
    seconds = ROUND_SECONDS + settings.WEBHOOK_TIMEOUT_SECONDS + LOST_AFTER.total_seconds() / 2
    fence = turns.take(Round.objects.filter(turns.free(clock.present())), name, seconds=seconds)
    if fence is None:
        return
    try:
        _send_all(end=time.monotonic() + ROUND_SECONDS)
    finally:
        Round.objects.filter(pk=name, fence=fence).update(lease_until=None, enqueued_at=None)
    # What came in the last moment found the round still running: now that its end is committed, one look is enough.
    if not stopping.requested() and Endpoint.objects.sendable(timezone.now()).exists():
        wake()


def _send_all(*, end: float) -> None:
    """Until nothing is due or the round is over."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
        busy: dict[Future[None], int] = {}
        while True:
            if not stopping.requested() and time.monotonic() < end and len(busy) < AT_ONCE:
                due = Endpoint.objects.sendable(timezone.now()).exclude(pk__in=busy.values())
                for endpoint_id in due.values_list("pk", flat=True)[: AT_ONCE - len(busy)]:
                    busy[pool.submit(_in_a_thread, partial(_stint, endpoint_id, end=end))] = endpoint_id
            if not busy:
                return
            done, _rest = wait(busy, timeout=0.25, return_when=FIRST_COMPLETED)
            for future in done:
                endpoint_id = busy.pop(future)
                if problem := future.exception():
                    _broke_off(endpoint_id, problem)


def _stint(endpoint_id: int, *, end: float) -> None:
    end = min(end, time.monotonic() + STINT_SECONDS)
    while send_next(endpoint_id):
        if stopping.requested() or time.monotonic() > end:
            return


def _broke_off(endpoint_id: int, problem: BaseException) -> None:
    """Something that nobody foresaw, of which the others shall not suffer: this one is looked at again later."""
    log.error("webhook broke off", endpoint=endpoint_id, exc_info=problem)
    Endpoint.objects.filter(pk=endpoint_id).update(not_before=after(LOST_AFTER.total_seconds()))


def _in_a_thread(work: Callable[[], None]) -> None:
    """A thread has connections to the database of its own, and a trace of its own."""
    try:
        with trace.traced(actor=actors.system("worker"), source="worker"):
            work()
    finally:
        connections.close_all()
