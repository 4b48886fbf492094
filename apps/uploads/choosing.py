"""Whose turn it is: of all jobs that a worker may take, the one that it takes next (R10).

Agencies take turns: first comes the one with the fewest jobs being worked on, then the one for which least was done
lately. Within an agency, counters with a window that closes soon come first, then changes that have just come and go as
they come, then the job that has waited longest. While several agencies have counters, none takes the last slot of all
workers, so whoever comes next finds one free.
"""

import math
from collections import Counter as Counting
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, Exists, F, OuterRef, QuerySet, Value, When
from django.utils import timezone

from apps.counters import clock, schedule
from apps.counters.models import AccountState, Counter
from apps.uploads import heartbeats
from apps.uploads import lease as leases
from apps.uploads.lease import Lease
from apps.uploads.models import JobState, UploadJob, WorkDone

HALF_LIFE: Final = timedelta(minutes=10)
"""After so long, work that was done for an agency weighs half as much."""

_TRIES: Final = 3
_ONE_CHOOSES: Final = 0x474F_5455_524E  # tells this lock of PostgreSQL from others'


@dataclass(frozen=True, slots=True)
class Floor:
    """Who works now. `slots`: how many jobs all living workers together can have in hand; 0 where none gives a sign of
    life. `busy`: how many are in hand, by agency. `shared`: more than one agency may have work."""

    slots: int
    busy: Counting[int]
    shared: bool

    @classmethod
    def now(cls, *, without: UUID | None = None) -> Self:
        """As it is; `without`: as it would be without this job. Three cheap queries."""
        held = UploadJob.objects.in_hand(clock.present())
        if without is not None:
            held = held.exclude(pk=without)
        busy = Counting(held.values_list("counter__agency_id", flat=True))
        connected = Counter.objects.active().filter(account__state=AccountState.CONNECTED)
        agencies = connected.order_by().values_list("agency_id", flat=True).distinct()[:2]
        return cls(slots=heartbeats.slots(), busy=busy, shared=len(agencies) > 1)

    @property
    def most(self) -> int:
        """How many slots one agency may take."""
        return self.slots - 1 if self.shared and self.slots > 1 else max(self.slots, 1)

    @property
    def full_with_one_more(self) -> bool:
        """True where an agency that comes with work would have to wait for the end of somebody's step, once another job
        is in hand."""
        return self.shared and 0 < self.slots <= self.busy.total() + 1

    def takeable(self) -> QuerySet[UploadJob]:
        """Jobs that a worker may take now, in no order."""
        running = UploadJob.objects.filter(counter=OuterRef("counter"), state=JobState.RUNNING)
        jobs = UploadJob.objects.claimable(clock.present()).filter(~Exists(running.exclude(pk=OuterRef("pk"))))
        # Without any sign of life somebody works by hand, and takes what there is.
        sated = [agency for agency, jobs in self.busy.items() if self.slots and jobs >= self.most]
        return jobs.exclude(counter__agency_id__in=sated) if sated else jobs

    def in_turn(self) -> QuerySet[UploadJob]:
        """The same, whose turn it is first. One query, whose cost grows with the number of these jobs alone."""
        agency = "counter__agency_id"
        order: list[Any] = []
        if self.busy:  # PostgreSQL takes a bare number for the place of a column
            busy = (When(**{agency: one}, then=Value(jobs)) for one, jobs in self.busy.items())
            order.append(Case(*busy, default=Value(0)))
        just_come = When(started_at=None, counter__schedule=schedule.AS_THEY_COME, then=Value(1))
        jobs = self.takeable().annotate(
            agency=F(agency),
            done=F("counter__agency__upload_work__weight"),
            just_come=Case(just_come, default=Value(0)),
        )
        order += [F("done").asc(nulls_first=True), "-urgent", "-just_come", "waiting_since", "pk"]
        return jobs.order_by(*order)


class _First(NamedTuple):
    """The job whose turn it would be."""

    agency: int
    done: float | None
    urgent: bool
    just_come: int


def take_next() -> Lease | None:
    """Takes the job whose turn it is; None where there is none to be taken. One worker chooses at a time, so that none
    chooses by what another is just changing."""
    with transaction.atomic(durable=True):
        alone()
        for job_id in Floor.now().in_turn().values_list("pk", flat=True)[:_TRIES]:
            if (lease := leases.take(job_id)) is not None:
                return lease
    return None


def alone() -> None:
    """Until the end of this transaction nobody else chooses. SQLite needs none of it: there one transaction writes."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ONE_CHOOSES])


def others_first(*, job: UploadJob, agency_id: int, seconds: float, floor: Floor) -> bool:
    """True where, if the job were put back after `seconds` of work, another would have the turn for a better reason
    than having waited: it belongs to an agency that is worse off, or is more pressing. `floor`: without the job."""
    found: list[Any] = list(floor.in_turn().values_list(*_First._fields)[:1])
    if not found:
        return False
    first = _First(*found[0])
    if first.agency == agency_id:
        return (first.urgent, first.just_come) > (job.urgent, 0)
    ours = WorkDone.objects.filter(agency=agency_id).values_list("weight", flat=True).first()
    mine = (floor.busy[agency_id], _sum(ours, seconds=seconds, at=timezone.now()))
    return (floor.busy[first.agency], -math.inf if first.done is None else first.done) < mine


def note_work(*, agency_id: int, seconds: float) -> None:
    """A worker has just worked so long for the agency."""
    at = timezone.now()
    with transaction.atomic():
        WorkDone.objects.get_or_create(agency_id=agency_id, defaults={"weight": _weight(0.0, at)})
        done = WorkDone.objects.select_for_update().get(agency_id=agency_id)
        done.weight = _sum(done.weight, seconds=seconds, at=at)
        done.save(update_fields=["weight"])


def _sum(weight: float | None, *, seconds: float, at: datetime) -> float:
    """The weight of what was done before together with this."""
    added = _weight(seconds, at)
    if weight is None:
        return added
    return max(weight, added) + math.log2(1 + 2 ** -abs(weight - added))


def _weight(seconds: float, at: datetime) -> float:
    """Work that fades with time, on a scale on which it need not be touched to fade: the logarithm of the seconds, plus
    the half-lives that have passed since 1970. What is newer weighs more, and two can be compared at any time."""
    return math.log2(max(seconds, 0.001)) + at.timestamp() / HALF_LIFE.total_seconds()


def waiting_jobs(*, limit: int) -> int:
    """How many jobs could be taken now, at most `limit`."""
    if not UploadJob.objects.claimable(clock.present()).exists():
        return 0
    return len(Floor.now().takeable().order_by().values_list("pk", flat=True)[:limit])
