"""Of each tick: imports whose message was lost are told to the workers again; old files go.

A file that nobody imported goes after a day. After an import its file and its report are kept for 30 days, so that rows
can be corrected; what the import did stays on its page, and what came of each row in the orders' timelines.
"""

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from apps.counters import clock, turns
from apps.imports import files
from apps.imports.claims import enqueue
from apps.imports.models import ENDED, ImportJob, ImportState, ReportPart

log = structlog.get_logger(__name__)

DRAFT_KEPT = timedelta(days=1)
FILE_KEPT = timedelta(days=30)
_AT_ONCE = 100


def on_tick(*, now: datetime, **_details: Any) -> None:
    bring_up(now)
    prune(now=now)


def bring_up(now: datetime) -> int:
    """Messages about imports that can be taken but of which nobody has told the workers lately. Returns how many."""
    untold = turns.untold(now, lost_after=timedelta(seconds=settings.UPLOAD_LEASE_SECONDS))
    busy = ImportJob.objects.filter(state=ImportState.RUNNING).values("counter")
    free = Q(state=ImportState.RUNNING) | ~Q(counter__in=busy)
    claimable = ImportJob.objects.claimable(clock.present()).filter(untold, free)
    found = list(claimable.order_by("id").values_list("pk", flat=True)[:_AT_ONCE])
    for job_id in found:
        enqueue(job_id)
    return len(found)


def prune(*, now: datetime) -> int:
    """Delete the files whose time is over. Returns how many imports had one."""
    drafts = ImportJob.objects.filter(state=ImportState.DRAFT, created_at__lte=now - DRAFT_KEPT)
    for job_id in list(drafts.exclude(file="").values_list("pk", flat=True)[:_AT_ONCE]):
        still = ImportJob.objects.filter(pk=job_id, state=ImportState.DRAFT)
        still.update(state=ImportState.CANCELLED, error_code="expired", finished_at=now)
    old = Q(created_at__lte=now - FILE_KEPT) | Q(started_at=None, created_at__lte=now - DRAFT_KEPT)
    ended = ImportJob.objects.filter(old, state__in=ENDED).exclude(file="")
    jobs = list(ended.only("pk", "file", "table")[:_AT_ONCE])
    for job in jobs:
        files.forget(job)
        with transaction.atomic():
            ReportPart.objects.filter(job=job).delete()
            ImportJob.objects.filter(pk=job.pk).update(file="", table="", sample=b"")
    if jobs:
        log.info("files of imports were deleted", number=len(jobs))
    return len(jobs)
