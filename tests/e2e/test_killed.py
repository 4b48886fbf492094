"""`kill -9` of worker or web at any point of an upload, then restart: all is delivered, nothing is stuck (R2, R6)."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from project.processes import BASE_DIR
from tests.e2e.conftest import Installation, wait_for

pytestmark = pytest.mark.processes

MOSCOW = ZoneInfo("Europe/Moscow")
STATUSES = ("IN_PROGRESS", "PAID", "CANCELLED")


def orders(prefix: str, count: int) -> list[dict[str, Any]]:
    """Each order with three statuses, each row with an amount of its own."""
    began = datetime.now(MOSCOW) - timedelta(days=1)
    return [
        {
            "id": f"{prefix}-{number}",
            "create_date_time": began.isoformat(),
            "status_date_time": (began + timedelta(hours=hour)).isoformat(),
            "client_ids": [str(10**18 + number)],
            "order_status": status,
            "revenue": str(1 + number * 10 + hour),
        }
        for number in range(count)
        for hour, status in enumerate(STATUSES)
    ]


def check_all_arrived(installation: Installation, counter: int, prefix: str, count: int) -> None:
    """Nothing is stuck; each order went through its statuses in order; only an unknown outcome was repeated."""
    for number in range(count):
        order = installation.order(counter, f"{prefix}-{number}")
        assert [change["delivery"] for change in order["timeline"]] == ["delivered"] * 3
    seen = installation.seen("orders", counter=counter)["orders"]
    assert len(seen) == count
    for order in seen:
        statuses = [event["order_status"] for event in order["events"]]
        assert list(dict.fromkeys(statuses)) == list(STATUSES)
        assert statuses == sorted(statuses, key=STATUSES.index)  # never back to an earlier one
        assert order["order_status"] == "CANCELLED"


@pytest.mark.parametrize("delay", [0.05, 0.3, 0.6, 0.9, 1.2, 1.6])
def test_a_worker_killed_in_the_middle_is_succeeded_by_another(installation: Installation, delay: float) -> None:
    counter = installation.counter()
    installation.control("faults", kind="latency", counter=counter, count=6, seconds=0.4, endpoint="upload")
    prefix = f"K{int(delay * 100)}"
    installation.push(counter, *orders(prefix, 20))
    job = installation.upload(counter)
    time.sleep(delay)
    installation.processes.kill(installation.worker)
    installation.restart_worker()
    ended = installation.finished(job, seconds=90)
    assert ended["state"] == "succeeded", ended
    assert ended["delivered"] == 60
    check_all_arrived(installation, counter, prefix, 20)


WORK = """
import sys, time, uuid, django
django.setup()
from apps.uploads.models import UNFINISHED_JOBS, UploadJob
from apps.uploads.runner import run_job
job = UploadJob.objects.get(pk=uuid.UUID(sys.argv[1]))
while job.state in UNFINISHED_JOBS:
    run_job(job.pk)
    time.sleep(0.1)
    job.refresh_from_db()
"""
"""What a worker does with one job, in a process that can be stopped and let go on."""


def test_a_worker_that_stood_still_and_goes_on_changes_nothing(installation: Installation) -> None:
    """Of two processes the first is stopped amid its call, and goes on once the second has ended the job."""
    installation.processes.kill(installation.worker)
    counter = installation.counter()
    installation.control("faults", kind="latency", counter=counter, count=1, seconds=0.8, endpoint="upload")
    installation.push(counter, *orders("S", 3))
    job = installation.upload(counter)
    environment = {**installation.processes.environment, "UPLOAD_LEASE_SECONDS": "1", "METRICA_TIMEOUT_SECONDS": "1"}
    command = [sys.executable, "-c", WORK, job]

    def state() -> dict[str, Any]:
        return dict(installation.http.get(f"/api/v1/uploads/{job}/").json())

    first = subprocess.Popen(command, env=environment, cwd=BASE_DIR)
    try:
        wait_for(lambda: any(upload["state"] == "sending" for upload in state()["uploads"]), what="the first call")
        os.kill(first.pid, signal.SIGSTOP)
        subprocess.run(command, env=environment, cwd=BASE_DIR, check=True, timeout=60)
        ended = state()
        seen = installation.seen("orders", counter=counter), installation.seen("uploadings", counter=counter)
        assert (ended["state"], ended["delivered"]) == ("succeeded", 9)
        os.kill(first.pid, signal.SIGCONT)
        assert first.wait(timeout=30) == 0
    finally:
        first.kill()
        first.wait(timeout=30)
        installation.restart_worker()
    assert state() == ended
    assert seen == (installation.seen("orders", counter=counter), installation.seen("uploadings", counter=counter))
    check_all_arrived(installation, counter, "S", 3)


def test_a_connection_cut_after_acceptance_is_found_again_and_not_repeated(installation: Installation) -> None:
    """R6: the upload is looked for in last_uploadings and adopted."""
    counter = installation.counter()
    installation.control("faults", kind="cut_after", counter=counter, count=2)
    installation.push(counter, *orders("C", 5))
    ended = installation.finished(installation.upload(counter), seconds=60)
    assert ended["state"] == "succeeded"
    assert len(installation.seen("uploadings", counter=counter)["uploadings"]) == 3
    check_all_arrived(installation, counter, "C", 5)


def test_the_web_killed_while_orders_come_in_loses_none_that_it_confirmed(installation: Installation) -> None:
    """R2: the sandbox lives in the same web process, so uploads are cut as well.

    The CRM pushes again what had no answer; the same rows again change nothing.
    """
    counter = installation.counter(settings='schedule = "as they come"')
    rows = orders("W", 60)
    confirmed: list[str] = []
    stop = threading.Event()

    def crm() -> None:
        for start in range(0, len(rows), 9):
            while not stop.is_set():
                try:
                    report = installation.push(counter, *rows[start : start + 9])
                except (httpx.TransportError, AssertionError):
                    time.sleep(0.1)
                    continue
                assert report["rejected"] == 0
                confirmed.extend(row["id"] for row in rows[start : start + 9])
                break

    pushing = threading.Thread(target=crm)
    pushing.start()
    chance = random.Random(1)
    for _time in range(3):
        time.sleep(chance.uniform(0.2, 1.0))
        installation.processes.kill(installation.web)
        installation.restart_web()
    pushing.join(timeout=60)
    stop.set()
    assert len(confirmed) == len(rows)

    def delivered() -> bool:
        listed = installation.http.get(f"/api/v1/counters/{counter}/orders/?limit=1000").json()["results"]
        return len(listed) == 60 and all(order["delivery"] == "delivered" for order in listed)

    wait_for(delivered, seconds=90, what="the delivery of all orders")
    check_all_arrived(installation, counter, "W", 60)
