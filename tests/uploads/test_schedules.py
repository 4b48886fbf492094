"""The tick and the jobs: each thing that is due happens, and happens once."""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success, Task

from apps.audit.models import AuditEntry, AuditLink
from apps.counters.models import Counter
from apps.counters.services import pause, update_counter
from apps.orders.models import Delivery, StatusChange
from apps.uploads import events, heartbeats, queueing, scheduler, services
from apps.uploads.models import Heartbeat, JobState, Permit, Trigger, UploadJob
from apps.uploads.runner import run_job
from tests.factories import make_counter
from tests.uploads.conftest import Shop
from tests.uploads.messages import forget_messages, messages, work


def due(shop: Shop, schedule: str, *, ago: timedelta = timedelta(seconds=1)) -> Counter:
    shop.counter = update_counter(counter=shop.counter, schedule=schedule)
    Counter.objects.filter(pk=shop.counter.pk).update(next_upload_at=timezone.now() - ago)
    shop.counter.refresh_from_db()
    return shop.counter


def test_a_due_counter_gets_one_job_and_its_next_time(shop: Shop) -> None:
    shop.push("P-1", "a1")
    due(shop, "5m")
    scheduler.tick()
    scheduler.tick()
    [job] = UploadJob.objects.all()
    assert (job.trigger, job.state) == (Trigger.SCHEDULE, JobState.QUEUED)
    assert shop.upload(job).delivered == 1


def test_ticks_at_once_start_one_job_for_each_counter(make_shop: Callable[..., Shop]) -> None:
    """Whoever holds the counter's row moves the time on and starts the job; the others pass it over."""
    for number in range(6):
        shop = make_shop()
        shop.push(f"P-{number}", "a1")
        due(shop, "1h")
    ready = threading.Barrier(3)

    def tick(_number: int) -> int:
        ready.wait()
        try:
            return scheduler.start_due_counters()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        started = sum(pool.map(tick, range(3)))
    assert started == UploadJob.objects.count() == UploadJob.objects.values("counter").distinct().count() == 6
    assert not Counter.objects.due(timezone.now()).exists()


def test_a_hundred_due_counters_cost_one_look_more_than_one(
    shop: Shop, django_assert_num_queries: Callable[..., Any]
) -> None:
    """Nothing is due of any of them but their time. They go by the hundred, and somebody may come after these."""
    due(shop, "5m")
    with django_assert_num_queries(5):
        assert scheduler.start_due_counters() == 0
    for _number in range(99):
        make_counter(account=shop.counter.account, schedule="5m")
    Counter.objects.update(next_upload_at=timezone.now() - timedelta(minutes=1))
    with django_assert_num_queries(5 + 3):
        assert scheduler.start_due_counters() == 0
    assert not Counter.objects.due(timezone.now()).exists()


def test_a_counter_whose_job_cannot_be_made_takes_nobody_else_s_turn(
    make_shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    shops = [make_shop() for _each in range(3)]
    for shop in shops:
        shop.push("P-1", "a1")
        due(shop, "1h")

    def request(*, counter: Counter, **options: Any) -> UploadJob:
        if counter == shops[0].counter:
            _break()
        return services.request_upload(counter=counter, **options)

    monkeypatch.setattr(scheduler, "request_upload", request)
    with pytest.raises(ZeroDivisionError):
        scheduler.start_due_counters()
    assert set(UploadJob.objects.values_list("counter", flat=True)) == {shop.counter.pk for shop in shops[1:]}
    assert list(Counter.objects.due(timezone.now())) == [shops[0].counter]


def test_a_turn_is_not_lost_where_its_job_could_not_be_made(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.push("P-2", "a1")
    due(shop, "daily 03:00")
    with monkeypatch.context() as patch:
        patch.setattr(scheduler, "request_upload", _break)
        with pytest.raises(ZeroDivisionError):
            scheduler.start_due_counters()
    assert scheduler.start_due_counters() == 1


def _break(**_options: Any) -> None:
    raise ZeroDivisionError


def test_a_missed_time_is_made_up_once_and_the_rhythm_stays(shop: Shop) -> None:
    shop.push("P-3", "a1")
    counter = due(shop, "5m", ago=timedelta(days=3))
    planned = counter.next_upload_at
    scheduler.tick()
    counter.refresh_from_db()
    assert planned is not None and counter.next_upload_at is not None
    assert timedelta(0) < counter.next_upload_at - timezone.now() <= timedelta(minutes=5)
    assert (counter.next_upload_at - planned) % timedelta(minutes=5) == timedelta(0)
    assert UploadJob.objects.count() == 1


def test_a_daily_time_is_of_the_counters_day(shop: Shop) -> None:
    shop.push("P-4", "a1")
    counter = due(shop, "daily 03:00")
    scheduler.tick()
    counter.refresh_from_db()
    assert counter.next_upload_at is not None
    assert counter.next_upload_at.astimezone(UTC).strftime("%H:%M") == "00:00"  # 03:00 in Moscow


def test_where_nothing_is_due_no_job_is_made(shop: Shop) -> None:
    due(shop, "5m")
    scheduler.tick()
    assert not UploadJob.objects.exists()


def test_a_paused_counter_is_passed_over(shop: Shop) -> None:
    shop.push("P-5", "a1")
    due(shop, "5m")
    pause(counter=shop.counter, reason="")
    scheduler.tick()
    assert not UploadJob.objects.exists()
    assert StatusChange.objects.get().hold_reason == "counter_paused"


def test_as_they_come_an_accepted_change_asks_for_a_job_at_once(shop: Shop) -> None:
    shop.counter = update_counter(counter=shop.counter, schedule="as they come")
    shop.push("C-1", "a1")
    shop.push("C-2", "a1")
    [job] = UploadJob.objects.all()
    assert (job.trigger, job.state, messages()) == (Trigger.SCHEDULE, JobState.QUEUED, 1)
    assert shop.upload(job).delivered == 2
    assert UploadJob.objects.count() == 1


def test_by_hand_an_accepted_change_asks_for_nothing(shop: Shop) -> None:
    shop.push("C-3", "a1")
    assert not UploadJob.objects.exists()


def test_a_change_accepted_while_a_job_ends_is_not_missed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job has looked for the last time, but has not ended: the change finds it running and asks for none."""
    from apps.uploads import ending

    shop.counter = update_counter(counter=shop.counter, schedule="as they come")
    shop.push("C-4", "a1")
    [job] = UploadJob.objects.all()
    finish = ending.finish

    def late(**options: Any) -> None:
        shop.push("C-5", "a1")
        assert UploadJob.objects.count() == 1
        finish(**options)

    with monkeypatch.context() as patch:
        patch.setattr("apps.uploads.ending.finish", late)
        shop.upload(job)
    [follower] = UploadJob.objects.filter(state=JobState.QUEUED)
    shop.upload(follower)
    assert shop.arrived("C-5") == ["a1"]


def test_what_was_lost_between_acceptance_and_queue_is_found_by_the_tick(shop: Shop) -> None:
    shop.push("C-6", "a1")
    Counter.objects.update(schedule="as they come")  # the process died before it could ask
    scheduler.tick()
    assert UploadJob.objects.filter(state=JobState.QUEUED).count() == 1


def test_after_failures_the_next_job_by_itself_comes_later_and_later(shop: Shop, quick: Any) -> None:
    quick.UPLOAD_RETRY_SECONDS = 100
    shop.counter = update_counter(counter=shop.counter, schedule="as they come")
    shop.site.owner_login = "somebody else"
    shop.site.save()
    shop.push("C-7", "a1")
    [job] = UploadJob.objects.all()
    assert shop.upload(job).error_code == "access_denied"
    scheduler.tick()
    shop.push("C-8", "a1")
    assert UploadJob.objects.count() == 1, "Metrica would be asked the same in vain every minute"
    UploadJob.objects.update(finished_at=timezone.now() - timedelta(seconds=201))
    scheduler.tick()
    assert UploadJob.objects.count() == 2


def test_a_removed_cause_ends_the_pause_after_failures(shop: Shop, quick: Any) -> None:
    from apps.counters.services import connect_account
    from apps.orders import holds

    quick.UPLOAD_RETRY_SECONDS = 1000
    shop.counter = update_counter(counter=shop.counter, schedule="as they come")
    shop.fault("bad_token")
    shop.push("C-9", "a1")
    [job] = UploadJob.objects.all()
    assert shop.upload(job).error_code == "invalid_token"
    account = shop.counter.account
    assert account is not None
    token = f"token-{shop.counter.metrica_id}"
    connect_account(agency=account.agency, login=account.login, token=token, base_url=account.base_url)
    holds.review(shop.counter)
    [follower] = UploadJob.objects.filter(state=JobState.QUEUED)
    assert shop.upload(follower).delivered == 1


def test_one_job_waits_for_all_that_ask(shop: Shop) -> None:
    assert shop.ask() == shop.ask()
    assert messages() == 1
    some = shop.ask(only_orders=[1])
    assert some != shop.ask()


def test_the_end_of_a_job_brings_up_the_next(shop: Shop) -> None:
    shop.push("N-1", "a1")
    first = shop.ask()
    from apps.uploads.lease import claim

    lease = claim(first.pk)
    assert lease is not None
    second = shop.ask()
    forget_messages()
    run_job(second.pk)
    scheduler.tick()
    second.refresh_from_db()
    assert (second.state, messages()) == (JobState.QUEUED, 0)
    lease.release()
    shop.upload(first)
    assert messages() == 1
    work()
    second.refresh_from_db()
    assert second.state == JobState.SUCCEEDED


def test_lost_messages_and_dead_workers_are_found_again(shop: Shop, quick: Any) -> None:
    quick.UPLOAD_LEASE_SECONDS = 60
    shop.push("N-2", "a1")
    job = shop.ask()
    OrmQ.objects.all().delete()
    scheduler.tick()
    assert messages() == 0, "the message may still be under way"
    Permit.objects.update(sent_at=timezone.now() - timedelta(seconds=61))
    scheduler.tick()
    scheduler.tick()
    assert messages() == 1
    forget_messages()
    UploadJob.objects.update(state=JobState.RUNNING, lease_until=timezone.now() - timedelta(seconds=1))
    scheduler.tick()
    assert messages() == 1
    work()
    job.refresh_from_db()
    assert job.delivered == 1


def test_a_waiting_job_is_brought_up_when_its_time_has_come(shop: Shop) -> None:
    shop.push("N-3", "a1")
    shop.fault("quota_429", retry_after=300)
    shop.ask()
    work()
    scheduler.tick()
    assert messages() == 0
    UploadJob.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    scheduler.tick()
    assert messages() == 1


def test_a_long_job_lets_others_have_their_turn(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.uploads.pacing.TURN_SECONDS", 0)
    shop.push("N-4", "a1", "a2", "a3")
    job = shop.ask()
    work()
    job.refresh_from_db()
    assert (job.state, job.lease_until, messages()) == (JobState.RUNNING, None, 1)
    assert shop.upload(job).delivered == 3


def test_a_pause_between_waves_is_kept_and_costs_nothing_at_the_end(shop: Shop) -> None:
    shop.counter = update_counter(counter=shop.counter, wave_pause_seconds=600)
    shop.push("W-1", "a1", "a2")
    job = shop.ask()
    for _turn in range(4):
        run_job(job.pk)
    job.refresh_from_db()
    assert (job.state, shop.arrived("W-1")) == (JobState.RUNNING, ["a1"])
    assert job.not_before is not None
    assert timedelta(seconds=590) < job.not_before - timezone.now() <= timedelta(seconds=600)
    UploadJob.objects.update(not_before=None)
    first = shop.uploads()[0]
    type(first).objects.update(finished_at=timezone.now() - timedelta(seconds=601))
    assert shop.upload(job).state == JobState.SUCCEEDED
    assert shop.arrived("W-1") == ["a1", "a2"]


def test_the_pause_is_kept_where_the_next_status_comes_with_another_job(shop: Shop) -> None:
    """R4: each status of a shop that sends as they come has a job of its own."""
    shop.counter = update_counter(counter=shop.counter, wave_pause_seconds=600)
    shop.push("W-2", "a1")
    assert shop.upload().state == JobState.SUCCEEDED
    shop.push("W-2", "a2", at=1)
    job = shop.ask()
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.state, shop.arrived("W-2")) == (JobState.RUNNING, ["a1"])
    assert job.not_before is not None and job.not_before > timezone.now() + timedelta(seconds=590)


def test_a_waiting_job_is_cancelled_at_once(shop: Shop) -> None:
    shop.push("X-1", "a1")
    job = shop.ask()
    assert services.cancel_job(job=job)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert not services.cancel_job(job=job)
    run_job(job.pk)
    assert shop.states("X-1") == [("a1", "waiting")]


def test_a_running_job_is_cancelled_before_its_next_file(shop: Shop) -> None:
    shop.push("X-2", "a1", "a2")
    shop.fault("quota_429", retry_after=600)
    job = shop.ask()
    run_job(job.pk)
    assert services.cancel_job(job=job)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert shop.states("X-2") == [("a1", "waiting"), ("a2", "waiting")]
    assert [upload.error_code for upload in shop.uploads()] == ["cancelled"]
    assert AuditEntry.objects.filter(action="upload_job.cancelled").exists()


def test_an_ended_job_is_repeated_for_the_same_orders(shop: Shop) -> None:
    shop.push("Y-1", "a1")
    job = shop.ask(only_orders=[shop.order("Y-1").pk])
    with pytest.raises(ValidationError, match="not ended"):
        services.retry_job(job=job)
    shop.upload(job)
    again = services.retry_job(job=job)
    assert again != job and again.only_orders == job.only_orders


def test_future_statuses_are_released_when_their_time_has_come(shop: Shop) -> None:
    shop.push("F-1", "a1")
    StatusChange.objects.update(
        delivery=Delivery.HELD, hold_reason="future_date", status_date_time=timezone.now() - timedelta(minutes=1)
    )
    scheduler.tick()
    assert shop.states("F-1") == [("a1", "waiting")]


def test_a_stage_that_breaks_does_not_stop_the_others(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError

    broken.__name__ = "release_holds"
    monkeypatch.setattr(scheduler, "release_holds", broken)
    shop.push("B-1", "a1")
    due(shop, "5m")
    with pytest.raises(scheduler.TickFailed, match="release_holds"):
        scheduler.tick()
    assert UploadJob.objects.count() == 1


def test_the_tick_seals_the_audit_log_and_keeps_house(shop: Shop) -> None:
    shop.upload()
    Task.objects.create(
        id="a" * 32, name="old", func="f", started=timezone.now(), stopped=timezone.now() - timedelta(days=8)
    )
    Heartbeat.objects.create(name="worker gone", at=timezone.now() - timedelta(days=2))
    heard = []
    events.ticked.connect(lambda **details: heard.append(details["now"]), weak=False, dispatch_uid="test")
    try:
        scheduler.tick()
    finally:
        events.ticked.disconnect(dispatch_uid="test")
    assert AuditLink.objects.count() == AuditEntry.objects.count() > 0
    assert not Task.objects.exists()
    assert list(Heartbeat.objects.values_list("name", flat=True)) == [heartbeats.TICK]
    assert isinstance(heard[0], datetime)


def test_a_listener_that_breaks_takes_nobodys_turn(shop: Shop) -> None:
    def broken(**_details: Any) -> None:
        raise RuntimeError("a listener")

    heard: list[Any] = []
    events.ticked.connect(broken, dispatch_uid="broken")
    events.ticked.connect(lambda **details: heard.append(details["now"]), weak=False, dispatch_uid="test")
    try:
        with pytest.raises(scheduler.TickFailed) as failed:
            scheduler.tick()
    finally:
        events.ticked.disconnect(dispatch_uid="test")
        events.ticked.disconnect(dispatch_uid="broken")
    assert failed.value.stages == ["tell_others"]
    assert len(heard) == 1


@pytest.mark.django_db
def test_one_of_those_who_tick_has_the_turn() -> None:
    assert heartbeats.turn_of("tick", every=60)
    assert not heartbeats.turn_of("tick", every=60)
    Heartbeat.objects.update(at=timezone.now() - timedelta(seconds=61))
    assert heartbeats.turn_of("tick", every=60)


@pytest.mark.django_db
def test_the_queues_own_schedule_is_one_sound_row() -> None:
    Schedule.objects.create(func="os.system", args="nonsense(", name="foreign")
    queueing.plan_ticks()
    Schedule.objects.update(minutes=99, args="broken(")
    queueing.plan_ticks()
    [row] = Schedule.objects.all()
    assert (row.name, row.func, row.minutes, row.args) == ("tick", "apps.uploads.tasks.tick", 1, None)


def test_the_queues_own_pages_are_not_shown() -> None:
    assert not any(admin.site.is_registered(model) for model in (Schedule, Success, Failure, OrmQ))


def test_a_message_leaves_only_with_the_commit(shop: Shop) -> None:
    """A worker that is told too early finds no job, and one that is told of what was rolled back finds none ever."""
    with transaction.atomic():
        shop.ask()
        assert messages() == 0
    assert messages() == 1
    with contextlib.suppress(KeyError), transaction.atomic():
        shop.ask(only_orders=[1])
        raise KeyError
    assert messages() == 1
