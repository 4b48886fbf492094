"""An older state is restored while Metrica has gone on: what the backup held is whole, what went out since is known
again, and the CRM's second telling of the missing hour settles it without a double (R6)."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from project.processes import free_port
from project.sandbox.__main__ import processes as sandbox_processes
from tests import databases
from tests.e2e.conftest import Installation, installed, wait_for

pytestmark = pytest.mark.processes

MOSCOW = ZoneInfo("Europe/Moscow")
BEGAN = datetime.now(MOSCOW).replace(microsecond=0) - timedelta(days=1)
_numbers = iter(range(41000001, 41009999))
SETTINGS = 'schedule = "manual"'


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Metrica with a memory of its own, which no restore of ours reaches."""
    directory = tmp_path_factory.mktemp("sandbox")
    databases.in_file(directory / "sandbox.sqlite3", settings="project.sandbox.settings")
    with sandbox_processes(directory, free_port()) as running:
        running.start_web(workers=1)
        running.wait_for_web()
        yield running.url


def rows(numbers: range, *statuses: tuple[int, str]) -> list[dict[str, Any]]:
    """Of each order these statuses, each with the hour in which it came."""
    return [
        {
            "id": f"B-{number}",
            "create_date_time": BEGAN.isoformat(),
            "status_date_time": (BEGAN + timedelta(hours=hour)).isoformat(),
            "client_ids": [str(10**18 + number)],
            "emails": [f"person{number}@example.com"],
            "order_status": status,
            "revenue": str(100 + number * 10 + hour),
        }
        for number in numbers
        for hour, status in statuses
    ]


BEFORE = rows(range(12), (0, "IN_PROGRESS"), (1, "PAID"))
MISSING_HOUR = [*rows(range(7), (2, "CANCELLED")), *rows(range(20, 25), (2, "IN_PROGRESS"), (3, "PAID"))]
NEW = rows(range(30, 33), (5, "PAID"))
AFTERWARDS = rows(range(20, 22), (4, "CANCELLED"))


def events(installation: Installation, counter: int) -> dict[str, list[str]]:
    """What Metrica got of each order, in its order."""
    orders = installation.seen("orders", counter=counter)["orders"]
    return {order["id"]: [event["order_status"] for event in order["events"]] for order in orders}


def timelines(installation: Installation, counter: int) -> dict[str, list[str]]:
    listed = installation.http.get(f"/api/v1/counters/{counter}/orders/?limit=1000").json()["results"]
    found = {}
    for order in listed:
        timeline = installation.order(counter, order["id"])["timeline"]
        assert {change["delivery"] for change in timeline} == {"delivered"}, timeline
        found[order["id"]] = [change["order_status"] for change in timeline]
    return found


def go_on_without_the_hour(installation: Installation, counter: int, backup: Path) -> None:
    """A backup in the middle of an upload; then the upload ends, and an hour of new orders goes out as well."""
    installation.push(counter, *BEFORE)
    installation.control("faults", kind="latency", counter=counter, count=1, seconds=20, endpoint="upload")
    job = installation.upload(counter)
    wait_for(lambda: installation.http.get(f"/api/v1/uploads/{job}/").json()["uploads"], what="the first file")
    done = installation.processes.manage("backup", str(backup), check=False)
    assert done.returncode == 0, done.stderr
    assert installation.http.get(f"/api/v1/uploads/{job}/").json()["uploads"][0]["state"] == "sending", "too late"
    assert installation.finished(job)["delivered"] == len(BEFORE)
    installation.push(counter, *MISSING_HOUR)
    assert installation.finished(installation.upload(counter))["delivered"] == len(MISSING_HOUR)
    installation.processes.stop(installation.worker)
    installation.processes.stop(installation.web)


def put_back(installation: Installation, backup: Path, url: str, *, open_files: int) -> None:
    """Into a fresh database; web and worker start on it."""
    installation.processes.environment["DATABASE_URL"] = url
    done = installation.processes.manage("restore", str(backup), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The chain holds." in done.stdout and f"{open_files} files were open" in done.stdout
    installation.restart_web()
    installation.restart_worker()


SAME_KIND = "into its own kind of database"
MOVED = pytest.param(
    "from SQLite into PostgreSQL",
    marks=pytest.mark.skipif(not os.environ.get("TEST_DATABASE_URL"), reason="moves into PostgreSQL"),
)


@pytest.fixture(params=[SAME_KIND, MOVED])
def installation(request: pytest.FixtureRequest, sandbox: str, tmp_path: Path) -> Iterator[Installation]:
    longer = {"METRICA_TIMEOUT_SECONDS": "30", "UPLOAD_LEASE_SECONDS": "30"}
    with ExitStack() as stack:
        if request.param == SAME_KIND:
            url = stack.enter_context(databases.new(tmp_path))
        else:
            url = databases.in_file(tmp_path / "small.sqlite3")
        yield stack.enter_context(installed(url, tmp_path, sandbox=sandbox, numbers=_numbers, **longer))


@pytest.fixture
def other_database(tmp_path: Path) -> Iterator[str]:
    with databases.new(tmp_path, migrated=False) as url:
        yield url


def test_nothing_is_lost_and_nothing_is_doubled_where_the_storage_is_still_there(
    installation: Installation, tmp_path: Path, other_database: str
) -> None:
    counter = installation.counter(settings=SETTINGS)
    backup = tmp_path / "backup"
    go_on_without_the_hour(installation, counter, backup)
    went = events(installation, counter)
    put_back(installation, backup, other_database, open_files=1)
    installation.push(counter, *MISSING_HOUR)
    ended = installation.finished(installation.upload(counter))
    assert ended["state"] == "succeeded", (ended, installation.processes.log("worker")[-4000:])
    assert events(installation, counter) == went, "Metrica got something twice"
    assert timelines(installation, counter) == went
    # Life goes on: what is new goes, as the orders' next state.
    installation.push(counter, *AFTERWARDS)
    assert installation.finished(installation.upload(counter))["delivered"] == len(AFTERWARDS)
    now = events(installation, counter)
    assert now["B-20"] == ["IN_PROGRESS", "PAID", "CANCELLED"]
    assert timelines(installation, counter) == now


@pytest.mark.parametrize("installation", [MOVED], indirect=True)
def test_what_waited_when_the_installation_moved_goes_out_once_and_everything_goes_on(
    installation: Installation, tmp_path: Path, other_database: str
) -> None:
    counter = installation.counter(settings=SETTINGS)
    installation.push(counter, *BEFORE)
    installation.finished(installation.upload(counter))
    installation.processes.stop(installation.worker)
    # Intake goes on until the end; somebody asks for an upload that no worker begins.
    installation.push(counter, *MISSING_HOUR)
    job = installation.upload(counter)
    installation.processes.stop(installation.web)
    backup = tmp_path / "backup"
    installation.processes.manage("backup", str(backup))
    before = events(installation, counter)
    put_back(installation, backup, other_database, open_files=0)
    ended = installation.finished(job)
    assert (ended["state"], ended["delivered"]) == ("succeeded", len(MISSING_HOUR))
    went = events(installation, counter)
    assert timelines(installation, counter) == went
    assert {order: statuses[: len(before[order])] for order, statuses in went.items() if order in before} == before
    assert sum(map(len, went.values())) == len(BEFORE) + len(MISSING_HOUR), "Metrica got something twice"
    # New rows of every kind find a number: orders, clients, changes, and what is sealed in the audit log.
    installation.push(counter, *AFTERWARDS, *({**row, "client_uniq_id": "new"} for row in NEW))
    assert installation.finished(installation.upload(counter))["delivered"] == len(AFTERWARDS) + len(NEW)
    assert timelines(installation, counter) == events(installation, counter)
    number = installation.counter(settings=SETTINGS)
    assert installation.push(number, *NEW)["created"] == len(NEW)
    verified = installation.processes.manage("verify_audit", check=False)
    assert verified.returncode == 0, verified.stderr
