"""`import_orders`: how fast, and in how much memory, with a short file beside the long one."""

from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import rows
from tests.benchmarks.figures import Figure
from tests.benchmarks.measure import Measured, python
from tests.benchmarks.place import AGENCY, COUNTERS, Place

ORDERS_PER_SECOND = 5000
MEGABYTES = 250
GROWTH_MEGABYTES = 10
_SLOWEST = 500
"""Orders a second; what is slower than this is stopped."""


def measure(place: Place, *, count: int) -> Iterator[Figure]:
    few = max(1, count // 10)
    short = run(place, "few", few)
    long = run(place, "many", count)
    bare = python(
        *("-m", "tests.benchmarks.bare", "copy", place.database_url, str(_file(place, count))),
        environment=place.environment,
        timeout=600,
    ).told
    command = f"manage.py import_orders orders-{count}.csv --agency {AGENCY} --counter {COUNTERS['many']}"
    yield Figure(
        f"import_orders, {count:,} orders",
        count / long.seconds,
        "orders/s",
        target=ORDERS_PER_SECOND,
        bare=bare["rows"] / bare["seconds"],
        bare_name="csv module, psycopg COPY into one plain table",
        command=command,
    )
    # Where others use the machine too, this says what the command itself would take; the database's part is not in it.
    yield Figure("import_orders by its own processor time", count / long.cpu_seconds, "orders/s", command=command)
    yield Figure(
        f"import_orders, {count:,} orders: peak memory",
        long.peak_mb,
        "MB",
        target=MEGABYTES,
        more_is_better=False,
        command=command,
    )
    yield Figure(
        f"import_orders: memory more than for {few:,} ({short.peak_mb:.0f} MB)",
        long.peak_mb - short.peak_mb,
        "MB",
        target=GROWTH_MEGABYTES,
        more_is_better=False,
        command=f"manage.py import_orders orders-{few}.csv --agency {AGENCY} --counter {COUNTERS['few']}",
    )


def run(place: Place, counter: str, count: int) -> Measured:
    """Import so many orders into one of the counters."""
    return python(
        *("manage.py", "import_orders", str(_file(place, count))),
        *("--agency", AGENCY, "--counter", str(COUNTERS[counter])),
        environment=place.environment,
        timeout=60 + count / _SLOWEST,
    )


def _file(place: Place, count: int) -> Path:
    path = place.directory / f"orders-{count}.csv"
    if not path.exists():
        rows.write(path, count)
    return path
