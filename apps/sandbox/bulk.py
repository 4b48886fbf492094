"""Writes rows by the thousand without building a model object for each: an upload holds one transaction, so speed
is what keeps the shared database free for others."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper


def write_rows(
    *,
    model: type[models.Model],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    conflict: Sequence[str] = (),
    update: Sequence[str] = (),
) -> None:
    """Inserts `rows` (values in the order of `columns`, which are field names; a foreign key takes the key).

    Where a row with the same `conflict` fields exists, its `update` fields are overwritten instead.
    Values are of their fields' Python types; no two rows may conflict with each other. Call it inside a transaction.
    """
    # The connection itself: its thread-local stand-in would be asked for every value.
    connection = connections[router.db_for_write(model)]
    quote = connection.ops.quote_name

    def names(fields: Sequence[str]) -> list[str]:
        return [quote(_field(model, name).column) for name in fields]

    into = f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(names(columns))})"
    otherwise = ""
    if conflict:
        changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in names(update))
        otherwise = f" ON CONFLICT ({', '.join(names(conflict))}) DO UPDATE SET {changes}"
    by_column = [
        _converted(column, _converter(_field(model, name), connection))
        for name, column in zip(columns, zip(*rows, strict=True), strict=False)
    ]
    if not by_column:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # One statement with an array for each column: a server plans every statement, psycopg reads every place.
            arrays = ", ".join(f"%s::{_field(model, name).db_type(connection)}[]" for name in columns)
            cursor.execute(f"{into} SELECT * FROM unnest({arrays}){otherwise}", [list(column) for column in by_column])  # noqa: S608
        else:
            places = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"{into} VALUES ({places}){otherwise}", list(zip(*by_column, strict=True)))


def _field(model: type[models.Model], name: str) -> Any:
    return model._meta.get_field(name)


def _converted(column: Sequence[Any], convert: Callable[[Any], Any] | None) -> Sequence[Any]:
    if convert is None:
        return column
    return [None if value is None else convert(value) for value in column]


def _converter(field: Any, connection: BaseDatabaseWrapper) -> Callable[[Any], Any] | None:
    """What turns the field's Python values into the database's, None where they are the same."""
    while field.is_relation:
        field = field.target_field
    if isinstance(field, models.DateTimeField):
        return _remembering(connection.ops.adapt_datetimefield_value)
    if isinstance(field, models.DateField):
        return _remembering(connection.ops.adapt_datefield_value)
    if isinstance(field, models.DecimalField):
        adapt, digits, places = connection.ops.adapt_decimalfield_value, field.max_digits, field.decimal_places
        return _remembering(lambda value: adapt(value, digits, places))
    if isinstance(field, models.UUIDField):
        return None if connection.features.has_native_uuid_field else attrgetter("hex")
    if isinstance(field, models.JSONField):
        return lambda value: field.get_db_prep_save(value, connection)
    return None


def _remembering(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The rows of one call share most of their times and amounts."""
    known: dict[Any, Any] = {}

    def converted(value: Any) -> Any:
        found = known.get(value)
        if found is None:
            found = known[value] = convert(value)
        return found

    return converted
