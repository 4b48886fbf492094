"""When the day's calls of a login get short, changes are gathered and go in fewer files; none is lost (R10)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.counters.models import Counter
from apps.counters.quotas import DayStanding
from apps.counters.quotas.gates import Wish, count
from apps.counters.quotas.kinds import Kind
from apps.counters.quotas.sharing import caller_of, login_key
from apps.counters.quotas.stores import DatabaseStore
from apps.counters.services import update_counter
from apps.uploads import saving, scheduler
from apps.uploads.models import JobState, UploadJob
from apps.uploads.problems import describe
from apps.uploads.runner import run_job
from tests.uploads.conftest import Shop


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """Its first file has just passed."""
    shop = make_shop(schedule="as they come")
    shop.push("C-0", "a1")
    shop.upload(UploadJob.objects.get())
    return shop


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """How the login's day stands, whatever the hour at which the tests run."""

    def stands(*, left: int, short: bool = True, hours: float = 10) -> None:
        ends = timezone.now() + timedelta(hours=hours)
        told = DayStanding(limit=5000, used=5000 - left, left=left, forecast=6000, short=short, resets_at=ends)
        monkeypatch.setattr(saving, "standing", lambda account: told)

    return stands


def job_of(shop: Shop) -> UploadJob:
    return UploadJob.objects.filter(counter=shop.counter).latest("created_at")


def begin(shop: Shop) -> UploadJob:
    job = job_of(shop)
    run_job(job.pk)
    job.refresh_from_db()
    return job


def seconds_to_wait(job: UploadJob, shop: Shop) -> float:
    last = Counter.objects.get(pk=shop.counter.pk).last_passed_at
    assert job.not_before is not None and last is not None
    return (job.not_before - last).total_seconds()


def test_what_is_left_is_spread_over_the_rest_of_the_day(shop: Shop, day: Callable[..., None]) -> None:
    day(left=100)
    shop.push("C-1", "a1")
    job = begin(shop)
    assert (job.state, job.error_code) == (JobState.RUNNING, "quota_saving")
    assert seconds_to_wait(job, shop) == pytest.approx(36_000 / 80, abs=5)
    problem = describe(job.error_code)
    assert problem is not None and "larger files" in problem.message and "next attempt" in problem.next_step
    shop.push("C-2", "a1")
    shop.push("C-3", "a1")
    UploadJob.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    Counter.objects.update(last_passed_at=timezone.now() - timedelta(minutes=10))
    shop.upload(job)
    assert [upload.rows for upload in shop.uploads()] == [1, 3]
    assert (job.state, job.error_code, shop.all_delivered()) == (JobState.SUCCEEDED, "", True)


def test_counters_that_have_something_to_send_share_it(
    shop: Shop, make_shop: Callable[..., Shop], day: Callable[..., None]
) -> None:
    other = make_shop()
    Counter.objects.filter(pk=other.counter.pk).update(account=shop.counter.account)
    other.ask()
    day(left=100)
    shop.push("C-1", "a1")
    assert seconds_to_wait(begin(shop), shop) == pytest.approx(2 * 36_000 / 80, abs=5)


def test_nobody_waits_for_longer_than_the_day(shop: Shop, day: Callable[..., None]) -> None:
    day(left=1, hours=0.5)
    shop.push("C-1", "a1")
    assert seconds_to_wait(begin(shop), shop) <= 1801


def test_a_login_that_has_used_its_day_up_waits_for_the_next(shop: Shop) -> None:
    """With the calls really counted."""
    account = shop.counter.account
    assert account is not None

    def spend(states: dict[str, Any], now: float) -> None:
        for _number in range(5000):
            count(states[key], Wish("", account.agency_id, Kind.CDP_WRITE, 0.0), now)

    key = login_key(caller_of(account))
    DatabaseStore().change([key], spend, seeds=lambda keys: {key: {} for key in keys})
    shop.push("C-1", "a1")
    job = begin(shop)
    assert (job.error_code, shop.sends()) == ("quota_saving", 1)
    assert job.not_before is not None and job.not_before.strftime("%H:%M") == "00:00"


@pytest.mark.parametrize(("schedule", "waits"), [("as they come", True), ("5m", True), ("1h", False)])
def test_only_counters_that_send_often_wait(shop: Shop, day: Callable[..., None], schedule: str, waits: bool) -> None:
    shop.counter = update_counter(counter=shop.counter, schedule="manual")
    shop.push("C-1", "a1")
    shop.counter = update_counter(counter=shop.counter, schedule=schedule)
    Counter.objects.filter(next_upload_at__isnull=False).update(next_upload_at=timezone.now())
    day(left=100)
    scheduler.tick()
    job = begin(shop)
    assert (job.error_code == "quota_saving") is waits
    assert shop.all_delivered() is not waits


def test_a_schedule_goes_on_meanwhile_and_nothing_is_lost(shop: Shop, day: Callable[..., None]) -> None:
    shop.counter = update_counter(counter=shop.counter, schedule="5m")
    day(left=100)
    for number in range(1, 4):
        shop.push(f"C-{number}", "a1")
        Counter.objects.update(next_upload_at=timezone.now())
        scheduler.tick()
        for job in UploadJob.objects.unfinished():
            run_job(job.pk)
    assert sorted(UploadJob.objects.unfinished().values_list("state", flat=True)) == ["queued", "running"]
    day(left=4000, short=False)
    scheduler.tick()
    for job in UploadJob.objects.unfinished().order_by("created_at"):
        shop.upload(job)
    assert shop.all_delivered()
    assert [upload.rows for upload in shop.uploads()] == [1, 3]
    assert Counter.objects.get(pk=shop.counter.pk).next_upload_at is not None


def test_who_asks_for_an_upload_does_not_wait(shop: Shop, day: Callable[..., None]) -> None:
    day(left=100)
    shop.push("C-1", "a1")
    job = begin(shop)
    assert not shop.all_delivered()
    asked = shop.ask()
    shop.upload(job)
    shop.upload(asked)
    assert shop.all_delivered()


def test_nor_does_who_asks_while_the_schedules_job_is_still_queued(shop: Shop, day: Callable[..., None]) -> None:
    day(left=100)
    shop.push("C-1", "a1")
    queued = job_of(shop)
    assert shop.ask() == queued
    assert shop.upload(queued).trigger == "person"
    assert shop.all_delivered()


def test_windows_that_close_soon_do_not_wait(shop: Shop, day: Callable[..., None]) -> None:
    day(left=100)
    shop.push("C-1", "a1")
    job = begin(shop)
    created = timezone.now() - timedelta(days=20.5)
    shop.push("U-1", "a1", create_date_time=created.isoformat())
    scheduler.tick()
    assert shop.upload(job).delivered == 2
    assert job.urgent


def test_the_tick_wakes_those_who_waited_once_there_is_enough(shop: Shop, day: Callable[..., None]) -> None:
    day(left=100)
    shop.push("C-1", "a1")
    job = begin(shop)
    scheduler.tick()
    run_job(job.pk)
    assert not shop.all_delivered()
    day(left=4000, short=False)
    scheduler.tick()
    assert shop.upload(job).delivered == 1
