"""Rounds of sending: all endpoints that have something waiting are called, several at once.

An endpoint's messages go one after the other, in the order in which they were written down.
"""

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings

from apps.agencies.bulk import delete_rows
from apps.counters.rounds import LOST_AFTER, Rounds
from apps.hooks.models import Endpoint, Event, Round
from apps.hooks.sending import send_next
from apps.uploads.waits import after

log = structlog.get_logger(__name__)


def _broke_off(endpoint_id: Any, problem: BaseException) -> None:
    """Something that nobody foresaw, of which the others shall not suffer: this one is looked at again later."""
    log.error("webhook broke off", endpoint=endpoint_id, exc_info=problem)
    Endpoint.objects.filter(pk=endpoint_id).update(not_before=after(LOST_AFTER.total_seconds()))


SENDING = Rounds(
    table=Round,
    name="sending",
    task="apps.hooks.tasks.send_round",
    title="webhooks",
    ready=lambda now: Endpoint.objects.sendable(now),
    step=lambda endpoint_id: send_next(endpoint_id),
    step_seconds=lambda: settings.WEBHOOK_TIMEOUT_SECONDS,
    at_once=lambda: 8,
    broke_off=_broke_off,
)


def on_tick(*, now: datetime, **_details: object) -> None:
    """Bring up what is due or was lost, and forget what is old."""
    SENDING.bring_up(now)
    prune(now=now)


def prune(*, now: datetime) -> int:
    """Forget events, with their messages, after the days that the setting says. Returns how many."""
    old = Event.objects.filter(created_at__lt=now - timedelta(days=settings.WEBHOOK_KEPT_DAYS))
    return delete_rows(old.order_by("created_at"))
