"""What the four writers of the detailed format write, the readers read the same; and so does any other program
(pages: contacts-data, orders-data, uploadContactJson_1, uploadOrdersJson_1).
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrica.vocabulary import CONTACT_COLUMNS, ORDER_COLUMNS, Delimiter
from apps.metrica.wire.contacts import (
    Contact,
    ContactsJsonWriter,
    ContactsWriter,
    read_contacts,
    read_contacts_json,
)
from apps.metrica.wire.orders import DetailedOrder, OrdersJsonWriter, OrdersWriter, read_orders, read_orders_json
from tests.metrica.detailed import (
    CONTACT,
    CONTACT_ATTRIBUTES,
    CONTACTS,
    LATER,
    MOSCOW,
    ORDER,
    ORDER_ATTRIBUTES,
    ORDERS,
    ZONES,
    on_the_clock,
)

DELIMITERS = st.sampled_from(Delimiter)


def contacts_csv(contacts: Sequence[Contact], zone: ZoneInfo = MOSCOW, delimiter: Delimiter = Delimiter.COMMA) -> bytes:
    out = io.BytesIO()
    ContactsWriter(out, zone=zone, delimiter=delimiter, attributes=CONTACT_ATTRIBUTES).write_many(contacts)
    return out.getvalue()


def contacts_json(contacts: Sequence[Contact], zone: ZoneInfo = MOSCOW) -> bytes:
    out = io.BytesIO()
    with ContactsJsonWriter(out, zone=zone) as writer:
        writer.write_many(contacts)
    return out.getvalue()


def orders_csv(
    orders: Sequence[DetailedOrder], zone: ZoneInfo = MOSCOW, delimiter: Delimiter = Delimiter.COMMA
) -> bytes:
    out = io.BytesIO()
    OrdersWriter(out, zone=zone, delimiter=delimiter, attributes=ORDER_ATTRIBUTES).write_many(orders)
    return out.getvalue()


def orders_json(orders: Sequence[DetailedOrder], zone: ZoneInfo = MOSCOW) -> bytes:
    out = io.BytesIO()
    with OrdersJsonWriter(out, zone=zone) as writer:
        writer.write_many(orders)
    return out.getvalue()


def contact_as_read(contact: Contact, zone: ZoneInfo) -> Contact:
    return replace(
        contact,
        create_date_time=on_the_clock(contact.create_date_time, zone),
        update_date_time=on_the_clock(contact.update_date_time, zone),
    )


def order_as_read(order: DetailedOrder, zone: ZoneInfo) -> DetailedOrder:
    created = on_the_clock(order.create_date_time, zone)
    assert created is not None
    return replace(
        order,
        create_date_time=created,
        update_date_time=on_the_clock(order.update_date_time, zone),
        finish_date_time=on_the_clock(order.finish_date_time, zone),
    )


def test_a_full_customer_as_csv() -> None:
    assert contacts_csv([CONTACT]).decode() == (
        "uniq_id,name,birth_date,create_date_time,update_date_time,"
        "client_ids,emails,phones,emails_md5,phones_md5,age,tags\r\n"
        "C-77,Анна К.,1990-01-02,2026-03-04 12:00:00,2026-03-05 09:30:00,"
        '"1700000000123456789,12345678901234567890",buyer@shop.example,79031234567,'
        '261b44f92b75954e9125a14bd8029285,62341e1d75b4f662d8f14d4a9a89ca18,35,"vip,a b"\r\n'
    )


def test_a_full_customer_as_json() -> None:
    assert json.loads(contacts_json([CONTACT])) == {
        "contacts": [
            {
                "uniq_id": "C-77",
                "name": "Анна К.",
                "birth_date": "1990-01-02",
                "create_date_time": "2026-03-04 12:00:00",
                "update_date_time": "2026-03-05 09:30:00",
                "client_ids": ["1700000000123456789", "12345678901234567890"],
                "emails": ["buyer@shop.example"],
                "phones": ["79031234567"],
                "emails_md5": ["261b44f92b75954e9125a14bd8029285"],
                "phones_md5": ["62341e1d75b4f662d8f14d4a9a89ca18"],
                "attribute_values": {"age": ["35"], "tags": ["vip", "a b"]},
            }
        ]
    }


def test_a_full_order_as_csv() -> None:
    assert orders_csv([ORDER]).decode() == (
        "id,client_uniq_id,client_type,create_date_time,update_date_time,finish_date_time,"
        "order_status,revenue,cost,currency,products,goals,manager,branches\r\n"
        "D-2001,C-77,CONTACT,2026-03-04 12:00:00,2026-03-05 09:30:00,2026-03-05 09:30:00,"
        'meeting,7000.10,4500,RUB,"sku-1:2,Laptop TG12:b:1","meeting_done:150.5,branch_2","Ivan, the second",\r\n'
    )


def test_a_full_order_as_json() -> None:
    data = orders_json([ORDER])
    assert b'"revenue": 7000.10, "cost": 4500,' in data, "digit by digit"
    assert json.loads(data, parse_float=Decimal) == {
        "orders": [
            {
                "id": "D-2001",
                "client_uniq_id": "C-77",
                "client_type": "CONTACT",
                "create_date_time": "2026-03-04 12:00:00",
                "update_date_time": "2026-03-05 09:30:00",
                "finish_date_time": "2026-03-05 09:30:00",
                "order_status": "meeting",
                "revenue": Decimal("7000.10"),
                "cost": 4500,
                "currency": "RUB",
                "products": {"sku-1": 2, "Laptop TG12:b": 1},
                "goals": [
                    {"goal_action_id": "meeting_done", "price": Decimal("150.5")},
                    {"goal_action_id": "branch_2"},
                ],
                "attribute_values": {"manager": ["Ivan, the second"]},
            }
        ]
    }


def test_what_is_unknown_is_left_out_of_json_and_blank_in_csv() -> None:
    order = DetailedOrder("D-1", "C-1", LATER, "won")
    assert json.loads(orders_json([order]))["orders"] == [
        {
            "id": "D-1",
            "client_uniq_id": "C-1",
            "client_type": "CONTACT",
            "create_date_time": "2026-03-05 09:30:00",
            "order_status": "won",
        }
    ]
    assert orders_csv([order]).splitlines()[1] == b"D-1,C-1,CONTACT,2026-03-05 09:30:00,,,won,,,,,,,"
    assert json.loads(contacts_json([Contact("C-1")]))["contacts"] == [{"uniq_id": "C-1"}]


def test_an_amount_of_nothing_is_written() -> None:
    order = replace(ORDER, revenue=Decimal(0), cost=Decimal("0.00"))
    assert b'"revenue": 0, "cost": 0.00,' in orders_json([order])
    assert b",meeting,0,0.00,RUB," in orders_csv([order])


@given(st.lists(CONTACTS, max_size=4), DELIMITERS, ZONES)
def test_customers_in_csv(contacts: list[Contact], delimiter: Delimiter, zone: ZoneInfo) -> None:
    data = contacts_csv(contacts, zone, delimiter)
    rows = list(read_contacts(io.BytesIO(data), zone=zone, delimiter=delimiter, attributes=CONTACT_ATTRIBUTES))
    assert [row.errors for row in rows] == [()] * len(contacts)
    assert [row.record for row in rows] == [contact_as_read(contact, zone) for contact in contacts]


@given(st.lists(CONTACTS, max_size=4), ZONES)
def test_customers_in_json(contacts: list[Contact], zone: ZoneInfo) -> None:
    items = list(
        read_contacts_json(io.BytesIO(contacts_json(contacts, zone)), zone=zone, attributes=CONTACT_ATTRIBUTES)
    )
    assert [item.errors for item in items] == [()] * len(contacts)
    assert [item.record for item in items] == [contact_as_read(contact, zone) for contact in contacts]


@given(st.lists(ORDERS, max_size=4), DELIMITERS, ZONES)
def test_orders_in_csv(orders: list[DetailedOrder], delimiter: Delimiter, zone: ZoneInfo) -> None:
    data = orders_csv(orders, zone, delimiter)
    rows = list(read_orders(io.BytesIO(data), zone=zone, delimiter=delimiter, attributes=ORDER_ATTRIBUTES))
    assert [row.errors for row in rows] == [()] * len(orders)
    assert [row.record for row in rows] == [order_as_read(order, zone) for order in orders]


@given(st.lists(ORDERS, max_size=4), ZONES)
def test_orders_in_json(orders: list[DetailedOrder], zone: ZoneInfo) -> None:
    items = list(read_orders_json(io.BytesIO(orders_json(orders, zone)), zone=zone, attributes=ORDER_ATTRIBUTES))
    assert [item.errors for item in items] == [()] * len(orders)
    assert [item.record for item in items] == [order_as_read(order, zone) for order in orders]


@given(st.lists(ORDERS, max_size=4))
def test_both_formats_say_the_same(orders: list[DetailedOrder]) -> None:
    rows = read_orders(io.BytesIO(orders_csv(orders)), zone=MOSCOW, attributes=ORDER_ATTRIBUTES)
    items = read_orders_json(io.BytesIO(orders_json(orders)), zone=MOSCOW, attributes=ORDER_ATTRIBUTES)
    assert [row.record for row in rows] == [item.record for item in items]


@given(st.lists(CONTACTS, max_size=4), st.lists(ORDERS, max_size=4))
def test_any_other_program_reads_them(contacts: list[Contact], orders: list[DetailedOrder]) -> None:
    """The csv and json modules stand for them."""
    cells = list(csv.reader(io.StringIO(contacts_csv(contacts).decode(), newline=""), strict=True))
    assert cells[0] == [*CONTACT_COLUMNS, *CONTACT_ATTRIBUTES]
    assert [row[1] for row in cells[1:]] == [contact.name for contact in contacts]
    cells = list(csv.reader(io.StringIO(orders_csv(orders).decode(), newline=""), strict=True))
    assert cells[0] == [*ORDER_COLUMNS, *ORDER_ATTRIBUTES]
    assert [row[6] for row in cells[1:]] == [order.order_status for order in orders]
    assert [item["uniq_id"] for item in json.loads(contacts_json(contacts))["contacts"]] == [
        c.uniq_id for c in contacts
    ]
    assert [item["id"] for item in json.loads(orders_json(orders))["orders"]] == [order.id for order in orders]


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_days_without_a_time(kind: str) -> None:
    """CSV keeps them as days. JSON knows only full times, so there they become the 23:59:00 that Metrica reads."""
    (end_of_day,) = {row.record.create_date_time for row in read_contacts(
        io.BytesIO(b"uniq_id,create_date_time\nC-1,04.03.2026\n"), zone=MOSCOW) if row.record}  # fmt: skip
    contact = Contact("C-1", create_date_time=end_of_day, create_date_only=True)
    if kind == "csv":
        assert b",2026-03-04," in contacts_csv([contact])
        (row,) = read_contacts(io.BytesIO(contacts_csv([contact])), zone=MOSCOW, attributes=CONTACT_ATTRIBUTES)
        assert row.record == contact
    else:
        assert b'"2026-03-04 23:59:00"' in contacts_json([contact])
        (item,) = read_contacts_json(io.BytesIO(contacts_json([contact])), zone=MOSCOW)
        assert item.record == replace(contact, create_date_only=False)
