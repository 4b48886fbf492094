"""First few things by the models, then much by the database, then indexes, statistics and the audit chain."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection as django_connection
from django.db import connections
from django.utils import timezone

from tests.benchmarks.filling import big, indexes, small
from tests.benchmarks.filling.shares import Sizes, sizes

Connection = psycopg.Connection[Any]

KEEPING_KEYS = ("clients_client", "orders_order", "uploads_uploadjob")
"""Their primary keys grow with the rows, so they cost little while rows come in."""

_WITH_NUMBERS = ("clients_client", "orders_order")  # keys that were given, not drawn from their sequence


@dataclass(frozen=True, slots=True)
class Lab:
    """Opens connections that know the functions of `big`; says what is done and how long it took."""

    url: str
    extent: big.Extent
    began: float

    @contextmanager
    def connection(self) -> Any:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for setting in (
                "synchronous_commit = off",
                "maintenance_work_mem = '1GB'",
                "work_mem = '128MB'",
                "max_parallel_workers_per_gather = 0",
                "max_parallel_maintenance_workers = 0",
                "jit = off",
            ):
                connection.execute(f"SET {setting}")
            connection.execute(self.extent.functions())
            yield connection

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:7.0f} s  {text}", flush=True)


def fill(*, orders: int, agencies: int, counters: int, seed: int, at_once: int) -> int:
    until = timezone.now().replace(microsecond=0)
    parts = sizes(orders=orders, agencies=agencies, counters=counters, seed=seed)
    lab = Lab(_url(), big.Extent(orders, len(parts.slots), seed, until), time.monotonic())
    with lab.connection() as connection:
        _must_be_empty(connection)
        made = small.make(sizes=parts, seed=seed, until=until)
        lab.say(f"{agencies} agencies, {counters} counters")
        _places(connection, parts, made, orders)
        tables = [*big.IN_PIECES, *big.WHOLE]
        rebuilding = indexes.take_away(connection, tables, keeping_keys=KEEPING_KEYS)
    _rows(lab, at_once)
    for last in (False, True):
        chains = indexes.chains(rebuilding, last=last).values()
        _side_by_side(
            lab, at_once, [lambda c, chain=chain: indexes.make_again(c, chain, _told(lab)) for chain in chains]
        )
    with lab.connection() as connection:
        connection.execute("DROP TABLE bench_slot, bench_counter")
        for table in _WITH_NUMBERS:
            connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), %s)", [orders])
    lab.say("indexes and foreign keys")
    sealed = _side_by_side(lab, at_once, [*(_vacuum(table, lab) for table in tables), lambda _connection: _seal()])[-1]
    with lab.connection() as connection:
        connection.execute("ANALYZE")
    lab.say(f"statistics; {sealed:,} audit entries sealed")
    return 0


def _url() -> str:
    facts = django_connection.get_connection_params()
    if django_connection.vendor != "postgresql":
        raise SystemExit("DATABASE_URL has to name a PostgreSQL database.")
    wanted = {name: facts[name] for name in ("host", "port", "user", "password", "dbname") if facts.get(name)}
    return psycopg.conninfo.make_conninfo(**wanted)


def _must_be_empty(connection: Connection) -> None:
    for table in ("orders_order", "counters_counter", "agencies_agency"):
        if connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
            raise SystemExit(
                f"{table} has rows already: this fills an empty database only. Make a new one and migrate it."
            )


def _places(connection: Connection, parts: Sizes, made: small.Made, orders: int) -> None:
    connection.execute(big.PLACES)
    paused, waiting = set(made.paused), set(made.waiting)
    with connection.cursor().copy("COPY bench_slot FROM STDIN") as copy:
        for slot, index in enumerate(parts.slots):
            key = made.counters[index]
            copy.write_row([slot, key, key in paused, key in waiting, index == 0])
    connection.execute(
        """
        INSERT INTO bench_counter
        SELECT c.id, c.agency_id, dense_rank() OVER (ORDER BY c.agency_id), c.account_id, c.metrica_id, c.name,
               c.mode = 'detailed', rank() OVER (ORDER BY share.number DESC, c.id), share.number * %s / %s
        FROM counters_counter c
        JOIN (SELECT counter_id, count(*) AS number FROM bench_slot GROUP BY 1) share ON share.counter_id = c.id
        """,
        [orders, len(parts.slots)],
    )
    connection.execute("ANALYZE bench_slot, bench_counter")


def _rows(lab: Lab, at_once: int) -> None:
    work: list[Callable[[Connection], Any]] = []
    for table in big.IN_PIECES:
        for first, last in lab.extent.pieces(table):
            statement = lab.extent.statement(table, first=first, last=last)
            work.append(lambda connection, statement=statement: connection.execute(statement))
        work.append(lambda _connection, table=table: lab.say(f"{table}: all pieces are begun"))
    _side_by_side(lab, at_once, work)
    with lab.connection() as connection:
        for table in big.WHOLE:
            connection.execute(lab.extent.statement(table))
            lab.say(table)


def _side_by_side(lab: Lab, at_once: int, work: Iterable[Callable[[Connection], Any]]) -> list[Any]:
    """So many pieces of work at once, begun in their order, each writer with a connection of its own."""
    own = threading.local()
    with ExitStack() as opened, ThreadPoolExecutor(at_once) as pool:

        def run(piece: Callable[[Connection], Any]) -> Any:
            if not hasattr(own, "connection"):
                own.connection = opened.enter_context(lab.connection())
            return piece(own.connection)

        return list(pool.map(run, work))


def _told(lab: Lab) -> Callable[[indexes.Work], None]:
    return lambda work: lab.say(f"{work.table} {work.name}")


def _vacuum(table: str, lab: Lab) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(f"VACUUM (ANALYZE) {table}")
        lab.say(f"{table} looked through")

    return work


def _seal() -> int:
    """The chain of the audit log as the tick makes it."""
    from apps.audit import chain

    sealed = 0
    while done := chain.seal(50_000, thorough=not sealed):
        sealed += done
    connections.close_all()
    return sealed
