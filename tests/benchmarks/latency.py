"""From an accepted change to Metrica having it: real web and worker processes at rest, the sandbox for Metrica."""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import httpx
import psycopg

from tests.benchmarks.figures import Figure
from tests.benchmarks.measure import Clock
from tests.benchmarks.place import COUNTERS, TOKEN, ZONE, Place

T = TypeVar("T")

SECONDS = 5
SAMPLES = 10
_PATIENCE = 60.0
_LOOK_EVERY = 0.005
_HAS_IT = "SELECT 1 FROM sandbox_sandboxorder WHERE order_id = %s"
_AT_REST = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM uploads_uploadjob WHERE state IN ('queued', 'running'))"
_WORKER_IS_THERE = "SELECT 1 FROM uploads_heartbeat WHERE name LIKE 'worker %%'"


def measure(place: Place) -> Iterator[Figure]:
    web = place.processes.start_web()
    worker = place.processes.start_worker()
    try:
        place.processes.wait_for_web()
        with psycopg.connect(place.database_url, autocommit=True) as connection:
            yield from _figures(Lab(place, connection))
    except RuntimeError as error:
        error.add_note(place.processes.log("worker")[-3000:])
        raise
    finally:
        place.processes.stop(worker)
        place.processes.stop(web)


class Lab:
    """Pushes single orders and sees when they arrive. It looks into the database, which disturbs nobody."""

    def __init__(self, place: Place, connection: "psycopg.Connection[tuple[int]]") -> None:
        self._connection = connection
        self._counter = COUNTERS["latency"]
        self._http = httpx.Client(base_url=place.processes.url, timeout=30)
        self._key = {"Authorization": f"Bearer {place.key}"}
        body = {"metrica_id": self._counter, "name": "latency", "time_zone_name": ZONE, "token": TOKEN}
        self._http.post("/sandbox/control/counters", json=body).raise_for_status()
        self._until(_WORKER_IS_THERE)

    def delivery(self, order_id: str) -> tuple[float, float]:
        """Seconds until the change was accepted (answered with 200), and from then on until the sandbox has it."""
        row = {
            "id": order_id,
            "create_date_time": now(),
            "client_ids": ["1700000000123456789"],
            "order_status": "IN_PROGRESS",
            "revenue": "5000.00",
            "cost": "3200.00",
        }
        address = f"/api/v1/counters/{self._counter}/orders/"
        with Clock() as accepted:
            answer = self._http.post(address, json=[row], headers=self._key)
        answer.raise_for_status()
        with Clock() as delivered:
            self._until(_HAS_IT, order_id)
        return accepted.seconds, delivered.seconds

    def bare_post(self, order_id: str) -> float:
        """Seconds that the sandbox needs for a ready file of one row."""
        file = (
            "id,create_date_time,client_ids,order_status,revenue,cost\r\n"
            f"{order_id},{now()},1700000000123456789,IN_PROGRESS,5000.00,3200.00\r\n"
        )
        with Clock() as clock:
            self._http.post(
                f"/sandbox/cdp/api/v1/counter/{self._counter}/data/simple_orders",
                params={"merge_mode": "SAVE", "delimiter_type": "COMMA"},
                headers={"Authorization": f"OAuth {TOKEN}"},
                files={"file": ("orders.csv", file.encode(), "text/csv")},
            ).raise_for_status()
        return clock.seconds

    def rest(self) -> None:
        """Until nothing is under way, and a while longer, so that samples meet every phase of the worker's round."""
        self._until(_AT_REST)
        time.sleep(random.uniform(0.5, 2.5))

    def _until(self, question: str, *parameters: str) -> None:
        end = time.monotonic() + _PATIENCE
        while self._connection.execute(question, parameters or None).fetchone() is None:
            if time.monotonic() > end:
                raise RuntimeError(f"Not within {_PATIENCE:.0f} s: {question} {parameters}")
            time.sleep(_LOOK_EVERY)


def _figures(lab: Lab) -> Iterator[Figure]:
    lab.delivery("warm-up")  # the first of all waits for what Python and Django load once
    accepted, delivered = zip(*_samples(lab, lab.delivery, "L"), strict=True)
    lab.bare_post("warm-up-bare")
    bare = _samples(lab, lab.bare_post, "F")
    command = f"POST /api/v1/counters/{COUNTERS['latency']}/orders/, {SAMPLES} times, at rest"
    bare_name = "httpx posting a ready one-row file to the sandbox"
    for name, of in (("median", statistics.median), ("longest", max)):
        yield Figure(
            f"accepted (200) until the sandbox has it, {name} of {SAMPLES}",
            of(delivered),
            "s",
            target=SECONDS,
            more_is_better=False,
            bare=of(bare),
            bare_name=bare_name,
            command=command,
        )
    yield Figure("until it is accepted (200), median", statistics.median(accepted), "s", command=command)


def _samples(lab: Lab, sample: Callable[[str], T], prefix: str) -> list[T]:
    found = []
    for number in range(SAMPLES):
        lab.rest()
        found.append(sample(f"{prefix}-{number}"))
    return found


def now() -> str:
    return (datetime.now(ZoneInfo(ZONE)) - timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M:%S")
