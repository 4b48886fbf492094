"""Who gets in where: every address, method and kind of key (R11), made from the URL configuration.

A new address without a line here fails.
"""

import zlib
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from apps.agencies.models import ApiKey
from apps.agencies.services import revoke_api_key
from apps.api import urls
from apps.imports.models import ImportJob, ReportPart
from apps.uploads.models import JobState, UploadJob
from tests.api.conftest import Caller
from tests.factories import SYSTEM, make_account, make_agency, make_counter, make_key

WHEN = (datetime.now(UTC) - timedelta(days=3)).isoformat()
ORDER = {"id": "D-1", "create_date_time": WHEN, "order_status": "Новый лид", "client_ids": ["17000000001"]}
STATUS = {"type": "PAID"}

KEYS = ("none", "bad", "expired", "revoked", "closed", "outsider", "limited", "read", "write", "both")
SHUT = {"none": 401, "bad": 401, "expired": 401, "revoked": 401, "closed": 401}

# (name of the address, method): (body, kind of thing, status for a key that may)
#   counter: below one counter, of which a stranger may not even know; people: the same, with what a file says of them,
#   so that reading it takes the scope write as well; agency: a list that is empty for strangers
TABLE = {
    ("counters", "GET"): (None, "agency", 200),
    ("counter", "GET"): (None, "counter", 200),
    ("counter", "PATCH"): ({"name": "Renamed"}, "counter", 200),
    ("attributes", "GET"): (None, "counter", 200),
    ("attributes", "PUT"): ([{"entity": "ORDER", "name": "branch"}], "counter", 200),
    ("products", "GET"): (None, "counter", 200),
    ("products", "PUT"): ([{"name": "sku-1"}], "counter", 200),
    ("goals", "GET"): (None, "counter", 200),
    ("goals", "POST"): ({"identifier": ""}, "counter", 400),
    ("status-drift", "GET"): (None, "counter", 503),  # nobody answers at the account's address
    ("statuses", "GET"): (None, "counter", 200),
    ("statuses", "PUT"): ([], "counter", 200),
    ("status", "GET"): (None, "counter", 200),
    ("status", "PUT"): (STATUS, "counter", 200),
    ("status", "DELETE"): (None, "counter", 204),
    ("orders", "GET"): (None, "counter", 200),
    ("orders", "POST"): (ORDER, "counter", 200),
    ("order", "GET"): (None, "counter", 200),
    ("order-statuses", "GET"): (None, "counter", 405),
    ("order-statuses", "POST"): ({"order_status": "PAID"}, "counter", 200),
    ("clients", "GET"): (None, "counter", 200),
    ("clients", "POST"): ({"uniq_id": "C-2"}, "counter", 200),
    ("client", "GET"): (None, "counter", 200),
    ("client", "DELETE"): (None, "counter", 204),
    ("uploads", "GET"): (None, "counter", 200),
    ("uploads", "POST"): ({}, "counter", 202),
    ("upload", "GET"): (None, "counter", 200),
    ("upload-retry", "POST"): ({}, "counter", 202),
    ("upload-cancel", "POST"): ({}, "counter", 409),
    ("imports", "GET"): (None, "counter", 200),
    ("imports", "POST"): ({}, "counter", 415),  # it takes a form
    ("import", "GET"): (None, "counter", 200),
    ("import-errors", "GET"): (None, "people", 200),
    ("import-cancel", "POST"): ({}, "counter", 409),
    ("holds", "GET"): (None, "agency", 200),
    ("audit", "GET"): (None, "agency", 200),
    ("schema", "GET"): (None, "open", 200),
    ("docs", "GET"): (None, "open", 200),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ADDRESSES = {
    "counters": "counters/",
    "counter": "counters/40000001/",
    "attributes": "counters/40000001/attributes/",
    "products": "counters/40000001/products/",
    "goals": "counters/40000001/goals/",
    "status-drift": "counters/40000001/status-drift/",
    "statuses": "counters/40000001/statuses/",
    "status": "counters/40000001/statuses/known/",
    "orders": "counters/40000001/orders/",
    "order": "counters/40000001/orders/D-1/",
    "order-statuses": "counters/40000001/orders/D-1/statuses/",
    "clients": "counters/40000001/clients/",
    "client": "counters/40000001/clients/C-1/",
    "uploads": "counters/40000001/uploads/",
    "upload": "uploads/{job}/",
    "upload-retry": "uploads/{job}/retry/",
    "upload-cancel": "uploads/{job}/cancel/",
    "imports": "counters/40000001/imports/",
    "import": "imports/{file}/",
    "import-errors": "imports/{file}/errors.csv",
    "import-cancel": "imports/{file}/cancel/",
    "holds": "holds/",
    "audit": "audit/",
    "schema": "schema/",
    "docs": "docs/",
}
PATTERNS = [pattern for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)]


@pytest.fixture
def world(db):
    """An agency with a counter, a status, an order and an ended upload job; and a key of each kind."""
    agency = make_agency("north")
    counter = make_counter(account=make_account(agency, base_url="http://127.0.0.1:1"), metrica_id=40000001)
    make_counter(agency, metrica_id=40000009)
    closed = make_agency("closed")
    both = make_key(agency)[1]
    keys = {
        "none": "",
        "bad": "gp_000000000000_" + "x" * 43,
        "expired": make_key(agency, expires_at=timezone.now() + timedelta(hours=1))[1],
        "closed": make_key(closed)[1],
        "outsider": make_key(make_agency("south"))[1],
        "limited": make_key(agency, counter_ids=[40000009])[1],
        "read": make_key(agency, scopes=["read"])[1],
        "write": make_key(agency, scopes=["write"])[1],
        "both": both,
    }
    ApiKey.objects.exclude(expires_at=None).update(expires_at=timezone.now() - timedelta(seconds=1))
    revoked, keys["revoked"] = make_key(agency)
    revoke_api_key(actor=SYSTEM, key=revoked)
    closed.is_active = False
    closed.save()
    caller = Caller(both)
    assert caller.put("counters/40000001/statuses/known/", {"type": "SPAM"}).status == 201
    assert caller.post("counters/40000001/orders/", ORDER).body["created"] == 1
    assert caller.post("counters/40000001/clients/", {"uniq_id": "C-1"}).body["created"] == 1
    job = UploadJob.objects.create(counter=counter, trigger="api", state=JobState.SUCCEEDED)
    file = ImportJob.objects.create(
        counter=counter, name="orders.csv", kind="csv", state="failed", sample=zlib.compress(b"id\n"), reported=1
    )
    ReportPart.objects.create(job=file, first_line=2, rows=1, body=zlib.compress(b"2,,,,\n"))
    return keys, {"job": job.pk, "file": file.pk}


def expected(key, kind, method, good):
    """What the rules say: shut keys 401; without the scope 403; strangers 404; the methods that are not there 405."""
    if kind == "open":
        return good
    if key in SHUT:
        return SHUT[key]
    if good == 405:
        # The method is not there; for GET …/statuses/ the counter is looked for first.
        return good if kind == "missing" or key in ("read", "both") else {"write": 403}.get(key, 404)
    scope = "read" if method == "GET" else "write"
    if key in ("read", "write") and key != scope:
        return 403
    if kind in ("counter", "people") and key in ("outsider", "limited"):
        return 404
    return 403 if kind == "people" and key == "read" else good


def test_every_address_has_its_line():
    names = {pattern.name for pattern in PATTERNS} - {"nothing-here"}
    assert names == set(ADDRESSES) == {name for name, _method in TABLE}
    for pattern in PATTERNS:
        view = pattern.callback.view_class
        if pattern.name != "nothing-here":
            written = {method for name, method in TABLE if name == pattern.name}
            assert {
                method.upper() for method in ("get", *["post", "put", "patch", "delete"]) if hasattr(view, method)
            } == written


def test_no_address_of_the_api_lies_outside_of_this_table():
    """Nothing else in the project answers below /api/."""
    others = [
        str(pattern.pattern)
        for pattern in get_resolver().url_patterns
        if str(pattern.pattern).startswith("api") and getattr(pattern, "urlconf_module", None) is not urls
    ]
    assert others == []


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ADDRESSES)
def test_who_gets_in(world, name, method):
    keys, made = world
    path = ADDRESSES[name].format(**made)
    body, kind, good = TABLE.get((name, method), ({}, "missing", 405))
    if (name, "GET") in TABLE and TABLE[name, "GET"][1] == "open" and kind == "missing":
        kind = "open"
    for key in KEYS:
        answer = Caller(keys[key])(method, path, body)
        assert answer.status == expected(key, kind, method, good), (key, answer.body)
        if answer.status in (401, 403, 404, 405) and kind != "open":
            assert answer.headers["Content-Type"] == "application/problem+json"
        if key in ("outsider", "limited") and kind == "agency":
            numbers = {row.get("metrica_id", row.get("counter")) for row in answer.body["results"]}
            assert numbers <= ({40000009} if key == "limited" or name != "audit" else {40000009, None})
        if name == "status" and method == "DELETE" and answer.status == 204:
            Caller(keys["both"]).put(path, {"type": "SPAM"})
        if name == "client" and method == "DELETE" and answer.status == 204:
            Caller(keys["both"]).post(ADDRESSES["clients"], {"uniq_id": "C-1"})


def test_what_a_stranger_is_refused_changes_nothing(world):
    keys, made = world
    both = Caller(keys["both"])

    def picture():
        return [
            both.get(ADDRESSES[name].format(**made)).body
            for name in ("statuses", "order", "client", "uploads", "upload", "import")
        ]

    before = picture()
    for key in ("none", "bad", "expired", "revoked", "closed", "outsider", "limited", "read"):
        for (name, method), (body, _kind, _good) in TABLE.items():
            if method != "GET":
                assert Caller(keys[key])(method, ADDRESSES[name].format(**made), body).status in (401, 403, 404)
    assert picture() == before
