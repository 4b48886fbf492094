"""Messages to the workers. One is a permit to work for a turn: which job is worked on, the worker chooses when it has
the permit in hand. So a few permits on their way are enough, however many jobs wait, and none that is lost or doubled
does harm: each is a row as well, and the worker's round sends what is missing."""

from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success
from django_q.tasks import async_task

from apps.uploads import choosing, heartbeats
from apps.uploads.models import Permit

log = structlog.get_logger(__name__)

TICK_SCHEDULE = "tick"

_FEWEST = 4
_FOR_A_SLOT = 2
"""One to be worked by, and one to follow without a pause."""


def call_worker() -> None:
    """A job can be taken: send a permit once the present transaction is committed, unless enough are on their way.
    Whoever ends a turn sends what is missing then."""
    if Permit.objects.count() < _enough():
        _issue(1)


def send_missing(*, lost_after: float | None = None) -> int:
    """Send permits for the jobs that can be taken, as many as are missing. Returns how many.

    `lost_after`: seconds after which a permit that nobody used counts as lost.
    """
    wanted = choosing.waiting_jobs(limit=_enough())
    if not wanted:
        return 0
    seconds = settings.UPLOAD_LEASE_SECONDS if lost_after is None else lost_after
    with transaction.atomic():
        choosing.alone()
        Permit.objects.filter(sent_at__lte=timezone.now() - timedelta(seconds=seconds)).delete()
        missing = max(wanted - Permit.objects.count(), 0)
        _issue(missing)
    return missing


def use(permit_id: UUID) -> None:
    """The permit has arrived. One that counted as lost meanwhile serves as well."""
    Permit.objects.filter(pk=permit_id).delete()


def _enough() -> int:
    return max(_FEWEST, _FOR_A_SLOT * heartbeats.slots())


def _issue(number: int) -> None:
    permits = [permit.pk for permit in Permit.objects.bulk_create(Permit() for _one in range(number))]

    def send() -> None:
        for permit_id in permits:
            _send(permit_id)

    transaction.on_commit(send, robust=True)


def _send(permit_id: UUID) -> None:
    """A queue that does not answer is nobody's error: the job is kept by now, and the worker's round tries again."""
    try:
        async_task("apps.uploads.tasks.work", str(permit_id), task_name=f"permit {permit_id}")
    except Exception as error:
        log.warning("the queue did not take a message", permit=str(permit_id), error=str(error))
        Permit.objects.filter(pk=permit_id).delete()


def hide_queue_admin() -> None:
    """The queue's own pages let a person name any function to be run: they are not shown."""
    for model in (Schedule, Success, Failure, OrmQ):
        if admin.site.is_registered(model):
            admin.site.unregister(model)


def plan_ticks() -> None:
    """The queue's own schedule of the tick: each minute, whatever else ticks. It also proves that messages pass."""
    known = Schedule.objects.filter(name=TICK_SCHEDULE).first()
    # One malformed row stops all schedules, so no other is left, and ours is as it should be.
    Schedule.objects.exclude(pk=known.pk if known else None).delete()
    Schedule.objects.update_or_create(
        name=TICK_SCHEDULE,
        defaults={
            "func": "apps.uploads.tasks.tick",
            "schedule_type": Schedule.MINUTES,
            "minutes": 1,
            "repeats": -1,
            "next_run": timezone.now(),
            "args": None,
            "kwargs": None,
            "hook": None,
            "cluster": None,
            "intended_date_kwarg": None,
        },
    )
