"""Speed, memory and fairness on PostgreSQL (fairness on SQLite too): `make benchmarks`, or
`python -m tests.benchmarks --orders 50000 --only import,plan`.

Everything runs on this machine, in a database that is made for it and dropped again. Ends with 1 if a target is missed.
"""

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from tests.benchmarks import api, fairness, importing, latency, opening, place, sending
from tests.benchmarks.figures import Figure, table
from tests.run import postgres_url

PARTS = ("import", "plan", "latency", "api", "fair")
OF_THE_API = tuple(f"api:{part}" for part in api.PARTS)
"""The parts of `api`, one of which may be asked for by itself: `--only api:bulk`."""

PAGES = "pages"
"""By itself, as it wants a database of its own kind: `--only pages --orders 10000000`."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000, help="rows of the long import (default: 1,000,000)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"which, of {','.join(PARTS)}; or {PAGES}")
    parser.add_argument("--times", type=int, default=20, help=f"{PAGES}: how often each page is opened (default: 20)")
    options = parser.parse_args()
    if options.only == PAGES:
        return _pages(orders=options.orders, times=options.times)
    only = options.only.split(",")
    if unknown := set(only) - {*PARTS, *OF_THE_API}:
        parser.error(f"there is no {', '.join(sorted(unknown))}; choose of {', '.join((*PARTS, *OF_THE_API))}")
    server = postgres_url()
    if not server:
        parser.error("no PostgreSQL answers; set TEST_DATABASE_URL")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(_machine(server), flush=True)
    figures: list[Figure] = []
    try:
        for figure in _measured(server, count=options.orders, only=only):
            figures.append(figure)
            print(f"{'':10}{figure.name}: {figure.cells()[1]}", flush=True)
    finally:
        print(f"load at the end: {_load()}\n\n{table(figures)}", flush=True)
    return 1 if any(figure.verdict == "MISSED" for figure in figures) else 0


def _pages(*, orders: int, times: int) -> int:
    server = postgres_url()
    if not server:
        raise SystemExit("no PostgreSQL answers; set TEST_DATABASE_URL")
    print(_machine(server), flush=True)
    with _directory() as directory, place.empty(server=server, directory=directory) as environment:
        return opening.run(environment=environment, orders=orders, times=times, fill=True)


def _measured(server: str, *, count: int, only: list[str]) -> Iterator[Figure]:
    with _directory() as directory, place.made(server=server, directory=directory) as where:
        if "import" in only:
            _note(f"import_orders of {count:,} orders")
            yield from importing.measure(where, count=count)
        if "plan" in only:
            if "import" not in only:
                _note(f"{count:,} orders to plan for")
                importing.run(where, "many", count)
            _note("planner and files")
            yield from sending.measure(where, count=count)
        if "latency" in only:
            _note(f"latency, {latency.SAMPLES} samples")
            yield from latency.measure(where)
        parts = api.PARTS if "api" in only else tuple(part for part in api.PARTS if f"api:{part}" in only)
        if parts:
            _note(f"the API: {', '.join(parts)}")
            yield from api.measure(where, count=count, parts=parts)
    if "fair" in only:
        for name, made in (
            ("PostgreSQL", lambda directory: place.made(server=server, directory=directory)),
            ("SQLite", lambda directory: place.made_on_sqlite(directory=directory)),
        ):
            with _directory() as directory, made(directory) as where:
                _note(f"{count:,} orders that wait, on {name}")
                importing.run(where, "many", count)
                _note("fresh changes of another agency")
                yield from fairness.measure(where, database=name, count=count)


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="goalpost-bench-") as directory:
        yield Path(directory)


def _note(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  load {_load()}  {text}", flush=True)


def _load() -> str:
    return " ".join(f"{number:.2f}" for number in os.getloadavg())


def _machine(server: str) -> str:
    with psycopg.connect(server) as connection:
        version = connection.info.parameter_status("server_version")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1_000_000_000
    processor = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} cores {processor}, {memory:.0f} GB; "
        f"PostgreSQL {version}; Python {platform.python_version()}; load {_load()}"
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main())
