"""A worker that is told to stop: what it does ends or is left, nothing is lost or doubled, the next one goes on."""

import os
import signal
import time
from typing import Any

import pytest
from django.db import connection

from apps.counters import stopping
from apps.orders.models import Order
from apps.uploads import planner
from apps.uploads.lease import claim
from apps.uploads.models import JobState, UploadState, WorkDone
from apps.uploads.runner import run_job
from project.processes import Processes
from tests.uploads.conftest import Shop, started, wait_for


@pytest.mark.processes
def test_a_step_that_takes_too_long_is_left_and_looked_up_by_the_next_worker(shop: Shop, processes: Processes) -> None:
    """Metrica has the file and answers slowly. The lease would run for half a minute; nobody waits for it."""
    processes.environment.update(STOP_SECONDS="0.5", UPLOAD_LEASE_SECONDS="30", METRICA_TIMEOUT_SECONDS="20")
    worker = started(processes)
    shop.push("S-1", "a1", "a2")
    shop.fault("latency", seconds=12, count=1)
    job = shop.ask()
    wait_for(lambda: shop.uploads(state=UploadState.SENDING), processes=processes)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=10) == 0, processes.log("worker")
    job.refresh_from_db()
    assert (job.state, job.lease_until) == (JobState.RUNNING, None)
    assert "step left in the middle" in processes.log("worker")
    began = time.monotonic()
    started(processes)
    wait_for(shop.all_delivered, processes=processes)
    assert time.monotonic() - began < 10, "the next worker waited for the lease"
    arrived = shop.arrived("S-1")
    assert list(dict.fromkeys(arrived)) == ["a1", "a2"] and arrived[-1] == "a2"


@pytest.mark.processes
def test_a_second_signal_hastens_the_end(shop: Shop, processes: Processes) -> None:
    processes.environment.update(STOP_SECONDS="60", METRICA_TIMEOUT_SECONDS="40")
    worker = started(processes)
    shop.push("S-2", "a1")
    shop.fault("latency", seconds=10, count=1)
    job = shop.ask()
    wait_for(lambda: shop.uploads(state=UploadState.SENDING), processes=processes)
    worker.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=8) == 0, processes.log("worker")
    job.refresh_from_db()
    assert job.lease_until is None


def test_a_job_that_is_left_can_be_claimed_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes while the answer is waited for: what was being sent is found by the next claim."""
    shop.push("S-3", "a1")
    job = shop.ask()

    def interrupted(*_arguments: Any, **_named: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda *_: stopping.leave())
    monkeypatch.setattr("apps.metrica.transport.Transport._send", interrupted)
    try:
        run_job(job.pk)
    finally:
        signal.signal(signal.SIGTERM, before)
    monkeypatch.undo()
    job.refresh_from_db()
    assert (job.state, job.lease_until) == (JobState.RUNNING, None)
    [upload] = shop.uploads()
    assert (upload.state, upload.attempts) == (UploadState.SENDING, 1)
    assert shop.upload(job).delivered == 1
    assert shop.arrived("S-3") == ["a1"]
    assert job.breakdowns == 0, "to leave a step is no breakdown"


def test_a_worker_that_is_to_stop_ends_its_file_early(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wave of many chunks is not planned to its end; the rest of it goes with the next file."""
    monkeypatch.setattr("apps.uploads.selection.CHUNK", 2)
    for number in range(7):
        shop.push(f"S-4-{number}", "a1")
    job = shop.ask()
    event = stopping.prepare()
    lease = claim(job.pk)
    assert lease is not None
    lease.release()
    monkeypatch.setattr("apps.uploads.runner.claim", lambda job_id: _set_after(event, claim(job_id)))
    try:
        run_job(job.pk)
    finally:
        event.clear()
    monkeypatch.undo()
    [upload] = shop.uploads()
    assert (upload.state, upload.rows) == (UploadState.PREPARED, 2)
    assert shop.upload(job).delivered == 7
    assert [upload.rows for upload in shop.uploads()] == [2, 5]


def _set_after(event: Any, lease: Any) -> Any:
    event.set()
    return lease


def test_a_step_that_is_left_within_a_query_gives_the_job_back_at_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is still busy with the query then, and takes no other."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite answers before a signal is looked at")
    shop.push("S-5", "a1")
    job = shop.ask()

    def slow(**_named: Any) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        connection.cursor().execute("SELECT pg_sleep(3)")

    before = signal.signal(signal.SIGALRM, lambda *_: stopping.leave())
    monkeypatch.setattr("apps.uploads.runner.plan_file", slow)
    try:
        run_job(job.pk)
    finally:
        signal.signal(signal.SIGALRM, before)
        connection.close()
    monkeypatch.undo()
    job.refresh_from_db()
    assert (job.state, job.lease_until, job.breakdowns) == (JobState.RUNNING, None, 0)
    assert WorkDone.objects.filter(agency=shop.counter.agency_id).exists(), "the worker was busy all the same"
    assert shop.upload(job).delivered == 1


@pytest.mark.parametrize("status", ["waiting", "repeated"])
def test_a_worker_that_is_to_stop_before_a_file_has_anything_in_it_does_not_end_the_job(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """What is due stays due: a state to be sent once more (R4), and what lies behind a chunk that nobody can send."""
    monkeypatch.setattr("apps.uploads.selection.CHUNK", 1)
    for number in range(2):
        shop.push(f"S-6-{number}", "a1")
    if status == "repeated":
        shop.upload()
        Order.objects.update(resend_due=True)
    job = shop.ask()
    event = stopping.prepare()
    plan = planner._plan_orders

    def while_it_is_told(**named: Any) -> Any:
        event.set()
        return plan(**named)

    with monkeypatch.context() as patch:
        patch.setattr(planner, "_plan_orders", while_it_is_told)
        if status == "waiting":
            patch.setattr(planner.delivery, "claim", lambda **_named: set())  # somebody has just taken it away
        try:
            run_job(job.pk)
        finally:
            event.clear()
    job.refresh_from_db()
    assert (job.state, job.error_code) == (JobState.RUNNING, "")
    assert shop.upload(job).state == JobState.SUCCEEDED
    assert shop.all_delivered()
    assert not Order.objects.filter(resend_due=True).exists()
