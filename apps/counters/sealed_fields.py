"""A JSON column whose values are personal and lie sealed in the database (see `sealing`).

The column stays JSON. What is sealed is an object like the plain one: the same keys, so that SQL can still ask which
kinds a row has, and in place of their values the whole, sealed:
{"emails": ["*"], "phones": ["*"], "sealed": "gp1.…"}. Plain and sealed rows are read alike, so ENCRYPT_IDENTIFIERS may
be switched at any time; `manage.py rotate_keys` then rewrites what is there.
"""

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final

from django.core.exceptions import FieldError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.counters import sealing

SEALED: Final = "sealed"
HIDDEN: Final = ["*"]
"""A list that holds a text, as that of a kind which the row has."""

_BY_KEY: Final = frozenset({"isnull", "has_key", "has_keys", "has_any_keys"})
_encode = json.JSONEncoder().encode  # exactly as the ORM writes JSON
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class SealedJSONField(models.JSONField):
    """An object of lists by kind, like identifiers. An empty one is written as it is."""

    @cached_property
    def place(self) -> bytes:
        """What a value is bound to."""
        return f"{self.model._meta.db_table}.{self.column}".encode()

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        found = super().from_db_value(value, expression, connection)
        return opened(found, self.place) if type(found) is dict and SEALED in found else found

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        if type(value) is dict and sealing.wanted():
            value = sealed(value, sealing.sealer(self.place))
        return super().get_db_prep_value(value, connection, prepared)

    def column_texts(self, values: Sequence[Any]) -> list[str | None]:
        """The JSON of a whole column, for `agencies.bulk`."""
        if not sealing.wanted():
            return [None if value is None else _encode(value) for value in values]
        seal = sealing.sealer(self.place)
        return [None if value is None else _encode(sealed(value, seal)) for value in values]

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name not in _BY_KEY:
            raise FieldError(f"{self.name} may be sealed: rows can be asked for the kinds that they have, no more.")
        return super().get_lookup(lookup_name)

    def get_transform(self, lookup_name: str) -> Any:
        raise FieldError(f"{self.name} may be sealed: the database cannot look into it.")


def sealed(value: dict[str, Any], seal: Callable[[str], str]) -> dict[str, Any]:
    """The object as it is written. Kinds without values are no secret, and are left as they are."""
    kinds = [kind for kind, values in value.items() if values]
    if not kinds:
        return value
    hidden: dict[str, Any] = dict.fromkeys(kinds, HIDDEN)
    hidden[SEALED] = seal(_encode(value))
    return hidden


def opened(value: dict[str, Any], place: bytes) -> Any:
    """What was sealed. Raises UnreadableSecret."""
    return json.loads(sealing.opener(place)(value[SEALED]))


def parsed(text: str) -> Any:
    """The JSON of a database, which needs no skipping of spaces and no check of what follows."""
    return _scan(text, 0)[0]


def reader(model: type[models.Model], name: str) -> Callable[[str], Any]:
    """What reads the column's values where they were asked for as text, by the hundred thousand. It raises
    UnreadableSecret."""
    field = model._meta.get_field(name)
    assert isinstance(field, SealedJSONField)
    unseal = sealing.opener(field.place)

    def read(text: str) -> Any:
        found = _scan(text, 0)[0]
        return _scan(unseal(found[SEALED]), 0)[0] if SEALED in found else found

    return read
