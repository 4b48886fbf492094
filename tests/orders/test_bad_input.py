"""R1: one validation for every way in. All that is wrong with a row is told in one pass and hurts no other (R7)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.counters.models import Counter
from apps.orders.models import HoldReason, Order, StatusChange
from tests.factories import make_counter
from tests.orders.conftest import NOW, Send, row, the_order, timeline, told

LONG = "x" * 300


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        pytest.param({"id": ...}, [("id", "required")], id="no id"),
        pytest.param({"id": ""}, [("id", "required")], id="blank id"),
        pytest.param({"id": "  \t"}, [("id", "required")], id="id of spaces"),
        pytest.param({"id": None}, [("id", "required")], id="null id"),
        pytest.param({"id": LONG}, [("id", "too_long")], id="id of 300 characters"),
        pytest.param({"id": "D-\0-1"}, [("id", "control_character")], id="NUL in the id"),
        pytest.param({"id": "D\n1"}, [("id", "control_character")], id="line break in the id"),
        pytest.param({"id": "D\x851"}, [("id", "control_character")], id="C1 control in the id"),
        pytest.param({"id": "D-\ud83d"}, [("id", "broken_unicode")], id="half of an emoji"),
        pytest.param({"id": 17.5}, [("id", "wrong_type")], id="id a fraction"),
        pytest.param({"id": True}, [("id", "wrong_type")], id="id a boolean"),
        pytest.param({"id": ["D-1"]}, [("id", "wrong_type")], id="id a list"),
        pytest.param({"id": 10**5000}, [("id", "too_long")], id="id a number without end"),
        pytest.param({"order_status": ...}, [("order_status", "required")], id="no status"),
        pytest.param({"order_status": " "}, [("order_status", "required")], id="blank status, which would mean PAID"),
        pytest.param({"order_status": LONG}, [("order_status", "too_long")], id="status of 300 characters"),
        pytest.param({"create_date_time": ...}, [("create_date_time", "required")], id="no creation time"),
        pytest.param({"create_date_time": ""}, [("create_date_time", "required")], id="blank creation time"),
        pytest.param({"create_date_time": "31.02.2026"}, [("create_date_time", "date_nonexistent")], id="31 February"),
        pytest.param({"create_date_time": "2026-02-30 10:00"}, [("create_date_time", "date_nonexistent")], id="30 Feb"),
        pytest.param({"create_date_time": "yesterday"}, [("create_date_time", "date_format")], id="no date"),
        pytest.param({"create_date_time": "1.2.26"}, [("create_date_time", "date_format")], id="one digit"),
        pytest.param({"create_date_time": "18.11.2026\0"}, [("create_date_time", "date_format")], id="NUL in a date"),
        pytest.param({"create_date_time": 1790000000}, [("create_date_time", "wrong_type")], id="Unix time"),
        pytest.param({"create_date_time": "1969-12-31"}, [("create_date_time", "date_before_1970")], id="1969"),
        pytest.param(
            {"create_date_time": "2027-12-31"}, [("create_date_time", "date_too_far")], id="over a year ahead"
        ),
        pytest.param({"status_date_time": "9999-12-31"}, [("status_date_time", "date_too_far")], id="year 9999"),
        pytest.param({"status_date_time": "soon"}, [("status_date_time", "date_format")], id="no status date"),
        pytest.param({"revenue": "-1"}, [("revenue", "money_negative")], id="negative"),
        pytest.param({"revenue": "-0"}, [("revenue", "money_negative")], id="minus nothing"),
        pytest.param({"revenue": -0.01}, [("revenue", "money_negative")], id="negative number"),
        pytest.param({"cost": "1000000000001"}, [("cost", "money_too_large")], id="above 10^12"),
        pytest.param({"cost": 10**400}, [("cost", "money_too_large")], id="a number without end"),
        pytest.param({"cost": "9" * 5000}, [("cost", "money_too_large")], id="digits without end"),
        pytest.param({"revenue": "1.23456"}, [("revenue", "money_precision")], id="five decimals"),
        pytest.param({"revenue": 0.1 + 0.2}, [("revenue", "money_precision")], id="a float's tail"),
        pytest.param({"revenue": Decimal("1E-999999")}, [("revenue", "money_precision")], id="next to nothing"),
        pytest.param({"revenue": "999999999999.9999"}, [("revenue", "money_precision")], id="16 digits"),
        pytest.param({"revenue": "5 000,50"}, [("revenue", "money_format")], id="thousands space"),
        pytest.param({"revenue": "5.000,50"}, [("revenue", "money_format")], id="thousands point"),
        pytest.param({"revenue": "5,000"}, [("revenue", "money_comma")], id="5 or 5000?"),
        pytest.param({"revenue": "5,000.50"}, [("revenue", "money_comma")], id="thousands comma"),
        pytest.param({"revenue": "5000 руб."}, [("revenue", "money_format")], id="with its currency"),
        pytest.param({"revenue": "1e3"}, [("revenue", "money_format")], id="exponent"),
        pytest.param({"revenue": "NaN"}, [("revenue", "money_format")], id="NaN as text"),
        pytest.param({"revenue": float("nan")}, [("revenue", "money_format")], id="NaN"),
        pytest.param({"revenue": float("inf")}, [("revenue", "money_format")], id="infinity"),
        pytest.param({"revenue": Decimal("sNaN")}, [("revenue", "money_format")], id="signalling NaN"),
        pytest.param({"revenue": True}, [("revenue", "wrong_type")], id="true"),
        pytest.param({"revenue": [1]}, [("revenue", "wrong_type")], id="a list"),
        pytest.param({"currency": "RUR"}, [("currency", "unknown_currency")], id="no ISO 4217 code"),
        pytest.param({"currency": 643}, [("currency", "unknown_currency")], id="a number for a code"),
        pytest.param({"goals": "a=b"}, [("goals", "goals_id")], id="goal with a forbidden sign"),
        pytest.param({"goals": [{"price": 5}]}, [("goals", "blank")], id="goal without identifier"),
        pytest.param({"goals": [{"goal_action_id": "a", "name": "A"}]}, [("goals", "wrong_type")], id="goal with more"),
        pytest.param({"goals": [{"goal_action_id": "a", "price": -5}]}, [("goals", "money_negative")], id="goal < 0"),
        pytest.param({"goals": "a:5000000000000"}, [("goals", "money_too_large")], id="goal's price above 10^12"),
        pytest.param({"goals": ["a,b"]}, [("goals", "goals_unwritable")], id="goal with a comma"),
        pytest.param({"goals": ["a:5"]}, [("goals", "goals_unwritable")], id="goal that reads as a price"),
        pytest.param({"goals": 5}, [("goals", "wrong_type")], id="goals a number"),
        pytest.param({"products": ["sku"]}, [("products", "wrong_type")], id="products a list"),
        pytest.param({"products": {"sku": 0}}, [("products", "bad_quantity")], id="no pieces"),
        pytest.param({"products": {"sku": 1.5}}, [("products", "bad_quantity")], id="one and a half pieces"),
        pytest.param({"products": {"sku": "many"}}, [("products", "bad_quantity")], id="many pieces"),
        pytest.param({"products": {"Laptop, 15": 2}}, [("products", "products_unwritable")], id="product with a comma"),
        pytest.param({"products": {"": 1}}, [("products", "blank")], id="nameless product"),
        pytest.param({"attributes": "x"}, [("attributes", "wrong_type")], id="attributes a text"),
        pytest.param({"attributes": {"a": {"b": 1}}}, [("attributes", "wrong_type")], id="attributes nested"),
        pytest.param({"attributes": {"a": "\0"}}, [("attributes", "control_character")], id="NUL in an attribute"),
        pytest.param({"attributes": {"a\ud800": 1}}, [("attributes", "broken_unicode")], id="half a character"),
        pytest.param({"attributes": {"a": float("nan")}}, [("attributes", "wrong_type")], id="attribute NaN"),
        pytest.param({"attributes": {str(n): "x" * 4000 for n in range(20)}}, [("attributes", "too_long")], id="80 kB"),
        pytest.param({"client_uniq_id": LONG}, [("client_uniq_id", "too_long")], id="long client id"),
        pytest.param({"client_uniq_id": "C\0"}, [("client_uniq_id", "control_character")], id="NUL in the client id"),
        pytest.param({"client_name": LONG}, [("client_name", "too_long")], id="long client name"),
        pytest.param(
            {"id": "", "order_status": None, "create_date_time": "?", "revenue": -1, "currency": "?", "goals": 1},
            [
                ("id", "required"),
                ("order_status", "required"),
                ("create_date_time", "date_format"),
                ("revenue", "money_negative"),
                ("currency", "unknown_currency"),
                ("goals", "wrong_type"),
            ],
            id="all of it in one pass",
        ),
    ],
)
def test_what_keeps_a_row_out_and_no_other_row(
    send: Send, fields: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    report = send(row(id="before"), row(**fields), row(id="after"))
    assert [result.result for result in report.results] == ["created", "rejected", "created"]
    assert told(report, 1)[0] == errors
    assert all(str(error.message) for error in report.results[1].errors)
    assert set(Order.objects.values_list("order_id", flat=True)) == {"before", "after"}
    assert StatusChange.objects.count() == 2


@pytest.mark.parametrize("thing", [None, 5, "D-1", ["id", "D-1"], b"{}", object()])
def test_what_is_no_row_at_all(send: Send, thing: Any) -> None:
    report = send(thing, row())
    assert [result.result for result in report.results] == ["rejected", "created"]
    assert told(report)[0] == [("", "wrong_type")]
    assert report.results[0].id is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("💐-17", "💐-17", id="emoji"),
        pytest.param("👨‍👩‍👧", "👨‍👩‍👧", id="joined emoji"),
        pytest.param("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0", id="formula"),
        pytest.param("Заказ №5\u00a0(б)", "Заказ №5\u00a0(б)", id="Cyrillic and a hard space"),
        pytest.param('a"b\\c;d,e', 'a"b\\c;d,e', id="quotes, backslash, delimiters"),
        pytest.param("\\N", "\\N", id="what COPY writes for null"),
        pytest.param("  D-1  ", "D-1", id="outer spaces"),
        pytest.param(1001, "1001", id="number"),
        pytest.param("x" * 255, "x" * 255, id="255 characters"),
        pytest.param("💐" * 255, "💐" * 255, id="255 emoji"),
        pytest.param("null", "null", id="the word null"),
    ],
)
def test_text_is_kept_as_it_is(send: Send, given: Any, kept: str) -> None:
    report = send(
        row(id=given, order_status=given, client_uniq_id=given, client_name=given, attributes={"note": given})
    )
    assert report.created == 1, told(report)
    order = Order.objects.select_related("client", "current_change").get()
    assert (order.order_id, order.order_status) == (kept, kept)
    assert order.client is not None and order.current_change is not None
    assert (order.client.uniq_id, order.client.name) == (kept, kept)
    assert order.current_change.attributes == {"note": given}
    assert report.results[0].id == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("5000", "5000"),
        ("5000.50", "5000.5"),
        (" 5000,50 ", "5000.5"),
        ("0", "0"),
        (0, "0"),
        (5000, "5000"),
        (5000.1, "5000.1"),
        (1e3, "1000"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.0001"), "0.0001"),
        ("5.00000", "5"),
        (Decimal("5.0000000000000000000000000000000000"), "5"),
        ("1000000000000", "1000000000000"),
        ("99999999999.9999", "99999999999.9999"),
        ("", None),
        (None, None),
    ],
)
def test_amounts_are_kept_exactly(send: Send, given: Any, kept: str | None) -> None:
    report = send(row(revenue=given))
    assert report.created == 1, told(report)
    assert timeline()[0].revenue == (None if kept is None else Decimal(kept))
    assert send(row(revenue=given)).unchanged == 1, "and compared exactly"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("deal_won:5000, branch_2", [("deal_won", "5000"), ("branch_2", None)]),
        ("a,a:5,a:7", [("a", "5")]),
        ("a:b:5.50", [("a:b", "5.5")]),
        ("a,,b,", [("a", None), ("b", None)]),
        ([{"goal_action_id": "a", "price": "5,50"}], [("a", "5.5")]),
        ([{"goal_action_id": "a", "price": None}, {"goal_action_id": "a", "price": 3}], [("a", "3")]),
        (["a", {"goal_action_id": "b", "price": ""}], [("a", None), ("b", None)]),
        ([{"goal_action_id": 12, "price": Decimal("0.10")}], [("12", "0.1")]),
        ([], []),
        ("", []),
    ],
)
def test_goals_by_list_or_text(send: Send, given: Any, kept: list[tuple[str, str | None]]) -> None:
    report = send(row(goals=given))
    assert report.created == 1, told(report)
    assert [(goal["goal_action_id"], goal["price"]) for goal in timeline()[0].goals] == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"sku-1": 2, "x y": "3"}, {"sku-1": 2, "x y": 3}),
        ("sku-1:2,Laptop: TG12:1", {"sku-1": 2, "Laptop: TG12": 1}),
        ({"sku": Decimal("2.0")}, {"sku": 2}),
        ({}, {}),
    ],
)
def test_products_by_object_or_text(send: Send, given: Any, kept: dict[str, int]) -> None:
    report = send(row(products=given))
    assert report.created == 1, told(report)
    assert timeline()[0].products == kept


def test_attributes_come_back_as_they_were(send: Send) -> None:
    attributes = {"n": 5, "big": 10**17, "minus": -5, "yes": True, "none": None, "list": ["a", 1], "text": "a\nb\\n"}
    send(row(attributes={**attributes, "fraction": Decimal("-5.50"), "float": 0.1}))
    assert timeline()[0].attributes == {**attributes, "fraction": "-5.5", "float": "0.1"}
    assert send(row(attributes={**attributes, "fraction": -5.5, "float": "0.1"})).unchanged == 1


class TestIdentifiers:
    @pytest.mark.parametrize(
        ("fields", "kept", "warnings"),
        [
            pytest.param(
                {"client_ids": ..., "emails": ["nobody", "Anna@Example.com "], "phones": "12"},
                {"emails": ["anna@example.com"]},
                [("emails", "email_format"), ("phones", "phone_length")],
                id="the row stays by its good one",
            ),
            pytest.param(
                {"phones": "+7 (903) 123-45-67, 8 903 123 45 67"},
                {"client_ids": ["1700000000123456789"], "phones": ["79031234567"]},
                [],
                id="two spellings of one phone",
            ),
            pytest.param(
                {"client_ids": 1700000000123456789, "phones": [79031234567, None, ""]},
                {"client_ids": ["1700000000123456789"], "phones": ["79031234567"]},
                [],
                id="numbers and holes",
            ),
            pytest.param(
                {"client_ids": "1.7E+18", "emails": "a@b.example"},
                {"emails": ["a@b.example"]},
                [("client_ids", "client_id_number")],
                id="ClientID spoilt by a spreadsheet",
            ),
            pytest.param(
                {"emails": {"x": 1}, "phones": [{"x": 1}, 1.5]},
                {"client_ids": ["1700000000123456789"]},
                [("emails", "wrong_type"), ("phones", "wrong_type"), ("phones", "wrong_type")],
                id="no texts",
            ),
            pytest.param(
                {"emails": "a\0@b.example", "emails_md5": "3c56ff8fef0f6c65b36b2d25720fe276"},
                {"client_ids": ["1700000000123456789"], "emails_md5": ["3c56ff8fef0f6c65b36b2d25720fe276"]},
                [("emails", "nul")],
                id="NUL byte",
            ),
            pytest.param(
                {"emails": "", "phones": [], "client_ids": ["1", "2"]},
                {"client_ids": ["1", "2"]},
                [],
                id="none given",
            ),
        ],
    )
    def test_a_bad_one_is_told_and_left_out(
        self, send: Send, fields: dict[str, Any], kept: dict[str, list[str]], warnings: list[tuple[str, str]]
    ) -> None:
        report = send(row(**fields))
        assert report.created == 1
        assert report.results[0].hold is None
        assert told(report)[1] == warnings
        assert the_order().identifiers == kept

    def test_a_warning_repeats_no_personal_data(self, send: Send) -> None:
        report = send(row(emails="анна@пример.рф", phones="тел. Анны"))
        assert [warning.field for warning in report.results[0].warnings] == ["emails", "phones"]
        assert not any("нн" in str(warning.message) for warning in report.results[0].warnings)

    def test_nothing_but_bad_ones_changes_nothing_that_is_known(self, send: Send) -> None:
        send(row(emails="anna@example.com"))
        report = send(row(emails="nobody"))
        assert report.unchanged == 1
        assert the_order().identifiers["emails"] == ["anna@example.com"]

    def test_a_row_with_nobody_in_it_is_kept_and_held(self, send: Send) -> None:
        """R2: what was accepted is kept, though Metrica could not find the visitor yet."""
        report = send(row(client_ids="x", emails="nobody"))
        assert report.created == 1
        assert report.results[0].hold == HoldReason.NO_IDENTIFIERS
        assert told(report)[1] == [("client_ids", "client_id_format"), ("emails", "email_format")]

    def test_more_than_a_hundred_of_a_kind(self, send: Send) -> None:
        report = send(row(client_ids=[str(number) for number in range(1, 150)]))
        assert told(report)[1] == [("client_ids", "too_many")]
        assert len(the_order().identifiers["client_ids"]) == 100
        report = send(row(id="D-2", emails=["?"] * 5000))
        assert len(report.results[0].warnings) == 102, "nor is a flood answered by a flood"


class TestUnknownFields:
    def test_they_are_ignored_and_told_once_a_call(self, send: Send) -> None:
        report = send(row(manager="Ann"), row(id="D-2", manager="Bob", comment="x"), row(id="D-3", manager="C"))
        assert report.created == 3
        assert [told(report, index)[1] for index in range(3)] == [
            [("manager", "unknown_field")],
            [("comment", "unknown_field")],
            [],
        ]

    def test_names_of_any_kind(self, send: Send) -> None:
        report = send({**row(), 5: 1, ("a",): 2, "x" * 1000: 3})
        assert report.created == 1
        assert {code for _field, code in told(report)[1]} == {"unknown_field"}


class TestClocks:
    """R9: a time without an offset is on the counter's clock, and clocks have gaps and overlaps."""

    @pytest.fixture
    def berlin(self, db: None) -> Counter:
        return make_counter(time_zone="Europe/Berlin")

    def test_a_time_that_never_was(self, send: Send, berlin: Counter) -> None:
        report = send(row(create_date_time="2026-03-29 02:30"), counter=berlin)
        assert told(report)[0] == [("create_date_time", "time_in_gap")]

    def test_a_time_that_was_twice(self, send: Send, berlin: Counter) -> None:
        report = send(row(create_date_time="2026-10-25 02:30"), counter=berlin, now=datetime(2026, 10, 26, tzinfo=UTC))
        assert told(report)[1] == [("create_date_time", "ambiguous_time")]
        assert the_order().create_date_time == datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "the first of the two"

    def test_without_a_zone_only_times_with_an_offset_are_taken(self, send: Send, db: None) -> None:
        unknown = make_counter(time_zone="")
        report = send(
            row(),
            row(id="D-2", create_date_time="2026-11-18"),
            row(id="D-3", create_date_time="2026-11-18T14:05:00+03:00"),
            row(id="D-4", create_date_time="2026-11-18T11:05:00Z", status_date_time="2026-11-18T12:05:00.5+0300"),
            counter=unknown,
        )
        assert told(report, 0)[0] == told(report, 1)[0] == [("create_date_time", "unknown_time_zone")]
        assert "time zone" in str(report.results[0].errors[0].message)
        assert [result.hold for result in report.results[2:]] == [HoldReason.UNKNOWN_TIME_ZONE] * 2
        assert the_order("D-3").create_date_time == datetime(2026, 11, 18, 11, 5, tzinfo=UTC)

    def test_a_year_ahead_is_held_and_more_is_refused(self, send: Send) -> None:
        ahead = (NOW + timedelta(days=300)).isoformat()
        assert send(row(status_date_time=ahead)).results[0].hold == HoldReason.FUTURE_DATE
        too_far = (NOW + timedelta(days=367)).isoformat()
        assert told(send(row(status_date_time=too_far)))[0] == [("status_date_time", "date_too_far")]
