"""`upload`, `tick` and `worker` as people start them."""

import io
import signal
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_q.models import OrmQ

from apps.audit.models import AuditEntry
from apps.orders.models import StatusChange
from apps.uploads import heartbeats
from apps.uploads.models import Heartbeat, JobState, UploadJob
from project.processes import Processes
from tests.uploads.conftest import Shop, started, wait_for


def upload(shop: Shop, *options: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    agency, number = shop.counter.agency.slug, str(shop.counter.metrica_id)
    status = 0
    try:
        call_command("upload", "--agency", agency, "--counter", number, *options, stdout=out, stderr=err)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return status, out.getvalue(), err.getvalue()


def test_without_wait_the_job_is_left_to_the_workers(shop: Shop) -> None:
    shop.push("C-1", "a1")
    status, out, _err = upload(shop)
    assert (status, UploadJob.objects.get().state) == (0, JobState.QUEUED)
    assert str(UploadJob.objects.get().pk) in out
    assert OrmQ.objects.count() == 1


def test_with_wait_and_no_worker_it_is_done_here(shop: Shop) -> None:
    shop.push("C-2", "a1", "a2")
    status, out, _err = upload(shop, "--wait")
    assert status == 0
    assert "done in this process" in out
    assert "2 delivered" in out
    assert shop.arrived("C-2") == ["a1", "a2"]
    entry = AuditEntry.objects.get(action="upload_job.requested")
    assert entry.actor_label.startswith("command upload by ")


def test_what_was_not_delivered_is_a_failure_with_its_next_step(shop: Shop) -> None:
    shop.push("C-3", "a1")
    shop.fault("bad_token")
    status, _out, err = upload(shop, "--wait")
    assert status == 1
    assert "Connect the Yandex account again." in err


def test_a_rejected_row_is_a_failure_too(shop: Shop) -> None:
    shop.push("C-4", "a1")
    shop.fault("refuse_row", order_id="C-4", count=None)
    status, out, err = upload(shop, "--wait")
    assert (status, "1 rejected" in out) == (1, True)
    assert "say why" in err


def test_an_unknown_counter_is_named(shop: Shop) -> None:
    with pytest.raises(CommandError, match="has no counter 7"):
        call_command("upload", "--agency", shop.counter.agency.slug, "--counter", "7")


def test_the_tick_command(shop: Shop) -> None:
    call_command("tick")
    assert heartbeats.age(heartbeats.TICK) is not None


@pytest.mark.processes
def test_an_accepted_change_is_at_metrica_within_five_seconds(shop: Shop, processes: Processes) -> None:
    from apps.counters.services import update_counter

    shop.counter = update_counter(counter=shop.counter, schedule="as they come")
    started(processes)
    shop.push("W-0", "a1")
    wait_for(lambda: shop.arrived("W-0"), processes=processes)
    time.sleep(1)
    began = time.monotonic()
    shop.push("W-1", "a1")
    wait_for(lambda: shop.arrived("W-1"), processes=processes)
    assert time.monotonic() - began < 5


@pytest.mark.processes
def test_a_worker_stops_gracefully_and_leaves_nothing_behind(shop: Shop, processes: Processes) -> None:
    worker = started(processes)
    family = psutil.Process(worker.pid).children(recursive=True)
    assert len(family) >= 4
    shop.push("W-2", "a1", "a2", "a3")
    shop.fault("latency", seconds=1, count=None)
    job = shop.ask()
    wait_for(lambda: shop.sends() >= 1, processes=processes)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=20) == 0, processes.log("worker")
    assert not psutil.wait_procs(family, timeout=2)[1]
    assert "Stopped." in processes.log("worker")
    job.refresh_from_db()
    assert (job.state, job.lease_until) == (JobState.RUNNING, None)
    assert not StatusChange.objects.filter(delivery="sending").exists()
    shop.site.faults.all().delete()
    started(processes)
    wait_for(shop.all_delivered, processes=processes)
    assert shop.arrived("W-2") == ["a1", "a2", "a3"]
    assert all(upload.attempts == 1 for upload in shop.uploads()), "a graceful stop sent something twice"


@pytest.mark.processes
def test_all_is_delivered_after_a_kill_in_the_middle_of_an_upload(shop: Shop, processes: Processes) -> None:
    worker = started(processes)
    shop.push("W-3", "a1", "a2")
    shop.fault("latency", seconds=2, count=1)
    job = shop.ask()
    wait_for(lambda: shop.sends() >= 1, processes=processes)
    processes.kill(worker)
    job.refresh_from_db()
    assert job.state == JobState.RUNNING
    Heartbeat.objects.all().delete()
    started(processes)
    wait_for(shop.all_delivered, processes=processes)
    arrived = shop.arrived("W-3")
    assert list(dict.fromkeys(arrived)) == ["a1", "a2"] and arrived[-1] == "a2"
    wait_for(lambda: "outcome of upload unknown" in processes.log("worker"), processes=processes, seconds=5)


@pytest.mark.processes
def test_a_killed_process_of_the_queue_does_not_freeze_it(shop: Shop, processes: Processes) -> None:
    """An idle process holds the lock of the queue: killed, it takes the lock with it."""
    worker = started(processes)
    time.sleep(2)
    [sentinel] = psutil.Process(worker.pid).children()
    idle = sorted(sentinel.children(), key=lambda process: process.pid)[0]
    idle.kill()
    shop.push("W-4", "a1")
    shop.ask()
    wait_for(shop.all_delivered, processes=processes)
    assert worker.poll() is None


@pytest.mark.processes
def test_no_process_outlives_the_worker(shop: Shop, processes: Processes) -> None:
    """Orphans would go on taking messages that nobody works on."""
    worker = started(processes)
    family = psutil.Process(worker.pid).children(recursive=True)
    worker.kill()
    assert not psutil.wait_procs(family, timeout=5)[1]


@pytest.mark.processes
def test_the_queue_gives_its_own_sign_of_life(shop: Shop, processes: Processes) -> None:
    processes.environment["DJANGO_SETTINGS_MODULE"] = "tests.uploads.at_once"
    started(processes)
    wait_for(lambda: heartbeats.age(heartbeats.QUEUE) is not None, processes=processes, seconds=60)
    age = heartbeats.age(heartbeats.TICK)
    assert age is not None and age < timedelta(seconds=10)
    assert Heartbeat.objects.filter(at__gt=timezone.now() - timedelta(seconds=10)).count() >= 2


@pytest.mark.processes
def test_a_database_without_its_tables_is_told_in_a_sentence(processes: Processes, tmp_path: Path) -> None:
    processes.environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    done = processes.manage("worker", check=False)
    assert done.returncode == 1
    assert "manage.py migrate" in done.stderr
