"""Every call of MetricaClient against the sandbox over real HTTP: both sides read the pages the same way."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from apps.metrica.client import Attribute, GoalDraft, MetricaClient, OrderStatus, Product
from apps.metrica.errors import InvalidRequest, NotFound, UploadRefused
from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import AttributeType, Delimiter, EntityType, MergeMode, OrderType
from apps.metrica.wire.contacts import Contact, ContactsJsonWriter, ContactsWriter
from apps.metrica.wire.orders import DetailedOrder, OrdersJsonWriter, OrdersWriter
from apps.sandbox import services
from apps.sandbox.models import SandboxCounter
from tests.sandbox.conftest import MOSCOW, NUMBER, TOKEN, Api

ATTRIBUTES = {"age": False, "tags": True}


@pytest.fixture
def client(api: Api) -> Iterator[MetricaClient]:
    with MetricaClient(base_url=api.base, token=TOKEN, timeout=20) as client:
        yield client


def file_of(writer: Callable[..., Any], records: list[Any], **options: Any) -> io.BytesIO:
    out = io.BytesIO()
    rows = writer(out, zone=MOSCOW, **options)
    rows.write_many(records)
    if hasattr(rows, "finish"):
        rows.finish()
    out.seek(0)
    return out


def with_attributes(client: MetricaClient) -> None:
    for entity_type in (EntityType.CONTACT, EntityType.ORDER):
        client.create_attributes(
            NUMBER,
            entity_type=entity_type,
            attributes=[
                Attribute("age", humanized="Age", type_name=AttributeType.NUMERIC),
                Attribute("tags", multivalued=True),
            ],
        )


@pytest.mark.parametrize("delimiter", Delimiter)
def test_customers_and_orders_in_csv(client: MetricaClient, delimiter: Delimiter) -> None:
    with_attributes(client)
    now = timezone.now()
    attributes = {"age": ("35",), "tags": ("vip", "a b")}
    contacts = [
        Contact(f"C-{n}", name='Анна "К", мл.', create_date_time=now, client_ids=("17", "18"), attributes=attributes)
        for n in range(3)
    ]
    orders = [
        DetailedOrder(
            f"D-{n}",
            f"C-{n}",
            now - timedelta(hours=1),
            "PAID",
            finish_date_time=now,
            revenue=Decimal("5000.10"),
            products={"Laptop TG12": 2, "bag": 1},
            goals=(GoalPrice("deal_won", Decimal(5)), GoalPrice("branch_2")),
            attributes=attributes,
        )
        for n in range(3)
    ]
    uploading = client.upload_contacts(
        NUMBER, file_of(ContactsWriter, contacts, attributes=ATTRIBUTES, delimiter=delimiter), delimiter=delimiter
    )
    assert (uploading.passed, uploading.elements_count, uploading.uploading_format) == (True, 3, "CSV")
    uploading = client.upload_orders(
        NUMBER,
        file_of(OrdersWriter, orders, attributes=ATTRIBUTES, delimiter=delimiter),
        delimiter=delimiter,
        merge_mode=MergeMode.UPDATE,
    )
    assert (uploading.passed, uploading.elements_count) == (True, 3)
    listed = client.last_uploadings(NUMBER)
    assert [(upload.uploading_format, upload.elements_count) for upload in listed] == [("CSV", 3), ("CSV", 3)]


def test_customers_and_orders_in_json(client: MetricaClient) -> None:
    with_attributes(client)
    now = timezone.now()
    contact = Contact("C-1", name="Анна", emails=("a@b.ru",), client_ids=("12345678901234567890",),
                      attributes={"tags": ("1,5", "x")})  # fmt: skip
    order = DetailedOrder("D-1", "C-1", now, "IN_PROGRESS", revenue=Decimal("0.10"), products={"a b": 2},
                          goals=(GoalPrice("deal_won"),), attributes={"age": ("35",)})  # fmt: skip
    uploading = client.upload_contacts_json(NUMBER, file_of(ContactsJsonWriter, [contact]))
    assert (uploading.passed, uploading.elements_count, uploading.uploading_format) == (True, 1, "JSON")
    assert client.upload_orders_json(NUMBER, file_of(OrdersJsonWriter, [order] * 2)).elements_count == 2


def test_a_bad_row_refuses_the_file_whatever_the_format(client: MetricaClient) -> None:
    with pytest.raises(UploadRefused) as caught:
        client.upload_contacts(NUMBER, io.BytesIO(b"uniq_id,emails\nC-1,A@b.ru\n"))
    assert "line 2" in caught.value.location
    with pytest.raises(UploadRefused) as caught:
        client.upload_orders_json(NUMBER, io.BytesIO(b'{"orders": [{"id": "D-1"}]}'))
    assert "orders[0]" in caught.value.location


def test_a_file_with_its_own_titles(client: MetricaClient) -> None:
    mapping = {"uniq_id": "Номер клиента", "emails": "E-mail, личный"}
    data = 'Номер клиента;"E-mail, личный"\nC-1;a@b.ru\n'.encode()
    uploading = client.upload_contacts(NUMBER, io.BytesIO(data), delimiter=Delimiter.SEMICOLON, columns_mapping=mapping)
    assert uploading.elements_count == 1


def test_the_mapping_of_statuses_comes_back_as_it_was_sent(client: MetricaClient) -> None:
    statuses = [
        OrderStatus("lead_new", OrderType.IN_PROGRESS, "Новый лид"),
        OrderStatus("zapis1", OrderType.OTHER, "Запись в филиал №1", ("deal_won", "branch_2")),
    ]
    client.map_order_statuses(NUMBER, statuses)
    assert [status for status in client.order_statuses(NUMBER) if status.id in ("lead_new", "zapis1")] == statuses
    with pytest.raises(InvalidRequest):
        client.map_order_statuses(NUMBER, [OrderStatus("филиал", OrderType.OTHER)])


def test_attributes_products_and_types(client: MetricaClient) -> None:
    with_attributes(client)
    lists = client.attributes(NUMBER, entity_type=EntityType.CONTACT)
    custom = {attribute.name: attribute for attribute in lists.custom}
    assert (custom["age"].type_name, custom["age"].multivalued, custom["age"].humanized) == ("numeric", False, "Age")
    assert custom["tags"].multivalued
    assert lists.system
    client.upload_products(NUMBER, [Product("sku-1", "Кружка"), Product("sku-2")])
    assert {kind.humanized for kind in client.predefined_types(NUMBER)}
    assert client.types(NUMBER)


def test_flags(client: MetricaClient) -> None:
    assert client.counter(NUMBER).flags is None
    assert client.set_counter_flags(NUMBER, collect_first_party_data=True).id == NUMBER
    assert client.counter(NUMBER, field=("counter_flags",)).collect_first_party_data is True
    client.set_counter_flags(NUMBER, collect_first_party_data=False)
    assert client.counter(NUMBER, field=("counter_flags",)).collect_first_party_data is False
    (counter,) = client.counters(field=("goals", "counter_flags")).counters
    assert counter.goals
    assert counter.collect_first_party_data is False


def test_a_goal_from_its_making_to_its_end(client: MetricaClient) -> None:
    draft = GoalDraft("Good lead", "lead_9", default_price=Decimal("12.50"), is_favorite=True)
    goal = client.create_goal(NUMBER, draft)
    assert (goal.identifier, goal.condition_type, goal.is_favorite) == ("lead_9", "exact", True)
    assert goal.default_price == Decimal("12.5")
    edited = client.edit_goal(NUMBER, goal.id, replace(GoalDraft.of(goal), name="Better", default_price=None))
    assert (edited.id, edited.name, edited.identifier) == (goal.id, "Better", "lead_9")
    assert client.goal(NUMBER, goal.id).name == "Better"
    assert goal.id in [one.id for one in client.goals(NUMBER)]
    client.delete_goal(NUMBER, goal.id)
    assert goal.id not in [one.id for one in client.goals(NUMBER)]
    assert goal.id in [one.id for one in client.goals(NUMBER, use_deleted=True)]
    with pytest.raises(InvalidRequest):
        client.create_goal(NUMBER, GoalDraft("Bad", "a#b"))
    with pytest.raises(NotFound):
        client.goal(NUMBER, 1)


def test_grants(client: MetricaClient) -> None:
    assert isinstance(client.grants(NUMBER), list)
    assert client.my_grant(NUMBER).perm


def test_a_report(client: MetricaClient, counter: SandboxCounter) -> None:
    services.set_switch(name="report_delay", value="none")
    now = timezone.now()
    today = now.astimezone(MOSCOW).date()
    services.add_visit(counter=counter, started_at=now - timedelta(minutes=5), client_id="17")
    client.upload_contacts_json(NUMBER, file_of(ContactsJsonWriter, [Contact("C-1", client_ids=("17",))]))
    report = client.report(
        ids=[NUMBER],
        metrics=["ym:s:visits", "ym:s:cdpOrdersPayed"],
        dimensions=["ym:s:date"],
        date1=today - timedelta(days=1),
        date2=today,
    )
    assert sum(row.metrics[0] or 0 for row in report.rows) == 1
    assert report.totals == (Decimal(1), Decimal(0))
    assert report.total_rows == 1
    with pytest.raises(InvalidRequest) as caught:
        client.report(ids=[NUMBER], metrics=["ym:s:nothing"], date1=today, date2=today)
    assert "4002" in caught.value.detail
