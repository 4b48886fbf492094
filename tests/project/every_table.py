"""Rows in every table of an installation, with values that are hard to carry; and all of them read again.

`python -m tests.project.every_table fill`, `… read FILE`: both work on DATABASE_URL, in a process of their own.
"""

import pickle
import sys
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

TEXT = "1e+22 Ёлка\t«№ 1»\r\n\\N \\. \\u0000 🎯 'quoted' \"twice\" {a,b}"
ROWS = 3
"""Of each table: full, with nothing where nothing may be, and full again."""

GONE = 9_000_000
"""The number of a group that was deleted."""

FILLED_BY_DJANGO = ("django_content_type", "auth_permission")


def value(field: Any, number: int) -> Any:
    """One that the field's column holds on both databases, another for each number."""
    from django.db import models

    if field.null and number == 2:
        return None
    if field.remote_field and field.related_model._meta.db_table in FILLED_BY_DJANGO:
        return number
    if field.remote_field:
        return value(field.target_field, number)
    if field.choices:
        return field.flatchoices[number % len(field.flatchoices)][0]
    if isinstance(field, models.BooleanField):
        return number % 2 == 1
    if isinstance(field, models.AutoField | models.BigAutoField):
        return number * 1_000_003
    if isinstance(field, models.JSONField):
        return {"b": [number, 0.1, 1e-7, -1.5e22, 1e16, -5, None, True], "a": {TEXT: TEXT}, "": 12345678901234567890}
    if isinstance(field, models.UUIDField):
        return uuid.UUID(int=number << 100 | 0xAB)
    if isinstance(field, models.DecimalField):
        return Decimal(10 ** (min(field.max_digits, 15) - 1) + number).scaleb(-field.decimal_places)
    if isinstance(field, models.FloatField):
        return [1e300, 0.1 + 0.2, -1e-300][number - 1]
    if isinstance(field, models.BigIntegerField):
        return 2**62 + number
    if isinstance(field, models.SmallIntegerField | models.PositiveSmallIntegerField):
        return 32_000 + number
    if isinstance(field, models.IntegerField):
        return 2**31 - 1 - number
    if isinstance(field, models.DateTimeField):
        return datetime(2026, 3, 29, 1, 59, 59, 999_990 + number, tzinfo=UTC) - timedelta(days=number * 20_000)
    if isinstance(field, models.DateField):
        return date(1, 1, number)
    if isinstance(field, models.TimeField):
        return time(23, 59, 59, 999_990 + number)
    if isinstance(field, models.BinaryField):
        return bytes(range(256)) * number
    if isinstance(field, models.GenericIPAddressField):
        return ["2001:db8::ff00:42:8329", "10.0.0.255", "::ffff:10.0.0.1"][number - 1]
    text = f"{number}{TEXT}"
    return text if field.max_length is None else text[: field.max_length]


def fill() -> None:
    from django.apps import apps
    from django.contrib.auth.models import Group
    from django.db import connection

    from apps.audit import chain
    from apps.audit.models import AuditLink
    from apps.orders.models import StatusChange

    connection.disable_constraint_checking()  # each refers to rows that come later
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy or model._meta.db_table in FILLED_BY_DJANGO or model is AuditLink:
            continue
        fields = model._meta.concrete_fields
        rows = [model(**{field.attname: value(field, n) for field in fields}) for n in range(1, ROWS + 1)]
        if model is StatusChange:
            for row in rows:
                row.hold_reason = "unmapped_status" if row.delivery == "held" else ""
        model._base_manager.bulk_create(rows)
    assert chain.seal(thorough=True) == ROWS
    Group.objects.create(pk=GONE, name="gone").delete()
    connection.enable_constraint_checking()
    connection.check_constraints()


def read(path: Path) -> None:
    from django.apps import apps

    found = {}
    for model in apps.get_models(include_auto_created=True):
        names = [field.attname for field in model._meta.concrete_fields]
        found[model._meta.label] = list(model._base_manager.order_by("pk").values(*names))
    path.write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    import django

    django.setup()
    if sys.argv[1] == "fill":
        fill()
    else:
        read(Path(sys.argv[2]))
