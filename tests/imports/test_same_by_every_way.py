"""R1: the same rows by REST and by CSV give the same orders, the same changes, the same results."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.imports.columns import CLEARED_BY_EMPTY, KNOWN
from apps.imports.reader import OrdersFile
from apps.orders import intake
from apps.orders.models import Order, Source, StatusChange
from tests.factories import make_counter, make_key

BEGAN = (datetime.now(UTC) - timedelta(days=5)).replace(microsecond=0)
ORDER_FIELDS = (
    *("order_id", "create_date_time", "create_date_only", "identifiers", "order_status", "status_date_time"),
    *("changes_count", "client__uniq_id", "client__name", "client__identifiers"),
)
CHANGE_FIELDS = (
    *("order__order_id", "seq", "order_status", "status_date_time", "revenue", "cost", "currency", "goals", "products"),
    *("changed", "delivery", "hold_reason"),
)


def picture(counter):
    orders = Order.objects.filter(counter=counter).order_by("order_id").values(*ORDER_FIELDS)
    changes = StatusChange.objects.filter(counter=counter).order_by("order__order_id", "seq").values(*CHANGE_FIELDS)
    return list(orders), list(changes)


def as_csv(rows):
    """The rows as a spreadsheet would hold them: lists joined, what a row lacks is an empty cell."""

    def cell(name, value):
        if value is None:
            return ""
        if name == "goals":
            parts = [goal["goal_action_id"] + (f":{goal['price']}" if goal.get("price") else "") for goal in value]
            return ",".join(parts)
        if name == "products":
            return ",".join(f"{sku}:{count}" for sku, count in value.items())
        return ",".join(value) if isinstance(value, list) else str(value)

    columns = [name for name in KNOWN if any(name in row for row in rows)]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([cell(name, row.get(name)) for name in columns] for row in rows)
    return text.getvalue(), columns


def as_json(rows, columns):
    """The same rows as REST says it: an empty cell of a status's own columns is null, others are left out."""
    made = []
    for row in rows:
        given = {name: value for name, value in row.items() if value not in (None, [], "")}
        made.append({**{name: None for name in CLEARED_BY_EMPTY if name in columns}, **given})
    return made


moment = st.integers(0, 4 * 24 * 60).map(lambda minutes: BEGAN + timedelta(minutes=minutes))
written_moment = st.one_of(
    moment.map(lambda at: at.isoformat()),
    moment.map(lambda at: at.strftime("%Y-%m-%d %H:%M:%S")),
    moment.map(lambda at: at.strftime("%d.%m.%Y")),
)
money = st.one_of(st.none(), st.sampled_from(["0", "5000", "5000.00", "12,5", "-1", "x", "1e3"]))
row = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["A", "B", "C", "", "=1+1", "😀"]),
        "create_date_time": written_moment,
        "order_status": st.sampled_from(["IN_PROGRESS", "PAID", "Новый лид", ""]),
    },
    optional={
        "status_date_time": written_moment,
        "client_uniq_id": st.sampled_from([None, "C-1", "C-2"]),
        "client_name": st.sampled_from([None, "Anna", "Ёлкин, Пётр"]),
        "client_ids": st.sampled_from([[], ["17000000001"], ["17000000001", "17000000002"], ["x"]]),
        "emails": st.sampled_from([[], ["Anna@Example.com"], ["none"], ["none", "b@example.com"]]),
        "phones": st.sampled_from([[], ["+7 (903) 123-45-67"], ["8 903 123-45-67"], ["12"]]),
        "revenue": money,
        "cost": money,
        "currency": st.sampled_from([None, "USD", "rub", "ZZZ"]),
        "goals": st.sampled_from([None, [{"goal_action_id": "won", "price": "5"}], [{"goal_action_id": "a"}]]),
        "products": st.sampled_from([None, {"sku-1": 2}, {"sku-1": 1, "sku-2": 3}]),
    },
)


@pytest.mark.django_db
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=st.lists(row, min_size=1, max_size=8))
def test_any_rows_give_the_same(tmp_path, rows):
    text, columns = as_csv(rows)
    path = tmp_path / "orders.csv"
    path.write_text(text, encoding="utf-8", newline="")
    now = datetime.now(UTC)
    by_csv, by_rest = make_counter(), make_counter()
    with OrdersFile(path) as file:
        records = [record.row for record in file.records() if record.row is not None]
        first = intake.accept_all(counter=by_csv, rows=records, source=Source.CSV, now=now).results
    second = intake.accept_all(counter=by_rest, rows=as_json(rows, columns), source=Source.API, now=now).results
    assert picture(by_csv) == picture(by_rest)
    told = [
        [
            (one.result, one.hold, [(e.field, e.code) for e in one.errors], [(w.field, w.code) for w in one.warnings])
            for one in results
        ]
        for results in (first, second)
    ]
    assert told[0] == told[1]


def test_over_http_and_by_the_command(run, counter):
    """Five statuses of one order and two other orders, once through the API and once through a file."""
    statuses = ("Новый лид", "IN_PROGRESS", "PAID", "CANCELLED", "PAID")
    rows = [
        {
            "id": "D-1",
            "create_date_time": BEGAN.isoformat(),
            "order_status": status,
            "status_date_time": (BEGAN + timedelta(hours=hours)).isoformat(),
            "client_uniq_id": "C-77",
            "client_name": "Анна",
            "emails": ["Anna@Example.com"],
            "phones": ["+7 (903) 123-45-67", "8 (903) 765-43-21"],
            "revenue": str(1000 * hours),
            "cost": None if hours == 2 else "100.50",
            "goals": [{"goal_action_id": "deal_won", "price": "5000"}, {"goal_action_id": "branch_2"}],
            "products": {"sku-1": 2},
        }
        for hours, status in enumerate(statuses)
    ]
    rows.append({"id": "D-2", "create_date_time": BEGAN.strftime("%d.%m.%Y %H:%M"), "order_status": "PAID"})
    rows.append({"id": "D-3", "create_date_time": f"{BEGAN:%Y-%m-%d}", "order_status": "SPAM", "currency": "USD"})
    text, columns = as_csv(rows)
    assert run(text).status == 0
    other = make_counter()
    answer = Client().post(
        f"/api/v1/counters/{other.metrica_id}/orders/",
        json.dumps(as_json(rows, columns)),
        content_type="application/json",
        headers={"authorization": f"Bearer {make_key(other.agency)[1]}"},
    )
    assert answer.status_code == 200, answer.content
    assert (answer.json()["created"], answer.json()["updated"]) == (3, 4)
    assert picture(counter) == picture(other)
    assert len(picture(counter)[1]) == 7


def test_again_by_the_other_way_changes_nothing(run, counter):
    rows = [{"id": "D-1", "create_date_time": BEGAN.isoformat(), "order_status": "PAID", "emails": ["a@b.example"]}]
    rows[0] |= {"revenue": "5000.00", "cost": None}
    text, columns = as_csv(rows)
    run(text)
    report = intake.accept_all(counter=counter, rows=as_json(rows, columns), source=Source.API)
    assert (report.unchanged, report.updated) == (1, 0)
