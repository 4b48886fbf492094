"""Strict reading of customers and orders in CSV: what is wrong is said with line and column, by the file's own titles
(pages: contacts-data, orders-data, uploadContacts, uploadOrders).
"""

import csv
import io
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrica.problems import BadValue
from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import Delimiter
from apps.metrica.wire.contacts import read_contacts
from apps.metrica.wire.csvio import UnusableFile
from apps.metrica.wire.header import format_columns_mapping, parse_columns_mapping
from apps.metrica.wire.orders import read_orders
from tests.metrica.detailed import MOSCOW

Reader = Callable[..., Iterable[Any]]

GOOD: dict[Reader, dict[str, str]] = {
    read_contacts: {"uniq_id": "C-1", "name": "Anna", "emails": "a@b.ru"},
    read_orders: {
        "id": "D-1",
        "client_uniq_id": "C-1",
        "client_type": "CONTACT",
        "create_date_time": "2026-03-04 10:00:00",
        "order_status": "meeting",
    },
}
ATTRIBUTES = {"age": False, "tags": True}


def read(reader: Reader, data: str, **options: Any) -> list[Any]:
    return list(reader(io.BytesIO(data.encode()), zone=MOSCOW, **options))


def unusable(reader: Reader, data: str, **options: Any) -> list[tuple[int, str, str]]:
    with pytest.raises(UnusableFile) as caught:
        read(reader, data, **options)
    assert all(len(str(error.message)) > 15 for error in caught.value.errors)
    return [(error.line, error.column, error.code) for error in caught.value.errors]


def table(*rows: dict[str, str]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def test_the_nine_forms_of_dates_and_all_columns_of_a_customer() -> None:
    (row,) = read(
        read_contacts,
        "phones;uniq_id;birth_date;update_date_time;create_date_time;tags;age;client_ids\n"
        "79031234567,79031234568;C-1;04.03.90;04.03.2026;2026-03-04 10:00;a b,c;x,y;1\n",
        delimiter=Delimiter.SEMICOLON,
        attributes=ATTRIBUTES,
    )
    contact = row.record
    assert (row.line, contact.uniq_id, contact.name, contact.birth_date) == (2, "C-1", "", date(1990, 3, 4))
    assert (contact.create_date_time, contact.create_date_only) == (datetime(2026, 3, 4, 7, tzinfo=UTC), False)
    assert (contact.update_date_time, contact.update_date_only) == (datetime(2026, 3, 4, 20, 59, tzinfo=UTC), True)
    assert (contact.phones, contact.client_ids, contact.emails) == (("79031234567", "79031234568"), ("1",), ())
    assert contact.attributes == {"age": ("x,y",), "tags": ("a b", "c")}, "only a multivalued attribute is a list"


def test_the_published_products_and_goals() -> None:
    row = {**GOOD[read_orders], "products": "Laptop TG12:1,Bag:2", "goals": "meeting_done:150.5,all", "cost": "1.10"}
    (read_row,) = read(read_orders, table(row))
    order = read_row.record
    assert order.products == {"Laptop TG12": 1, "Bag": 2}
    assert order.goals == (GoalPrice("meeting_done", Decimal("150.5")), GoalPrice("all"))
    assert (order.revenue, order.cost, order.currency) == (None, Decimal("1.10"), "")


def test_a_customer_needs_no_identifier_and_nothing_but_an_id() -> None:
    (row,) = read(read_contacts, "uniq_id\nC-1\n")
    assert row.errors == ()


BAD_CELLS: list[tuple[Reader, str, str, str]] = [
    (read_contacts, "uniq_id", "", "required"),
    (read_contacts, "uniq_id", "a\0b", "nul"),
    (read_contacts, "name", "a\0b", "nul"),
    (read_contacts, "birth_date", "1990-02-30", "date_nonexistent"),
    (read_contacts, "birth_date", "1969-12-31", "date_before_1970"),
    (read_contacts, "birth_date", "1990-01-02 10:00", "date_format"),
    (read_contacts, "birth_date", "yesterday", "date_format"),
    (read_contacts, "create_date_time", "2026-03-04T10:00:00", "date_format"),
    (read_contacts, "create_date_time", "1969-01-01", "date_before_1970"),
    (read_contacts, "update_date_time", "never", "date_format"),
    (read_contacts, "client_ids", "17x", "client_id_format"),
    (read_contacts, "client_ids", "1.7E+18", "client_id_number"),
    (read_contacts, "emails", "Buyer@shop.example", "not_normalised"),
    (read_contacts, "emails", "a@b.ru, c@d.ru", "spaces"),
    (read_contacts, "emails", "почта@пример.рф", "email_not_latin"),
    (read_contacts, "phones", "+79031234567", "phone_format"),
    (read_contacts, "phones", "7903", "phone_length"),
    (read_contacts, "emails_md5", "zz", "md5_format"),
    (read_contacts, "phones_md5", "d41d8cd98f00b204e9800998ecf8427e", "md5_of_nothing"),
    (read_contacts, "tags", "a,,b", "empty"),
    (read_contacts, "age", "\0", "nul"),
    (read_orders, "id", "", "required"),
    (read_orders, "client_uniq_id", "", "required"),
    (read_orders, "client_type", "", "required"),
    (read_orders, "client_type", "contact", "client_type"),
    (read_orders, "client_type", "COMPANY", "client_type"),
    (read_orders, "create_date_time", "", "required"),
    (read_orders, "create_date_time", "2026-02-30", "date_nonexistent"),
    (read_orders, "update_date_time", " 2026-03-04", "date_format"),
    (read_orders, "finish_date_time", "04/03/2026", "date_format"),
    (read_orders, "order_status", "", "required"),
    (read_orders, "order_status", "\0", "nul"),
    (read_orders, "revenue", "5000,50", "money_format"),
    (read_orders, "revenue", "-1", "money_negative"),
    (read_orders, "cost", "1e3", "money_format"),
    (read_orders, "cost", "9" * 16, "money_too_large"),
    (read_orders, "currency", "RUR", "currency"),
    (read_orders, "products", "sku-1", "products_quantity"),
    (read_orders, "products", "sku-1:", "products_quantity"),
    (read_orders, "products", "sku-1:1.5", "products_quantity"),
    (read_orders, "products", "sku-1:-1", "products_quantity"),
    (read_orders, "products", "sku-1:0", "products_quantity"),
    (read_orders, "products", "sku-1:2147483648", "products_quantity"),
    (read_orders, "products", "sku-1:٣", "products_quantity"),
    (read_orders, "products", ":1", "products_id"),
    (read_orders, "products", "a:1,,b:1", "products_empty_item"),
    (read_orders, "products", "a:1, b:1", "products_spaces"),
    (read_orders, "products", "a:1,a:2", "products_twice"),
    (read_orders, "goals", "a,,b", "goals_empty_item"),
    (read_orders, "goals", "a:-1", "money_negative"),
    (read_orders, "goals", "a&b", "goals_id"),
    (read_orders, "tags", "a,", "empty"),
]


@pytest.mark.parametrize(("reader", "column", "text", "code"), BAD_CELLS)
def test_a_bad_cell_is_named_by_line_and_column(reader: Reader, column: str, text: str, code: str) -> None:
    good = GOOD[reader]
    rows = read(
        reader, table({**good, column: good.get(column, "")}, {**good, column: text}, good), attributes=ATTRIBUTES
    )
    assert [(error.line, error.column, error.code) for error in rows[1].errors] == [(3, column, code)]
    assert len(str(rows[1].errors[0].message)) > 15
    assert rows[1].record is None
    assert rows[0].record is not None
    assert rows[2].record is not None, "a bad row must not hurt its neighbours"


def test_all_faults_of_a_row_are_said_at_once() -> None:
    row = {**GOOD[read_orders], "client_type": "X", "order_status": "", "products": "x", "revenue": "many"}
    (read_row,) = read(read_orders, table(row))
    assert [(error.column, error.code) for error in read_row.errors] == [
        ("client_type", "client_type"),
        ("products", "products_quantity"),
        ("revenue", "money_format"),
        ("order_status", "required"),
    ]


@pytest.mark.parametrize("row", ["C-1", "C-1,Anna,x", "C-1,,,"])
def test_a_row_with_too_few_or_too_many_cells(row: str) -> None:
    first, second = read(read_contacts, f"uniq_id,name\n{row}\nC-2,\n")
    assert [(error.line, error.column, error.code) for error in first.errors] == [(2, "", "cell_count")]
    assert second.record.uniq_id == "C-2"


@pytest.mark.parametrize(
    ("reader", "header", "errors"),
    [
        (read_contacts, "name", [(1, "uniq_id", "missing_column")]),
        (read_contacts, "uniq_id,age", [(1, "age", "unknown_column")]),
        (read_contacts, "uniq_id,name,name", [(1, "name", "duplicate_column")]),
        (read_contacts, "uniq_id,user_ids", [(1, "user_ids", "unknown_column")]),
        (read_contacts, "uniq_id;name", [(1, "", "delimiter")]),
        (
            read_orders,
            "id,Status",
            [
                (1, "Status", "unknown_column"),
                (1, "client_uniq_id", "missing_column"),
                (1, "client_type", "missing_column"),
                (1, "create_date_time", "missing_column"),
                (1, "order_status", "missing_column"),
            ],
        ),
        (read_orders, "", [(1, "", "empty")]),
    ],
)
def test_a_bad_header(reader: Reader, header: str, errors: list[tuple[int, str, str]]) -> None:
    assert unusable(reader, header and f"{header}\n1,2,3\n") == errors


def test_unknown_columns_are_passed_over_on_request() -> None:
    (row,) = read(read_contacts, "age,uniq_id,age\nx,C-1,y\n", ignore_unknown_columns=True)
    assert row.record.uniq_id == "C-1"
    assert row.record.attributes == {}


# Columns mapping: the left side is Metrica's name, the right side the file's title.


def test_a_file_with_its_own_titles() -> None:
    mapping = parse_columns_mapping('"uniq_id":"Client No","name":"Full name","emails":"Mail","age":"Age"')
    data = "Mail,Age,Client No,Full name,phones\na@b.ru,35,C-1,Anna,79031234567\nA@b.ru,x,,Anna,\n"
    good, bad = read(read_contacts, data, columns_mapping=mapping, attributes=ATTRIBUTES)
    assert (good.record.uniq_id, good.record.name, good.record.emails) == ("C-1", "Anna", ("a@b.ru",))
    assert (good.record.phones, good.record.attributes) == (("79031234567",), {"age": ("35",)})
    assert [(error.line, error.column, error.code) for error in bad.errors] == [
        (3, "Mail", "not_normalised"),
        (3, "Client No", "required"),
    ]


def test_titles_may_be_the_names_of_other_columns() -> None:
    (row,) = read(read_contacts, "name,uniq_id\nC-1,Anna\n", columns_mapping={"uniq_id": "name", "name": "uniq_id"})
    assert (row.record.uniq_id, row.record.name) == ("C-1", "Anna")


@pytest.mark.parametrize(
    ("mapping", "header", "errors"),
    [
        ({"uniq_id": "No"}, "uniq_id,name", [(1, "No", "mapping_title"), (1, "uniq_id", "unknown_column")]),
        ({"uniq_id": "No"}, "No,uniq_id", [(1, "uniq_id", "unknown_column")]),
        ({"nonsense": "No"}, "No,uniq_id", [(1, "No", "mapping_attribute")]),
        ({"name": "No"}, "No,name", [(1, "name", "unknown_column"), (1, "uniq_id", "missing_column")]),
        ({"uniq_id": "No"}, "No,No", [(1, "No", "duplicate_column")]),
        ({"uniq_id": "No", "name": "N"}, "No;N", [(1, "", "delimiter")]),
    ],
)
def test_a_mapping_that_does_not_fit_the_file(
    mapping: dict[str, str], header: str, errors: list[tuple[int, str, str]]
) -> None:
    assert unusable(read_contacts, header + "\n", columns_mapping=mapping) == errors


@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: '"' not in name),
        st.text(min_size=1).filter(lambda name: '"' not in name),
        max_size=4,
    ).filter(lambda mapping: len(set(mapping.values())) == len(mapping))
)
def test_a_mapping_survives_its_parameter(mapping: dict[str, str]) -> None:
    assert parse_columns_mapping(format_columns_mapping(mapping)) == mapping


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("uniq_id:No", "mapping_format"),
        ('"uniq_id":"No",', "mapping_format"),
        ('"uniq_id":"No", "name":"N"', "mapping_format"),
        ('"uniq_id" : "No"', "mapping_format"),
        ('"uniq_id":""', "mapping_format"),
        ('{"uniq_id":"No"}', "mapping_format"),
        ('"uniq_id":"No","uniq_id":"N"', "mapping_twice"),
        ('"uniq_id":"No","name":"No"', "mapping_twice"),
    ],
)
def test_a_parameter_that_is_no_mapping(text: str, code: str) -> None:
    with pytest.raises(BadValue) as caught:
        parse_columns_mapping(text)
    assert caught.value.code == code
