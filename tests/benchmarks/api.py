"""REST v1 under load: real gunicorn and real HTTP on the loopback address.

Bulk by one web process with one JSON array after the other; a body of lines that is as long as wanted, with the memory
of the process that takes it; and single orders at a steady rate, as many processes as in production answering.
"""

import http.client
import json
import os
import queue
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.benchmarks import rows
from tests.benchmarks.figures import Figure
from tests.benchmarks.measure import Clock, python
from tests.benchmarks.place import COUNTERS, Place

AT_ONCE = 10_000
REQUESTS = 10
ORDERS_PER_SECOND = 5000
MEGABYTES = 250
A_SECOND = 100
SECONDS = 30
P99 = 0.050
PLAIN_ROWS = 2000
_SENDERS = 32
_BULK, _LINES, _SINGLE = COUNTERS["few"], COUNTERS["many"], COUNTERS["latency"]
BULK, STREAM, SINGLE = "bulk", "stream", "single"
PARTS = (BULK, STREAM, SINGLE)


def measure(place: Place, *, count: int, parts: tuple[str, ...] = PARTS) -> Iterator[Figure]:
    if BULK in parts or STREAM in parts:
        web = place.processes.start_web(workers=1, threads=4)
        try:
            place.processes.wait_for_web()
            [worker] = _children(web.pid)
            if BULK in parts:
                yield from _bulk(place, worker=worker)
            if STREAM in parts:
                yield from _stream(place, count=count, worker=worker)
        finally:
            place.processes.stop(web)
    if SINGLE in parts:
        web = place.processes.start_web()
        try:
            place.processes.wait_for_web()
            yield from _single(place, workers=_children(web.pid))
        finally:
            place.processes.stop(web)


def _bulk(place: Place, *, worker: int) -> Iterator[Figure]:
    count = AT_ONCE * REQUESTS
    found = list(_orders(count + 1000))
    bodies = [json.dumps(found[at : at + AT_ONCE]).encode() for at in range(1000, count + 1000, AT_ONCE)]
    with _client(place) as http:
        _post(http, _BULK, json.dumps(found[:1000]).encode())  # what is loaded once
        used = _processor_seconds([worker])
        with Clock() as clock:
            for body in bodies:
                answer = _post(http, _BULK, body)
                assert (answer["created"], len(answer["results"])) == (AT_ONCE, AT_ONCE), answer["results"][:2]
        used = _processor_seconds([worker]) - used
    command = f"POST /api/v1/counters/{_BULK}/orders/, {AT_ONCE:,} orders of {len(bodies[0]):,} bytes, {REQUESTS} times"
    name = f"POST orders, {AT_ONCE:,} in a request, one web process"
    for bare, bare_name in (
        (_copied(place, count), "csv module, psycopg COPY into one plain table"),
        (_plain(place), f"DRF ModelSerializer(many=True).save() of {PLAIN_ROWS:,}, without HTTP, one table"),
    ):
        yield Figure(
            name,
            count / clock.seconds,
            "orders/s",
            target=ORDERS_PER_SECOND,
            bare=bare,
            bare_name=bare_name,
            command=command,
        )
    # Where others use the machine too, this says what the process itself would take; the database's part is not in it.
    yield Figure("POST orders by the web process's own processor time", count / used, "orders/s", command=command)


def _stream(place: Place, *, count: int, worker: int) -> Iterator[Figure]:
    path = place.directory / f"orders-{count}.ndjson"
    size = _write_lines(path, count)
    told, last = 0, b""
    with (
        _client(place) as http,
        Clock() as clock,
        path.open("rb") as body,
        http.stream(
            "POST",
            f"/api/v1/counters/{_LINES}/orders/",
            content=iter(lambda: body.read(65536), b""),
            headers={"Content-Type": "application/x-ndjson"},
        ) as answer,
    ):
        answer.raise_for_status()
        for line in _lines(answer):
            told, last = told + 1, line
    ended = json.loads(last)
    assert ended["complete"] and (told - 1, ended["created"]) == (count, count), ended
    command = f"POST /api/v1/counters/{_LINES}/orders/, {count:,} lines of {size // count} bytes, chunked"
    yield Figure(
        f"POST orders as NDJSON, {count:,}, one web process", count / clock.seconds, "orders/s", command=command
    )
    yield Figure(
        f"POST orders as NDJSON, {count:,}: peak memory of the web process",
        _peak_mb(worker),
        "MB",
        target=MEGABYTES,
        more_is_better=False,
        command=command,
    )


def _single(place: Place, *, workers: list[int]) -> Iterator[Figure]:
    """At fixed times, whether or not earlier ones are answered; each takes from when it was to leave."""
    found = list(_orders(A_SECOND * (SECONDS + 2)))
    senders = _Senders(place)
    senders.run(found[: A_SECOND * 2])  # what each process loads once
    used = _processor_seconds(workers)
    taken = senders.run(found[A_SECOND * 2 :])
    used = _processor_seconds(workers) - used
    command = f"POST /api/v1/counters/{_SINGLE}/orders/, one order, {A_SECOND}/s for {SECONDS} s, 2 web processes"
    quantiles = statistics.quantiles(taken, n=100)
    for name, value, target in (("p99", quantiles[98], P99), ("median", statistics.median(taken), None)):
        yield Figure(
            f"POST one order, {A_SECOND} requests/s, {name}",
            value * 1000,
            "ms",
            target=None if target is None else target * 1000,
            more_is_better=False,
            command=command,
        )
    name = "POST one order: processor time of the web process"
    yield Figure(name, used / len(taken) * 1000, "ms", command=command)


class _Senders:
    """Threads with a connection each, more than are ever needed at once."""

    def __init__(self, place: Place) -> None:
        self._address = urlsplit(place.processes.url)
        self._headers = {"Authorization": f"Bearer {place.key}", "Content-Type": "application/json"}
        self._due: queue.SimpleQueue[tuple[float, bytes] | None] = queue.SimpleQueue()
        self._taken: list[float] = []

    def run(self, orders: list[dict[str, object]]) -> list[float]:
        """Seconds that each took."""
        self._taken = []
        threads = [threading.Thread(target=self._send) for _sender in range(_SENDERS)]
        for thread in threads:
            thread.start()
        began = time.perf_counter() + 0.1
        for number, order in enumerate(orders):
            due = began + number / A_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            self._due.put((due, json.dumps(order).encode()))
        for _thread in threads:
            self._due.put(None)
        for thread in threads:
            thread.join()
        assert len(self._taken) == len(orders), "some were not answered with 200"
        return self._taken

    def _send(self) -> None:
        wire = http.client.HTTPConnection(f"{self._address.hostname}:{self._address.port}", timeout=60)
        while (item := self._due.get()) is not None:
            due, body = item
            try:
                wire.request("POST", f"/api/v1/counters/{_SINGLE}/orders/", body, self._headers)
                answer = wire.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                # The server ended an idle connection: the way to a new one is part of what it takes.
                wire.close()
                self._due.put(item)
                continue
            if answer.status == 200:
                self._taken.append(time.perf_counter() - due)
        wire.close()


def _orders(count: int) -> Iterator[dict[str, object]]:
    """The rows of the CSV, as JSON has them."""
    for cells in rows.orders(count):
        row: dict[str, object] = {name: cell for name, cell in zip(rows.HEADER, cells, strict=True) if cell}
        for name in ("client_ids", "emails", "phones"):
            if name in row:
                row[name] = [row[name]]
        if "goals" in row:
            identifier, _colon, price = str(row["goals"]).partition(":")
            row["goals"] = [{"goal_action_id": identifier, "price": price}]
        yield row


def _write_lines(path: Path, count: int) -> int:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(order) + "\n" for order in _orders(count))
    return path.stat().st_size


def _lines(answer: httpx.Response) -> Iterator[bytes]:
    rest = b""
    for piece in answer.iter_bytes():
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    assert not rest


def _client(place: Place) -> httpx.Client:
    return httpx.Client(
        base_url=place.processes.url, headers={"Authorization": f"Bearer {place.key}"}, timeout=3600, trust_env=False
    )


def _post(http: httpx.Client, counter: int, body: bytes) -> dict[str, list[object]]:
    address = f"/api/v1/counters/{counter}/orders/"
    answer = http.post(address, content=body, headers={"Content-Type": "application/json"})
    answer.raise_for_status()
    told: dict[str, list[object]] = answer.json()
    return told


def _copied(place: Place, count: int) -> float:
    path = place.directory / f"bare-{count}.csv"
    rows.write(path, count)
    done = python(
        *("-m", "tests.benchmarks.bare", "copy", place.database_url, str(path)),
        environment=place.environment,
        timeout=600,
    ).told
    return float(done["rows"] / done["seconds"])


def _plain(place: Place) -> float:
    path = place.directory / "plain.json"
    path.write_text(json.dumps(list(_orders(PLAIN_ROWS))))
    done = python(
        *("-m", "tests.benchmarks.plain", str(_SINGLE), str(path)), environment=place.environment, timeout=600
    ).told
    return float(done["rows"] / done["seconds"])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _processor_seconds(pids: list[int]) -> float:
    """What these processes have used of processors so far."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError(os.strerror(3))
