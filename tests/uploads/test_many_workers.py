"""Several workers on one database: one tick for all of them, the jobs shared, each with its own sign of life."""

import signal
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from django.db import connection

from apps.uploads import heartbeats, tallies
from apps.uploads.models import Heartbeat
from project.processes import Processes
from tests.uploads.conftest import Shop, wait_for


def ticks() -> float:
    return tallies.totals(["ticks"])["ticks"]


def workers() -> set[str]:
    return {heartbeats.pid_of(row) for row in Heartbeat.objects.filter(name__startswith=heartbeats.WORKER)}


@pytest.mark.processes
def test_three_workers_share_the_work(make_shop: Callable[..., Shop], processes: Processes) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite is for one machine; several share PostgreSQL")
    processes.environment["WORKERS"] = "1"
    running = [processes.start_worker() for _ in range(3)]
    wait_for(lambda: workers() == {str(worker.pid) for worker in running}, processes=processes)
    began, before = time.monotonic(), ticks()
    shops = [make_shop() for _ in range(3)]
    for shop in shops:
        shop.push("M-1", "a1", "a2")
        shop.fault("latency", seconds=2, count=1)
    jobs = [shop.ask() for shop in shops]
    wait_for(lambda: all(shop.all_delivered() for shop in shops), processes=processes)
    for shop, job in zip(shops, jobs, strict=True):
        assert shop.arrived("M-1") == ["a1", "a2"]
        assert all(upload.attempts == 1 for upload in shop.uploads()), "two workers sent the same"
        job.refresh_from_db()
        assert job.fence >= 1
    spans = sorted((first.sent_at, first.finished_at) for first in (shop.uploads()[0] for shop in shops))
    assert any(later[0] < earlier[1] for earlier, later in pairwise(spans)), "one after the other"
    # Of three clocks, each second one ticks.
    time.sleep(max(0.0, 4 - (time.monotonic() - began)))
    seconds = time.monotonic() - began
    assert seconds / 2 - 1 <= ticks() - before <= seconds + 1
    running[0].send_signal(signal.SIGTERM)
    assert running[0].wait(timeout=20) == 0
    assert workers() == {str(worker.pid) for worker in running[1:]}
    shops[0].push("M-2", "a3")
    shops[0].ask()
    wait_for(shops[0].all_delivered, processes=processes)
