"""R5: files of customers and orders are counted and hashed as they grow, and a record that cannot be written is named
and hurts nobody (pages: contacts-data, orders-data, uploadContactJson_1, uploadOrdersJson_1).
"""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import Delimiter
from apps.metrica.wire.contacts import Contact, ContactsJsonWriter, ContactsWriter
from apps.metrica.wire.json_text import json_text
from apps.metrica.wire.orders import DetailedOrder, OrdersJsonWriter, OrdersWriter
from apps.metrica.wire.rows import UnwritableRow
from tests.metrica.detailed import LATER, MOSCOW, NOON

CONTACT = Contact("C-1", emails=("a@b.ru",))
ORDER = DetailedOrder("D-1", "C-1", NOON, "won")


@dataclass(frozen=True)
class Format:
    """One of the four: how its writer is made, a good record, and what is there before the first."""

    make: Callable[[io.BytesIO], Any]
    good: Any
    head: bytes

    def numbered(self, number: object) -> Any:
        return replace(self.good, **{"uniq_id" if isinstance(self.good, Contact) else "id": f"{number} 🎯"})


FORMATS = {
    "contacts.csv": Format(
        lambda out: ContactsWriter(out, zone=MOSCOW, attributes=["age"], delimiter=Delimiter.SEMICOLON),
        CONTACT,
        b"uniq_id;name;birth_date;create_date_time;update_date_time;"
        b"client_ids;emails;phones;emails_md5;phones_md5;age\r\n",
    ),
    "contacts.json": Format(lambda out: ContactsJsonWriter(out, zone=MOSCOW), CONTACT, b'{"contacts": ['),
    "orders.csv": Format(
        lambda out: OrdersWriter(out, zone=MOSCOW),
        ORDER,
        b"id,client_uniq_id,client_type,create_date_time,update_date_time,finish_date_time,"
        b"order_status,revenue,cost,currency,products,goals\r\n",
    ),
    "orders.json": Format(lambda out: OrdersJsonWriter(out, zone=MOSCOW), ORDER, b'{"orders": ['),
}


def is_true_to(writer: Any, out: io.BytesIO) -> bool:
    data = out.getvalue()
    return writer.bytes_written == len(data) and writer.sha256() == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("name", FORMATS)
def test_the_head_is_there_before_any_record(name: str) -> None:
    out = io.BytesIO()
    writer = FORMATS[name].make(out)
    assert out.getvalue() == FORMATS[name].head
    assert writer.rows == 0
    assert is_true_to(writer, out)


@pytest.mark.parametrize("name", FORMATS)
def test_rows_bytes_and_hash_are_those_of_the_file_after_every_call(name: str) -> None:
    form, out = FORMATS[name], io.BytesIO()
    writer = form.make(out)
    for count, step in enumerate([1, 999, 1000, 2500]):
        if count % 2:
            writer.write_many(form.numbered(f"{step}-{n}") for n in range(step))
        else:
            for n in range(step):
                writer.write(form.numbered(f"{step}-{n}"))
        assert is_true_to(writer, out)
    assert writer.rows == 1 + 999 + 1000 + 2500
    assert out.getvalue().count(b"\n") == writer.rows + (1 if name.endswith("csv") else 0)


@pytest.mark.parametrize("name", FORMATS)
def test_one_by_one_or_all_at_once_gives_the_same_bytes(name: str) -> None:
    form, one, all_ = FORMATS[name], io.BytesIO(), io.BytesIO()
    records = [form.numbered(n) for n in range(2100)]
    writer = form.make(one)
    for record in records:
        writer.write(record)
    form.make(all_).write_many(records)
    assert one.getvalue() == all_.getvalue()


BAD: list[tuple[str, Any]] = [
    *[
        ("contacts", replace(CONTACT, **changes))
        for changes in (
            {"uniq_id": ""},
            {"uniq_id": "a\0b"},
            {"name": "half \ud83d"},
            {"create_date_time": datetime(2026, 3, 4)},
            {"attributes": {"age": ("\0",)}},
        )
    ],
    *[
        ("contacts.csv", replace(CONTACT, **changes))
        for changes in (
            {"client_ids": ("1,2",)},
            {"emails": ("a@b.ru", "c,d@e.ru")},
            {"attributes": {"unheard_of": ("x",)}},
            {"attributes": {"age": ("1,5", "2")}},
            {"attributes": {"age": ("", "2")}},
        )
    ],
    *[
        ("orders", replace(ORDER, **changes))
        for changes in (
            {"id": ""},
            {"client_uniq_id": ""},
            {"order_status": ""},
            {"client_type": ""},
            {"id": "a\0b"},
            {"order_status": "half \ud83d"},
            {"create_date_time": datetime(2026, 3, 4)},
            {"finish_date_time": datetime(2026, 3, 4)},
            {"revenue": Decimal("NaN")},
            {"cost": Decimal("Infinity")},
            {"goals": (GoalPrice("a#b"),)},
            {"goals": (GoalPrice("a", Decimal("-Infinity")),)},
            {"products": {"": 1}},
            {"products": {"a": 0}},
            {"products": {"a": 2**31}},
            {"products": {"a\0": 1}},
            {"products": {"a,b": 1}},
            {"products": {" a": 1}},
        )
    ],
    *[
        ("orders.csv", replace(ORDER, **changes))
        for changes in (
            {"goals": (GoalPrice("a,b"),)},
            {"goals": (GoalPrice("plan:5"),)},
            {"attributes": {"age": ("x",)}},
        )
    ],
]
CASES = [(name, bad) for prefix, bad in BAD for name in FORMATS if name.startswith(prefix)]


@pytest.mark.parametrize(("name", "bad"), CASES)
@pytest.mark.parametrize("place", [0, 1, 1000])
def test_a_record_that_cannot_be_written_is_named_and_hurts_nobody(name: str, bad: Any, place: int) -> None:
    form, out, clean = FORMATS[name], io.BytesIO(), io.BytesIO()
    good = [form.numbered(n) for n in range(1200)]
    writer = form.make(out)
    with pytest.raises(UnwritableRow) as caught:
        writer.write_many([*good[:place], bad, *good[place:]])
    assert caught.value.record is bad
    assert len(str(caught.value.message)) > 15
    assert writer.rows == place
    writer.write_many(good[place:])
    form.make(clean).write_many(good)
    assert out.getvalue() == clean.getvalue()
    assert is_true_to(writer, out)


@pytest.mark.parametrize(("name", "bad"), [case for case in CASES if case[0].endswith("json")])
def test_json_is_whole_after_a_record_was_dropped(name: str, bad: Any) -> None:
    out = io.BytesIO()
    with FORMATS[name].make(out) as writer:
        writer.write(FORMATS[name].good)
        with pytest.raises(UnwritableRow):
            writer.write(bad)
        writer.write(FORMATS[name].good)
    (items,) = json.loads(out.getvalue()).values()
    assert len(items) == 2
    assert is_true_to(writer, out)


@pytest.mark.parametrize("name", ["contacts.json", "orders.json"])
def test_the_end_of_json(name: str) -> None:
    out = io.BytesIO()
    writer = FORMATS[name].make(out)
    writer.finish()
    writer.finish()
    assert out.getvalue() == FORMATS[name].head + b"]}\n"
    assert is_true_to(writer, out)
    with pytest.raises(RuntimeError, match="finished"):
        writer.write(FORMATS[name].good)
    with pytest.raises(RuntimeError, match="finished"):
        writer.write_many([FORMATS[name].good])
    assert is_true_to(writer, out)


def test_json_that_was_broken_off_is_no_json() -> None:
    out = io.BytesIO()
    with pytest.raises(ZeroDivisionError), ContactsJsonWriter(out, zone=MOSCOW) as writer:
        writer.write(CONTACT)
        _ = 1 / 0
    assert not writer.finished
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(out.getvalue())


def test_json_holds_what_csv_cannot() -> None:
    out = io.BytesIO()
    with OrdersJsonWriter(out, zone=MOSCOW) as writer:
        writer.write(replace(ORDER, attributes={"x": ("1,5", "2")}, goals=(GoalPrice("plan:5"),)))
    (order,) = json.loads(out.getvalue())["orders"]
    assert order["attribute_values"] == {"x": ["1,5", "2"]}
    assert order["goals"] == [{"goal_action_id": "plan:5"}]


def test_birthdays_before_1970_are_left_out() -> None:
    """Metrica supports no such date, and nobody is to be lost for being born in time (page: date)."""
    for day, written in [(date(1969, 12, 31), False), (date(1970, 1, 1), True)]:
        contact = replace(CONTACT, birth_date=day)
        as_csv, as_json = io.BytesIO(), io.BytesIO()
        ContactsWriter(as_csv, zone=MOSCOW).write(contact)
        with ContactsJsonWriter(as_json, zone=MOSCOW) as writer:
            writer.write(contact)
        assert (day.isoformat() in as_csv.getvalue().decode()) is written
        assert ("birth_date" in as_json.getvalue().decode()) is written


def test_names_with_whether_they_are_multivalued_are_kept_to() -> None:
    def cell(names: Any, *values: str) -> str:
        out = io.BytesIO()
        ContactsWriter(out, zone=MOSCOW, attributes=names).write(replace(CONTACT, attributes={"a": values}))
        return out.getvalue().decode().splitlines()[1].removeprefix("C-1,,,,,,a@b.ru,,,,")

    assert cell(["a"], "1,5") == cell({"a": False}, "1,5") == '"1,5"'
    assert cell(["a"], "1", "2") == cell({"a": True}, "1", "2") == '"1,2"'
    for names, values in [({"a": True}, ("1,5",)), ({"a": False}, ("1", "2"))]:
        with pytest.raises(UnwritableRow):
            cell(names, *values)


@pytest.mark.parametrize("names", [["uniq_id"], ["a", "a"], {"emails": True}])
def test_custom_columns_are_columns_of_their_own(names: Any) -> None:
    with pytest.raises(ValueError, match="attribute"):
        ContactsWriter(io.BytesIO(), zone=MOSCOW, attributes=names)


def test_an_attribute_without_values_is_left_out() -> None:
    out = io.BytesIO()
    with OrdersJsonWriter(out, zone=MOSCOW) as writer:
        writer.write(replace(ORDER, attributes={"a": (), "b": ("1",)}, update_date_time=LATER, update_date_only=True))
    (order,) = json.loads(out.getvalue())["orders"]
    assert order["attribute_values"] == {"b": ["1"]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        ([True, False, None, 1, 1.5], "[true, false, null, 1, 1.5]"),
        ({"a": ("b", {"я": "\n\"\\\u2028"})}, '{"a": ["b", {"я": "\\n\\"\\\\\u2028"}]}'),
        ({}, "{}"),
    ],
)  # fmt: skip
def test_json_of_values(value: object, text: str) -> None:
    assert json_text(value) == text
    assert json.loads(text) is not None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), "a\0"])
def test_what_json_cannot_hold(value: object) -> None:
    with pytest.raises(ValueError, match=r".{5}|nul"):
        json_text(value)


@pytest.mark.parametrize("value", [b"x", {1}, NOON])
def test_what_has_no_place_in_json(value: object) -> None:
    with pytest.raises(TypeError, match="JSON"):
        json_text([value])
