"""With each tick: looks at agencies whose turn has come, and messages for channels that have something to tell."""

import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django_q.tasks import async_task

from apps.agencies.models import Agency
from apps.alerts import looking, telling
from apps.alerts.models import AlertRules, Channel
from apps.counters import turns
from apps.uploads import heartbeats

log = structlog.get_logger(__name__)

BUDGET_SECONDS = 20.0
"""Of one tick for all looks; agencies that are left come with the next one, the longest unseen first."""

MESSAGE_LOST_AFTER = timedelta(minutes=5)
CHANNELS_A_TICK = 100
OWN_CHANNELS_A_TICK = 5
QUEUE_SILENCE = timedelta(minutes=5)


def on_tick(*, now: datetime, **_details: Any) -> None:
    give_rules()
    look_at_due(now)
    bring_up(now)


def give_rules() -> int:
    """Agencies that have none yet get the usual ones. Returns how many."""
    new = list(Agency.objects.filter(alert_rules=None).values_list("pk", flat=True)[:1000])
    AlertRules.objects.bulk_create([AlertRules(agency_id=pk) for pk in new], ignore_conflicts=True)
    return len(new)


def look_at_due(now: datetime) -> int:
    """Who moves `looked_at` on has the look, so each is had once, on any number of machines. Returns how many."""
    began, looks = time.monotonic(), 0
    due = AlertRules.objects.due(looked_before=now - timedelta(seconds=settings.ALERT_LOOK_SECONDS))
    for rules in due.select_related("agency")[:1000]:
        if time.monotonic() - began > BUDGET_SECONDS:
            break
        if AlertRules.objects.filter(pk=rules.pk, looked_at=rules.looked_at).update(looked_at=now):
            looking.look(rules, now=now)
            looks += 1
    return looks


def bring_up(now: datetime) -> int:
    """Messages to the workers about channels of which nobody has told them lately. Where no worker takes messages, this
    process tells by itself: that the workers are gone is what somebody has to know. Returns how many."""
    untold = turns.untold(now, lost_after=MESSAGE_LOST_AFTER)
    waiting = Channel.objects.claimable(now).filter(untold).order_by("pk").values_list("pk", flat=True)
    queue = heartbeats.last(heartbeats.QUEUE)
    if (queue is None or queue <= now - QUEUE_SILENCE) and not heartbeats.job_in_hand():
        return sum(telling.tell(channel_id) for channel_id in list(waiting[:OWN_CHANNELS_A_TICK]))
    found = list(waiting[:CHANNELS_A_TICK])
    Channel.objects.filter(pk__in=found).update(enqueued_at=now)
    for channel_id in found:
        async_task("apps.alerts.tasks.tell", channel_id, task_name=f"alerts {channel_id}")
    return len(found)
