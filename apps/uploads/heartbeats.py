"""Signs of life, so that a page can say whether anybody works: of the tick, of the queue, of each worker."""

import os
import socket
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet, Sum
from django.utils import timezone

from apps.counters import clock
from apps.uploads.models import Heartbeat, UploadJob

TICK = "tick"
QUEUE = "queue"
WORKER = "worker "

SECONDS = 5.0
"""Between two signs of life of a worker."""

SILENT_SECONDS = 60.0
"""A worker of which nothing was heard for so long is not counted; it gives its signs between its ticks."""


def beat(name: str, *, slots: int = 0) -> None:
    """`slots`: how many jobs a worker can have in hand at once."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now(), "slots": slots})


def last(name: str) -> datetime | None:
    """The last sign of life; None if there never was one."""
    return Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()


def last_of_machines() -> dict[str, datetime]:
    """By machine, the last sign of life of any worker of it that has not said good-bye."""
    seen: dict[str, datetime] = {}
    for name, at in Heartbeat.objects.filter(name__startswith=WORKER).order_by("at").values_list("name", "at"):
        seen[name.removeprefix(WORKER).rsplit(" ", 1)[0]] = at
    return seen


def job_in_hand() -> bool:
    """Whether a worker holds a job now: behind a long one the queue's other messages wait, which is no fault."""
    return UploadJob.objects.in_hand(clock.present()).exists()


def age(name: str) -> timedelta | None:
    """Since the last sign of life; None if there never was one."""
    heartbeat = Heartbeat.objects.filter(name=name).first()
    return timezone.now() - heartbeat.at if heartbeat else None


def turn_of(name: str, *, every: float) -> bool:
    """True for one of those who ask within `every` seconds: who gets True has given the sign of life."""
    now = timezone.now()
    Heartbeat.objects.get_or_create(name=name, defaults={"at": now - timedelta(days=1)})
    due = Heartbeat.objects.filter(name=name, at__lte=now - timedelta(seconds=every))
    return due.update(at=now) == 1


def this_worker() -> str:
    return f"{WORKER}{socket.gethostname()} {os.getpid()}"[:100]


def worker_seen(*, within: float) -> bool:
    """True if any worker gave a sign of life in the last `within` seconds."""
    return Heartbeat.objects.filter(
        name__startswith=WORKER, at__gte=timezone.now() - timedelta(seconds=within)
    ).exists()


def host_of(heartbeat: Heartbeat) -> str:
    """The machine of a worker; empty for other parts."""
    return heartbeat.name.removeprefix(WORKER).rpartition(" ")[0] if heartbeat.name.startswith(WORKER) else ""


def pid_of(heartbeat: Heartbeat) -> str:
    """The process of a worker; empty for other parts."""
    return heartbeat.name.rpartition(" ")[2] if heartbeat.name.startswith(WORKER) else ""


def is_silent(heartbeat: Heartbeat) -> bool:
    """True where the next sign of life is long overdue."""
    usual = {TICK: settings.TICK_SECONDS, QUEUE: max(60, settings.TICK_SECONDS)}.get(heartbeat.name, SECONDS)
    return timezone.now() - heartbeat.at > timedelta(seconds=max(SILENT_SECONDS, 5 * usual))


def workers_alive() -> int:
    """How many workers gave a sign of life lately."""
    return _living().count()


def slots() -> int:
    """How many jobs all living workers together can have in hand at once."""
    return _living().aggregate(slots=Sum("slots"))["slots"] or 0


def _living() -> QuerySet[Heartbeat]:
    since = timezone.now() - timedelta(seconds=SILENT_SECONDS)
    return Heartbeat.objects.filter(name__startswith=WORKER, at__gte=since)


def forget_worker(name: str) -> None:
    Heartbeat.objects.filter(name=name).delete()


def prune(*, days: int = 1) -> None:
    """Workers that are long gone."""
    old = timezone.now() - timedelta(days=days)
    Heartbeat.objects.filter(name__startswith=WORKER, at__lt=old).delete()
