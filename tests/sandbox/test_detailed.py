"""The detailed format's own rules: mapped statuses, customers and their orders, when an order was finished, money."""

import json
import resource
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.files.base import File
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.metrica.vocabulary import MergeMode, OrderType
from apps.sandbox import schema, services
from apps.sandbox.models import Note, SandboxReach, UploadFormat, UploadKind
from apps.sandbox.receiving import FileRefused
from tests.sandbox.conftest import Desk, local

CREATED, PAID, CANCELLED, SPAM = (
    "cdp_order_in_progress",
    "cdp_order_paid",
    "cdp_order_cancelled",
    "cdp_order_spam",
)
HOUR = timedelta(hours=1)
ORDER_HEADER = "id,client_uniq_id,client_type,create_date_time,order_status,products"


def mapping(desk: Desk, **types: str) -> None:
    schema.map_statuses(
        counter=desk.counter, statuses=[schema.Status(id=name, type=OrderType(kind)) for name, kind in types.items()]
    )


@pytest.fixture
def shop(desk: Desk) -> Desk:
    """Customer C-1 was uploaded two hours ago; an hour ago it visited the site."""
    desk.contacts({"uniq_id": "C-1", "client_ids": ["17"], "emails": ["buyer@shop.example"]}, now=desk.now - 2 * HOUR)
    desk.visit(HOUR, client_id="17")
    return desk


def test_the_worked_case_of_the_dental_clinics(shop: Desk) -> None:
    """contacts: detailed mode: five statuses of one deal; the types in their order, every income is the profit."""
    services.add_goal(counter=shop.counter, identifier="zapis2")
    services.add_goal(counter=shop.counter, identifier="oplaty_2_filial")
    schema.map_statuses(
        counter=shop.counter,
        statuses=[
            schema.Status(id="new_lead", type=OrderType.IN_PROGRESS, humanized="Новый лид"),
            schema.Status(id="zapis1", type=OrderType.OTHER, goal_action_ids=["zapis1", "vse_zapisi"]),
            schema.Status(id="CANCELLED", type=OrderType.CANCELLED, humanized="Отмена записи"),
            schema.Status(id="zapis2", type=OrderType.OTHER, goal_action_ids=["zapis2", "vse_zapisi"]),
            schema.Status(id="paid_in_filial2", type=OrderType.PAID, goal_action_ids=["oplaty_2_filial"]),
        ],
    )
    types = []
    for status in ("new_lead", "zapis1", "CANCELLED", "zapis2", "paid_in_filial2"):
        shop.orders({"order_status": status, "revenue": 5000, "cost": 3200})
        types.append(shop.order("D-1").type)
    assert types == ["IN_PROGRESS", "OTHER", "CANCELLED", "OTHER", "PAID"]
    steps = [[goal for goal, _income in event.reached] for event in shop.events("D-1")]
    assert steps == [
        [CREATED],
        ["zapis1", "vse_zapisi"],
        [CANCELLED],
        ["zapis2", "vse_zapisi"],
        [CREATED, PAID, "oplaty_2_filial"],
    ]
    assert set(shop.reached("D-1").values()) == {Decimal(1800)}
    assert set(shop.reached("D-1")) == {goal for step in steps for goal in step}


def test_switch_cancelled_goal_none(shop: Desk) -> None:
    """contacts: the documents disagree: the article's own example lets a cancelled order reach nothing."""
    services.set_switch(name="cancelled_goal", value="none")
    shop.orders({"id": "D-1", "order_status": "CANCELLED", "goals": [{"goal_action_id": "bad_lead"}]})
    shop.orders({"id": "D-2", "order_status": "SPAM"})
    assert (shop.order("D-1").type, set(shop.reached("D-1"))) == ("CANCELLED", {"bad_lead"})
    assert (shop.order("D-2").type, shop.reached("D-2")) == ("SPAM", {})


def test_goals_are_never_rolled_back(shop: Desk) -> None:
    """contacts: reports of orders follow the current status, goal reaches do not."""
    shop.orders({"order_status": "PAID", "revenue": 100})
    shop.orders({"order_status": "SPAM"})
    assert shop.order("D-1").type == "SPAM"
    assert shop.reached("D-1") == {CREATED: Decimal(100), PAID: Decimal(100), SPAM: None}


def test_a_default_status_and_a_goal_need_no_mapping(shop: Desk) -> None:
    """mapOrderStatuses: without a mapping PAID and its like may be sent, and identifiers of the counter's JavaScript
    goals."""
    shop.orders({"id": "D-1", "order_status": "IN_PROGRESS"}, {"id": "D-2", "order_status": "good_lead"})
    assert (shop.order("D-1").type, set(shop.reached("D-1"))) == ("IN_PROGRESS", {CREATED})
    assert (shop.order("D-2").type, set(shop.reached("D-2"))) == ("OTHER", {"good_lead"})


def test_a_mapped_status_in_the_simple_format(desk: Desk) -> None:
    """uploadSimpleOrders: order_status may be a mapped status id too (inferred): a switch, on by default."""
    mapping(desk, won="PAID")
    desk.visit(client_id="17")
    desk.send("D-1,2026-03-10 11:30:00,,17,,,won,,,,")
    assert (desk.order("D-1").type, set(desk.reached("D-1"))) == ("PAID", {CREATED, PAID})
    services.set_switch(name="mapped_status_in_simple", value="unknown")
    desk.send("D-2,2026-03-10 11:30:00,,17,,,won,,,,")
    assert (desk.order("D-2").type, desk.order("D-2").unknown_status) == ("OTHER", True)


def test_case_of_statuses_and_goals(shop: Desk) -> None:
    """Left open: the case of statuses and goals. By default it matters."""
    mapping(shop, won="PAID")
    rows = [
        {"id": "D-1", "order_status": "Won"},
        {"id": "D-2", "order_status": "paid"},
        {"id": "D-3", "order_status": "Good_Lead", "goals": [{"goal_action_id": "DEAL_WON"}]},
    ]
    shop.orders(*rows)
    assert [shop.order(row["id"]).unknown_status for row in rows] == [True, True, True]
    services.set_switch(name="status_case", value="ignored")
    shop.orders(*rows)
    assert [shop.order(row["id"]).type for row in rows] == ["PAID", "PAID", "OTHER"]
    assert set(shop.reached("D-3")) == {"good_lead", "deal_won"}


def test_switch_first_other_created(shop: Desk) -> None:
    """contacts: OTHER: whether a first upload with such a status reaches "Order created" is unclear."""
    shop.orders({"id": "D-1", "order_status": "good_lead"})
    services.set_switch(name="first_other", value="created")
    shop.orders({"id": "D-1", "order_status": "good_lead"}, {"id": "D-2", "order_status": "good_lead", "revenue": 5})
    assert set(shop.reached("D-1")) == {"good_lead"}
    assert shop.reached("D-2") == {CREATED: Decimal(5), "good_lead": Decimal(5)}


def test_switch_unknown_status_refuse(shop: Desk) -> None:
    """Left open by Metrica's documents, for both formats."""
    services.set_switch(name="unknown_status", value="refuse")
    mapping(shop, won="PAID")
    shop.orders({"order_status": "won"})
    with pytest.raises(FileRefused) as caught:
        shop.orders({"order_status": "lost"})
    assert caught.value.problems[0].location == "orders[0].order_status"


def test_switch_future_order_refuse(shop: Desk) -> None:
    """Left open: nothing is said of the CRM formats; today's date without time is not the future."""
    tomorrow, today = {"create_date_time": local(shop.now + 24 * HOUR)}, {"create_date_time": local(shop.now)[:10]}
    shop.orders(tomorrow)
    services.set_switch(name="future_order", value="refuse")
    shop.orders(today)
    with pytest.raises(FileRefused) as caught:
        shop.orders(tomorrow)
    assert caught.value.problems[0].location == "orders[0].create_date_time"


def test_finish_time_is_the_first_paid_upload(shop: Desk) -> None:
    """uploadOrders: when absent, finish_date_time is the time of the first upload in a status of the group PAID."""
    mapping(shop, won="PAID")
    shop.orders({"order_status": "IN_PROGRESS"})
    assert shop.order("D-1").finished_at is None
    first = shop.now + HOUR
    shop.orders({"order_status": "won"}, now=first)
    shop.orders({"order_status": "PAID"}, now=first + HOUR)
    shop.orders({"order_status": "CANCELLED"}, now=first + 2 * HOUR)
    assert shop.order("D-1").finished_at == first
    shop.orders({"finish_date_time": "2026-03-09 10:00:00"}, now=first + 3 * HOUR)
    assert local(shop.order("D-1").finished_at) == "2026-03-09 10:00:00"
    shop.orders({}, now=first + 4 * HOUR)
    assert shop.order("D-1").finished_at == first, "modes: SAVE nulls what is left out"


def test_update_time_is_set_when_absent(shop: Desk) -> None:
    """uploadOrders: update_date_time is set automatically when absent."""
    shop.orders({"update_date_time": "2026-03-09 10:00:00"})
    assert local(shop.order("D-1").update_date_time) == "2026-03-09 10:00:00"
    shop.orders({}, now=shop.now + HOUR)
    assert shop.order("D-1").update_date_time == shop.now + HOUR


@pytest.mark.parametrize(
    ("fields", "income"),
    [
        ({"revenue": 5000, "cost": 3200}, 1800),
        ({"revenue": 5000}, 5000),
        ({"revenue": 5000, "cost": 0}, 5000),
        ({"cost": 3200}, None),
        ({}, None),
    ],
)
def test_income_of_goals(shop: Desk, fields: dict[str, int], income: int | None) -> None:
    """orders-data: with a cost the income is revenue - cost, otherwise revenue; a goal's own price goes first."""
    shop.orders({"goals": [{"goal_action_id": "deal_won", "price": 7.5}, {"goal_action_id": "branch_2"}], **fields})
    assert shop.reached("D-1") == {CREATED: income, PAID: income, "deal_won": Decimal("7.5"), "branch_2": income}


def test_an_order_of_a_customer_that_was_never_uploaded(shop: Desk) -> None:
    """Observed: such orders are accepted but attach to nobody. Default: a later customer changes nothing
    until the order's own next upload."""
    shop.orders({"client_uniq_id": "C-9"})
    assert (shop.order("D-1").visit_id, shop.events("D-1")[0].notes) == (None, Note.NO_CUSTOMER)
    shop.contacts({"uniq_id": "C-9", "client_ids": ["17"]})
    assert shop.order("D-1").visit_id is None
    shop.orders({"client_uniq_id": "C-9"})
    assert set(shop.reached("D-1")) == {CREATED, PAID}


def test_switch_later_contacts_rematch(shop: Desk) -> None:
    """Left open: whether unbound orders are matched again after a later upload of customers."""
    services.set_switch(name="later_contacts", value="rematch")
    shop.orders(
        {"id": "D-1", "client_uniq_id": "C-9", "revenue": 10},
        {"id": "D-2", "client_uniq_id": "C-8"},
        {"id": "D-3", "client_uniq_id": "C-9", "create_date_time": local(shop.now - timedelta(days=21, seconds=1))},
        {"id": "D-4", "client_uniq_id": "C-1", "order_status": "IN_PROGRESS"},
    )
    bound = shop.order("D-4").visit_id
    shop.contacts({"uniq_id": "C-1", "client_ids": ["99"]}, {"uniq_id": "C-9", "emails": ["mail@yandex.ru"]})
    assert shop.order("D-1").visit_id is None, "the customer has made no visit"
    shop.contacts({"uniq_id": "C-8"}, {"uniq_id": "C-9", "client_ids": ["17"]})
    assert shop.reached("D-1") == {CREATED: Decimal(10), PAID: Decimal(10)}
    last = shop.events("D-1")[-1]
    assert (last.notes, last.line, last.uploading) == (Note.MATCHED_LATER, 1, shop.sent[-1])
    assert [shop.order(name).visit_id for name in ("D-2", "D-3", "D-4")] == [None, None, bound]
    assert len(shop.events("D-2")) == len(shop.events("D-3")) == len(shop.events("D-4")) == 1


def test_visits_before_the_first_customers_do_not_count(desk: Desk) -> None:
    """contacts: orders are bound only to visits made after the first successful upload of customers."""
    early = desk.visit(3 * HOUR, client_id="17")
    with pytest.raises(FileRefused):
        desk.contacts({"uniq_id": ""}, now=desk.now - 5 * HOUR)
    desk.contacts({"uniq_id": "C-1", "client_ids": ["17"]}, now=desk.now - 2 * HOUR)
    desk.contacts({"uniq_id": "C-2", "client_ids": ["18"]}, now=desk.now - HOUR)
    desk.orders({"id": "D-1"})
    assert (desk.order("D-1").visit_id, desk.events("D-1")[0].notes) == (None, Note.BEFORE_CUSTOMERS)
    late = desk.visit(1.5 * HOUR, client_id="17")
    desk.orders({"id": "D-2"})
    assert desk.order("D-2").visit_id == late
    services.set_switch(name="first_contacts", value="any")
    desk.orders({"id": "D-3", "create_date_time": local(desk.now - 2.5 * HOUR)})
    assert desk.order("D-3").visit_id == early


def test_the_simple_format_is_not_bounded_by_customers(desk: Desk) -> None:
    """uploadSimpleOrders: customers and orders come in one file there."""
    visit = desk.visit(3 * HOUR, client_id="17")
    desk.contacts({"uniq_id": "C-1", "client_ids": ["17"]})
    desk.send("D-1,2026-03-10 11:30:00,C-1,17,,,PAID,,,,")
    assert desk.order("D-1").visit_id == visit


def test_a_customer_without_identifiers(shop: Desk) -> None:
    """uploadContacts: pass at least one identifier or nothing can be matched."""
    shop.contacts({"uniq_id": "C-2", "name": "Anna"})
    shop.orders({"client_uniq_id": "C-2"})
    assert (shop.order("D-1").visit_id, shop.events("D-1")[0].notes) == (None, Note.NO_IDENTIFIERS)
    assert shop.customer("C-2").events.get().notes == "no_identifiers"


def test_an_order_moves_to_another_customer(shop: Desk) -> None:
    """uploadSimpleOrders: an id lets you bind the order to another customer. What was reached before stays where it
    was."""
    first = shop.order
    shop.contacts({"uniq_id": "C-2", "client_ids": ["18"]})
    other = shop.visit(timedelta(minutes=30), client_id="18")
    shop.orders({})
    assert first("D-1").visit_id != other
    shop.orders({"client_uniq_id": "C-2"})
    assert (first("D-1").visit_id, shop.events("D-1")[1].notes) == (other, Note.REBOUND)
    assert Counter(SandboxReach.objects.values_list("visit_id", flat=True)) == {other: 2, other - 1: 2}


def test_a_bound_order_stays_when_its_customer_changes(shop: Desk) -> None:
    """Left open: a later change of identifiers is not said to move a bound order."""
    shop.orders({})
    bound = shop.order("D-1").visit_id
    shop.visit(timedelta(minutes=30), client_id="18")
    shop.contacts({"uniq_id": "C-1", "client_ids": ["18"]})
    shop.orders({"order_status": "SPAM"})
    assert shop.order("D-1").visit_id == bound


@pytest.mark.parametrize(("age", "bound"), [(timedelta(days=21), True), (timedelta(days=21, seconds=1), False)])
def test_an_order_is_bound_within_21_days(desk: Desk, age: timedelta, bound: bool) -> None:
    """contacts: an order made 22 days ago is not bound."""
    desk.contacts({"uniq_id": "C-1", "client_ids": ["17"]}, now=desk.now - timedelta(days=30))
    desk.visit(timedelta(days=22), client_id="17")
    desk.orders({"create_date_time": local(desk.now - age)})
    assert (desk.order("D-1").visit_id is not None) is bound
    assert (Note.BINDING_CLOSED in desk.events("D-1")[0].notes) is not bound


@pytest.mark.parametrize(("age", "open_"), [(timedelta(days=111), True), (timedelta(days=111, seconds=1), False)])
def test_a_bound_order_changes_for_111_days_from_the_visit(desk: Desk, age: timedelta, open_: bool) -> None:
    """contacts: status, amount and products can be changed during the next 111 days counted from the visit's start."""
    desk.contacts({"uniq_id": "C-1", "client_ids": ["17"]})
    desk.visit(timedelta(), client_id="17")
    desk.orders({"order_status": "IN_PROGRESS"})
    desk.orders({"order_status": "PAID"}, now=desk.now + age)
    assert ("cdp_order_paid" in desk.reached("D-1")) is open_
    assert (Note.UPDATE_CLOSED in desk.events("D-1")[1].notes) is not open_


def test_the_number_of_statements_does_not_grow_with_the_rows_of_a_chunk(shop: Desk) -> None:
    def statements(rows: int) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as customers:
            shop.contacts(*({"uniq_id": f"{rows}-{number}", "client_ids": ["17"]} for number in range(rows)))
        with CaptureQueriesContext(connection) as orders:
            shop.orders(*({"id": f"{rows}-{n}", "client_uniq_id": f"{rows}-{n}", "revenue": 5} for n in range(rows)))
        return len(customers), len(orders)

    assert statements(10) == statements(800)


@pytest.mark.parametrize("uploading_format", UploadFormat)
def test_memory_does_not_grow_with_the_upload(desk: Desk, tmp_path: Path, uploading_format: UploadFormat) -> None:
    """uploadContacts: to 2.5: up to 1 GB in either format; rows wait on disk until all of them are known to be good."""
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA cache_size=-2000")  # it would grow too, up to its own limit

    def written(kind: UploadKind, rows: int) -> Iterator[str]:
        if uploading_format == UploadFormat.CSV:
            header = "uniq_id,name,client_ids" if kind == UploadKind.CONTACTS else ORDER_HEADER
            yield f"{header}\n"
        else:
            yield f'{{"{kind}": ['
        for number in range(rows):
            key = f"{rows}-{number}"
            if kind == UploadKind.CONTACTS:
                cells = {"uniq_id": key, "name": "Anna", "client_ids": [str(number)]}
            else:
                cells = dict(
                    zip(ORDER_HEADER.split(","), (key, key, "CONTACT", "2026-03-10", "PAID", "a:1"), strict=True)
                )
                if uploading_format == UploadFormat.JSON:
                    cells["products"] = {"a": 1}
            if uploading_format == UploadFormat.CSV:
                yield ",".join(value if isinstance(value, str) else value[0] for value in cells.values()) + "\n"
            else:
                yield (", " if number else "") + json.dumps(cells)
        if uploading_format == UploadFormat.JSON:
            yield "]}"

    def peak_after(rows: int) -> int:
        for kind in (UploadKind.CONTACTS, UploadKind.ORDERS):
            with (tmp_path / f"{rows}-{kind}").open("w+b") as file:
                file.writelines(part.encode() for part in written(kind, rows))
                file.flush()
                services.receive(
                    kind=kind,
                    counter=desk.counter,
                    file=File(file, name="a"),
                    uploading_format=uploading_format,
                    merge_mode=MergeMode.SAVE,
                    now=desk.now,
                )
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    small = peak_after(20_000)
    assert peak_after(50_000) - small < 20
