"""Clients by themselves: taken in as orders would bring them (R1), found, added up, erased, and nobody else's (R11)."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.agencies import key_uses
from apps.agencies.models import ApiKeyDay
from apps.audit.models import AuditEntry
from apps.clients.models import Client, Contact
from apps.orders import clients_in, people
from apps.orders.events import changes_accepted
from apps.orders.models import Delivery, HoldReason, Order, StatusChange
from tests.factories import make_counter

WHEN = (datetime.now(UTC) - timedelta(days=3)).isoformat()
LIST = "counters/40000001/clients/"
ORDERS = "counters/40000001/orders/"


def order(number=1, **fields):
    return {"id": f"D-{number}", "create_date_time": WHEN, "order_status": "PAID", **fields}


def client(uniq_id="C-1"):
    return Client.objects.get(uniq_id=uniq_id)


def test_one_client_and_an_array_each_with_its_result(api, counter):
    answer = api.post(LIST, {"uniq_id": "C-1", "name": "Anna", "phones": ["8 (903) 123-45-67"], "client_ids": [17]})
    assert (answer.status, answer.body) == (
        200,
        {
            "created": 1,
            "updated": 0,
            "unchanged": 0,
            "rejected": 0,
            "released": 0,
            "results": [{"index": 0, "id": "C-1", "result": "created"}],
        },
    )
    answer = api.post(
        LIST,
        [
            {"uniq_id": "C-1", "name": "Anna"},
            {"uniq_id": "C-1", "emails": ["Anna@Example.com", "no address"], "age": 41},
            {"uniq_id": "C-2"},
            {"uniq_id": "C-2", "name": "Boris"},
            {"uniq_id": "", "name": ["x"]},
            "C-3",
        ],
    )
    assert [row["result"] for row in answer.body["results"]] == [
        *("unchanged", "updated", "created", "updated", "rejected", "rejected"),
    ]
    told = answer.body["results"]
    assert [one["field"] for one in told[1]["warnings"]] == ["emails", "age"]
    assert {(one["field"], one["code"]) for one in told[4]["errors"]} == {
        ("uniq_id", "required"),
        ("name", "wrong_type"),
    }
    assert [(one["field"], one["code"]) for one in told[5]["errors"]] == [(None, "wrong_type")]
    assert (
        client().identifiers
        == {
            "client_ids": ["17"],
            "phones": ["79031234567"],
            "emails": ["anna@example.com"],
        }
        and client("C-2").name == "Boris"
    )


def test_a_client_comes_the_same_by_itself_and_with_an_order(api, counter):
    """R1: one normalisation, one book."""
    told = {"phones": ["+7 903 123-45-67", "oops"], "emails": ["A@B.example"], "phones_md5": ["X"], "client_ids": ["7"]}
    api.post(LIST, {"uniq_id": "alone", "name": " Anna ", **told, "attributes": {"card": "gold"}})
    api.post(
        ORDERS,
        order(client_uniq_id="with", client_name=" Anna ", **told, client_attributes={"card": "gold"}),
    )
    alone, ordered = client("alone"), client("with")
    for name in ("name", "identifiers", "attributes", "revision"):
        assert getattr(alone, name) == getattr(ordered, name), name
    assert sorted(Contact.objects.filter(client=alone).values_list("digest", flat=True)) == sorted(
        Contact.objects.filter(client=ordered).values_list("digest", flat=True)
    )


def test_names_and_attributes_stay_where_left_out_and_go_by_null(api, counter):
    api.post(LIST, {"uniq_id": "C-1", "name": "Anna", "attributes": {"card": "gold", "age": "41"}})
    api.post(LIST, {"uniq_id": "C-1", "emails": ["a@b.example"]})
    assert (client().name, client().attributes) == ("Anna", {"card": "gold", "age": "41"})
    assert api.post(LIST, {"uniq_id": "C-1", "name": None, "attributes": {"age": None}}).body["updated"] == 1
    assert (client().name, client().attributes) == ("", {"card": "gold"})


def test_what_waited_for_somebody_to_be_known_is_let_go(api, counter):
    api.post(ORDERS, order(client_uniq_id="C-1"))
    change = StatusChange.objects.get()
    assert (change.delivery, change.hold_reason) == (Delivery.HELD, HoldReason.NO_IDENTIFIERS)
    told = []
    changes_accepted.connect(receiver := lambda counter_id, **_rest: told.append(counter_id), weak=False)
    assert api.post(LIST, {"uniq_id": "C-1", "name": "Anna"}).body["released"] == 0
    assert api.post(LIST, {"uniq_id": "C-1", "client_ids": ["17000000001"]}).body["released"] == 1
    changes_accepted.disconnect(receiver)
    change.refresh_from_db()
    assert (change.delivery, change.hold_reason) == (Delivery.WAITING, "")
    entry = AuditEntry.objects.filter(action="clients.accepted").latest("id")
    assert (entry.details["updated"], entry.details["returned"], entry.counter) == (1, 1, 40000001)


@pytest.mark.django_db(transaction=True)
def test_in_detailed_mode_a_client_is_due_and_that_is_told(api, agency):
    make_counter(agency, metrica_id=40000001, mode="detailed")
    told = []
    changes_accepted.connect(receiver := lambda counter_id, **_rest: told.append(counter_id), weak=False)
    api.post(LIST, {"uniq_id": "C-1", "name": "Anna"})
    assert len(told) == 1 and client().is_due
    Client.objects.update(settled_revision=1)
    api.post(LIST, {"uniq_id": "C-1", "name": "Anna"})
    assert len(told) == 1 and not client().is_due
    api.post(LIST, {"uniq_id": "C-1", "phones": ["89031234567"]})
    changes_accepted.disconnect(receiver)
    assert len(told) == 2 and client().is_due


def test_values_of_declared_attributes_are_checked_in_detailed_mode(api, agency):
    make_counter(agency, metrica_id=40000001, mode="detailed")
    api.put("counters/40000001/attributes/", [{"entity": "CONTACT", "name": "age", "type": "numeric"}])
    answer = api.post(LIST, [{"uniq_id": "1", "attributes": {"age": "x"}}, {"uniq_id": "2", "attributes": {"z": 1}}])
    bad, kept = answer.body["results"]
    assert (bad["result"], bad["errors"][0]["field"], bad["errors"][0]["code"]) == (
        *("rejected", "attributes.age", "attribute_number"),
    )
    assert (kept["result"], kept["warnings"][0]["field"], kept["warnings"][0]["code"]) == (
        *("created", "attributes.z", "undeclared_attribute"),
    )


def test_all_or_nothing(api, counter):
    rows = [{"uniq_id": "C-1"}, {"name": "Nobody"}]
    answer = api.post(f"{LIST}?atomic=true", rows)
    assert (answer.status, answer.body["code"]) == (400, "rows_rejected")
    assert [(one["index"], one["field"]) for one in answer.body["errors"]] == [(1, "uniq_id")]
    assert not Client.objects.exists() and not AuditEntry.objects.filter(action="clients.accepted").exists()
    assert api.post(f"{LIST}?atomic=true", rows[:1]).body["created"] == 1
    assert api.post(f"{LIST}?atomic=maybe", rows).codes == {"invalid_choice"}


@pytest.mark.parametrize(("body", "code"), [("x", "not_clients"), (7, "not_clients"), ([[]], None), ([], None)])
def test_bodies_that_are_no_clients(api, counter, body, code):
    answer = api.post(LIST, body)
    assert (answer.status, answer.body.get("code")) == ((400, code) if code else (200, None))


def test_too_many_at_once(api, counter):
    answer = api.post(LIST, [{"uniq_id": "1"}] * 10_001)
    assert (answer.status, answer.codes) == (413, {"too_many_rows"})


@pytest.mark.parametrize("number", [3, 300])
def test_a_fixed_number_of_statements(api, counter, number):
    rows = [{"uniq_id": f"C-{n}", "phones": [f"8903{n:07}"]} for n in range(number)]
    api.post(LIST, rows[:1])
    with CaptureQueriesContext(connection) as queries:
        assert api.post(LIST, rows).body["created"] == number - 1
    assert len(queries) <= 18, [query["sql"][:80] for query in queries]


def test_the_list_by_pages_and_with_the_same_number_of_queries(api, counter):
    api.post(LIST, [{"uniq_id": f"C-{n}", "emails": [f"a{n}@b.example"]} for n in range(5)])
    seen, path = [], f"{LIST}?limit=2"
    while path:
        with CaptureQueriesContext(connection) as queries:
            answer = api.get(path)
        assert len(queries) == 3  # the key, the counter, clients
        seen += [row["uniq_id"] for row in answer.body["results"]]
        path = (answer.body["next"] or "").partition("/api/v1/")[2]
    assert seen == ["C-4", "C-3", "C-2", "C-1", "C-0"]


@pytest.mark.parametrize(
    "term", ["C-1", "c-1", "Anna", "anna kar", "Karenina", "8 903 123 45 67", "ANNA@example.com", "17000000001"]
)
def test_clients_are_found_as_in_the_admin(api, counter, term):
    api.post(
        LIST,
        [
            {
                "uniq_id": "C-1",
                "name": "Anna Karenina",
                "phones": ["+79031234567"],
                "emails": ["anna@example.com"],
                "client_ids": ["17000000001"],
            },
            {"uniq_id": "D-2", "name": "Boris", "phones": ["+79030000000"]},
        ],
    )
    assert [row["uniq_id"] for row in api.get(f"{LIST}?search={quote(term)}").body["results"]] == ["C-1"]
    assert api.get(f"{LIST}?search=nobody").body == {"results": [], "next": None}


def test_who_follows_changes_reads_them_in_their_order(api, counter):
    for n in (1, 2, 3):
        api.post(LIST, {"uniq_id": f"C-{n}"})
    api.post(LIST, {"uniq_id": "C-1", "name": "Anna"})
    first = api.get(f"{LIST}?limit=2&updated_after=2020-01-01T00:00:00Z").body
    assert [row["uniq_id"] for row in first["results"]] == ["C-2", "C-3"]
    rest = api.get(first["next"].partition("/api/v1/")[2]).body
    assert [row["uniq_id"] for row in rest["results"]] == ["C-1"] and rest["next"] is None
    at = quote(rest["results"][0]["updated_at"])
    assert [row["uniq_id"] for row in api.get(f"{LIST}?updated_after={at}").body["results"]] == ["C-1"]
    assert api.get(f"{LIST}?updated_after=soon").status == 400
    assert api.get(f"{LIST}?name=Anna").codes == {"unknown_parameter"}


def test_one_client_tells_its_orders_and_what_they_bring(api, counter):
    person = {"client_uniq_id": "C-1", "client_ids": ["17000000001"]}
    rows = [
        order(1, revenue="5000", **person),
        order(2, order_status="IN_PROGRESS", revenue="70.50", **person),
        order(3, order_status="SPAM", revenue="900", **person),
        order(4, revenue="10", currency="USD", **person),
    ]
    api.post(ORDERS, rows)
    with CaptureQueriesContext(connection) as queries:
        body = api.get(f"{LIST}C-1/").body
    assert len(queries) == 7  # the key, the counter, the client, mapping, goals, sums, orders
    assert (body["uniq_id"], body["client_ids"], body["phones"]) == ("C-1", ["17000000001"], [])
    assert (body["orders"]["count"], body["orders"]["more"]) == (4, False)
    assert [one["id"] for one in body["orders"]["newest"]] == ["D-4", "D-3", "D-2", "D-1"]
    assert body["money"] == [
        {"currency": "RUB", "orders": 3, "revenue": "5070.50", "paid": "5000.00"},
        {"currency": "USD", "orders": 1, "revenue": "10.00", "paid": "10.00"},
    ]
    listed = api.get(body["orders"]["url"].partition("/api/v1/")[2]).body["results"]
    assert [row["id"] for row in listed] == ["D-4", "D-3", "D-2", "D-1"]
    assert api.get(body["orders"]["newest"][0]["url"].partition("/api/v1/")[2]).body["id"] == "D-4"


@pytest.mark.parametrize("uniq_id", ["a/b", "a/", "/", "50 %", "Ё №1", "😀", "a?b", "orders"])
def test_an_id_may_be_anything(api, counter, uniq_id):
    api.post(LIST, {"uniq_id": uniq_id})
    assert api.get(f"{LIST}{quote(uniq_id, safe='')}/").body["uniq_id"] == uniq_id
    assert api.delete(f"{LIST}{quote(uniq_id, safe='')}/").status == 204


def test_an_id_that_was_merged_leads_to_the_other(api, counter):
    api.post(LIST, [{"uniq_id": "C-1", "name": "Anna"}, {"uniq_id": "C-2", "phones": ["89031234567"]}])
    people.merge_clients(kept=client("C-1"), duplicate=client("C-2"))
    assert api.get(f"{LIST}C-2/").body["uniq_id"] == "C-1"
    assert [row["uniq_id"] for row in api.get(LIST).body["results"]] == ["C-1"]
    assert api.post(LIST, {"uniq_id": "C-2", "emails": ["a@b.example"]}).body["updated"] == 1
    assert client("C-1").identifiers == {"phones": ["79031234567"], "emails": ["a@b.example"]}


def test_erased_is_gone_and_leaves_its_trace(api, counter):
    api.post(ORDERS, order(client_uniq_id="C-1", client_name="Anna", emails=["anna@example.com"]))
    answer = api.delete(f"{LIST}C-1/")
    assert (answer.status, answer.body) == (204, b"")
    assert api.get(f"{LIST}C-1/").status == api.delete(f"{LIST}C-1/").status == 404
    erased = Client.objects.get()
    assert (erased.name, erased.identifiers) == ("", {}) and erased.uniq_id != "C-1"
    assert api.get(f"{LIST}{erased.uniq_id}/").status == 404 and api.get(LIST).body["results"] == []
    assert api.get(f"{ORDERS}D-1/").body["emails"] == [] and Order.objects.count() == 1
    entry = AuditEntry.objects.get(action="client.erased")
    assert (entry.actor_kind, entry.source, entry.counter) == ("key", "api", 40000001)


def test_what_is_being_sent_is_not_erased(api, counter):
    api.post(ORDERS, order(client_uniq_id="C-1", client_ids=["17000000001"]))
    StatusChange.objects.update(delivery=Delivery.SENDING)
    answer = api.delete(f"{LIST}C-1/")
    assert (answer.status, answer.codes) == (409, {"being_sent"})
    assert client().identifiers


def test_nobody_elses_clients(api, counter, outsider, caller_for, agency):
    make_counter(agency, metrica_id=40000009)
    api.post(LIST, {"uniq_id": "C-1"})
    limited = caller_for(agency, counter_ids=[40000009])
    reader, writer = caller_for(agency, scopes=["read"]), caller_for(agency, scopes=["write"])
    for stranger in (outsider, limited):
        for method, path, body in (
            ("GET", LIST, None),
            ("POST", LIST, {"uniq_id": "C-2"}),
            ("GET", f"{LIST}C-1/", None),
            ("DELETE", f"{LIST}C-1/", None),
        ):
            assert stranger(method, path, body).status == 404
    assert outsider.get("counters/40000002/clients/C-1/").status == 404
    assert reader.get(f"{LIST}C-1/").status == 200
    assert reader.post(LIST, {"uniq_id": "C-2"}).status == reader.delete(f"{LIST}C-1/").status == 403
    assert writer.get(LIST).status == 403
    assert list(Client.objects.values_list("uniq_id", flat=True)) == ["C-1"]


def test_clients_and_their_trace_are_there_together(api, counter, monkeypatch):
    def breaks(**_entry):
        raise RuntimeError("on purpose")

    monkeypatch.setattr(clients_in, "record", breaks)
    api.client.raise_request_exception = False
    assert api.post(LIST, [{"uniq_id": "C-1"}]).status == 500
    assert not Client.objects.exists()


def test_rows_of_clients_count_for_the_key(api, counter, settings):
    settings.API_ORDERS_PER_MINUTE = 3
    assert api.post(LIST, [{"uniq_id": "C-1"}, {"uniq_id": "C-2"}, {}]).status == 200
    assert api.post(LIST, [{"uniq_id": "C-3"}]).status == 429
    key_uses.write()
    day = ApiKeyDay.objects.get()
    assert (day.rows_accepted, day.rows_refused) == (2, 1)
