"""Inserts by the thousand: COPY on PostgreSQL, which is several times faster; elsewhere bulk_create."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections, models, router


def insert_many(objects: Sequence[models.Model]) -> None:
    """Insert new rows of one model and give them their primary keys. Belongs inside the caller's transaction.

    Every field must hold what the column takes (aware datetimes, Decimals, JSON-ready values): nothing is converted, no
    signal is sent. Raises IntegrityError as an INSERT would.
    """
    if not objects:
        return
    model = type(objects[0])
    connection = connections[router.db_for_write(model)]
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(objects)
        return
    fields = model._meta.concrete_fields
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    readers = [_reader(field) for field in fields]
    with connection.cursor() as cursor:
        _number(cursor, model, objects, quote)
        with (
            connection.wrap_database_errors,
            cursor.copy(f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN") as copy,
        ):
            for one in objects:
                copy.write_row([read(one) for read in readers])
    for one in objects:
        one._state.adding, one._state.db = False, connection.alias


def _number(
    cursor: Any, model: type[models.Model], objects: Sequence[models.Model], quote: Callable[[str], str]
) -> None:
    """Primary keys from the column's sequence, where they are numbers that the database gives."""
    key = model._meta.pk
    if not isinstance(key, models.AutoField | models.BigAutoField):
        return
    table = quote(model._meta.db_table)
    cursor.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)", [table, key.column, len(objects)]
    )
    for one, (number,) in zip(objects, cursor.fetchall(), strict=True):
        one.pk = number


def _reader(field: "models.Field[Any, Any]") -> Callable[[models.Model], Any]:
    name = field.attname
    if not isinstance(field, models.JSONField):
        return lambda one: getattr(one, name)

    def read_json(one: models.Model) -> str | None:
        value = getattr(one, name)
        if value is None:
            return None
        return json.dumps(value, ensure_ascii=False) if value else ("{}" if isinstance(value, dict) else "[]")

    return read_json
