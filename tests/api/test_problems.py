"""Errors: RFC 9457, each with a code, a sentence, a next step and the request id, in the caller's language."""

import json

import pytest
from cryptography.fernet import Fernet

from apps.audit.models import AuditEntry
from tests.factories import make_member

NDJSON = "application/x-ndjson"


def test_a_problem_says_what_where_and_what_next(api, counter):
    answer = api.get("counters/1/", **{"X-Request-ID": "from-the-crm-1"})
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-ID"] == answer.body["request_id"] == "from-the-crm-1"
    assert answer.body["type"] == "urn:goalpost:problem:unknown_counter"
    assert (answer.body["status"], answer.body["title"]) == (404, "Not Found")
    [error] = answer.body["errors"]
    assert (error["field"], error["code"]) == (None, "unknown_counter")
    assert "1" in error["message"] and error["next_step"]


def test_every_answer_carries_a_request_id_and_the_audit_log_has_the_same(api, counter):
    answer = api.put("counters/40000001/statuses/Новый лид/", {"type": "IN_PROGRESS"})
    assert answer.status == 201
    entry = AuditEntry.objects.get(action="status.added")
    assert entry.request_id == answer.headers["X-Request-ID"]
    assert (entry.source, entry.actor_kind) == ("api", "key")


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "no_key"),
        ("Bearer", "bad_scheme"),
        ("Basic dXNlcjpwYXNz", "bad_scheme"),
        ("OAuth {key}", "bad_scheme"),
        ("Bearer wrong", "bad_key"),
        ("Bearer {key}x", "bad_key"),
        ("Bearer \u00e9\u00e9\u00e9\u00e9", "bad_key"),
        ("Bearer " + "x" * 5000, "bad_key"),
    ],
)
def test_401_says_how_to_authenticate(api, counter, authorization, code):
    header = authorization.replace("{key}", api.key)
    api.key = ""
    answer = api.get("counters/", **({"authorization": header} if header else {}))
    assert (answer.status, answer.codes) == (401, {code})
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_login_in_the_browser_opens_nothing_here(client, agency, counter):
    client.force_login(make_member(agency))
    assert client.get("/api/v1/counters/").status_code == 401


def test_403_names_the_scope_that_lacks(caller_for, agency, counter):
    reader = caller_for(agency, scopes=["read"])
    answer = reader.put("counters/40000001/statuses/x/", {"type": "PAID"})
    assert (answer.status, answer.codes) == (403, {"missing_scope"})
    assert "write" in answer.body["detail"]


def test_methods_that_nobody_uses_are_405(api, counter):
    for method in ("OPTIONS", "TRACE", "PATCH", "BREW"):
        answer = api(method, "counters/")
        assert (answer.status, answer.codes) == (405, {"method_not_allowed"})


def test_405_names_the_methods_for_every_key(caller_for, agency, counter):
    for scope in ("read", "write"):
        answer = caller_for(agency, scopes=[scope])("PATCH", "counters/", {})
        assert (answer.status, answer.codes) == (405, {"method_not_allowed"})
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("path", "next_step"),
    [
        ("nothing/", "docs"),
        ("counters", "slash"),
        ("counters/40000001", "slash"),
        ("", "docs"),
        ("counters/x/", "docs"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_unknown_addresses_are_problems_too(api, counter, method, path, next_step):
    answer = api(method, path)
    assert (answer.status, answer.codes) == (404, {"unknown_address"})
    assert next_step in answer.body["next_step"]


@pytest.mark.parametrize("number", ["0", "2147483648", "9223372036854775808", "9" * 5000])
def test_a_counter_number_of_any_size_is_404(api, counter, number):
    assert api.get(f"counters/{number}/").status == 404


@pytest.mark.parametrize(
    ("content_type", "headers", "status"),
    [
        ("application/json", {}, 400),
        ("application/json; charset=utf-8", {}, 400),
        ("APPLICATION/JSON", {}, 400),
        ("application/json; charset=utf-16", {}, 415),
        ("text/csv", {}, 415),
        ("application/x-www-form-urlencoded", {}, 415),
        ("multipart/form-data; boundary=x", {}, 415),
        ("", {}, 415),
        ("application/json", {"Content-Encoding": "gzip"}, 400),
        ("application/json", {"Content-Encoding": "br"}, 415),
    ],
)
def test_only_json_is_taken(api, counter, content_type, headers, status):
    answer = api("PUT", "counters/40000001/statuses/x/", raw=b"{", content_type=content_type, **headers)
    assert answer.status == status, answer.body


def test_too_much_is_413(api, counter, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = api.put("counters/40000001/statuses/x/", {"type": "PAID", "name": "x" * 1000})
    assert (answer.status, answer.codes) == (413, {"too_large"})


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty_body"),
        (b"  \n", "empty_body"),
        (b"{", "malformed_json"),
        (b"{'type': 'PAID'}", "malformed_json"),
        (b'{"type": "PAID"} x', "malformed_json"),
        (b'{"type": "PAID",}', "malformed_json"),
        (b'{"type": "a\x01b"}', "malformed_json"),
        (b'{"type": NaN}', "not_a_number"),
        (b'{"type": -Infinity}', "not_a_number"),
        (b'{"type": 1e99999999999999999999}', "not_a_number"),
        (b'{"type": "PAID", "type": "SPAM"}', "duplicate_name"),
        (b'{"type": ' + b"1" * 5000 + b"}", "number_too_long"),
        (b'{"type": 0.' + b"1" * 5000 + b"}", "number_too_long"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "too_deep"),
        (b'{"type": "\\ud800"}', "half_surrogate"),
        ("{“type”: 1}".encode("utf-16"), "not_utf8"),
        (b'{"type": "\xff"}', "not_utf8"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"PAID"', "not_an_object"),
        (b"17", "not_an_object"),
        (b"true", "not_an_object"),
    ],
)
def test_what_is_no_good_json_is_refused_with_its_reason(api, counter, raw, code):
    answer = api("PUT", "counters/40000001/statuses/x/", raw=raw)
    assert (answer.status, answer.codes) == (400, {code}), answer.body


def test_a_byte_order_mark_and_whole_pairs_are_no_fault(api, counter):
    raw = b'\xef\xbb\xbf{"type": "PAID", "name": "\\ud83d\\ude00"}'
    answer = api("PUT", "counters/40000001/statuses/x/", raw=raw)
    assert (answer.status, answer.body["name"]) == (201, "😀")


def test_answers_are_json_whatever_is_accepted(api, counter):
    for accept in ("text/html", "application/xml", "nonsense", ""):
        answer = api.get("counters/", accept=accept)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")


def test_a_fault_of_ours_is_a_problem_too(api, counter, monkeypatch):
    """The one fault that no input should bring about, so it is made by hand."""
    from apps.api.views import counters

    monkeypatch.setattr(counters, "counter_shape", lambda counter: 1 / 0)
    api.client.raise_request_exception = False
    answer = api.get("counters/40000001/")
    assert (answer.status, answer.codes) == (500, {"server_error"})
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["request_id"] == answer.headers["X-Request-ID"]


def test_every_answer_has_its_request_id(api, counter, client, settings):
    """Whoever answers: the view, the framework, Django before any view was found."""
    settings.DEBUG = False
    for path, headers, status in (
        ("counters/", {}, 200),
        ("counters/", {"authorization": "Bearer gp_none"}, 401),
        ("counters/7/", {}, 404),
        ("nothing/", {}, 404),
        ("counters/?page=1", {}, 400),
        ("counters/", {"host": "elsewhere.example"}, 400),
        ("../v2/orders/", {}, 404),
    ):
        answer = api.get(path, **{"X-Request-ID": "crm-7", **headers})
        assert (answer.status, answer.headers["X-Request-ID"]) == (status, "crm-7"), path
        if status >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json", path
            assert answer.body["request_id"] == "crm-7", path
    assert len(client.get("/healthz").headers["X-Request-ID"]) == 36
    settings.SECURE_SSL_REDIRECT = True
    from django.test import Client

    assert Client().get("/api/v1/counters/").status_code == 301
    assert Client().get("/api/v1/counters/", headers={"X-Request-ID": "crm-8"}).headers["X-Request-ID"] == "crm-8"


def test_what_no_key_opens_is_told_with_its_next_step(api, counter, settings):
    settings.ENCRYPT_IDENTIFIERS = True
    order = {"id": "D-1", "create_date_time": "2026-11-20 10:00", "order_status": "x", "phones": ["79031234567"]}
    assert api.post("counters/40000001/orders/", order).status < 300
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    again = {**order, "order_status": "y"}
    for answer in (api.get("counters/40000001/orders/D-1/"), api.post("counters/40000001/orders/", again)):
        assert (answer.status, answer.body["code"], answer.codes) == (503, "unreadable_secret", {"unreadable_secret"})
        assert "ENCRYPTION_KEYS" in answer.body["next_step"]
    stream = api("POST", "counters/40000001/orders/", raw=json.dumps(again).encode(), content_type=NDJSON)
    last = json.loads(stream.body.splitlines()[-1])
    assert (last["complete"], last["error"]["code"]) == (False, "unreadable_secret")
