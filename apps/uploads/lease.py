"""Who owns a running job, and that nobody else writes for it: a lease with a fence.

A claim is a compare-and-swap that raises the job's fence. Each later step is one transaction that first asks whether
the fence is still ours; a worker that was thought dead and comes back therefore changes nothing. How long a lease lasts
is told and read on the database's clock: those of the machines may differ.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Case, F, PositiveIntegerField, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.counters import clock
from apps.uploads.models import JobState, UploadJob


class LeaseLost(Exception):
    """Another worker took the job over, or the job has ended: stop without writing anything."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one job."""

    job_id: UUID
    fence: int

    @contextlib.contextmanager
    def step(self, *, seconds: float = 0.0, more_follow: bool = False) -> Iterator[None]:
        """One committed step of the work; renews the lease. `seconds`: how long the next thing outside may take.

        `more_follow`: nothing outside the database rests on this step before a later one is committed, so PostgreSQL
        need not wait for its disk: if the server itself goes down, it may forget the step with all that came after.
        Raises LeaseLost, and then nothing of the step is written.
        """
        with transaction.atomic(durable=True):
            if more_follow and connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL synchronous_commit = off")
            if not self._mine().update(lease_until=clock.ahead(settings.UPLOAD_LEASE_SECONDS + seconds)):
                raise LeaseLost
            yield

    def extend(self, *, seconds: float) -> None:
        """Keep the job for what comes next outside the database and may take so long. Raises LeaseLost."""
        with self.step(seconds=seconds):
            pass

    def release(self, *, not_before: datetime | None = None) -> bool:
        """Let go of the job so that it can be claimed again, at once or from `not_before` (aware) on. False where it is
        ours no longer."""
        again = not_before or timezone.now()
        return bool(self._mine().update(lease_until=None, not_before=not_before, waiting_since=again))

    def _mine(self) -> QuerySet[UploadJob]:
        return UploadJob.objects.filter(pk=self.job_id, state=JobState.RUNNING, fence=self.fence)


def claim(job_id: UUID) -> Lease | None:
    """Take a job: a queued one, or a running one that nobody holds. None where there is nothing to take.

    Also None while another job of the same counter runs: one at a time, on any number of machines.
    """
    with transaction.atomic(durable=True):
        return take(job_id)


def take(job_id: UUID) -> Lease | None:
    """The same within a transaction; whoever works must have it committed first."""
    now = timezone.now()
    # Taken over from a worker that gave no sign of life: it broke down there.
    broke_down = When(state=JobState.RUNNING, lease_until__isnull=False, then=F("breakdowns") + 1)
    try:
        with transaction.atomic():
            taken = (
                UploadJob.objects.claimable(clock.present())
                .filter(pk=job_id)
                .update(
                    state=JobState.RUNNING,
                    fence=F("fence") + 1,
                    lease_until=clock.ahead(settings.UPLOAD_LEASE_SECONDS),
                    not_before=None,
                    started_at=Coalesce("started_at", Value(now)),
                    breakdowns=Case(broke_down, default=F("breakdowns"), output_field=PositiveIntegerField()),
                )
            )
    except IntegrityError:
        return None
    if not taken:
        return None
    return Lease(job_id, UploadJob.objects.values_list("fence", flat=True).get(pk=job_id))
