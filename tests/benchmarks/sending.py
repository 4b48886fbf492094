"""Planner and file writing at many waiting changes, and posting a written file; nothing leaves the machine."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg

from apps.metrica.client import MetricaClient
from tests.benchmarks import sink
from tests.benchmarks.figures import Figure
from tests.benchmarks.measure import Clock, python
from tests.benchmarks.place import COUNTERS, TOKEN, Place

ROWS_PER_SECOND = 50_000
MEGABYTES = 250
_SECONDS = 900


def measure(place: Place, *, count: int) -> Iterator[Figure]:
    """`count` changes wait in the counter `many`."""
    counter, written = str(COUNTERS["many"]), place.directory / "bare.csv"
    with psycopg.connect(place.database_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")  # as autovacuum does some minutes after so large an import
    bare = python(
        *("-m", "tests.benchmarks.bare", "write", place.database_url, counter, str(written)),
        environment=place.environment,
        timeout=_SECONDS,
    ).told
    command = f"python -m tests.benchmarks.planning {counter}"
    planned = python(*command.split()[1:], environment=place.environment, timeout=_SECONDS)
    told = planned.told
    if not told["rows"] == bare["rows"] == count:
        raise RuntimeError(f"{count} changes were to go, {told['rows']} were planned, {bare['rows']} written bare")
    yield Figure(
        f"planner + files, {told['rows']:,} waiting changes, {told['files']} files",
        told["rows"] / told["seconds"],
        "rows/s",
        target=ROWS_PER_SECOND,
        bare=bare["rows"] / bare["seconds"],
        bare_name="csv module from a server-side cursor, one file",
        command=command,
    )
    yield Figure(
        "planner + files: peak memory", planned.peak_mb, "MB", target=MEGABYTES, more_is_better=False, command=command
    )
    yield Figure("settling them as delivered", told["rows"] / told["settling"], "rows/s", command=command)
    yield _posting(written)


def _posting(file: Path) -> Figure:
    megabytes = file.stat().st_size / 1_000_000
    with sink.running() as url:
        with Clock() as bare, file.open("rb") as body:
            httpx.post(url, files={"file": ("orders.csv", body, "text/csv")}, timeout=_SECONDS).raise_for_status()
        with (
            Clock() as ours,
            file.open("rb") as body,
            MetricaClient(base_url=url, token=TOKEN, timeout=_SECONDS) as metrica,
        ):
            metrica.upload_simple_orders(COUNTERS["many"], body)
    return Figure(
        f"posting a file of {megabytes:.0f} MB to a sink",
        megabytes / ours.seconds,
        "MB/s",
        bare=megabytes / bare.seconds,
        bare_name="httpx.post(files=…) to the same sink",
    )
