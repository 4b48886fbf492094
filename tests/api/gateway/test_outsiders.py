"""Who gets in where (R11): every address of the gateway, method and kind of key. A new address without a line fails."""

import json
from datetime import timedelta

import pytest
from django.urls import URLPattern
from django.utils import timezone

from apps.agencies.models import ApiKey
from apps.agencies.services import revoke_api_key
from apps.api import limits
from apps.api.gateway import urls
from apps.api.models import ReceivedUpload
from apps.clients.models import Client
from apps.counters.models import CustomAttribute, Product
from apps.goals.models import StatusMapping
from apps.orders.models import Order
from tests.api.gateway.conftest import NUMBER, WHEN, Script, csv, errors_of
from tests.factories import SYSTEM, make_agency, make_counter, make_key

SIMPLE = csv(f"D-1,{WHEN},17", header="id,create_date_time,client_ids")
DEALS = csv(f"D-1,C-1,CONTACT,{WHEN},PAID", header="id,client_uniq_id,client_type,create_date_time,order_status")
PEOPLE = csv("C-1", header="uniq_id")
DEAL = {
    "id": "D-1",
    "client_uniq_id": "C-1",
    "client_type": "CONTACT",
    "create_date_time": WHEN,
    "order_status": "PAID",
}

# (name of the address, method): (path, what is sent)
TABLE = {
    ("simple_orders", "POST"): ("data/simple_orders?merge_mode=SAVE", SIMPLE),
    ("contacts", "POST"): ("data/contacts?merge_mode=SAVE", {"contacts": [{"uniq_id": "C-1"}]}),
    ("contacts_csv", "POST"): ("data/contacts/csv?merge_mode=SAVE", PEOPLE),
    ("contacts_json", "POST"): ("data/contacts/json?merge_mode=SAVE", {"contacts": [{"uniq_id": "C-1"}]}),
    ("orders", "POST"): ("data/orders?merge_mode=SAVE", {"orders": [DEAL]}),
    ("orders_csv", "POST"): ("data/orders/csv?merge_mode=SAVE", DEALS),
    ("orders_json", "POST"): ("data/orders/json?merge_mode=SAVE", {"orders": [DEAL]}),
    ("order_statuses", "GET"): ("schema/order_statuses", None),
    ("order_statuses", "POST"): ("schema/order_statuses", {"order_statuses": [{"id": "won", "type": "PAID"}]}),
    ("attributes", "GET"): ("schema/attributes?entity_type=ORDER", None),
    ("attributes", "POST"): (
        "schema/attributes?entity_type=ORDER",
        {"attributes": [{"name": "branch", "multivalued": False}]},
    ),
    ("products", "POST"): ("schema/products", {"attributes": [], "items": [{"name": "sku-1"}]}),
    ("types", "GET"): ("schema/types", None),
    ("predefined_types", "GET"): ("schema/predefined_types", None),
    ("last_uploadings", "GET"): ("last_uploadings", None),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SHUT = {
    "none": (401, "unauthorized"),
    "basic": (401, "unauthorized"),
    **dict.fromkeys(("bad", "expired", "revoked", "closed"), (403, "invalid_token")),
}
KEYS = (*SHUT, "outsider", "limited", "read", "write", "both", "bearer")
KEPT = (Order, Client, ReceivedUpload, StatusMapping, CustomAttribute, Product)


@pytest.fixture
def scripts(db):
    """A caller with each kind of key, and a counter that is theirs to see or not."""
    agency, closed, south = make_agency("north"), make_agency("closed"), make_agency("south")
    make_counter(agency, metrica_id=NUMBER)
    make_counter(agency, metrica_id=NUMBER + 8)
    make_counter(south, metrica_id=NUMBER + 9)
    both = make_key(agency)[1]
    found = {
        "none": Script(""),
        "basic": Script(both, scheme="Basic"),
        "bad": Script("gp_000000000000_" + "x" * 43),
        "expired": Script(make_key(agency, expires_at=timezone.now() + timedelta(hours=1))[1]),
        "closed": Script(make_key(closed)[1]),
        "outsider": Script(make_key(south)[1]),
        "limited": Script(make_key(agency, counter_ids=[NUMBER + 8])[1]),
        "read": Script(make_key(agency, scopes=["read"])[1]),
        "write": Script(make_key(agency, scopes=["write"])[1]),
        "both": Script(both),
        "bearer": Script(both, scheme="Bearer"),
    }
    ApiKey.objects.exclude(expires_at=None).update(expires_at=timezone.now() - timedelta(seconds=1))
    revoked, text = make_key(agency)
    revoke_api_key(actor=SYSTEM, key=revoked)
    found["revoked"] = Script(text)
    closed.is_active = False
    closed.save()
    return found


def asked(script, method, path, sent):
    if method == "GET":
        return script(method, path)
    if isinstance(sent, bytes):
        return script(method, path, sent, "text/csv")
    return script(method, path, json.dumps(sent or {}).encode(), "application/json")


def expected(key, method, *, known):
    if key in SHUT:
        return SHUT[key]
    if not known:
        return 405, "not_found"
    scope = "read" if method == "GET" else "write"
    if key in ("read", "write") and key != scope:
        return 403, "access_denied"
    return (404, "not_found") if key in ("outsider", "limited") else (200, None)


def test_every_address_has_its_line():
    names = {pattern.name for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)}
    assert names - {"unknown_address"} == {name for name, _method in TABLE}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", sorted({name for name, _method in TABLE}))
def test_who_gets_in(scripts, name, method):
    known = (name, method) in TABLE
    path, sent = TABLE.get((name, method)) or next(line for (of, _m), line in TABLE.items() if of == name)
    for key in KEYS:
        answer = asked(scripts[key], method, path, sent)
        status, error_type = expected(key, method, known=known)
        assert answer.status == status, (key, answer.body)
        if error_type:
            [error] = answer.body["errors"]
            assert (error["error_type"], answer.body["code"]) == (error_type, status)
            assert answer.headers["Content-Type"].startswith("application/json")


def test_somebody_elses_counter_and_none_at_all_are_the_same(scripts):
    for (_name, method), (path, sent) in TABLE.items():
        theirs, none = Script(scripts["both"].key, NUMBER + 9), Script(scripts["both"].key, 49999999)
        one, other = asked(theirs, method, path, sent), asked(none, method, path, sent)
        assert one.status == other.status == 404
        assert str(one.body).replace(str(NUMBER + 9), "49999999") == str(other.body)


def test_what_a_stranger_is_refused_changes_nothing(scripts):
    for key in (*SHUT, "outsider", "limited", "read"):
        for (_name, method), (path, sent) in TABLE.items():
            if method != "GET":
                assert asked(scripts[key], method, path, sent).status in (401, 403, 404)
    assert not any(model.objects.exists() for model in KEPT)


@pytest.mark.parametrize("number", ["x", "0", "-1", "99999999999", "4294967296", "%00", "½"])
def test_numbers_that_are_none(scripts, number):
    answer = Script(scripts["both"].key, number).get("last_uploadings")
    assert answer.status in (400, 404) and answer.body["errors"]


def test_addresses_that_metrica_has_not(scripts):
    both = scripts["both"]
    for path in ("data/simple_orders/", "data/orders/xml", "", "schema", "last_uploadings/1"):
        answer = both.get(path)
        assert (answer.status, answer.body["errors"][0]["error_type"]) == (404, "not_found")


def test_compressed_bodies_are_refused_in_words(scripts):
    answer = scripts["both"](
        "POST", "data/orders/json?merge_mode=SAVE", b"\x1f\x8b", "application/json", **{"Content-Encoding": "gzip"}
    )
    assert (answer.status, answer.body["errors"][0]["error_type"]) == (406, "not_acceptable")


def test_a_fault_of_ours_is_told_in_metricas_shape(scripts, monkeypatch):
    monkeypatch.setattr("apps.api.gateway.uploads.wire", lambda *_arguments: 1 / 0)
    answer = scripts["both"].json(*TABLE["contacts_json", "POST"])
    assert (answer.status, answer.body["errors"][0]["error_type"]) == (503, "backend_error")


def test_a_key_is_good_from_its_networks_alone(script_for, agency, counter):
    script = script_for(agency, networks=["192.0.2.0/24"])
    assert script("GET", "last_uploadings", REMOTE_ADDR="192.0.2.7").status == 403  # a header is no address
    script.client.defaults["REMOTE_ADDR"] = "192.0.2.7"
    assert script.get("last_uploadings").status == 200
    assert str(ApiKey.objects.get(networks=["192.0.2.0/24"]).last_used_from) == "192.0.2.7"
    script.client.defaults["REMOTE_ADDR"] = "198.51.100.7"
    answer = script.get("last_uploadings")
    assert answer.status == 403
    assert [(kind, code) for kind, _place, code in errors_of(answer)] == [("access_denied", "wrong_network")]


def test_the_limits_of_a_key_hold_here_too(script, counter, settings):
    settings.API_ORDERS_PER_MINUTE = 2
    limits.forget()
    assert script.simple(f"D-1,{WHEN},,17,,,PAID,5,,,", f"D-2,{WHEN},,17,,,PAID,5,,,").status == 200
    answer = script.simple(f"D-3,{WHEN},,17,,,PAID,5,,,")
    assert answer.status == 429 and int(answer.headers["Retry-After"]) > 0
    assert [(kind, code) for kind, _place, code in errors_of(answer)] == [("quota_requests_by_uid", "too_many_orders")]
    assert Order.objects.count() == 2
    settings.API_REQUESTS_PER_MINUTE = 1
    limits.forget()
    assert script.get("last_uploadings").status == 200
    assert script.get("last_uploadings").status == 429
