"""Rewrites what lies in the database under an older key, or plain though it is to be sealed, or the other way round:
after ENCRYPTION_KEYS got a new first key, and after ENCRYPT_IDENTIFIERS was switched.

Everything goes on meanwhile: each batch locks its rows in the order in which intake does, for some milliseconds, and
rows that are right already are passed over, so a run that broke off is simply started again. Memory stays flat.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.db import connection, models, reset_queries, transaction
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from apps.agencies.bulk import update_rows
from apps.counters import sealing
from apps.counters.encryption import UnreadableSecret, decrypt, encrypt, open_bytes, seal_bytes
from apps.counters.sealed_fields import SEALED, SealedJSONField, reader

BATCH: Final = 500
READ_AT_ONCE: Final = 10
MOST_BYTES: Final = 8 * 1024 * 1024
"""After so much was read, a batch is short: what a CRM posted is kept as a secret as well, and may be megabytes."""

sealed_bytes: list[tuple[type[models.Model], str]] = []
"""Columns of bytes that are sealed by whoever writes them; each app names its own in its AppConfig."""

encrypted_bytes: list[tuple[type[models.Model], str]] = []
"""The same of bytes that are a secret: encrypted whatever is said of identifiers (`encryption.seal_bytes`)."""

Row = tuple[Any, Any]


@dataclass(slots=True)
class Column:
    """One column of one table. `rewrite`: looks at the rows behind a key and rewrites what is to be; returns the rows
    looked at, how many were rewritten, and those that no key opens."""

    model: type[models.Model]
    name: str
    step: Callable[["Column", Any, int], "Step"]

    def __str__(self) -> str:
        return f"{self.model._meta.label}.{self.name}"


@dataclass(frozen=True, slots=True)
class Step:
    """One batch. `last`: the key of its last row, None where there was none."""

    last: Any = None
    rewritten: int = 0
    unreadable: int = 0


@dataclass(slots=True)
class Done:
    """What became of a column. `unreadable`: rows that none of the keys opens, which stay as they are."""

    column: Column
    rewritten: int = 0
    unreadable: int = 0


def columns() -> list[Column]:
    """All of the installation: secrets, what people are found by, and bytes."""
    found = []
    for model in apps.get_models():
        if model._meta.proxy:
            continue
        for field in model._meta.concrete_fields:
            if isinstance(field, SealedJSONField):
                found.append(Column(model, field.attname, _identifiers))
            elif field.attname.endswith("_encrypted"):
                found.append(Column(model, field.attname, _secrets))
    found += [Column(model, name, _secret_bytes) for model, name in encrypted_bytes]
    return found + [Column(model, name, _bytes) for model, name in sealed_bytes]


def rewrite(*, batch: int = BATCH, pause: float = 0.0) -> Iterator[Done]:
    """Column by column, each told once it is through. `pause`: seconds after each batch that wrote something."""
    for column in columns():
        done, last = Done(column), None
        while True:
            with transaction.atomic():
                step = column.step(column, last, batch)
            done.rewritten += step.rewritten
            done.unreadable += step.unreadable
            last = step.last
            reset_queries()
            if last is None:
                break
            if pause and step.rewritten:
                time.sleep(pause)
        yield done


def left(column: Column) -> bool:
    """Whether a row of this column is not as it is to be. Looks at rows until it has found one."""
    if column.step is _identifiers:
        return _texts(column).filter(_not_as_wanted()).exists()
    wrong = _is_wrong if column.step is _bytes else _is_old
    rows = column.model._base_manager.order_by().values_list(column.name, flat=True)
    return any(wrong(value) for value in rows.iterator(chunk_size=READ_AT_ONCE) if value)


def _identifiers(column: Column, last: Any, size: int) -> Step:
    rows = _locked(_texts(column).filter(_not_as_wanted()), last)
    found: list[Row] = list(rows.values_list("pk", "text")[:size])
    read = reader(column.model, column.name)
    good: list[Row] = []
    for pk, text in found:
        try:
            good.append((pk, read(text)))
        except UnreadableSecret:
            continue
    update_rows(column.model, (column.model._meta.pk.attname, column.name), good)
    return Step(found[-1][0] if found else None, len(good), len(found) - len(good))


def _secrets(column: Column, last: Any, size: int) -> Step:
    found = _read(column, list(_locked(column.model._base_manager.all(), last).values_list("pk", flat=True)[:size]))
    good: list[Row] = []
    unreadable = 0
    for pk, text in found:
        if text and _is_old(text):
            try:
                good.append((pk, encrypt(decrypt(text))))
            except UnreadableSecret:
                unreadable += 1
    update_rows(column.model, (column.model._meta.pk.attname, column.name), good)
    return Step(found[-1][0] if found else None, len(good), unreadable)


def _read(column: Column, keys: list[Any]) -> list[Row]:
    """The first of these rows, all of them where they are small."""
    found: list[Row] = []
    held = 0
    for at in range(0, len(keys), READ_AT_ONCE):
        some = column.model._base_manager.filter(pk__in=keys[at : at + READ_AT_ONCE])
        found += some.order_by("pk").values_list("pk", column.name)
        held += sum(len(text or "") for _pk, text in found[at:])
        if held >= MOST_BYTES:
            break
    return found


def _secret_bytes(column: Column, last: Any, size: int) -> Step:
    size = max(size // 20, 1)
    found: list[Row] = list(_locked(column.model._base_manager.all(), last).values_list("pk", column.name)[:size])
    rewritten = unreadable = 0
    for pk, value in found:
        data = bytes(value or b"")
        if not data or not _is_old(data):
            continue
        try:
            anew = seal_bytes(open_bytes(data))
        except UnreadableSecret:
            unreadable += 1
            continue
        column.model._base_manager.filter(pk=pk).update(**{column.name: anew})
        rewritten += 1
    return Step(found[-1][0] if found else None, rewritten, unreadable)


def _bytes(column: Column, last: Any, size: int) -> Step:
    size = max(size // 20, 1)  # each may be half a megabyte
    found: list[Row] = list(_locked(column.model._base_manager.all(), last).values_list("pk", column.name)[:size])
    rewritten = unreadable = 0
    place = bytes_place(column.model, column.name)
    for pk, value in found:
        data = bytes(value or b"")
        if not data or not _is_wrong(data):
            continue
        try:
            plain = sealing.open_bytes(data, place)
        except UnreadableSecret:
            unreadable += 1
            continue
        column.model._base_manager.filter(pk=pk).update(**{column.name: packed(plain, place)})
        rewritten += 1
    return Step(found[-1][0] if found else None, rewritten, unreadable)


def bytes_place(model: type[models.Model], name: str) -> bytes:
    """What sealed bytes of this column are bound to."""
    return f"{model._meta.db_table}.{name}".encode()


def packed(data: bytes, place: bytes) -> bytes:
    """Bytes as they are to be kept now."""
    return sealing.seal_bytes(data, place) if data and sealing.wanted() else data


def _texts(column: Column) -> models.QuerySet[Any]:
    return column.model._base_manager.annotate(text=Cast(column.name, TextField()))


def _not_as_wanted() -> Q:
    sealed = f'"{SEALED}": "{sealing.MARK}'
    if not sealing.wanted():
        return Q(text__contains=sealed)
    # A list that holds something, and nothing sealed with the present key.
    return Q(text__contains='["') & ~Q(text__contains=f"{sealed}{sealing.current().id}.")


def _locked(rows: models.QuerySet[Any], last: Any) -> models.QuerySet[Any]:
    rows = rows.order_by("pk") if last is None else rows.filter(pk__gt=last).order_by("pk")
    return rows.select_for_update(no_key=connection.features.has_select_for_no_key_update)


def _is_old(secret: str | bytes) -> bool:
    """Whether the present key did not encrypt this."""
    try:
        Fernet(settings.ENCRYPTION_KEYS[0]).decrypt(secret if isinstance(secret, str) else bytes(secret))
    except InvalidToken:
        return True
    return False


def _is_wrong(data: bytes) -> bool:
    return sealing.key_of_bytes(bytes(data)) != (sealing.current().id if sealing.wanted() else "")


def newest_and_oldest(column: Column, *, most: int = 500) -> tuple[int, int]:
    """Of the column's first and last rows, how many no key opens, and how many are not as they are to be."""
    if column.step is not _identifiers:
        return 0, 0
    read = reader(column.model, column.name)
    wrong = _not_as_wanted()
    shut = 0
    keys: set[Any] = set()
    for order in ("pk", "-pk"):
        for pk, text in _texts(column).order_by(order).values_list("pk", "text")[:most]:
            keys.add(pk)
            try:
                read(text)
            except UnreadableSecret:
                shut += 1
    return shut, _texts(column).filter(wrong, pk__among=keys).count() if keys else 0
