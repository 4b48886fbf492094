"""Rows by the thousand: inserted and updated column by column, without a model instance for each; deleted by and by.

PostgreSQL takes them by COPY and by one UPDATE from arrays, SQLite by `executemany`: five to ten times faster than
`bulk_create` and `bulk_update`. Values are what the columns take: aware datetimes, Decimals, UUIDs, JSON-ready objects.
Nothing is validated, no default is filled in, no signal is sent. All belongs inside the caller's transaction.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import In
from django.db.models.sql.compiler import SQLCompiler

Rows = Collection[Sequence[Any]]


@models.Field.register_lookup
class Among(In):
    """`filter(order_id__among=ids)`: `in` for thousands of values.

    PostgreSQL gets them as one array instead of a parameter each, which takes a tenth of the time. Of a foreign key,
    write `order__pk__among`: that asks the column itself, without a join.
    """

    lookup_name = "among"

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        left, params = self.process_lhs(compiler, connection)
        values = {value for value in self.rhs if value is not None}
        of_type = (self.lhs.output_field.db_type(connection) or "").split("(")[0]
        return f"{left} = ANY(%s::{of_type}[])", [*params, list(values)]


Convert = Callable[[Any], Any]

_ESCAPED = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
NULL = r"\N"


def reserve_keys(model: type[models.Model], number: int) -> Sequence[int]:
    """So many new primary keys (a BigAutoField's) that nobody else gets."""
    connection = _connection(model)
    table, key = model._meta.db_table, model._meta.pk.column
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(name) FROM generate_series(1, %s), "
                "(SELECT pg_get_serial_sequence(%s, %s)::regclass AS name OFFSET 0) AS sequence",
                [number, connection.ops.quote_name(table), key],
            )
            return [found for (found,) in cursor.fetchall()]
        # A SQLite transaction that writes is alone; AUTOINCREMENT keeps the highest number ever given.
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = (cursor.fetchone() or (0,))[0]
        return range(last + 1, last + 1 + number)


def find_keys(model: type[models.Model], name: str, values: Collection[str], **owner: Any) -> list[Any]:
    """Primary keys of the rows whose text field `name` is one of the values, within one `owner` (`counter_id=…`).

    For fields that are unique within their owner. Whatever PostgreSQL believes of the table, each value is looked up in
    that unique index: where an owner's rows came in after the last ANALYZE, it would else read all of them for each
    call, so that a long import would take the square of its length.
    """
    connection = _connection(model)
    if connection.vendor != "postgresql":
        return list(model._default_manager.filter(**owner, **{f"{name}__in": values}).values_list("pk", flat=True))
    (owner_name, owner_key), *_none = owner.items()
    fields = [model._meta.pk, model._meta.get_field(owner_name), model._meta.get_field(name)]
    table, (key, owner_column, column) = _names(connection, model, fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT found.{key} FROM unnest(%s::text[]) AS wanted (value), LATERAL ("  # noqa: S608
            f"SELECT {key} FROM {table} WHERE {owner_column} = %s AND {column} = wanted.value OFFSET 0) AS found",
            [list(values), owner_key],
        )
        return [found for (found,) in cursor.fetchall()]


def insert_rows(
    model: type[models.Model], names: Sequence[str], rows: Rows, *, same: Mapping[str, Any] | None = None
) -> None:
    """Insert rows whose values are those of the fields `names` (attnames, the primary key among them), in that order.

    `same`: fields that have one value in all rows, which is then converted once. Fields left out get the database's
    null, or its next number, so name all that must have a value. Raises IntegrityError as INSERT does.
    """
    if not rows:
        return
    connection = _connection(model)
    shared = same or {}
    fields = [model._meta.get_field(name) for name in (*names, *shared)]
    table, columns = _names(connection, model, fields)
    values = [
        _converted(connection, field, column)
        for field, column in zip(
            fields, [*zip(*rows, strict=True), *((value,) for value in shared.values())], strict=True
        )
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            texts = list(map(_for_copy, values))
            ending = "".join(f"\t{text}" for (text,) in texts[len(names) :]) + "\n"
            block = ending.join(map("\t".join, zip(*texts[: len(names)], strict=True)))
            with (
                connection.wrap_database_errors,
                cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy,
            ):
                copy.write(block + ending)
        else:
            places = ", ".join(["%s"] * len(columns))
            constant = [value for (value,) in values[len(names) :]]
            cursor.executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",  # noqa: S608 - names of our models
                [(*row, *constant) for row in zip(*values[: len(names)], strict=True)],
            )


def update_rows(model: type[models.Model], names: Sequence[str], rows: Rows) -> None:
    """Set the fields `names` of existing rows; the first of them is the primary key, which says which row it is."""
    if not rows:
        return
    connection = _connection(model)
    fields = [model._meta.get_field(name) for name in names]
    table, (key, *columns) = _names(connection, model, fields)
    values = [
        _converted(connection, field, column) for field, column in zip(fields, zip(*rows, strict=True), strict=True)
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            types = [(field.db_type(connection) or "").split("(")[0] for field in fields]
            settings = ", ".join(
                f"{column} = given.{column}::{of_type}" for column, of_type in zip(columns, types[1:], strict=True)
            )
            arrays = ", ".join(["%s::text[]"] * len(names))
            cursor.execute(
                f"UPDATE {table} SET {settings} FROM unnest({arrays}) AS given ({', '.join([key, *columns])}) "  # noqa: S608
                f"WHERE {table}.{key} = given.{key}::{types[0]}",
                values,
            )
        else:
            settings = ", ".join(f"{column} = %s" for column in columns)
            cursor.executemany(
                f"UPDATE {table} SET {settings} WHERE {key} = %s",  # noqa: S608
                [(*rest, first) for first, *rest in zip(*values, strict=True)],
            )


def _connection(model: type[models.Model]) -> BaseDatabaseWrapper:
    return connections[router.db_for_write(model)]


def _names(connection: BaseDatabaseWrapper, model: type[models.Model], fields: Iterable[Any]) -> tuple[str, list[str]]:
    quote = connection.ops.quote_name
    return quote(model._meta.db_table), [quote(field.column) for field in fields]


def _converted(connection: BaseDatabaseWrapper, field: Any, column: Sequence[Any]) -> list[Any]:
    """The column as its database driver takes it: for PostgreSQL the text of each value, or None."""
    if isinstance(field, models.ForeignKey):
        field = field.target_field
    if (texts := getattr(field, "column_texts", None)) is not None:  # it writes its values in a way of its own
        return texts(column)
    if isinstance(field, models.JSONField):
        return [None if value is None else _json(value) for value in column]
    if connection.vendor == "postgresql":
        return _texts(field, column)
    convert = _for_sqlite(connection, field)
    return list(column) if convert is None else [None if value is None else convert(value) for value in column]


def _texts(field: Any, column: Sequence[Any]) -> list[str | None]:
    if isinstance(field, models.CharField | models.TextField):
        return list(column)
    convert: Convert = str
    if isinstance(field, models.UUIDField):
        convert = _hex
    elif isinstance(field, models.BooleanField):
        convert = "ft".__getitem__
    return [None if value is None else convert(value) for value in column]


def _for_sqlite(connection: BaseDatabaseWrapper, field: Any) -> Convert | None:
    if isinstance(field, models.DateTimeField):
        return connection.ops.adapt_datetimefield_value
    if isinstance(field, models.UUIDField):
        return _hex
    if isinstance(field, models.DecimalField):
        return lambda value: connection.ops.adapt_decimalfield_value(value, field.max_digits, field.decimal_places)
    return None


def _for_copy(column: list[str | None]) -> list[str]:
    """The texts of a column in COPY's own notation."""
    if None in column:
        return [NULL if text is None else escaped(text) for text in column]
    if _ESCAPED.search("".join(column)) is None:  # type: ignore[arg-type]
        return column  # type: ignore[return-value]
    return [escaped(text) for text in column]  # type: ignore[arg-type]


def escaped(text: str) -> str:
    return text.translate(_ESCAPES) if _ESCAPED.search(text) else text


def _hex(value: Any) -> str:
    return str(value.hex)


def _json(value: Any) -> str:
    if not value and isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return _encode(value)


_encode = json.JSONEncoder().encode  # exactly as the ORM writes it: SQLite compares JSON as text


def delete_rows(rows: models.QuerySet[Any], *, most: int = 20_000, at_once: int = 1000) -> int:
    """Delete rows in their order, so many at once and `most` in all: what was kept long enough goes by the tick, and
    nobody waits. Returns how many. What hangs on the rows is not counted."""
    gone = 0
    while gone < most and (keys := list(rows.values_list("pk", flat=True)[:at_once])):
        rows.model._default_manager.filter(pk__in=keys).delete()
        gone += len(keys)
    return gone
