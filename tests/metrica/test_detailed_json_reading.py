"""Strict reading of customers and orders in JSON: what is wrong is said with its place in the body
(pages: uploadContactJson_1, uploadOrdersJson_1).
"""

import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrica.rules import GoalPrice
from apps.metrica.wire.contacts import read_contacts_json
from apps.metrica.wire.json_reading import MAX_ITEM_CHARACTERS, JsonItems, UnusableJson
from apps.metrica.wire.orders import read_orders_json
from tests.metrica.detailed import MOSCOW

Reader = Callable[..., Iterator[Any]]

ATTRIBUTES = {"age": False, "tags": True}
ORDER = {
    "id": "D-1",
    "client_uniq_id": "C-1",
    "client_type": "CONTACT",
    "create_date_time": "2026-03-04 10:00:00",
    "order_status": "meeting",
}
KEYS: dict[Reader, str] = {read_contacts_json: "contacts", read_orders_json: "orders"}
GOOD: dict[Reader, dict[str, Any]] = {read_contacts_json: {"uniq_id": "C-1"}, read_orders_json: ORDER}


def read(reader: Reader, body: object, **options: Any) -> list[Any]:
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return list(reader(io.BytesIO(data), zone=MOSCOW, **options))


def problems(reader: Reader, *items: Any, **options: Any) -> list[tuple[str, str]]:
    """(location, code) of everything that is wrong with these objects."""
    found = [error for item in read(reader, {KEYS[reader]: items}, **options) for error in item.errors]
    assert all(len(str(error.message)) > 15 for error in found)
    return [(error.location, error.code) for error in found]


def unusable(body: object, reader: Reader = read_contacts_json, **options: Any) -> tuple[str, str]:
    with pytest.raises(UnusableJson) as caught:
        read(reader, body, **options)
    (error,) = caught.value.errors
    assert len(str(error.message)) > 15
    return error.location, error.code


def test_the_published_order() -> None:
    body = """
    { "orders": [ {
        "id": "D-2001", "client_uniq_id": "C-77", "client_type": "CONTACT",
        "create_date_time": "2026-03-04 10:00:00", "update_date_time": "2026-03-05 09:30:00",
        "order_status": "meeting", "revenue": 7000, "cost": 4500.10, "currency": "RUB",
        "goals": [ { "goal_action_id": "meeting_done", "price": 150.5 } ],
        "products": { "sku-1": 2, "sku-9": 1 }, "user_comment": "x" } ] }
    """
    (item,) = read(read_orders_json, body)
    order = item.record
    assert (item.index, item.errors) == (0, ())
    assert (order.id, order.client_uniq_id, order.order_status) == ("D-2001", "C-77", "meeting")
    assert order.create_date_time == datetime(2026, 3, 4, 7, tzinfo=UTC)
    assert order.update_date_time == datetime(2026, 3, 5, 6, 30, tzinfo=UTC)
    assert order.finish_date_time is None
    assert (order.revenue, str(order.cost), order.currency) == (Decimal(7000), "4500.10", "RUB")
    assert (order.products, order.goals) == ({"sku-1": 2, "sku-9": 1}, (GoalPrice("meeting_done", Decimal("150.5")),))


def test_client_ids_are_taken_as_texts_and_as_numbers() -> None:
    (item,) = read(
        read_contacts_json,
        '{"contacts": [{"uniq_id": "C", "client_ids": ["17", 12345678901234567890, 9007199254740993]}]}',
    )
    assert item.record.client_ids == ("17", "12345678901234567890", "9007199254740993"), "no digit may be lost"


def test_null_is_as_if_it_were_not_there() -> None:
    nothing = {"name": None, "emails": None, "birth_date": None, "create_date_time": "", "attribute_values": None}
    (item,) = read(read_contacts_json, {"contacts": [{"uniq_id": "C-1", **nothing}]})
    nothing = {"revenue": None, "goals": None, "products": None, "currency": ""}
    (order,) = read(read_orders_json, {"orders": [{**ORDER, **nothing}]})
    assert (item.record.name, item.record.emails, item.record.attributes) == ("", (), {})
    assert (order.record.revenue, order.record.goals, order.record.products) == (None, (), {})


def test_days_and_the_fields_that_nobody_needs() -> None:
    (item,) = read(
        read_contacts_json,
        {"contacts": [{"uniq_id": "C", "birth_date": "1990-01-02", "create_date_time": "2026-03-04",
                       "user_ids": ["x"], "company_uniq_id": "y", "user_comment": "z"}]},
    )  # fmt: skip
    assert item.record.birth_date == date(1990, 1, 2)
    assert (item.record.create_date_time, item.record.create_date_only) == (
        datetime(2026, 3, 4, 20, 59, tzinfo=UTC),
        True,
    )


@pytest.mark.parametrize(
    ("number", "amount"),
    [
        ("0.30000000000000004", "0.300000"),
        ("1e3", "1000"),
        ("5000.10", "5000.10"),
        ("1E-50", "0"),
        ("0", "0"),
        ("-0.0", "0.0"),
        ("123456789012345.123456", "123456789012345.123456"),
    ],
)
def test_numbers_are_exact_but_for_the_dust_of_floats(number: str, amount: str) -> None:
    body = f'{{"orders": [{json.dumps(ORDER)[:-1]}, "revenue": {number}}}]}}'
    (item,) = read(read_orders_json, body)
    assert str(item.record.revenue) == amount


@pytest.mark.parametrize("number", ["1e15", "1e999", "9" * 16, "9" * 5000, "1e999999999999999999999", "-1e20"])
def test_numbers_beyond_belief(number: str) -> None:
    body = f'{{"orders": [{json.dumps(ORDER)[:-1]}, "revenue": {number}}}]}}'
    (item,) = read(read_orders_json, body)
    assert [(error.location, error.code) for error in item.errors] == [("orders[0].revenue", "money_too_large")]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_python_would_take_for_a_number_is_no_json(number: str) -> None:
    body = f'{{"orders": [{json.dumps(ORDER)[:-1]}, "revenue": {number}}}]}}'
    assert unusable(body, read_orders_json) == ("orders[0]", "invalid_json")


BAD_FIELDS: list[tuple[Reader, str, Any, str, str]] = [
    (read_contacts_json, "uniq_id", None, "uniq_id", "required"),
    (read_contacts_json, "uniq_id", "", "uniq_id", "required"),
    (read_contacts_json, "uniq_id", 5, "uniq_id", "text_expected"),
    (read_contacts_json, "uniq_id", ["C"], "uniq_id", "text_expected"),
    (read_contacts_json, "uniq_id", "a\0", "uniq_id", "nul"),
    (read_contacts_json, "name", {"first": "A"}, "name", "text_expected"),
    (read_contacts_json, "name", "\ud83d", "name", "half_character"),
    (read_contacts_json, "birth_date", "04.03.1990", "birth_date", "date_format"),
    (read_contacts_json, "birth_date", "1990-02-30", "birth_date", "date_nonexistent"),
    (read_contacts_json, "birth_date", "1969-12-31", "birth_date", "date_before_1970"),
    (read_contacts_json, "create_date_time", "2026-03-04T10:00:00Z", "create_date_time", "date_format"),
    (read_contacts_json, "create_date_time", "2026-03-04T10:00:00", "create_date_time", "date_format"),
    (read_contacts_json, "create_date_time", "2026-03-04 11:59:2", "create_date_time", "date_format"),
    (read_contacts_json, "create_date_time", "2026-03-04 10:00", "create_date_time", "date_format"),
    (read_contacts_json, "create_date_time", "04.03.2026 10:00:00", "create_date_time", "date_format"),
    (read_contacts_json, "update_date_time", 1772600000, "update_date_time", "text_expected"),
    (read_contacts_json, "client_ids", "17", "client_ids", "list_expected"),
    (read_contacts_json, "client_ids", [17, True], "client_ids[1]", "text_expected"),
    (read_contacts_json, "client_ids", [1.5], "client_ids[0]", "text_expected"),
    (read_contacts_json, "client_ids", [-17], "client_ids[0]", "client_id_format"),
    (read_contacts_json, "client_ids", [10**20], "client_ids[0]", "too_long"),
    (read_contacts_json, "emails", ["a@b.ru", "A@b.ru"], "emails[1]", "not_normalised"),
    (read_contacts_json, "emails", ["a@b.ru,c@d.ru"], "emails[0]", "email_format"),
    (read_contacts_json, "emails", [""], "emails[0]", "empty"),
    (read_contacts_json, "emails", [None], "emails[0]", "text_expected"),
    (read_contacts_json, "phones", [79031234567], "phones[0]", "text_expected"),
    (read_contacts_json, "phones", ["+79031234567"], "phones[0]", "phone_format"),
    (read_contacts_json, "emails_md5", ["zz"], "emails_md5[0]", "md5_format"),
    (read_contacts_json, "attribute_values", [["x"]], "attribute_values", "object_expected"),
    (read_contacts_json, "attribute_values", {"nope": ["x"]}, "attribute_values.nope", "unknown_attribute"),
    (read_contacts_json, "attribute_values", {"age": ["1", "2"]}, "attribute_values.age", "not_multivalued"),
    (read_contacts_json, "attribute_values", {"age": "35"}, "attribute_values.age", "list_expected"),
    (read_contacts_json, "attribute_values", {"tags": ["a", 5]}, "attribute_values.tags[1]", "text_expected"),
    (read_contacts_json, "age", ["35"], "age", "unknown_field"),
    (read_orders_json, "id", None, "id", "required"),
    (read_orders_json, "client_type", "COMPANY", "client_type", "client_type"),
    (read_orders_json, "create_date_time", None, "create_date_time", "required"),
    (read_orders_json, "order_status", "", "order_status", "required"),
    (read_orders_json, "revenue", "5000", "revenue", "number_expected"),
    (read_orders_json, "revenue", True, "revenue", "number_expected"),
    (read_orders_json, "revenue", -1, "revenue", "money_negative"),
    (read_orders_json, "cost", [1], "cost", "number_expected"),
    (read_orders_json, "currency", "RUR", "currency", "currency"),
    (read_orders_json, "products", [["sku-1", 1]], "products", "object_expected"),
    (read_orders_json, "products", {"sku-1": "1"}, "products.sku-1", "number_expected"),
    (read_orders_json, "products", {"sku-1": 1.5}, "products.sku-1", "number_expected"),
    (read_orders_json, "products", {"sku-1": True}, "products.sku-1", "number_expected"),
    (read_orders_json, "products", {"sku-1": 0}, "products.sku-1", "products_quantity"),
    (read_orders_json, "products", {" ": 1}, "products. ", "products_id"),
    (read_orders_json, "goals", {"goal_action_id": "x"}, "goals", "list_expected"),
    (read_orders_json, "goals", ["x"], "goals[0]", "object_expected"),
    (read_orders_json, "goals", [{"price": 5}], "goals[0].goal_action_id", "required"),
    (read_orders_json, "goals", [{"goal_action_id": "a&b"}], "goals[0].goal_action_id", "goals_id"),
    (read_orders_json, "goals", [{"goal_action_id": "a", "price": "5"}], "goals[0].price", "number_expected"),
    (read_orders_json, "goals", [{"goal_action_id": "a", "cost": 5}], "goals[0].cost", "unknown_field"),
    (read_orders_json, "clientUniqId", "x", "clientUniqId", "unknown_field"),
]


@pytest.mark.parametrize(("reader", "name", "value", "place", "code"), BAD_FIELDS)
def test_a_bad_value_is_named_by_its_place(reader: Reader, name: str, value: Any, place: str, code: str) -> None:
    good = GOOD[reader]
    assert problems(reader, good, {**good, name: value}, good, attributes=ATTRIBUTES) == [
        (f"{KEYS[reader]}[1].{place}", code)
    ]
    records = [item.record for item in read(reader, {KEYS[reader]: [good, {**good, name: value}, good]})]
    assert (records[0] is None, records[1] is None, records[2] is None) == (False, True, False)


def test_all_faults_of_an_object_are_said_at_once() -> None:
    bad = {"emails": ["A@b.ru", 5], "phones": ["x"], "nope": 1}
    assert problems(read_contacts_json, bad) == [
        ("contacts[0].emails[0]", "not_normalised"),
        ("contacts[0].emails[1]", "text_expected"),
        ("contacts[0].phones[0]", "phone_format"),
        ("contacts[0].nope", "unknown_field"),
        ("contacts[0].uniq_id", "required"),
    ]


def test_the_faults_of_one_object_do_not_fill_the_memory() -> None:
    assert len(problems(read_contacts_json, {"uniq_id": "C", "emails": [""] * 100_000})) == 100
    assert len(problems(read_orders_json, {**ORDER, "goals": [{}] * 60_000})) == 100
    many = {"uniq_id": "C", **{f"{n}{'x' * 200}": 1 for n in range(1000)}}
    found = problems(read_contacts_json, many)
    assert len(found) == 100
    assert max(len(location) for location, _code in found) < 130


@pytest.mark.parametrize("item", [None, 5, "C-1", ["C-1"], True])
def test_an_entry_that_is_no_object(item: object) -> None:
    assert problems(read_contacts_json, {"uniq_id": "C-1"}, item) == [("contacts[1]", "object_expected")]


def test_unknown_fields_and_attributes_are_passed_over_on_request() -> None:
    body = {
        "before": [1, {"x": "]"}],
        "contacts": [{"uniq_id": "C-1", "age": 5, "attribute_values": {"nope": ["x"], "age": ["35"]}}],
        "after": 12,
    }
    (item,) = read(read_contacts_json, body, attributes=ATTRIBUTES, ignore_unknown_fields=True)
    assert (item.record.uniq_id, item.record.attributes) == ("C-1", {"age": ("35",)})
    assert unusable(body) == ("before", "unknown_field")
    assert unusable({"contacts": [], "after": 1}) == ("after", "unknown_field")


@pytest.mark.parametrize(
    ("body", "location", "code"),
    [
        (b"", "", "empty"),
        (b" \r\n\t", "", "empty"),
        (b"[]", "", "object_expected"),
        (b'"contacts"', "", "object_expected"),
        (b"uniq_id,name\nC-1,Anna\n", "", "object_expected"),
        (b"{}", "contacts", "missing_field"),
        (b'{"contacts": {}}', "contacts", "list_expected"),
        (b'{"contacts": null}', "contacts", "list_expected"),
        (b'{"contacts": [], "contacts": []}', "contacts", "duplicate_field"),
        (b'{"orders": []}', "orders", "unknown_field"),
        (b'{"contacts": [', "contacts[0]", "invalid_json"),
        (b'{"contacts": []', "", "invalid_json"),
        (b'{"contacts": [{"uniq_id": "C-1"}', "contacts[0]", "invalid_json"),
        (b'{"contacts": [{"uniq_id": "C-1"} {}]}', "contacts[0]", "invalid_json"),
        (b'{"contacts": [{"uniq_id": "C-1"},]}', "contacts[1]", "invalid_json"),
        (b'{"contacts": [{"uniq_id": "C-1",}]}', "contacts[0]", "invalid_json"),
        (b'{"contacts": [{uniq_id: "C-1"}]}', "contacts[0]", "invalid_json"),
        (b"{'contacts': []}", "", "invalid_json"),
        (b'{"contacts" []}', "", "invalid_json"),
        (b'{"contacts": []} x', "", "invalid_json"),
        (b'{"contacts": []}{"contacts": []}', "", "invalid_json"),
        (b'{"contacts": [{"uniq_id": "C\n1"}]}', "contacts[0]", "invalid_json"),
        (b'{"contacts": [01]}', "contacts[0]", "invalid_json"),
        (b'\xef\xbb\xbf{"contacts": []}', "", "bom"),
        ('{"contacts": []}'.encode("utf-16"), "", "encoding"),
        ('{"contacts": []}'.encode("utf-16-le"), "", "encoding"),
        ('{"contacts": [{"uniq_id": "Анна"}]}'.encode("cp1251"), "", "encoding"),
        (b'{"contacts": [{"uniq_id": "\xd0', "", "encoding"),
        (b'{"contacts": [' + b"[" * 200_000, "contacts[0]", "invalid_json"),
    ],
)
def test_a_body_that_is_none(body: bytes, location: str, code: str) -> None:
    assert unusable(body) == (location, code)


def test_the_line_of_the_break_is_said() -> None:
    body = b'{"contacts": [\n' + b'{"uniq_id": "C-1"},\n' * 20_000 + b"oops]}"
    with pytest.raises(UnusableJson) as caught:
        read(read_contacts_json, body)
    assert caught.value.errors[0].location == "contacts[20000]"
    assert "line 20002" in str(caught.value.errors[0].message)


def test_what_stands_before_a_break_is_given_out() -> None:
    items = read_contacts_json(io.BytesIO(b'{"contacts": [{"uniq_id": "C-1"}, {"uniq'), zone=MOSCOW)
    assert next(items).record is not None
    with pytest.raises(UnusableJson):
        next(items)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


class Crumbs(io.BytesIO):
    """Gives a few bytes at a time, whatever is asked for, so that every place is once the end of what was read."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._size)


@given(st.lists(JSON_VALUES, max_size=5), st.sampled_from([None, 0, 1]), st.integers(3, 11), st.booleans())
def test_reading_in_pieces_gives_what_the_whole_holds(
    items: list[Any], indent: int | None, size: int, ascii_only: bool
) -> None:
    data = json.dumps({"list": items, "other": [items]}, indent=indent, ensure_ascii=ascii_only).encode(
        "utf-8", "surrogatepass"
    )
    found = list(JsonItems(Crumbs(data, size), key="list", ignore_unknown=True))
    assert found == list(enumerate(items))


@given(st.binary(max_size=60) | st.text('{}[]",:contacts \\u1e.-', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused_with_a_reason(data: bytes) -> None:
    try:
        for item in read_contacts_json(io.BytesIO(b'{"contacts": [' + data), zone=MOSCOW):
            assert (item.record is None) == bool(item.errors)
    except UnusableJson as error:
        assert error.errors[0].code


class Endless(io.RawIOBase):
    """Much JSON that nobody has to hold."""

    def __init__(self, piece: bytes, size: int) -> None:
        self._piece = piece
        self._left = size
        self._head = b'{"contacts": ['

    def read(self, size: int | None = -1, /) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        if self._left <= 0:
            return b""
        data = self._piece * max(1, (size or 0) // len(self._piece))
        self._left -= len(data)
        return data


@pytest.mark.parametrize(
    ("piece", "size", "code"),
    [
        (b'{"uniq_id": "C-1", "name": "Anna"},', 3 << 20, "invalid_json"),
        (b"x" * 1000, 1 << 30, "invalid_json"),
        (b" " * 1000, 50 << 20, "invalid_json"),
        (b'"' + b"x" * 10_000_000, 1 << 30, "item_too_long"),
        (b"[" * 1000, 1 << 30, "item_too_long"),
        (b"9" * 1000, 1 << 30, "invalid_json"),
        (b'{"uniq_id": "' + b"x" * 10_000_000, 1 << 30, "item_too_long"),
    ],
)
def test_reading_takes_little_memory_whatever_comes(piece: bytes, size: int, code: str) -> None:
    stream: Any = Endless(piece, size)
    held = len(piece)
    tracemalloc.start()
    try:
        with pytest.raises(UnusableJson) as caught:
            for _item in read_contacts_json(stream, zone=MOSCOW):
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.errors[0].code == code
    assert peak < 12 * MAX_ITEM_CHARACTERS + 6 * held
