"""Saving calls when the day's quota of a login gets short (R10): changes are gathered and go in fewer, larger files.

What is left is spread over the rest of Metrica's day: each counter of the login that has something to send gets a file
after the same time, so that all together use it up when the day ends and not before. Windows that close soon, and what
somebody asked for, are not kept waiting.
"""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from apps.counters import schedule
from apps.counters.models import Counter
from apps.counters.quotas import standing
from apps.uploads.models import JobState, Trigger, UploadJob
from apps.uploads.urgency import urgent_orders

CODE: Final = "quota_saving"

_OFTEN: Final = timedelta(hours=1)
"""Counters that send less often than this save enough by their schedule."""

_FOR_SCHEDULES: Final = 0.8
"""This part of what is left; the rest is for urgent orders, people, and what has to be asked or sent twice."""


def wait_until(*, job: UploadJob, counter: Counter) -> datetime | None:
    """Until when (aware) the job is to gather changes before its next file; None: it may send now. A handful of cheap
    queries, one for most."""
    if job.trigger != Trigger.SCHEDULE or not _sends_often(counter) or counter.last_passed_at is None:
        return None
    assert counter.account is not None, "a counter without an account is blocked"
    day = standing(counter.account)
    if not day.short:
        return None
    now = timezone.now()
    with_work = UploadJob.objects.unfinished().filter(counter__account=counter.account_id)
    counters = with_work.order_by().values("counter").distinct().count()
    until = day.resets_at
    if files := int(day.left * _FOR_SCHEDULES):
        until = min(counter.last_passed_at + (until - now) * max(counters, 1) / files, until)
    if until <= now or _somebody_asks(counter) or urgent_orders(counter=counter, only_many=False):
        return None
    return until


def wake() -> None:
    """Jobs that gather changes, looked at again: the quota may have grown, an order may have become urgent."""
    gathering = UploadJob.objects.unfinished().filter(error_code=CODE, not_before__gt=timezone.now())
    for job in gathering.select_related("counter__account"):
        until = wait_until(job=job, counter=job.counter) if job.counter.account_id else None
        UploadJob.objects.filter(pk=job.pk, error_code=CODE, lease_until=None).update(not_before=until)


def hurry(*, counter: Counter) -> None:
    """Somebody asked for an upload: the counter's job gathers no longer."""
    gathering = UploadJob.objects.filter(counter=counter, state=JobState.RUNNING, error_code=CODE, lease_until=None)
    gathering.update(not_before=None)


def _sends_often(counter: Counter) -> bool:
    plan = schedule.parse(counter.schedule)
    return plan.kind == "as_they_come" or (plan.every is not None and plan.every < _OFTEN)


def _somebody_asks(counter: Counter) -> bool:
    queued = UploadJob.objects.filter(counter=counter, state=JobState.QUEUED)
    return queued.exclude(trigger=Trigger.SCHEDULE).exists()
