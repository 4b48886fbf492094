"""import_orders as a process of its own: exit statuses, Ctrl-C, kill -9, the bar, and flat memory."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from apps.audit.models import AuditEntry
from apps.orders.models import Order, StatusChange
from tests.benchmarks import measure
from tests.factories import make_agency, make_counter
from tests.imports.conftest import HEADER, WHEN, report_of

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]
BASE = Path(__file__).parent.parent.parent


def database_url():
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{values['NAME']}"
    if not values["HOST"]:
        return f"postgres:///{values['NAME']}"
    return f"postgres://{values['USER']}:{values['PASSWORD']}@{values['HOST']}:{values['PORT']}/{values['NAME']}"


@pytest.fixture
def environment():
    """Of a process that works on the test's database, where the counter is."""
    make_counter(make_agency("north"), metrica_id=40000001)
    own = {"DJANGO_SETTINGS_MODULE": "project.settings", "DATABASE_URL": database_url(), "ENV_FILE": os.devnull}
    return {**os.environ, **own, "DEBUG": "on"}


@pytest.fixture
def start(environment):
    """Start the command; give the process."""
    started = []

    def go(path, *options):
        command = [
            sys.executable,
            "manage.py",
            "import_orders",
            str(path),
            "--agency",
            "north",
            "--counter",
            "40000001",
        ]
        process = subprocess.Popen(
            [*command, *options],
            cwd=BASE,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield go
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def write(path, count, bad=()):
    with path.open("w") as file:
        file.write(HEADER + "\n")
        for number in range(count):
            when = "never" if number in bad else WHEN
            file.write(f"D-{number},{when},PAID,{17000000000 + number},5000.00\n")
    return path


def wait_for_orders(process, least):
    end = time.monotonic() + 120
    while Order.objects.count() < least:
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.05)


def test_exit_statuses_and_where_things_are_said(start, tmp_path):
    process = start(write(tmp_path / "good.csv", 3), "--progress")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "created" in out and "good.csv" in err and "100%" in err
    process = start(write(tmp_path / "some.csv", 3, bad={1}))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 3
    assert "rejected" in out and "some.errors.csv" in err and "%|" not in err
    assert [row["line"] for row in report_of(tmp_path / "some.csv")] == ["3"]
    process = start(tmp_path / "none.csv")
    _out, err = process.communicate(timeout=120)
    assert process.returncode == 2 and "none.csv" in err and "Traceback" not in err


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_says_how_far_it_came_and_a_second_run_completes(start, tmp_path, sign):
    path = write(tmp_path / "orders.csv", 16_000, bad={5})
    process = start(path)
    wait_for_orders(process, 2000)
    process.send_signal(sign)
    _out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "Run it again" in err
    reached = int(err.split("up to line ")[1].split()[0])
    kept = Order.objects.count()
    assert 2000 <= kept < 15_999
    assert reached - 2 <= kept + 1  # never more than is kept
    assert len(report_of(path)) == 1
    assert AuditEntry.objects.get(action="orders.imported").details["complete"] is False
    process = start(path)
    _out, err = process.communicate(timeout=300)
    assert process.returncode == 3, err
    assert Order.objects.count() == StatusChange.objects.count() == 15_999


def test_a_killed_run_leaves_whole_chunks_and_a_second_one_completes(start, tmp_path):
    path = write(tmp_path / "orders.csv", 12_000)
    process = start(path)
    wait_for_orders(process, 2000)
    process.kill()
    process.communicate(timeout=60)
    time.sleep(0.5)  # PostgreSQL notices that the client has gone
    assert Order.objects.count() == StatusChange.objects.count()
    assert Order.objects.count() % 2000 == 0
    process = start(path)
    _out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert Order.objects.count() == StatusChange.objects.count() == 12_000


def test_memory_stays_flat(environment, tmp_path):
    peaks = []
    for count in (4_000, 24_000):
        path = write(tmp_path / f"{count}.csv", count)
        command = ("manage.py", "import_orders", str(path), "--agency", "north", "--counter", "40000001", "--dry-run")
        peaks.append(measure.python(*command, environment=environment, timeout=300).peak_mb)
    assert peaks[1] < peaks[0] + 30
    assert peaks[1] < 250
