"""Whose turn it is: agencies take turns, none has all workers, and a few messages are enough for any number of jobs."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from apps.agencies.models import Agency
from apps.counters.models import Counter
from apps.uploads import choosing, heartbeats, queueing, scheduler
from apps.uploads.choosing import take_next
from apps.uploads.lease import Lease
from apps.uploads.models import JobState, Permit, Trigger, UploadJob, WorkDone
from apps.uploads.pacing import SMALL_BYTES, SMALL_ROWS, Pace
from apps.uploads.services import request_upload
from tests.factories import make_account, make_agency, make_counter
from tests.uploads.messages import forget_messages, messages, work

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def north() -> Agency:
    return make_agency("north")


@pytest.fixture
def south() -> Agency:
    return make_agency("south")


def ask(agency: Agency, *, ago: float = 0, schedule: str = "manual", **fields: Any) -> UploadJob:
    """A job of a counter of its own that has waited for so many seconds."""
    account = agency.accounts.first() or make_account(agency)
    job = request_upload(counter=make_counter(account=account, schedule=schedule), trigger=Trigger.PERSON)
    UploadJob.objects.filter(pk=job.pk).update(waiting_since=timezone.now() - timedelta(seconds=ago), **fields)
    job.refresh_from_db()
    return job


def workers(slots: int) -> None:
    heartbeats.beat(heartbeats.this_worker(), slots=slots)


def took(lease: Lease | None) -> Any:
    """Primary key of the job that was taken."""
    return lease and lease.job_id


def give_back(lease: Lease | None, *, agency: Agency, seconds: float) -> None:
    assert lease is not None
    choosing.note_work(agency_id=agency.pk, seconds=seconds)
    lease.release()


def test_agencies_take_turns(north: Agency, south: Agency) -> None:
    old = [ask(north, ago=1000 - number) for number in range(5)]
    fresh = ask(south)
    taken = [took(take_next()) for _worker in range(3)]
    assert taken == [old[0].pk, fresh.pk, old[1].pk]


def test_who_was_worked_for_least_lately_comes_first(north: Agency, south: Agency) -> None:
    of_north = ask(north, ago=500)
    ask(south, ago=5)
    turns = []
    for seconds in (20, 2, 2, 2, 20):
        lease = take_next()
        agency = north if took(lease) == of_north.pk else south
        turns.append(agency.slug)
        give_back(lease, agency=agency, seconds=seconds)
    assert turns == ["north", "south", "south", "south", "south"]
    assert took(take_next()) == of_north.pk, "by now the south had more"


def test_what_was_done_fades(north: Agency, south: Agency) -> None:
    of_north, of_south = ask(north), ask(south)
    choosing.note_work(agency_id=north.pk, seconds=60)
    half_lives = 3
    WorkDone.objects.update(weight=WorkDone.objects.get().weight - half_lives)
    choosing.note_work(agency_id=south.pk, seconds=5)
    lease = take_next()
    assert took(lease) == of_south.pk, "60 seconds of then count as 7.5"
    give_back(lease, agency=south, seconds=5)
    assert took(take_next()) == of_north.pk


def test_within_an_agency_urgent_ones_then_fresh_ones_then_who_waited_longest(north: Agency) -> None:
    longest = ask(north, ago=900)
    begun = ask(north, ago=500, schedule="as they come", started_at=timezone.now())
    fresh = ask(north, ago=1, schedule="as they come")
    urgent = ask(north, ago=0, urgent=True)
    assert [took(take_next()) for _worker in range(4)] == [urgent.pk, fresh.pk, longest.pk, begun.pk]


def test_one_agency_leaves_a_slot_to_others(north: Agency, south: Agency) -> None:
    workers(3)
    for _number in range(4):
        ask(north, ago=100)
    make_counter(south)
    taken = [took(take_next()) for _worker in range(3)]
    assert all(taken[:2]) and taken[2] is None
    assert queueing.send_missing() == 0, "no message asks for what nobody may take"
    fresh = ask(south)
    assert took(take_next()) == fresh.pk


def test_an_agency_that_is_alone_has_all_slots(north: Agency, south: Agency) -> None:
    workers(2)
    jobs = {ask(north).pk for _number in range(2)}
    Agency.objects.filter(pk=south.pk).update(is_active=False)
    assert {took(take_next()) for _worker in range(2)} == jobs


def test_with_one_slot_an_agency_may_take_it(north: Agency, south: Agency) -> None:
    workers(1)
    make_counter(south)
    assert took(take_next()) is None
    job = ask(north)
    assert took(take_next()) == job.pk


def test_the_slots_of_all_living_workers_count() -> None:
    heartbeats.beat("worker here 1", slots=2)
    heartbeats.beat("worker there 1", slots=3)
    heartbeats.beat("worker gone 1", slots=9)
    heartbeats.Heartbeat.objects.filter(name="worker gone 1").update(at=timezone.now() - timedelta(minutes=2))
    heartbeats.beat(heartbeats.TICK)
    assert heartbeats.slots() == 5


def test_one_counter_has_one_job_in_hand(north: Agency) -> None:
    job = ask(north)
    assert took(take_next()) == job.pk
    request_upload(counter=Counter.objects.get(), trigger=Trigger.PERSON)
    assert take_next() is None


def test_the_choice_costs_few_queries_however_many_jobs_wait(north: Agency) -> None:
    account = make_account(north)
    counters = [make_counter(account=account) for _number in range(5)]
    UploadJob.objects.bulk_create(
        UploadJob(counter=counters[number % 5], trigger=Trigger.API, only_orders=[number]) for number in range(3000)
    )
    workers(2)
    with CaptureQueriesContext(connection) as asked:
        assert take_next() is not None
    told = [query["sql"] for query in asked if query["sql"].startswith(("SELECT", "UPDATE"))]
    assert len(told) <= 7
    assert sum(float(query["time"]) for query in asked) < 0.5


def test_a_few_messages_are_enough_for_any_number_of_jobs(north: Agency) -> None:
    """No storm: each permit that is used calls for the next. None of these jobs has anything to send."""
    for _number in range(12):
        ask(north)
    assert messages() == Permit.objects.count() == 4
    for _turn in range(12):
        work()
        assert messages() <= 4
    assert not UploadJob.objects.unfinished().exists()
    while messages():
        work()
    assert scheduler.bring_up_jobs() == 0


def test_doubled_and_spent_messages_do_no_harm(north: Agency) -> None:
    job = ask(north)
    [message] = OrmQ.objects.all()
    OrmQ.objects.create(key=message.key, payload=message.payload, lock=message.lock)
    work()
    work()
    job.refresh_from_db()
    assert (job.state, job.fence) == (JobState.SUCCEEDED, 1)


def test_the_round_sends_what_is_missing_and_no_more(north: Agency) -> None:
    for _number in range(3):
        ask(north)
    forget_messages()
    assert [scheduler.bring_up_jobs(), scheduler.bring_up_jobs()] == [3, 0]
    work()
    assert messages() == 2
    lost_after = settings.UPLOAD_LEASE_SECONDS
    Permit.objects.update(sent_at=timezone.now() - timedelta(seconds=lost_after + 1))
    assert scheduler.bring_up_jobs() == 2


def test_more_workers_get_more_messages(north: Agency) -> None:
    workers(5)
    for _number in range(15):
        ask(north)
    assert messages() == 10


@pytest.fixture
def turn(north: Agency, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pace]:
    """The north's job has been worked on for ten seconds; each look is a new one."""
    monkeypatch.setattr("apps.uploads.pacing._LOOK_EVERY", 0.0)
    job = ask(north, ago=50)
    assert took(take_next()) == job.pk
    job.refresh_from_db()
    pace = Pace(job=job, agency_id=north.pk)
    pace._began -= 10
    yield pace


def test_a_turn_is_short_where_another_agency_waits(turn: Pace, south: Agency) -> None:
    workers(1)
    assert not turn.turn_over
    ask(south)
    assert turn.turn_over
    choosing.note_work(agency_id=south.pk, seconds=60)
    assert not turn.turn_over, "it had more than the north, and waits until both had as much"


def test_others_of_the_same_agency_wait_unless_they_are_more_pressing(turn: Pace, north: Agency) -> None:
    workers(1)
    ask(north, ago=1000)
    assert not turn.turn_over
    ask(north, urgent=True)
    assert turn.turn_over


def test_files_are_small_while_no_worker_is_left_for_others(turn: Pace, south: Agency) -> None:
    workers(2)
    make_counter(south)
    assert not turn.enough(rows=SMALL_ROWS, size=SMALL_BYTES)
    workers(1)
    assert turn.enough(rows=SMALL_ROWS, size=1)
    assert turn.enough(rows=1, size=SMALL_BYTES)
    assert not turn.enough(rows=SMALL_ROWS - 1, size=1)


def test_a_file_is_closed_early_once_its_turn_is_over_for_another(turn: Pace, south: Agency) -> None:
    workers(2)
    assert not turn.enough(rows=1, size=1)
    ask(south)
    assert turn.enough(rows=1, size=1)
