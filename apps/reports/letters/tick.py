"""With each tick: weeks whose hour has come are written down, and workers are told of letters that are due."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django_q.tasks import async_task

from apps.counters import turns
from apps.reports import services
from apps.reports.models import ReportLink
from apps.reports.weeks import last_of, next_letter, told_by

MESSAGE_LOST_AFTER: Final = timedelta(minutes=10)
LINKS_A_TICK: Final = 500


def on_tick(*, now: datetime, **_details: Any) -> None:
    begin_weeks(now)
    bring_up(now)


def begin_weeks(now: datetime) -> int:
    """Links whose letter is due: who moves the moment on writes the week down for all recipients. Returns how many."""
    due = ReportLink.objects.filter(letter_at__lte=now).select_related("counter__agency").order_by("letter_at", "pk")
    return sum(_begin_week(link, now) for link in due[:LINKS_A_TICK])


@transaction.atomic
def _begin_week(link: ReportLink, now: datetime) -> bool:
    moment = link.letter_at
    assert moment is not None
    # An expired link has no next letter until somebody prolongs it.
    ahead = next_letter(link.counter, weekday=link.weekday, hour=link.hour, after=now) if not link.is_expired else None
    if not ReportLink.objects.filter(pk=link.pk, letter_at=moment, withdrawn_at=None).update(letter_at=ahead):
        return False
    if not link.is_good:
        return False
    services.start_letters(link, told_by(last_of(moment, now=now), link.counter))
    return True


def bring_up(now: datetime) -> int:
    """Messages to the workers about links with letters that are due, of which nobody was told lately. A message may be
    lost or doubled without harm. Returns how many."""
    untold = turns.untold(now, lost_after=MESSAGE_LOST_AFTER)
    found = list(ReportLink.objects.with_letters_due(now).filter(untold).order_by("pk").values_list("pk", flat=True))
    found = found[:LINKS_A_TICK]
    ReportLink.objects.filter(pk__in=found).update(enqueued_at=now)
    for link_id in found:
        async_task("apps.reports.tasks.send_letters", link_id, task_name=f"report {link_id}")
    return len(found)


def wake(link: ReportLink) -> None:
    """Tell the workers of this link at once, after what the caller has committed."""
    ReportLink.objects.filter(pk=link.pk).update(enqueued_at=timezone.now())
    call = partial(async_task, "apps.reports.tasks.send_letters", link.pk, task_name=f"report {link.pk}")
    transaction.on_commit(call, robust=True)
