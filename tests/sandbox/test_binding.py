"""Orders and visits: the nearest visit in the past, the two windows, binding anew (contacts)."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import md5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.metrica.wire.simple_orders import SimpleOrder, SimpleOrdersWriter
from apps.sandbox import services
from apps.sandbox.models import Note, SandboxOrder, SandboxReach
from tests.sandbox.conftest import MOSCOW, NOW, Desk, as_file, local

_numbers = itertools.count(50_000_000)
IDENTIFIED = "id,create_date_time,client_ids,emails,phones,emails_md5,phones_md5,order_status"


def digest(text: str) -> str:
    return md5(text.encode()).hexdigest()


def order_row(
    order_id: str = "D-1", *, ago: timedelta = timedelta(), client_id: str = "17", status: str = "PAID"
) -> str:
    return f"{order_id},{local(NOW - ago)},{client_id},,,,,{status}"


@pytest.mark.parametrize(
    "cells",
    [
        "17,,,,",
        ',"other@shop.example,mail@yandex.ru",,,',
        ",,79995551111,,",
        f",,,{digest('mail@yandex.ru')},",
        ",,,,f09f2c3d48f31e2a802944ade2e5aec5",
    ],
    ids=["ClientID", "e-mail", "phone", "MD5 of e-mail", "MD5 of phone"],
)
def test_every_kind_of_identifier_finds_the_visit(desk: Desk, cells: str) -> None:
    """contacts: ClientID, e-mails, phones, or MD5 of them; hashing: the official vectors."""
    visit = desk.visit(client_id="17", emails=["Mail@Yandex.ru"], phones=["+7 999 555-11-11"])
    desk.visit(timedelta(minutes=1), client_id="99", emails=["a@b.example"], phones=["79031234567"])
    desk.send(f"D-1,{local(NOW)},{cells},PAID", header=IDENTIFIED)
    assert desk.order("D-1").visit_id == visit


def test_the_visit_is_in_the_past_of_the_order(desk: Desk) -> None:
    """contacts: visits are searched in the past, starting from the order time."""
    earlier = desk.visit(timedelta(hours=5), client_id="17")
    desk.visit(timedelta(hours=1), client_id="17")
    desk.send(order_row(ago=timedelta(hours=2)), header=IDENTIFIED)
    assert desk.order("D-1").visit_id == earlier


def test_a_date_without_time_searches_back_from_2359(desk: Desk) -> None:
    """date: a date without time in simple orders is searched back from 23:59 of that day, on the counter's clock."""
    services.add_visit(counter=desk.counter, started_at=datetime(2026, 3, 8, 21, 0, tzinfo=UTC), client_id="17")
    evening = services.add_visit(
        counter=desk.counter, started_at=datetime(2026, 3, 8, 20, 58, tzinfo=UTC), client_id="17"
    )
    desk.send("D-1,2026-03-08,17,,,,,PAID", header=IDENTIFIED)
    assert desk.order("D-1").visit_id == evening.pk


@pytest.mark.parametrize(("age", "bound"), [(timedelta(days=21), True), (timedelta(days=21, seconds=1), False)])
def test_an_order_is_bound_within_21_days(desk: Desk, age: timedelta, bound: bool) -> None:
    """contacts: an order may be bound within 21 days from the current date; older ones are not bound."""
    desk.visit(timedelta(days=22), client_id="17")
    desk.send(order_row(ago=age), header=IDENTIFIED)
    assert (desk.order("D-1").visit_id is not None) is bound
    assert (Note.BINDING_CLOSED in desk.events("D-1")[0].notes) is not bound


@pytest.mark.parametrize(("age", "open_"), [(timedelta(days=111), True), (timedelta(days=111, seconds=1), False)])
def test_a_bound_order_changes_for_111_days_from_the_visit(desk: Desk, age: timedelta, open_: bool) -> None:
    """contacts: a bound order can be changed during the next 111 days counted from the visit's start."""
    desk.visit(timedelta(), client_id="17")
    desk.send(order_row(status="IN_PROGRESS"), header=IDENTIFIED)
    desk.send(order_row(status="PAID"), header=IDENTIFIED, now=NOW + age)
    assert ("cdp_order_paid" in desk.reached("D-1")) is open_
    assert (Note.UPDATE_CLOSED in desk.events("D-1")[1].notes) is not open_
    assert desk.order("D-1").type == "PAID"


def test_an_unbound_order_reaches_nothing_until_a_visit_is_found(desk: Desk) -> None:
    """contacts: goals are reached in the visit that an order is bound to."""
    desk.send(order_row(status="IN_PROGRESS"), header=IDENTIFIED)
    assert (desk.reached("D-1"), desk.events("D-1")[0].notes) == ({}, Note.NO_VISIT)
    desk.visit(client_id="17")
    desk.send(order_row(status="PAID"), header=IDENTIFIED)
    assert set(desk.reached("D-1")) == {"cdp_order_in_progress", "cdp_order_paid"}


def test_an_order_moves_to_another_customer_by_its_id(desk: Desk) -> None:
    """uploadSimpleOrders: the id lets you re-bind the order to another customer; contacts: goals reached stay
    reached."""
    first, second = desk.visit(client_id="17"), desk.visit(client_id="18")
    desk.send(order_row(client_id="17"), header=IDENTIFIED)
    desk.send(order_row(client_id="18"), header=IDENTIFIED)
    assert desk.order("D-1").visit_id == second
    assert desk.events("D-1")[1].notes == Note.REBOUND
    visits = Counter(SandboxReach.objects.filter(goal="cdp_order_paid").values_list("visit_id", flat=True))
    assert visits == {first: 1, second: 1}


def test_identifiers_that_find_nothing_leave_the_binding(desk: Desk) -> None:
    visit = desk.visit(client_id="17")
    desk.send(order_row(client_id="17"), header=IDENTIFIED)
    desk.send(order_row(client_id="99"), header=IDENTIFIED)
    assert desk.order("D-1").visit_id == visit


def test_after_21_days_an_order_is_not_bound_anew(desk: Desk) -> None:
    first = desk.visit(client_id="17")
    desk.visit(client_id="18")
    desk.send(order_row(client_id="17"), header=IDENTIFIED)
    desk.send(order_row(client_id="18"), header=IDENTIFIED, now=NOW + timedelta(days=22))
    assert (desk.order("D-1").visit_id, desk.events("D-1")[1].notes) == (first, Note.BINDING_CLOSED)


def test_visits_of_another_counter_are_not_found(desk: Desk) -> None:
    other = services.create_counter(metrica_id=next(_numbers), owner_login="south", token="y0_south")
    services.add_visit(counter=other, started_at=NOW, client_id="17")
    desk.send(order_row(), header=IDENTIFIED)
    assert desk.order("D-1").visit_id is None


client_ids = st.sampled_from(["11", "12", "13"])
emails = st.sampled_from(["a@shop.example", "b@shop.example"])
phones = st.sampled_from(["79031234567", "79031234568"])
hours = st.integers(0, 30 * 24)
visits = st.lists(st.tuples(hours, st.none() | client_ids, st.none() | emails, st.none() | phones), max_size=12)
orders = st.lists(
    st.tuples(
        hours,
        st.lists(client_ids, unique=True, max_size=2),
        st.lists(emails, unique=True, max_size=2),
        st.lists(phones, unique=True, max_size=2),
        st.booleans(),
    ).filter(lambda order: any(order[1:4])),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(visits=visits, orders=orders)
def test_binding_follows_a_plain_model(db: None, visits: list, orders: list) -> None:
    """Nearest visit at or before the order with any of its identifiers, if the order is at most 21 days old."""
    counter = services.create_counter(metrica_id=next(_numbers))
    made = [
        (
            services.add_visit(
                counter=counter,
                started_at=NOW - timedelta(hours=ago),
                client_id=client_id or "",
                emails=[email] if email else [],
                phones=[phone] if phone else [],
            ),
            {client_id, email, phone} - {None},
        )
        for ago, client_id, email, phone in visits
    ]
    file = as_file(b"")
    writer = SimpleOrdersWriter(file.file, zone=MOSCOW)
    expected = {}
    for number, (ago, own_ids, own_emails, own_phones, hashed) in enumerate(orders):
        created = NOW - timedelta(hours=ago)
        writer.write(
            SimpleOrder(
                id=str(number),
                create_date_time=created,
                date_only=False,
                order_status="PAID",
                client_ids=own_ids,
                emails=() if hashed else own_emails,
                phones=() if hashed else own_phones,
                emails_md5=[digest(email) for email in own_emails] if hashed else (),
                phones_md5=[digest(phone) for phone in own_phones] if hashed else (),
            )
        )
        own = {*own_ids, *own_emails, *own_phones}
        found = [visit.started_at for visit, known in made if known & own and visit.started_at <= created]
        expected[str(number)] = max(found) if found and ago <= 21 * 24 else None
    file.size = writer.bytes_written
    services.receive_simple_orders(counter=counter, file=file, merge_mode="SAVE", now=NOW)
    stored = SandboxOrder.objects.filter(counter=counter)
    assert dict(stored.values_list("order_id", "visit__started_at")) == expected
