"""One element of Metrica's formats as the row that intake takes, by merge mode (page: modes).

| left out or blank | SAVE | UPDATE, APPEND |
|---|---|---|
| a field of the format | cleared: null | as it was: left out |

SAVE clears what the format has a field for, and leaves what it does not know (products of a simple order). That lists
are united by APPEND, and attributes changed one by one by UPDATE, is intake's to do (`orders.merging`).
"""

import hashlib
import json
import re
from collections import Counter as Counting
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from apps.api.models import ReceivedKind
from apps.metrica.problems import BadValue
from apps.metrica.text import Text, _, filled
from apps.metrica.vocabulary import (
    CONTACT_COLUMNS,
    IDENTIFIER_KINDS,
    ORDER_COLUMNS,
    SIMPLE_COLUMNS,
    MergeMode,
    OrderType,
)
from apps.metrica.wire.values import client_type
from apps.orders.fields import MONEY_PLACES
from apps.orders.rows import LINE_KEY

NO_ID: Final = "goalpost-row-"
MAX_WITHOUT_ID: Final = 200_000
"""Rows of one file that may lack an id: alike ones are counted, and memory stays flat."""

Wrong = tuple[str, str, Text]
"""(field as the format calls it, code, message)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A format: its fields, and what intake calls those that it calls otherwise."""

    received: ReceivedKind
    list_name: str
    columns: Sequence[str]
    required: Sequence[str]
    passed_over: Sequence[str]  # fields of Metrica's that mean nothing here
    names: Mapping[str, str]
    has_attributes: bool

    def attribute(self, name: str) -> str:
        """What the format calls a field of intake; of a custom attribute, its own name."""
        for theirs, ours in self.names.items():
            if ours == name:
                return theirs
        return name.partition(".")[2] if name.startswith("attributes.") else name


SIMPLE: Final = Kind(
    received=ReceivedKind.SIMPLE_ORDERS,
    list_name="orders",
    columns=SIMPLE_COLUMNS,
    required=("create_date_time",),
    passed_over=(),
    names={},
    has_attributes=False,
)
ORDERS: Final = Kind(
    received=ReceivedKind.ORDERS,
    list_name="orders",
    columns=ORDER_COLUMNS,
    required=("id", "client_uniq_id", "client_type", "create_date_time", "order_status"),
    passed_over=("finish_date_time", "user_comment", "attribute_values"),
    names={"update_date_time": "status_date_time"},
    has_attributes=True,
)
CONTACTS: Final = Kind(
    received=ReceivedKind.CONTACTS,
    list_name="contacts",
    columns=CONTACT_COLUMNS,
    required=("uniq_id",),
    passed_over=(
        "create_date_time",
        "update_date_time",
        "user_ids",
        "company_uniq_id",
        "user_comment",
        "attribute_values",
    ),
    names={},
    has_attributes=True,
)

_STATE: Final = ("revenue", "cost", "currency")


class RowMaker:
    """Makes rows of one kind in one mode. `several`: custom attributes that have several values. `statuses`: what a
    status is called in the CRM, by its id at Metrica."""

    def __init__(
        self,
        kind: Kind,
        *,
        mode: MergeMode,
        several: Mapping[str, bool],
        statuses: Mapping[str, str],
        is_json: bool,
    ) -> None:
        self.kind = kind
        self._clears = mode is MergeMode.SAVE
        self._several = several
        self._statuses = statuses
        self._is_json = is_json
        self._alike: Counting[bytes] = Counting()

    def begin(self) -> None:
        """The upload is read from its beginning."""
        self._alike.clear()

    def make(self, values: Mapping[str, Any], number: int) -> tuple[dict[str, Any], list[Wrong]]:
        """The row, and what is wrong with it. `values`: the fields that are there and not blank."""
        wrong: list[Wrong] = []
        row = self._contact(values, wrong) if self.kind is CONTACTS else self._order(values, wrong)
        row[LINE_KEY] = number
        return row, wrong

    def _order(self, values: Mapping[str, Any], wrong: list[Wrong]) -> dict[str, Any]:
        simple = self.kind is SIMPLE
        row: dict[str, Any] = {
            "id": values.get("id"),
            "create_date_time": values.get("create_date_time"),
            "order_status": self._status(values.get("order_status", OrderType.PAID.value)),
        }
        if row["id"] is None and simple:
            row["id"] = self._derived_id(values, wrong)
        if "client_type" in values:
            _checked(client_type, values["client_type"], "client_type", wrong)
        if "update_date_time" in values:
            row["status_date_time"] = values["update_date_time"]
        fields = ("client_uniq_id", *_STATE, "goals", *(IDENTIFIER_KINDS if simple else ("products",)))
        for name in fields:
            if name in values:
                row[name] = _rounded_goals(values[name]) if name == "goals" else values[name]
                if name in _STATE[:2]:
                    row[name] = _rounded(values[name])
            elif self._clears:
                row[name] = [] if name in IDENTIFIER_KINDS else None
        if self.kind.has_attributes:
            self._put_attributes(row, values, wrong)
        return row

    def _contact(self, values: Mapping[str, Any], wrong: list[Wrong]) -> dict[str, Any]:
        row: dict[str, Any] = {"uniq_id": values.get("uniq_id")}
        if "name" in values:
            row["name"] = values["name"]
        for name in IDENTIFIER_KINDS:
            if name in values:
                row[name] = values[name]
            elif self._clears:
                row[name] = []
        self._put_attributes(row, values, wrong)
        kept = {name: values[name] for name in _KEPT_OF_A_CLIENT if name in values}
        if kept:
            row["attributes"] = {**(row.get("attributes") or {}), **kept}
        return row

    def _put_attributes(self, row: dict[str, Any], values: Mapping[str, Any], wrong: list[Wrong]) -> None:
        found: dict[str, Any] = {}
        for name, value in self._attributes(values, wrong):
            if self._several.get(name):
                found[name] = [part for part in map(str.strip, value.split(",")) if part] if _is_text(value) else value
            elif isinstance(value, list) and len(value) == 1:
                found[name] = value[0]
            else:
                found[name] = value
        if found or self._clears:
            row["attributes"] = found or None

    def _attributes(self, values: Mapping[str, Any], wrong: list[Wrong]) -> Iterator[tuple[str, Any]]:
        """(name, value). In JSON `{"attr": ["v1", "v2"]}`, or a list of such objects, as the page shows it."""
        if not self._is_json:
            yield from ((name, value) for name, value in values.items() if name not in self.kind.columns)
            return
        given = values.get("attribute_values", {})
        for one in given if isinstance(given, list) else [given]:
            if not isinstance(one, dict):
                wrong.append(("attribute_values", "object_expected", _ATTRIBUTES))
                return
            yield from one.items()

    def _status(self, status: Any) -> Any:
        """A status that is mapped is known by its id at Metrica too; intake knows the CRM's word for it."""
        return self._statuses.get(status, status) if _is_text(status) else status

    def _derived_id(self, values: Mapping[str, Any], wrong: list[Wrong]) -> str:
        """Of an order without an id: made of what its row says, so that the same file does not make it anew. Alike rows
        of a file are numbered, so that none is lost."""
        said = json.dumps(sorted((name, str(value)) for name, value in values.items()), ensure_ascii=True)
        digest = hashlib.sha256(said.encode()).digest()[:16]
        if len(self._alike) >= MAX_WITHOUT_ID and digest not in self._alike:
            wrong.append(("id", "too_many_without_id", filled(_WITHOUT_ID, most=MAX_WITHOUT_ID)))
            return ""
        self._alike[digest] += 1
        number = self._alike[digest]
        return f"{NO_ID}{digest.hex()}{f'-{number}' if number > 1 else ''}"


_KEPT_OF_A_CLIENT: Final = ("birth_date",)
_ATTRIBUTES = _("An object is expected here: attribute and list of values.")
_WITHOUT_ID = _("More than %(most)s orders of this file have no id. Give each its id, or send them in several files.")
_FLOAT = re.compile(rf"\d{{1,15}}\.\d{{{MONEY_PLACES + 1},40}}", re.ASCII)


def _checked(check: Any, value: Any, name: str, wrong: list[Wrong]) -> None:
    try:
        check(str(value))
    except BadValue as problem:
        wrong.append((name, problem.code, problem.message))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _rounded(value: Any) -> Any:
    """An amount without what a float left behind its fourth digit: 0.30000000000000004 is 0.3."""
    if isinstance(value, str) and _FLOAT.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, Decimal) and value.is_finite():
        try:
            return round(value, MONEY_PLACES)
        except InvalidOperation:
            return value
    return value


def _rounded_goals(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [
        {**goal, "price": _rounded(goal["price"])} if isinstance(goal, dict) and "price" in goal else goal
        for goal in value
    ]
