"""Indexes and constraints out of the way while millions of rows come in, and back again exactly as they were."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psycopg

# Foreign keys from and to the tables; what holds within one table; indexes of no constraint. Primary keys stay with the
# tables of which ranges are read while others are filled.
_CONSTRAINTS = """
    SELECT c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid), c.contype::text
    FROM pg_constraint c
    WHERE c.contype IN ('f', 'u', 'p')
      AND (c.conrelid::regclass::text = ANY(%(tables)s)
           OR (c.contype = 'f' AND c.confrelid::regclass::text = ANY(%(tables)s)))
      AND NOT (c.contype = 'p' AND c.conrelid::regclass::text = ANY(%(keeping_keys)s))
    ORDER BY c.contype <> 'f', c.conname
"""
_INDEXES = """
    SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
    FROM pg_index i
    WHERE i.indrelid::regclass::text = ANY(%(tables)s)
      AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('u', 'p'))
    ORDER BY 2
"""


@dataclass(frozen=True, slots=True)
class Work:
    """A statement that makes one of them anew. `last`: after all indexes are there."""

    table: str
    name: str
    statement: str
    last: bool


def take_away(
    connection: "psycopg.Connection[tuple[str, ...]]", tables: Iterable[str], *, keeping_keys: Iterable[str] = ()
) -> list[Work]:
    """Drops them and tells how each is made again. In one transaction, so that none is lost where it fails."""
    given = {"tables": list(tables), "keeping_keys": list(keeping_keys)}
    work: list[Work] = []
    with connection.transaction():
        constraints = connection.execute(_CONSTRAINTS, given).fetchall()
        for table, name, definition, kind in constraints:
            connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
            work.append(Work(table, name, f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}', kind == "f"))
        for table, name, definition in connection.execute(_INDEXES, given).fetchall():
            connection.execute(f"DROP INDEX {name}")
            work.append(Work(table, name, definition, False))
    return work


def chains(work: Iterable[Work], *, last: bool) -> dict[str, list[Work]]:
    """By table: what belongs to one table is done one after the other, tables side by side."""
    found: dict[str, list[Work]] = {}
    for each in work:
        if each.last is last:
            found.setdefault(each.table, []).append(each)
    return found


def make_again(
    connection: "psycopg.Connection[tuple[str, ...]]", chain: Iterable[Work], done: Callable[[Work], None]
) -> None:
    for each in chain:
        connection.execute(each.statement)
        done(each)
