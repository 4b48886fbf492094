"""A SQLite database of a backup moved into PostgreSQL: every row, in flat memory, in one transaction.

The tables are made by the migrations that the backup knows, so that its rows fit, and filled by COPY: PostgreSQL reads
the texts in which SQLite holds times, UUIDs and JSON. What breaks off leaves PostgreSQL as it was.
"""

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from apps.agencies.bulk import NULL, escaped
from apps.uploads import restored
from project.backups import databases
from project.backups.manifest import BackupError, Manifest

LEFT_OUT: Final = {"django_migrations", *(model._meta.db_table for model in restored.OF_THAT_TIME)}
"""Tables whose rows stay behind: PostgreSQL has migrations of its own, and the others every restore empties."""

_BLOCK = 256 * 1024  # characters that go to the server at once
_TOLD = 10
_PLACE = re.compile(r"COPY \w+, line (\d+)(?:, column (\w+))?")
_NUL_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_STRING_OR_POWER = re.compile(r'"(?:[^"\\]|\\.)*"|-?[\d.]+e\+\d+')
_NUL = ("22021", "22P05")  # PostgreSQL's codes for a NUL in a text, and in JSON
_UNCHANGED = "Nothing was changed in PostgreSQL."
_NEXT = "Change it in the SQLite installation, take a new backup, and restore that."


@dataclass(frozen=True, slots=True)
class _Table:
    """`kinds`: PostgreSQL's type of each column. `numbered`: the columns whose numbers the database gives."""

    name: str
    key: str
    kinds: dict[str, str]
    numbered: list[str]


def move(path: Path, manifest: Manifest) -> tuple[dict[str, int], list[str]]:
    """Replace all that the present PostgreSQL holds by the SQLite database at `path`. Returns the rows by table, and
    the tables that are none of Goalpost's. Raises BackupError: then nothing has changed."""
    databases.check_sqlite(path)
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                databases.drop_tables()
                leaves = [(app, name) for app, names in manifest.migrations.items() for name in names]
                MigrationExecutor(connection).migrate(leaves)
                return _fill(source, cursor)
        except sqlite3.Error as error:
            raise BackupError(f"{path} cannot be read: {error}. {_UNCHANGED}") from error
        except DatabaseError as error:
            raise BackupError(f"PostgreSQL broke off: {str(error).strip()} {_UNCHANGED}") from error


def _fill(source: sqlite3.Connection, cursor: Any) -> tuple[dict[str, int], list[str]]:
    cursor.execute("SET LOCAL TIME ZONE 'UTC'")  # SQLite's times are of it, and do not say so
    there = [name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    ours = set(connection.introspection.table_names(cursor))
    tables = [_described(source, cursor, name) for name in there if name in ours - LEFT_OUT]
    # Where a reference is there, PostgreSQL notes each row to look at it in the end; made afterwards, it looks once.
    references = _references(cursor)
    for owner, name, _definition in references:
        cursor.execute(f"ALTER TABLE {owner} DROP CONSTRAINT {name}")
    moved = {}
    for table in tables:
        try:
            moved[table.name] = _copy(source, cursor, table)
        except DatabaseError as error:
            raise BackupError(_refusal(error, source, table, tables)) from error
    for owner, name, definition in references:
        cursor.execute(f"ALTER TABLE {owner} ADD CONSTRAINT {name} {definition}")
    _go_on_numbering(source, cursor, tables)
    cursor.execute(f"ANALYZE {', '.join(_quoted(table.name) for table in tables)}")
    return moved, [name for name in there if name not in ours and not name.startswith("sqlite_")]


def _described(source: sqlite3.Connection, cursor: Any, name: str) -> _Table:
    """Raises BackupError where the two databases do not agree what a row is: then a column would be lost."""
    cursor.execute(
        "SELECT column_name, data_type, is_identity = 'YES' FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = %s ORDER BY ordinal_position",
        [name],
    )
    columns = cursor.fetchall()
    kinds = {column: kind for column, kind, _numbered in columns}
    found = {
        column: place for _n, column, _type, _null, _default, place in source.execute(f"PRAGMA table_info({name})")
    }
    if differing := found.keys() ^ kinds.keys():
        raise BackupError(
            f"The backup's table {name} has other columns than its migrations make ({', '.join(sorted(differing))}): "
            f"somebody changed it by hand. {_UNCHANGED}"
        )
    [key] = [column for column, place in found.items() if place]
    return _Table(name, key, kinds, [column for column, _kind, numbered in columns if numbered])


def _references(cursor: Any) -> list[tuple[str, str, str]]:
    """The foreign keys: table, name and definition."""
    cursor.execute(
        "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype = 'f' AND connamespace = current_schema()::regnamespace ORDER BY conname"
    )
    return list(cursor.fetchall())


def _copy(source: sqlite3.Connection, cursor: Any, table: _Table) -> int:
    """Returns how many rows there are now. Both databases were asked."""
    columns = ", ".join(map(_quoted, table.kinds))
    rows = source.execute(f"SELECT {columns} FROM {_quoted(table.name)} ORDER BY rowid")  # noqa: S608 - names of tables
    converters = [_CONVERTED.get(kind, _text) for kind in table.kinds.values()]
    with (
        connection.wrap_database_errors,
        cursor.copy(f"COPY {_quoted(table.name)} ({columns}) FROM STDIN") as copy,
    ):
        for block in _blocks(rows, converters):
            copy.write(block)
    count = f"SELECT count(*) FROM {_quoted(table.name)}"  # noqa: S608
    cursor.execute(count)
    [arrived] = cursor.fetchone()
    [number] = source.execute(count).fetchone()
    if arrived != number:
        raise BackupError(f"Of {table.name}, {arrived:,} rows arrived instead of {number:,}. {_UNCHANGED}")
    return int(number)


def _blocks(rows: sqlite3.Cursor, converters: list[Callable[[Any], str]]) -> Iterator[str]:
    """The rows in COPY's notation, some at a time."""
    lines: list[str] = []
    size = 0
    for row in rows:
        line = "\t".join(
            [NULL if value is None else convert(value) for convert, value in zip(converters, row, strict=True)]
        )
        lines.append(f"{line}\n")
        size += len(line)
        if size > _BLOCK:
            yield "".join(lines)
            lines, size = [], 0
    yield "".join(lines)


def _text(value: str | int | float) -> str:
    return escaped(value) if isinstance(value, str) else repr(value)


def _json(text: str) -> str:
    """PostgreSQL writes 1e22 out and takes it for a whole number; what is sealed in the audit chain has to stay one
    with a fraction."""
    return escaped(_STRING_OR_POWER.sub(_written_out, text) if "e+" in text else text)


def _written_out(found: re.Match[str]) -> str:
    text = found[0]
    return text if text.startswith('"') else f"{Decimal(text):f}.0"


_CONVERTED: dict[str, Callable[[Any], str]] = {
    "jsonb": _json,
    "bytea": lambda value: f"\\\\x{value.hex()}",
    # SQLite holds decimals as binary fractions, and knows fifteen digits of them.
    "numeric": lambda value: format(value, ".15g"),
}


def _go_on_numbering(source: sqlite3.Connection, cursor: Any, tables: list[_Table]) -> None:
    """New rows get numbers that no row ever had, deleted ones neither: the audit log speaks of those."""
    given = dict(source.execute("SELECT name, seq FROM sqlite_sequence"))
    for table in tables:
        for column in table.numbered:
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, %s), "  # noqa: S608
                f"greatest((SELECT max({_quoted(column)}) FROM {_quoted(table.name)}), %s, 1), %s)",
                [_quoted(table.name), column, given.get(table.name, 0), table.name in given],
            )


def _refusal(error: DatabaseError, source: sqlite3.Connection, refused: _Table, tables: list[_Table]) -> str:
    """Which rows PostgreSQL does not take, and why."""
    said = getattr(error.__cause__, "diag", None)
    context = _PLACE.search(getattr(said, "context", None) or "")
    if said is None or context is None:
        return f"PostgreSQL broke off at {refused.name}: {str(error).strip()} {_UNCHANGED}"
    rows = list(islice(_rows_with_nul(source, tables), _TOLD + 1)) if said.sqlstate in _NUL else []
    if rows:
        reason = "PostgreSQL holds no NUL characters (U+0000)"
        told = "; ".join(rows[:_TOLD]) + ("; and more" if len(rows) > _TOLD else "")
    else:
        reason = f"PostgreSQL does not take it ({said.message_primary})"
        line, column = context.groups()
        [key] = source.execute(
            f"SELECT {_quoted(refused.key)} FROM {_quoted(refused.name)} ORDER BY rowid LIMIT 1 OFFSET ?",  # noqa: S608
            [int(line) - 1],
        ).fetchone()
        told = _place(refused, key, column)
    return f"{reason}: {told}. {_UNCHANGED} {_NEXT}"


def _rows_with_nul(source: sqlite3.Connection, tables: list[_Table]) -> Iterator[str]:
    for table in tables:
        for column, kind in table.kinds.items():
            wanted = r"\u0000" if kind == "jsonb" else "\0"
            if kind == "bytea":
                continue
            for key, text in source.execute(
                f"SELECT {_quoted(table.key)}, {_quoted(column)} FROM {_quoted(table.name)} "  # noqa: S608
                f"WHERE instr({_quoted(column)}, ?) ORDER BY rowid",
                [wanted],
            ):
                if kind != "jsonb" or _NUL_IN_JSON.search(text):
                    yield _place(table, key, column)


def _place(table: _Table, key: object, column: str | None) -> str:
    return f"{table.name}, {table.key} {key}" + (f", column {column}" if column else "")


def _quoted(name: str) -> str:
    return str(connection.ops.quote_name(name))
