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

LOSING_KEYS = ("orders_statuschange", "clients_contact")
"""The other tables keep their primary keys, which grow with the rows and so cost little: rows refer to them, and ranges
of them are read while others are written."""

_WITH_NUMBERS = ("clients_client", "orders_order")  # keys that were given, not drawn from their sequence

_LARGEST_FIRST = ("orders_statuschange", "orders_order", "clients_contact", "clients_client")


AS_ADVISED = ("jit = off", "random_page_cost = 1.1", "work_mem = '32MB'")
"""What docs/operations.md advises for the database, as far as it can be set without the server's own file."""


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
                "session_replication_role = replica",  # foreign keys hold by the way rows are made up; the test looks
            ):
                connection.execute(f"SET {setting}")
            connection.execute(self.extent.functions())
            yield connection

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:7.0f} s  {text}", flush=True)


def fill(*, orders: int, agencies: int, counters: int, seed: int, at_once: int, logged: bool) -> int:
    until = timezone.now().replace(microsecond=0)
    parts = sizes(orders=orders, agencies=agencies, counters=counters, seed=seed)
    lab = Lab(_url(), big.Extent(orders, len(parts.slots), seed, until), time.monotonic())
    with lab.connection() as connection:
        _must_be_empty(connection)
        made = small.make(sizes=parts, seed=seed, until=until)
        lab.say(f"{agencies} agencies, {counters} counters")
        _places(connection, parts, made, orders)
        rebuilding = indexes.take_away(connection, big.TABLES, losing_keys=LOSING_KEYS)
        if not logged:
            indexes.keep_no_log(connection, big.TABLES)
        for table in big.TABLES:  # the server's own looking through would only take turns with what is done here
            connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    _rows(lab, at_once)
    lab.say("rows")
    _side_by_side(lab, at_once, [_vacuum(table, lab) for table in _by_size(big.TABLES)])
    again = sorted(rebuilding, key=lambda work: _place(work.table))
    _side_by_side(lab, at_once, [lambda _connection: _seal(lab), *(_index(work, lab) for work in again)])
    with lab.connection() as connection:
        for work in again:
            indexes.make_again(connection, work.after)
        for setting in AS_ADVISED:
            connection.execute(f'ALTER DATABASE "{connection.info.dbname}" SET {setting}')
        for table in big.TABLES:
            connection.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)")
        connection.execute("DROP TABLE bench_slot, bench_counter")
        for table in _WITH_NUMBERS:
            connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), %s)", [orders])
    lab.say("indexes and foreign keys")
    with lab.connection() as connection:
        connection.execute("ANALYZE")
    small.count_work(until=until)
    lab.say("statistics, and the numbers of the home page")
    return 0


def _by_size(tables: Iterable[str]) -> list[str]:
    return sorted(tables, key=_place)


def _place(table: str) -> int:
    return _LARGEST_FIRST.index(table) if table in _LARGEST_FIRST else len(_LARGEST_FIRST)


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
    for table, texts in big.IN_PIECES.items():
        for first, last in lab.extent.pieces(table):
            work += [_piece(lab.extent.statement(text, first=first, last=last)) for text in texts]
        work.append(lambda _connection, table=table: lab.say(f"{table}: all pieces are begun"))
        if table == "orders_statuschange":
            # Among them, so that the longest is not begun last; by now all orders are there.
            work += [_chain(chain, lab) for chain in big.CHAINS]
    _side_by_side(lab, at_once, work)


def _piece(statement: str) -> Callable[[Connection], Any]:
    return lambda connection: connection.execute(statement)


def _chain(chain: dict[str, str], lab: Lab) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        for table, text in chain.items():
            connection.execute(lab.extent.statement(text))
            lab.say(table)

    return work


def _side_by_side(lab: Lab, at_once: int, work: Iterable[Callable[[Connection], Any]]) -> list[Any]:
    """So many pieces of work at once, begun in their order, each writer with a connection of its own."""
    own = threading.local()
    with ExitStack() as opened, ThreadPoolExecutor(at_once) as pool:

        def run(piece: Callable[[Connection], Any]) -> Any:
            if not hasattr(own, "connection"):
                own.connection = opened.enter_context(lab.connection())
            return piece(own.connection)

        return list(pool.map(run, work))


def _index(work: indexes.Work, lab: Lab) -> Callable[[Connection], None]:
    def make(connection: Connection) -> None:
        indexes.make_again(connection, work.statements)
        lab.say(f"{work.table} {work.name}")

    return make


def _vacuum(table: str, lab: Lab) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(f"VACUUM (ANALYZE) {table}")
        lab.say(f"{table} looked through")

    return work


def _seal(lab: Lab) -> None:
    """The chain of the audit log as the tick makes it."""
    from apps.audit import chain

    sealed = 0
    while done := chain.seal(50_000, thorough=not sealed):
        sealed += done
    connections.close_all()
    lab.say(f"{sealed:,} audit entries sealed")
