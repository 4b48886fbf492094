"""Rounds of work on posts: all receivers that have one due are looked after, several at once.

A receiver's posts go one after the other, in the order in which they came; one that has to wait holds up no other.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import connection

from apps.agencies.bulk import delete_rows
from apps.counters.rounds import Rounds
from apps.receivers.models import OPEN, Post, Receiver, Round
from apps.receivers.working import work_next

log = structlog.get_logger(__name__)

MOST_CALLS: Final = 15
"""That one post may take, each of RECEIVER_TIMEOUT_SECONDS at the longest."""


def _at_once() -> int:
    """SQLite lets one write at a time: several would only wait for each other."""
    return 4 if connection.vendor == "postgresql" else 2


def _broke_off(receiver_id: Any, problem: BaseException) -> None:
    """The post that it was about is due again later, as its attempt says."""
    log.error("receiver broke off", receiver=receiver_id, exc_info=problem)


WORKING = Rounds(
    table=Round,
    name="working",
    task="apps.receivers.tasks.work_round",
    title="receivers",
    ready=lambda now: Receiver.objects.workable(now),
    step=lambda receiver_id: work_next(receiver_id),
    step_seconds=lambda: MOST_CALLS * settings.RECEIVER_TIMEOUT_SECONDS,
    at_once=_at_once,
    broke_off=_broke_off,
)


def on_tick(*, now: datetime, **_details: object) -> None:
    """Bring up what is due or was lost, and forget what is old."""
    WORKING.bring_up(now)
    prune(now=now)


def prune(*, now: datetime) -> int:
    """Forget posts after the days that the setting says; one that still waits for its turn stays. Returns how many."""
    before = now - timedelta(days=settings.RECEIVER_KEPT_DAYS)
    return delete_rows(Post.objects.filter(received_at__lt=before).exclude(state__in=OPEN).order_by("received_at"))
