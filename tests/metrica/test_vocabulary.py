"""The words are Metrica's own, to the letter."""

import pytest

from apps.metrica.vocabulary import (
    CONTACT_COLUMNS,
    CURRENCIES,
    DEFAULT_STATUSES,
    ID_PATTERN,
    IDENTIFIER_KINDS,
    MAX_ORDERS_PER_CLIENT,
    MAX_PRODUCTS,
    ORDER_COLUMNS,
    SIMPLE_COLUMNS,
    AttributeGroup,
    AttributeType,
    Delimiter,
    EntityType,
    MergeMode,
    OrderType,
)


def test_types_and_default_statuses() -> None:
    assert [str(order_type) for order_type in OrderType] == ["IN_PROGRESS", "PAID", "CANCELLED", "SPAM", "OTHER"]
    assert {status: str(order_type) for status, order_type in DEFAULT_STATUSES.items()} == {
        "IN_PROGRESS": "IN_PROGRESS",
        "PAID": "PAID",
        "CANCELLED": "CANCELLED",
        "SPAM": "SPAM",
    }
    assert all(str(order_type.label) for order_type in OrderType)


def test_the_header_is_the_official_one_with_the_hashes_after_the_phones() -> None:
    assert ",".join(SIMPLE_COLUMNS) == (
        "id,create_date_time,client_uniq_id,client_ids,emails,phones,emails_md5,phones_md5,"
        "order_status,revenue,cost,goals,currency"
    )
    assert set(IDENTIFIER_KINDS) < set(SIMPLE_COLUMNS)


def test_the_headers_of_the_detailed_format() -> None:
    assert ",".join(CONTACT_COLUMNS) == (
        "uniq_id,name,birth_date,create_date_time,update_date_time,client_ids,emails,phones,emails_md5,phones_md5"
    )
    assert ",".join(ORDER_COLUMNS) == (
        "id,client_uniq_id,client_type,create_date_time,update_date_time,finish_date_time,"
        "order_status,revenue,cost,currency,products,goals"
    )
    assert (MAX_ORDERS_PER_CLIENT, MAX_PRODUCTS) == (100_000, 160_000)


def test_attributes() -> None:
    assert [str(entity) for entity in EntityType] == ["CONTACT", "COMPANY", "ORDER", "SIMPLE_ORDER"]
    assert {str(kind) for kind in AttributeType} == {"numeric", "date", "datetime", "email", "text", "product"}
    assert [str(group) for group in AttributeGroup] == ["PREDEFINED", "CUSTOM_LIST", "SYSTEM_LIST"]
    assert len({str(kind.label) for kind in AttributeType}) == len(AttributeType)


def test_modes_and_delimiters() -> None:
    assert [str(mode) for mode in MergeMode] == ["SAVE", "UPDATE", "APPEND"]
    assert [(str(delimiter), delimiter.char) for delimiter in Delimiter] == [("COMMA", ","), ("SEMICOLON", ";")]


def test_currencies() -> None:
    assert {"RUB", "USD", "EUR", "KZT", "BYN", "UZS", "AED", "CNY", "XCG", "ZWG"} <= CURRENCIES
    assert not {"RUR", "XXX", "XTS", "BYR", "HRK", "rub", "", "ANG", "BGN", "YND"} & CURRENCIES
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("new_lead", True),
        ("a-b:c_9", True),
        ("x" * 255, True),
        ("x" * 256, False),
        ("", False),
        ("new lead", False),
        ("лид", False),
        ("a\n", False),
        ("a.b", False),
    ],
)
def test_metricas_own_ids(text: str, good: bool) -> None:
    assert bool(ID_PATTERN.match(text)) is good
    assert bool(ID_PATTERN.search(text)) is good, "Django's RegexValidator searches"
