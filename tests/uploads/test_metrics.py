"""/metrics against real runs: what it says is what happened, in whichever process."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from apps.counters.addresses import host_of
from apps.counters.models import Breaker, MetricaAccount
from apps.counters.quotas.kinds import Call, Kind
from apps.counters.quotas.places import reserve
from apps.counters.quotas.sharing import caller_of
from apps.orders.models import StatusChange
from apps.uploads import heartbeats, scheduler
from apps.uploads.models import Upload, UploadJob, UploadState
from project.processes import Processes
from tests.factories import make_account
from tests.uploads.conftest import Shop

TOKEN = "for Prometheus"


@pytest.fixture(autouse=True)
def _token(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN


def read() -> dict[str, float]:
    """{name or name{label}: value}."""
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    found = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        assert family.documentation and family.type in ("gauge", "counter")
        for sample in family.samples:
            label = f"{{{','.join(sample.labels.values())}}}" if sample.labels else ""
            found[sample.name.removeprefix("goalpost_") + label] = sample.value
    return found


def test_there_is_no_such_page_without_the_setting(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize("given", ["", TOKEN, f"Bearer {TOKEN}x", "Bearer ", f"OAuth {TOKEN}"])
def test_without_the_token_nothing_is_said(client: Client, given: str) -> None:
    answer = client.get("/metrics", headers={"Authorization": given})
    assert answer.status_code == 401
    assert b"goalpost_" not in answer.content


def test_a_run_is_told_as_it_was(make_shop: Callable[..., Shop]) -> None:
    shop, other = make_shop(), make_shop()
    shop.push("N-1", "a1", "a2")
    shop.push("N-2", "a1")
    other.push("N-3", "a1")
    other.push("N-4", "never mapped")
    said = read()
    assert (said["changes_waiting"], said["changes_delivered_total"]) == (4, 0)
    assert 0 < said["oldest_waiting_change_seconds"] < 60
    shop.fault("server_error")
    shop.fault("refuse_row", order_id="N-2", count=None)
    other.fault("cut_after")
    first, second = shop.upload(), other.upload()
    scheduler.tick()
    said = read()
    delivered = StatusChange.objects.filter(delivery="delivered").count()
    assert said["changes_delivered_total"] == delivered == first.delivered + second.delivered == 3
    assert said["changes_rejected_total"] == 1
    assert said["changes_held{unmapped_status}"] == 1
    assert (said["changes_waiting"], said["oldest_waiting_change_seconds"]) == (0, 0)
    passed = Upload.objects.filter(state=UploadState.PASSED).count()
    assert said["upload_outcomes_total{passed}"] + said["upload_outcomes_total{adopted}"] == passed
    assert said["upload_outcomes_total{adopted}"] == said["upload_outcomes_total{unknown}"] == 1
    assert said["upload_outcomes_total{postponed}"] == 1
    refused = Upload.objects.filter(state=UploadState.REFUSED).count()
    assert said["upload_outcomes_total{refused}"] == refused == 2
    attempts = sum(Upload.objects.values_list("attempts", flat=True))
    ended = ("passed", "refused", "postponed", "unknown", "failed")
    assert sum(said[f"upload_outcomes_total{{{outcome}}}"] for outcome in ended) == attempts
    for stage in ("planning", "writing", "sending", "reconciling", "settling"):
        assert said[f"stage_seconds_total{{{stage}}}"] > 0, stage
    assert said["ticks_total"] == 1
    assert (said["uploads_unsettled"], said["jobs{queued}"], said["jobs{running}"]) == (0, 0, 0)


def test_the_age_of_the_queue_is_that_of_the_job_nobody_takes(shop: Shop) -> None:
    assert read()["oldest_claimable_job_seconds"] == 0
    shop.push("N-5", "a1")
    job = shop.ask()
    now = timezone.now()
    jobs = UploadJob.objects.filter(pk=job.pk)
    jobs.update(waiting_since=now - timedelta(minutes=10))
    assert 600 <= read()["oldest_claimable_job_seconds"] < 660
    jobs.update(not_before=now - timedelta(minutes=2))
    assert 120 <= read()["oldest_claimable_job_seconds"] < 180
    jobs.update(not_before=now + timedelta(minutes=2))
    assert read()["oldest_claimable_job_seconds"] == 0
    jobs.update(state="running", not_before=None, lease_until=now + timedelta(minutes=1))
    assert read()["oldest_claimable_job_seconds"] == 0
    jobs.update(lease_until=now - timedelta(minutes=3))
    assert 180 <= read()["oldest_claimable_job_seconds"] < 240
    jobs.update(lease_until=None, waiting_since=now - timedelta(minutes=4))
    assert 240 <= read()["oldest_claimable_job_seconds"] < 300


def test_workers_are_counted_by_their_signs_of_life(db: None) -> None:
    heartbeats.beat("worker a 1")
    heartbeats.beat("worker b 1")
    heartbeats.beat(heartbeats.TICK)
    said = read()
    assert said["workers"] == 2
    assert 0 <= said["tick_age_seconds"] < 10 and "queue_age_seconds" not in said


def test_what_another_process_did_is_told_here(shop: Shop, processes: Processes) -> None:
    shop.push("N-6", "a1", "a2")
    command = [sys.executable, "manage.py", "upload", "--agency", shop.counter.agency.slug]
    command += ["--counter", str(shop.counter.metrica_id), "--wait"]
    done = subprocess.run(command, env=processes.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert read()["changes_delivered_total"] == 2


def test_what_is_left_of_the_day_and_who_does_not_answer(shop: Shop) -> None:
    account = shop.counter.account
    assert account is not None
    fresh = read()[f"quota_left{{{account.pk}}}"]
    assert read()[f"quota_limit{{{account.pk}}}"] >= fresh > 0
    shop.push("N-9", "a1", "a2")
    shop.upload()
    said = read()
    assert said[f"quota_left{{{account.pk}}}"] == fresh - 2
    assert said["open_breakers"] == 0
    Breaker.objects.create(
        host=host_of(account), account=account, opened_at=timezone.now(), retry_at=timezone.now(), code="timeout"
    )
    assert read()["open_breakers"] == 1


def test_nothing_big_is_counted_whatever_the_number_of_counters(make_shop: Callable[..., Shop]) -> None:
    make_shop().push("N-7", "never mapped")
    with CaptureQueriesContext(connection) as few:
        read()
    for _ in range(4):
        make_shop().push("N-8", "never mapped")
    with CaptureQueriesContext(connection) as many:
        text = str(read())
    assert len(many) == len(few) <= 16
    assert "login" not in text and "agency" not in text


def test_the_days_of_all_logins_are_read_together(db: None, settings: Any) -> None:
    """Whether they have called today or never, and where the day is nearly used up."""
    settings.METRICA_CALLS_PER_DAY = 2
    costs: list[int] = []
    made: list[MetricaAccount] = []
    for number in (2, 3, 25):
        made += [make_account() for _ in range(number)]
        account = made[-1]
        for _ in range(2):
            reserve(caller=caller_of(account), call=Call(Kind.CDP_WRITE), seconds=60).release()
        with CaptureQueriesContext(connection) as asked:
            said = read()
        costs.append(len(asked))
        assert said[f"quota_left{{{account.pk}}}"] == 0
        assert sum(value == 2 for name, value in said.items() if name.startswith("quota_left")) == len(made) - len(
            costs
        )
    assert len(set(costs)) == 1, costs
