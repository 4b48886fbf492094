"""Who takes a file in now, and that nobody else writes for it: a lease with a fence, taken by compare-and-swap."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Case, F, PositiveIntegerField, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django_q.tasks import async_task

from apps.counters import clock, turns
from apps.counters.turns import LongTurn, TurnLost
from apps.imports.models import ImportJob, ImportState

TURN_SECONDS = 120.0


@dataclass(slots=True)
class Turn(LongTurn):
    """One claim of an import."""

    job_id: UUID

    @property
    def longest(self) -> float:
        return TURN_SECONDS

    def release(self, *, not_before: datetime | None = None) -> None:
        """Let go, so that it can be claimed again, at once or from `not_before` (aware) on."""
        self.mine().update(lease_until=None, not_before=not_before)

    def end(self, state: ImportState, **fields: Any) -> None:
        """Raises TurnLost."""
        ended = {"state": state, "finished_at": timezone.now(), "lease_until": None, "not_before": None}
        if not self.mine().update(**ended, **fields):
            raise TurnLost

    def mine(self) -> QuerySet[ImportJob]:
        return ImportJob.objects.filter(pk=self.job_id, state=ImportState.RUNNING, fence=self.fence)


def claim(job_id: UUID) -> Turn | None:
    """Take an import that waits or whose worker is gone; None where there is nothing to take, or while another import
    of the same counter runs."""
    broke_down = When(state=ImportState.RUNNING, lease_until__isnull=False, then=F("breakdowns") + 1)
    fields = {
        "state": ImportState.RUNNING,
        "not_before": None,
        "started_at": Coalesce("started_at", Value(timezone.now())),
        "breakdowns": Case(broke_down, default=F("breakdowns"), output_field=PositiveIntegerField()),
    }
    claimable = ImportJob.objects.claimable(clock.present())
    try:
        with transaction.atomic():
            fence = turns.take(claimable, job_id, seconds=settings.UPLOAD_LEASE_SECONDS, **fields)
    except IntegrityError:
        return None
    return None if fence is None else Turn(fence, job_id)


def enqueue(job_id: UUID) -> None:
    """Put a message about the import into the queue, once the present transaction is committed. It may be lost or
    doubled without harm: the tick finds what was lost, and a claim is given once."""
    ImportJob.objects.filter(pk=job_id).update(enqueued_at=timezone.now())
    transaction.on_commit(
        lambda: async_task("apps.imports.tasks.take_in", str(job_id), task_name=f"import {job_id}"), robust=True
    )


def enqueue_next(counter_id: int) -> None:
    """The counter's next import, now that its last one has ended."""
    waiting = ImportJob.objects.filter(counter=counter_id, state=ImportState.QUEUED).order_by("id")
    job_id = waiting.values_list("pk", flat=True).first()
    if job_id is not None:
        enqueue(job_id)
