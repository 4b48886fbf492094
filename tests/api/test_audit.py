"""The audit log by REST: filters, pages, and only what the key's agency, and its counters, may see (R11)."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.audit import chain
from apps.audit.models import AuditEntry
from apps.audit.services import record
from tests.factories import SYSTEM, make_agency, make_counter

NORTH = {"counter": 40000001}


def ids(caller, query=""):
    answer = caller.get(f"audit/?{query}")
    assert answer.status == 200, answer.body
    return [row["id"] for row in answer.body["results"]]


@pytest.fixture
def change(api, counter):
    answer = api.patch("counters/40000001/", {"schedule": "1h"}, **{"X-Request-ID": "wanted-1"})
    assert answer.status == 200
    return AuditEntry.objects.get(action="counter.changed")


def test_an_entry_tells_who_what_before_and_after(api, counter, change):
    chain.seal()
    row = next(row for row in api.get("audit/").body["results"] if row["id"] == change.pk)
    assert (row["action"], row["summary"]) == ("counter.changed", "Counter's settings changed")
    assert row["actor"]["kind"] == "key" and row["actor"]["name"].startswith("key ")
    assert row["object"] == {"type": "counters.counter", "id": str(counter.pk), "name": str(counter)}
    assert (row["before"]["schedule"], row["after"]["schedule"]) == ("manual", "1h")
    assert (row["counter"], row["source"], row["request_id"]) == (40000001, "api", "wanted-1")
    assert row["ip"] == "127.0.0.1" and len(row["seal"]["hash"]) == 64 and row["at"].endswith("+00:00")
    record(action="counter.paused", agency=counter.agency_id, obj=counter, actor=SYSTEM)
    assert api.get("audit/?action=counter.paused").body["results"][0]["seal"] is None
    russian = api.get("audit/?action=counter.changed", **{"Accept-Language": "ru"}).body["results"][0]
    assert russian["summary"] != row["summary"] and russian["action"] == row["action"]


def test_each_filter(api, counter, change):
    now = timezone.now()
    assert ids(api, "action=counter.changed") == ids(api, "request_id=wanted-1") == [change.pk]
    assert change.pk in ids(api, "action=counter.") and ids(api, "action=nothing.") == []
    assert ids(api, f"object=counters.counter:{counter.pk}&action=counter.changed") == [change.pk]
    assert change.pk in ids(api, "object=counters.counter") and ids(api, "object=counters.counter:0") == []
    assert ids(api, "actor=KEY&action=counter.changed") == [change.pk] and ids(api, "actor=somebody") == []
    assert change.pk in ids(api, "counter=40000001") and ids(api, "counter=40000002") == []
    past, future = (quote((now + timedelta(days=days)).isoformat()) for days in (-1, 1))
    assert ids(api, f"from={past}&to={future}") == ids(api)
    assert ids(api, f"from={future}") == ids(api, f"to={past}") == []
    for query, code in (("from=soon", None), ("counter=x", "bad_counter"), ("who=me", "unknown_parameter")):
        answer = api.get(f"audit/?{query}")
        assert answer.status == 400 and (code is None or answer.codes == {code})


@pytest.mark.parametrize("query", ["", "from=2020-01-01&", "action=order.&", "counter=40000001&"])
def test_pages_hold_each_entry_once_with_the_same_number_of_queries(api, counter, query):
    for number in range(5):
        record(action=f"order.{number}", agency=counter.agency_id, obj=counter)
    api.get("audit/")  # notes the key's use
    seen, path, counts = [], f"audit/?{query}limit=3", set()
    while path:
        with CaptureQueriesContext(connection) as queries:
            answer = api.get(path)
        counts.add(len(queries))
        seen += [row["id"] for row in answer.body["results"]]
        path = (answer.body["next"] or "").partition("/api/v1/")[2]
    assert seen == ids(api, query) and len(set(seen)) == len(seen) >= 5
    assert counts == {3 if "action" in query else 2}  # the key, entries with their places; the actions that there are


def test_only_the_agencys_own_and_a_limited_keys_counters(api, counter, change, outsider, caller_for, agency):
    mine = make_counter(agency, metrica_id=40000009)
    record(action="counter.paused", agency=agency, obj=mine)
    record(action="agency.changed", agency=agency, obj=agency)
    record(action="installation.restored", agency=None)
    everything = api.get("audit/?limit=1000").body["results"]
    assert {"agency.changed", "counter.paused", "counter.changed"} <= {row["action"] for row in everything}
    assert "installation.restored" not in {row["action"] for row in everything}
    own = AuditEntry.objects.filter(agency=agency).order_by("-id").values_list("id", flat=True)
    assert [row["id"] for row in everything] == list(own)
    limited = caller_for(agency, counter_ids=[40000009])
    seen = limited.get("audit/").body["results"]
    assert seen and {row["counter"] for row in seen} == {40000009}
    for query in (f"object=counters.counter:{counter.pk}", "request_id=wanted-1", "counter=40000001", "actor=key"):
        assert ids(limited, query) == []
        assert change.pk not in ids(outsider, query)
    assert {row["counter"] for row in outsider.get("audit/").body["results"]} <= {40000002, None}
    assert caller_for(agency, scopes=["write"]).get("audit/").status == 403


def test_a_counter_that_another_agency_had_once_stays_its_own(caller_for, outsider):
    other = make_agency("west")
    record(action="counter.paused", agency=other, obj=make_counter(other, metrica_id=40000002))
    assert "counter.paused" not in {row["action"] for row in outsider.get("audit/?counter=40000002").body["results"]}
