"""A fresh change of one agency while very many of another wait: real web and worker processes, as many as by default,
and the sandbox for Metrica."""

import random
import statistics
import time
from collections.abc import Iterator
from typing import Any

import httpx

from tests.benchmarks.figures import Figure
from tests.benchmarks.latency import now
from tests.benchmarks.measure import Clock
from tests.benchmarks.place import COUNTERS, OTHER_COUNTER, TOKEN, ZONE, Place

SECONDS = 60
SAMPLES = 12
_FEWEST = 3
_PATIENCE = 300.0
_LOOK_EVERY = 0.1
_UNDER_WAY_SECONDS = 8.0
"""The backlog is worked on for so long before the first fresh change comes."""


def measure(place: Place, *, database: str, count: int) -> Iterator[Figure]:
    """`count` changes wait in the counter `many`."""
    web = place.processes.start_web()
    worker = place.processes.start_worker()
    try:
        place.processes.wait_for_web()
        yield from _figures(_Lab(place), database, count)
    except RuntimeError as error:
        error.add_note(place.processes.log("worker")[-3000:])
        raise
    finally:
        place.processes.stop(worker)
        place.processes.stop(web)


class _Lab:
    """Two agencies, each with its key; it sees only what they see."""

    def __init__(self, place: Place) -> None:
        self._http = httpx.Client(base_url=place.processes.url, timeout=120)
        self._busy = {"Authorization": f"Bearer {place.key}"}
        self._other = {"Authorization": f"Bearer {place.other_key}"}
        for number in (COUNTERS["many"], OTHER_COUNTER):
            body = {"metrica_id": number, "name": "fair", "time_zone_name": ZONE, "token": TOKEN}
            self._http.post("/sandbox/control/counters", json=body).raise_for_status()

    def begin(self) -> str:
        """Ask for the upload of the backlog; returns the address of its job once that is worked on."""
        asked = self._http.post(f"/api/v1/counters/{COUNTERS['many']}/uploads/", headers=self._busy)
        asked.raise_for_status()
        job = f"/api/v1/uploads/{asked.json()['id']}/"
        self._until(lambda: self.job(job)["state"] == "running", "the backlog is worked on")
        time.sleep(_UNDER_WAY_SECONDS)
        return job

    def job(self, address: str) -> Any:
        return self._http.get(address, headers=self._busy).raise_for_status().json()

    def delivery(self, order_id: str) -> float:
        """Seconds from a fresh change's acceptance (200) until it is delivered."""
        row = {
            "id": order_id,
            "create_date_time": now(),
            "client_ids": ["1700000000123456789"],
            "order_status": "IN_PROGRESS",
        }
        orders = f"/api/v1/counters/{OTHER_COUNTER}/orders/"
        self._http.post(orders, json=[row], headers=self._other).raise_for_status()

        def delivered() -> bool:
            order = self._http.get(f"{orders}{order_id}/", headers=self._other).raise_for_status().json()
            return bool(order["timeline"][-1]["delivery"] == "delivered")

        with Clock() as clock:
            self._until(delivered, f"{order_id} is delivered")
        return clock.seconds

    def _until(self, there: Any, what: str) -> None:
        end = time.monotonic() + _PATIENCE
        while not there():
            if time.monotonic() > end:
                raise RuntimeError(f"Not within {_PATIENCE:.0f} s: {what}")
            time.sleep(_LOOK_EVERY)


def _figures(lab: _Lab, database: str, count: int) -> Iterator[Figure]:
    job = lab.begin()
    found: list[float] = []
    while len(found) < SAMPLES and lab.job(job)["state"] in ("queued", "running"):
        found.append(lab.delivery(f"F-{len(found)}"))
        time.sleep(random.uniform(1.0, 4.0))
    told = lab.job(job)
    if len(found) < _FEWEST:
        raise RuntimeError(f"The backlog was gone after {len(found)} fresh changes: measure with more --orders.")
    command = f"{len(found)} fresh changes while {count:,} of another agency wait, on {database} with default workers"
    for name, of in (("longest", max), ("median", statistics.median)):
        yield Figure(
            f"{database}: fresh change of another agency delivered, {name} of {len(found)}",
            of(found),
            "s",
            target=SECONDS,
            more_is_better=False,
            command=command,
        )
    sizes = [upload["rows"] for upload in told["uploads"]] or [0]
    yield Figure(f"{database}: largest file of the backlog meanwhile", max(sizes), "rows", command=command)
    yield Figure(f"{database}: delivered of the backlog meanwhile", told["delivered"], "changes", command=command)
