"""Indexes out of the way while millions of rows come in, and back again exactly as they were."""

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg

# Keys that are drawn, foreign keys to tables that lose theirs, what is unique within a table; indexes of no constraint.
_CONSTRAINTS = """
    SELECT c.conrelid::regclass::text, c.conname, c.contype::text, pg_get_constraintdef(c.oid),
           CASE WHEN c.contype <> 'f' THEN pg_get_indexdef(c.conindid) ELSE '' END
    FROM pg_constraint c
    WHERE (c.contype = 'f' AND c.confrelid::regclass::text = ANY(%(losing_keys)s))
       OR (c.contype = 'u' AND c.conrelid::regclass::text = ANY(%(tables)s))
       OR (c.contype = 'p' AND c.conrelid::regclass::text = ANY(%(losing_keys)s))
    ORDER BY c.contype <> 'f', c.conname
"""
_INDEXES = """
    SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
    FROM pg_index i
    WHERE i.indrelid::regclass::text = ANY(%(tables)s)
      AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('u', 'p'))
    ORDER BY 2
"""
# A table that stays logged may not refer to one that does not.
_REFERRING = """
    SELECT DISTINCT conrelid::regclass::text FROM pg_constraint
    WHERE contype = 'f' AND confrelid::regclass::text = ANY(%(tables)s)
"""

Connection = psycopg.Connection[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Work:
    """Statements that make one index or constraint anew; `after`: once all indexes are there, as it needs them."""

    table: str
    name: str
    statements: tuple[str, ...]
    after: tuple[str, ...] = ()


def take_away(connection: Connection, tables: Iterable[str], *, losing_keys: Iterable[str] = ()) -> list[Work]:
    """Drops them and tells how each is made again. In one transaction, so that none is lost where it fails."""
    given = {"tables": list(tables), "losing_keys": list(losing_keys)}
    work: list[Work] = []
    with connection.transaction():
        for table, name, kind, definition, index in connection.execute(_CONSTRAINTS, given).fetchall():
            connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
            if kind == "f":
                work.append(Work(table, name, (), (f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}',)))
                continue
            # First the index, beside which others of the table can be made, then in a moment the constraint.
            using = "PRIMARY KEY" if kind == "p" else "UNIQUE"
            constraint = f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {using} USING INDEX "{name}"'
            work.append(Work(table, name, (index,), (constraint,)))
        for table, name, definition in connection.execute(_INDEXES, given).fetchall():
            connection.execute(f"DROP INDEX {name}")
            work.append(Work(table, name, (definition,)))
    return work


def keep_no_log(connection: Connection, tables: Iterable[str]) -> None:
    """What is made up need not outlive a crash: nothing of these tables goes through the write-ahead log."""
    left = set(tables)
    while referring := {name for (name,) in connection.execute(_REFERRING, {"tables": list(left)})} - left:
        left |= referring
    while left:
        for table in sorted(left):
            try:
                with connection.transaction():
                    connection.execute(f"ALTER TABLE {table} SET UNLOGGED")
            except psycopg.errors.InvalidTableDefinition:
                continue  # one that is still logged refers to it
            left.discard(table)
            break
        else:
            raise RuntimeError(f"These tables refer to each other: {', '.join(sorted(left))}")


def make_again(connection: Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement)
