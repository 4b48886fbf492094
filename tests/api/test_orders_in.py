"""POST orders: a result for each row, nothing lost, nothing half-written, never a fault of ours."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from apps.audit.models import AuditEntry
from apps.orders.models import Order, Source, StatusChange

PATH = "counters/40000001/orders/"
WHEN = (datetime.now(UTC) - timedelta(days=3)).strftime("%Y-%m-%dT12:00:00+03:00")


def order(number=1, **fields):
    row = {"id": f"D-{number}", "create_date_time": WHEN, "order_status": "PAID", "client_ids": ["17000000001"]}
    return {**row, **fields}


def test_one_order_as_documented(api, counter):
    body = {
        "id": "D-1001",
        "create_date_time": WHEN,
        "order_status": "Новый лид",
        "status_date_time": WHEN,
        "client_uniq_id": "C-77",
        "client_name": "Anna",
        "client_ids": ["1700000000123456789"],
        "emails": ["Anna@Example.com"],
        "phones": ["+7 (903) 123-45-67"],
        "emails_md5": [],
        "phones_md5": [],
        "revenue": "5000.00",
        "cost": "3200.00",
        "currency": "RUB",
        "goals": [{"goal_action_id": "deal_won", "price": "5000"}],
        "products": {"sku-1": 2},
        "attributes": {},
    }
    answer = api.post(PATH, body)
    assert answer.status == 200
    [result] = answer.body.pop("results")
    assert answer.body == {"created": 1, "updated": 0, "unchanged": 0, "rejected": 0}
    change = StatusChange.objects.get()
    assert result == {
        "index": 0,
        "id": "D-1001",
        "result": "created",
        "change": str(change.pk),
        "hold": "unmapped_status",
    }
    assert (change.source, change.request_id) == (Source.API, answer.headers["X-Request-ID"])
    assert change.received_by.startswith("key ")
    stored = Order.objects.get()
    assert stored.identifiers["emails"] == ["anna@example.com"]
    assert stored.client.uniq_id == "C-77"


def test_each_row_has_its_own_result(api, counter):
    answer = api.post(
        PATH,
        [
            order(1),
            {"order_status": "PAID"},
            order(1, order_status="CANCELLED", status_date_time=WHEN.replace("T12", "T13")),
            order(1, order_status="CANCELLED", status_date_time=WHEN.replace("T12", "T13")),
            17,
            None,
            [order(2)],
            order(3, revenue="x", currency="ZZZ"),
            order(4, emails=["none"]),
        ],
    )
    assert answer.status == 200
    results = answer.body["results"]
    assert [row["index"] for row in results] == list(range(9))
    assert [row["result"] for row in results] == [
        *("created", "rejected", "updated", "unchanged"),
        *("rejected", "rejected", "rejected", "rejected", "created"),
    ]
    assert (answer.body["created"], answer.body["updated"], answer.body["unchanged"], answer.body["rejected"]) == (
        2,
        1,
        1,
        5,
    )
    assert results[1]["id"] is None
    assert {"field": "id", "code": "required", "message": "This field is required."} in results[1]["errors"]
    assert results[4]["errors"][0]["field"] is None
    assert {(error["field"], error["code"]) for error in results[7]["errors"]} == {
        ("revenue", "money_format"),
        ("currency", "unknown_currency"),
    }
    assert results[8]["warnings"][0]["field"] == "emails"
    assert (results[3]["change"], results[3]["hold"]) == (None, None)


def test_all_or_nothing(api, counter):
    answer = api.post(PATH + "?atomic=true", [order(1), order(2, revenue="x"), order(3)])
    assert (answer.status, answer.body["code"]) == (400, "rows_rejected")
    [error] = answer.body["errors"]
    assert (error["index"], error["id"], error["field"], error["code"]) == (1, "D-2", "revenue", "money_format")
    assert not Order.objects.exists()
    assert api.post(PATH + "?atomic=true", [order(1), order(3)]).body["created"] == 2
    assert api.post(PATH + "?atomic=false", [order(4), {}]).body["created"] == 1
    assert api.post(PATH + "?atomic=maybe", [order(5)]).codes == {"invalid_choice"}


def test_a_bulk_leaves_one_entry(api, counter):
    answer = api.post(PATH, [order(n) for n in range(50)])
    entry = AuditEntry.objects.get(action="orders.accepted")
    assert (entry.details["created"], entry.actor_kind, entry.source) == (50, "key", "api")
    assert entry.request_id == answer.headers["X-Request-ID"]


def test_money_is_exact_however_it_is_written(api, counter):
    raw = f'[{{"id": "A", "create_date_time": "{WHEN}", "order_status": "PAID", "revenue": 0.1, "cost": 1e3}}]'
    assert api("POST", PATH, raw=raw.encode()).body["created"] == 1
    change = StatusChange.objects.get()
    assert (change.revenue, change.cost) == (Decimal("0.1"), Decimal(1000))
    raw = raw.replace("0.1", "99999999999.9999")
    assert api("POST", PATH, raw=raw.encode()).body["updated"] == 1
    newest = StatusChange.objects.order_by("-seq").first()
    assert newest.revenue == Decimal("99999999999.9999")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "a\0b"),
        ("id", "x" * 300),
        ("id", {"a": 1}),
        ("id", ["D-1"]),
        ("id", True),
        ("id", 1.5),
        ("order_status", "a\0b"),
        ("order_status", "x" * 300),
        ("order_status", {}),
        ("create_date_time", 1700000000),
        ("create_date_time", "2026-02-30"),
        ("create_date_time", "0000-00-00"),
        ("create_date_time", "99999-01-01"),
        ("create_date_time", ["x"]),
        ("create_date_time", "2026-11-04T14:05:00+99:99"),
        ("status_date_time", "9999-12-31T23:59:59-23:59"),
        ("status_date_time", "0001-01-01T00:00:00+14:00"),
        ("revenue", 10**90),
        ("revenue", -1),
        ("revenue", True),
        ("revenue", []),
        ("revenue", "١٢"),
        ("cost", {"a": {"b": "c"}}),
        ("currency", 643),
        ("currency", "рубль"),
        ("goals", "a/b"),
        ("goals", {"goal_action_id": "a"}),
        ("goals", [{"price": 1}]),
        ("goals", [{"goal_action_id": "a", "price": "x"}]),
        ("goals", [[["a"]]]),
        ("goals", [None]),
        ("products", ["sku"]),
        ("products", {"sku": -1}),
        ("products", {"sku": 1.5}),
        ("products", {"a\0b": 1}),
        ("products", {"sku": 10**80}),
        ("attributes", {"a": {"b": {"c": 1}}}),
        ("attributes", {"a": "x\0y"}),
        ("attributes", {"a": 10**90}),
        ("attributes", [1]),
        ("attributes", {"a\0": 1}),
        ("client_uniq_id", "a\0b"),
        ("client_uniq_id", ["x"]),
        ("client_name", "a\0b"),
        ("client_name", {"first": "Anna"}),
    ],
)
def test_wrong_values_reject_their_row_alone(api, counter, field, value):
    answer = api.post(PATH, [order(1), order(2, **{field: value}), order(3)])
    assert answer.status == 200
    assert [row["result"] for row in answer.body["results"]] == ["created", "rejected", "created"]
    assert field in {error["field"] for error in answer.body["results"][1]["errors"]}
    assert Order.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("client_ids", {"a": 1}),
        ("client_ids", [["1"]]),
        ("emails", [1.5]),
        ("emails", ["a\0@b.example"]),
        ("phones", True),
    ],
)
def test_identifiers_that_are_none_are_told_and_the_row_stays(api, counter, field, value):
    answer = api.post(PATH, [order(1, **{"client_ids": [], field: value}), order(2)])
    first, second = answer.body["results"]
    assert (first["result"], first["hold"], second["result"]) == ("created", "no_identifiers", "created")
    assert field in {warning["field"] for warning in first["warnings"]}


@pytest.mark.parametrize("number", ["1e400", "1e-400", "1e99999999999", "-0", "1E5", "0.00001", "9" * 99])
def test_numbers_of_any_kind_are_taken_or_rejected(api, counter, number):
    for field in ("revenue", "attributes", "products", "client_ids", "id"):
        value = {"attributes": f'{{"a": {number}, "b": [{number}]}}', "products": f'{{"a": {number}}}'}.get(
            field, number
        )
        raw = f'{{"id": "A", "create_date_time": "{WHEN}", "order_status": "PAID", "{field}_": 1}}'
        raw = raw.replace(f'"{field}_": 1', f'"{field}": {value}') if field != "id" else raw.replace('"A"', number)
        assert api("POST", PATH, raw=raw.encode()).status == 200


def test_deep_nesting_is_refused_or_rejected(api, counter):
    for depth in (10, 100, 400, 900, 990):
        nested = "[" * depth + "1" + "]" * depth
        for field in ("attributes", "products", "goals", "client_ids", "emails", "unknown", "_line"):
            value = f'{{"a": {nested}}}' if field in ("attributes", "products") else nested
            raw = f'{{"id": "A", "create_date_time": "{WHEN}", "order_status": "PAID", "{field}": {value}}}'
            assert api("POST", PATH, raw=raw.encode()).status in (200, 400)


def test_unknown_fields_are_told(api, counter):
    [result] = api.post(PATH, order(1, update_date_time=WHEN)).body["results"]
    assert result["result"] == "created"
    assert [(warning["field"], warning["code"]) for warning in result["warnings"]] == [
        ("update_date_time", "unknown_field")
    ]


def test_up_to_ten_thousand_in_one_request(api, counter, monkeypatch):
    from apps.api import rows_in

    monkeypatch.setattr(rows_in, "MAX_ROWS", 3)
    assert api.post(PATH, [order(n) for n in range(3)]).body["created"] == 3
    answer = api.post(PATH, [order(n) for n in range(4)])
    assert (answer.status, answer.codes) == (413, {"too_many_rows"})


@pytest.mark.parametrize("body", ["x", 17, True, "null"])
def test_a_body_that_is_no_order(api, counter, body):
    answer = api("POST", PATH, raw=b"null") if body == "null" else api.post(PATH, body)
    assert (answer.status, answer.codes) == (400, {"not_orders"})


def test_an_empty_array_is_no_fault(api, counter):
    assert api.post(PATH, []).body == {"created": 0, "updated": 0, "unchanged": 0, "rejected": 0, "results": []}


def test_messages_come_in_the_callers_language(api, counter):
    from django.utils import translation

    answer = api.post(PATH, [{}], **{"Accept-Language": "ru"})
    with translation.override("ru"):
        expected = translation.gettext("This field is required.")
    assert answer.body["results"][0]["errors"][0]["message"] == expected
    assert answer.headers["Content-Language"] == "ru"


def test_nobody_elses_counter_takes_orders(outsider, caller_for, agency, counter):
    assert outsider.post(PATH, order()).status == 404
    assert caller_for(agency, counter_ids=[1]).post(PATH, order()).status == 404
    assert caller_for(agency, scopes=["read"]).post(PATH, order()).status == 403
    assert not Order.objects.exists()


def test_one_status_is_appended(api, counter):
    api.post(PATH, order(1, order_status="IN_PROGRESS", revenue="5000", products={"sku-1": 2}))
    answer = api.post(PATH + "D-1/statuses/", {"order_status": "PAID", "revenue": "5500.00"})
    assert (answer.status, answer.body["result"]) == (200, "updated")
    newest = StatusChange.objects.get(pk=answer.body["change"])
    assert (newest.order_status, newest.revenue, newest.products) == ("PAID", Decimal(5500), {"sku-1": 2})
    again = api.post(PATH + "D-1/statuses/", {"order_status": "PAID"})
    assert (again.body["result"], again.body["change"]) == ("unchanged", None)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {("order_status", "required")}),
        ({"order_status": "PAID", "revenue": "x"}, {("revenue", "money_format")}),
        ({"order_status": "PAID", "id": "D-2"}, {("id", "unknown_field")}),
        ({"order_status": "PAID", "client_ids": ["1"]}, {("client_ids", "unknown_field")}),
        ({"order_status": "PAID", "_line": 1}, {("_line", "unknown_field")}),
    ],
)
def test_a_status_that_does_not_fit(api, counter, body, errors):
    api.post(PATH, order(1))
    answer = api.post(PATH + "D-1/statuses/", body)
    assert answer.status == 400
    assert {(error["field"], error["code"]) for error in answer.body["errors"]} == errors
    assert StatusChange.objects.count() == 1


def test_a_status_of_an_unknown_order_is_404(api, counter, outsider):
    api.post(PATH, order(1))
    assert api.post(PATH + "D-2/statuses/", {"order_status": "PAID"}).status == 404
    assert outsider.post(PATH + "D-1/statuses/", {"order_status": "SPAM"}).status == 404
    assert outsider.post("counters/40000002/orders/D-1/statuses/", {"order_status": "SPAM"}).status == 404
