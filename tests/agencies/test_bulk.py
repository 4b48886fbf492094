"""Rows by the thousand go in as they are, on both databases."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.agencies.bulk import find_keys, insert_rows, reserve_keys, update_rows
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.orders.models import Order, StatusChange
from tests.factories import make_counter

AT = datetime(2026, 11, 18, 11, 5, 7, 123456, tzinfo=UTC)
TEXTS = ["", "plain", "tab\tand\nline\r\nbreak", "back\\slash", "\\N", "\\.", "'\"`", "💐", "null", "{}", " spaces "]
CLIENT = ("id", "counter_id", "uniq_id", "name", "identifiers", "attributes", "created_at", "updated_at")


@pytest.fixture
def counter(db: None) -> Counter:
    return make_counter()


def insert_clients(counter: Counter, *names: str, identifiers: Any = None, attributes: Any = None) -> list[int]:
    keys = list(reserve_keys(Client, len(names)))
    insert_rows(
        Client,
        CLIENT,
        [
            (key, counter.pk, f"C-{key}", name, identifiers or {}, attributes or {}, AT, AT)
            for key, name in zip(keys, names, strict=True)
        ],
    )
    return keys


def test_every_text_comes_back_as_it_went(counter: Counter) -> None:
    keys = insert_clients(counter, *TEXTS)
    assert [Client.objects.get(pk=key).name for key in keys] == TEXTS
    update_rows(Client, ("id", "name"), [(key, text) for key, text in zip(keys, reversed(TEXTS), strict=True)])
    assert [Client.objects.get(pk=key).name for key in keys] == TEXTS[::-1]


@pytest.mark.parametrize("value", [{}, {"a": TEXTS}, {"ключ": {"n": 1.5, "t": True, "z": None}}, {"a": []}])
def test_json_comes_back_as_it_went(counter: Counter, value: Any) -> None:
    [key] = insert_clients(counter, "x", attributes=value)
    assert Client.objects.get(pk=key).attributes == value
    assert Client.objects.filter(attributes=value).count() == 1, "and is found by the ORM"
    update_rows(Client, ("id", "attributes"), [(key, {"emails": ["a"]})])
    assert Client.objects.filter(attributes__emails__0="a").count() == 1


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("value", [{}, {"a": TEXTS}, {"ключ": ["n", "№"]}, {"a": []}])
def test_identifiers_come_back_as_they_went(counter: Counter, settings: Any, value: Any, sealed: bool) -> None:
    settings.ENCRYPT_IDENTIFIERS = sealed
    [key] = insert_clients(counter, "x", identifiers=value)
    assert Client.objects.get(pk=key).identifiers == value
    assert Client.objects.filter(identifiers__has_any_keys=list(value) or ["a"]).count() == bool(value)
    update_rows(Client, ("id", "identifiers"), [(key, {"emails": ["a"]})])
    assert Client.objects.values_list("identifiers", flat=True).get(pk=key) == {"emails": ["a"]}


def test_every_kind_of_column(counter: Counter) -> None:
    [order_key] = reserve_keys(Order, 1)
    change_key, upload = uuid.uuid4(), uuid.uuid4()
    order = {
        "id": order_key,
        "counter_id": counter.pk,
        "order_id": "D-1",
        "client_id": None,
        "create_date_time": AT,
        "create_date_only": True,
        "identifiers": {},
        "order_status": "PAID",
        "status_date_time": AT,
        "current_change_id": change_key,
        "changes_count": 1,
        "resend_due": False,
        "created_at": AT,
        "updated_at": AT,
    }
    change = {
        "id": change_key,
        "counter_id": counter.pk,
        "order_id": order_key,
        "seq": 1,
        "order_status": "PAID",
        "status_date_time": AT,
        "received_at": AT,
        "source": "api",
        "received_by": "",
        "request_id": "",
        "revenue": Decimal("99999999999.9999"),
        "cost": None,
        "currency": "RUB",
        "goals": [{"a": "b"}],
        "products": {"x": 1},
        "attributes": {},
        "changed": [],
        "delivery": "held",
        "hold_reason": "by_hand",
        "forced": True,
        "reject_code": "",
        "reject_message": "",
        "upload_id": upload,
        "delivered_at": None,
    }
    insert_rows(Order, list(order), [list(order.values())])
    insert_rows(StatusChange, list(change), [tuple(change.values())])
    assert Order.objects.values(*order).get() == order
    assert StatusChange.objects.values(*change).get() == change
    assert Order.objects.get(create_date_time=AT, create_date_only=True, current_change=change_key)
    assert StatusChange.objects.get(upload_id=upload, revenue=Decimal("99999999999.9999"), cost=None)

    moved = {"revenue": None, "cost": Decimal("0.5"), "upload_id": None, "delivered_at": AT, "forced": False, "seq": 7}
    update_rows(StatusChange, ("id", *moved), [(change_key, *moved.values())])
    assert StatusChange.objects.values(*change).get() == {**change, **moved}


def test_one_statement_for_all(counter: Counter) -> None:
    with CaptureQueriesContext(connection) as captured:
        keys = insert_clients(counter, *["x"] * 500)
        update_rows(Client, ("id", "name"), [(key, f"name {key}") for key in keys])
    assert len(captured) == 3
    assert Client.objects.get(pk=keys[7]).name == f"name {keys[7]}"


def test_no_rows_no_statement(counter: Counter, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        insert_rows(Client, CLIENT, [])
        update_rows(Client, ("id", "name"), [])


def test_keys_are_given_once(counter: Counter) -> None:
    first = insert_clients(counter, "a", "b")
    by_the_orm = Client.objects.create(counter=counter, uniq_id="orm").pk
    second = insert_clients(counter, "c")
    Client.objects.all().delete()
    third = insert_clients(counter, "d")
    given = [*first, by_the_orm, *second, *third]
    assert sorted(set(given)) == given


def test_the_databases_rules_hold(counter: Counter) -> None:
    [key] = insert_clients(counter, "x")
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(Client, CLIENT, [(key + 1, counter.pk, f"C-{key}", "twice", {}, {}, AT, AT)])
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(Client, CLIENT[:4], [(key + 1, counter.pk, "C-0", "no identifiers")])
    assert Client.objects.count() == 1


def test_only_the_named_rows_and_fields_change(counter: Counter) -> None:
    first, second = insert_clients(counter, "a", "b")
    update_rows(Client, ("id", "name"), [(first, "new"), (10**9, "nobody")])
    assert list(Client.objects.order_by("pk").values_list("pk", "name", "created_at")) == [
        (first, "new", AT),
        (second, "b", AT),
    ]


class TestFindKeys:
    def test_within_the_owner(self, counter: Counter) -> None:
        mine = insert_clients(counter, "a", "b", "c")
        other = make_counter()
        Client.objects.create(counter=other, uniq_id=f"C-{mine[0]}")
        wanted = [f"C-{mine[0]}", f"C-{mine[2]}", "nobody", "'; --", "{a,b}", ""]
        assert sorted(find_keys(Client, "uniq_id", wanted, counter_id=counter.pk)) == [mine[0], mine[2]]
        assert find_keys(Client, "uniq_id", {"nobody"}, counter_id=counter.pk) == []

    @pytest.mark.skipif("connection.vendor != 'postgresql'", reason="about PostgreSQL's choice of a plan")
    def test_by_the_unique_index_whatever_is_believed_of_the_table(self, counter: Counter) -> None:
        """All rows of the counter are newer than the last ANALYZE: by its numbers, reading all of them looks cheap."""
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE clients_client")
        insert_clients(counter, *["x"] * 3000)
        with CaptureQueriesContext(connection) as captured:
            find_keys(Client, "uniq_id", [f"C-{number}" for number in range(2000)], counter_id=counter.pk)
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + captured[0]["sql"])
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "client_per_counter" in plan
        assert "Filter" not in plan


def test_among_is_in(counter: Counter) -> None:
    keys = insert_clients(counter, "a", "b", "c")
    clients = Client.objects.order_by("pk")
    assert [one.pk for one in clients.filter(pk__among=[keys[0], keys[2]])] == [keys[0], keys[2]]
    assert [one.pk for one in clients.exclude(pk__among={keys[0]})] == keys[1:]
    assert [one.name for one in clients.filter(name__among=["b", "'", "c"])] == ["b", "c"]
    change = StatusChange.objects.filter(pk__among=[uuid.uuid4()], order__pk__among=[1, 2])
    assert list(change) == []
    assert " JOIN " not in str(StatusChange.objects.filter(order__pk__among=[1]).query)
