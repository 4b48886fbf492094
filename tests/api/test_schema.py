"""The OpenAPI description: complete, with examples that hold, and pages that load nothing from elsewhere."""

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import jsonschema
import pytest
from django.contrib.staticfiles import finders
from drf_spectacular.drainage import GENERATOR_STATS

from apps.api import urls

WHEN = (datetime.now(UTC) - timedelta(days=3)).isoformat()


@pytest.fixture
def schema(api):
    GENERATOR_STATS.reset()
    answer = api.get("schema/?format=json", authorization="")
    assert answer.status == 200
    return answer.body if isinstance(answer.body, dict) else json.loads(answer.body)


def draft(schema):
    """OpenAPI 3.0 as JSON Schema: `nullable` becomes a type."""
    if isinstance(schema, list):
        return [draft(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: draft(value) for key, value in schema.items() if key not in ("nullable", "example")}
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") else made


def shape(result):
    """A row's result without what is different every time."""
    return {**result, "change": result.get("change") and "some"}


def answer_schema(schema, path, method, status, kind="application/json"):
    return draft(schema["paths"][path][method]["responses"][str(status)]["content"][kind]["schema"])


def test_every_address_is_described_without_a_complaint(schema):
    described = {re.sub(r"\{\w+\}", "{}", path.removeprefix("/api/v1/")) for path in schema["paths"]}
    routes = {
        re.sub(r"<[^>]+>", "{}", str(pattern.pattern))
        for pattern in urls.urlpatterns
        if "^" not in str(pattern.pattern)
    }
    assert described == routes - {"docs/"} - {"schema/"}
    assert not GENERATOR_STATS._warn_cache and not GENERATOR_STATS._error_cache


def test_each_operation_says_what_it_takes_and_gives(schema):
    assert schema["openapi"].startswith("3.")
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"] and operation["tags"], (path, method)
            assert operation["security"] == [{"ApiKey": []}], (path, method)
            assert {"401", "403"} <= set(operation["responses"]), (path, method)
            problem = operation["responses"]["401"]["content"]
            assert list(problem) == ["application/problem+json"]
    ids = [operation["operationId"] for operations in schema["paths"].values() for operation in operations.values()]
    assert len(ids) == len(set(ids))


def test_answers_are_as_described(api, counter, schema):
    orders = "/api/v1/counters/{metrica_id}/orders/"
    content = schema["paths"][orders]["post"]["requestBody"]["content"]["application/json"]
    body = [example["value"] for example in content["examples"].values()]
    for example in body:
        text = json.dumps(example, ensure_ascii=False).replace("2026-11-04T14:05:00+03:00", WHEN)
        jsonschema.validate(json.loads(text), draft(content["schema"]))
        answer = api("POST", "counters/40000001/orders/", raw=text.encode())
        assert answer.status == 200
        jsonschema.validate(answer.body, answer_schema(schema, orders, "post", 200))
    told = schema["paths"][orders]["post"]["responses"]["200"]["content"]["application/json"]["examples"]
    [promised] = [example["value"] for example in told.values()]
    assert [shape(row) for row in answer.body["results"][1:]] == [shape(row) for row in promised["results"][1:]]
    for path, address in (
        ("/api/v1/counters/", "counters/"),
        ("/api/v1/counters/{metrica_id}/", "counters/40000001/"),
        ("/api/v1/counters/{metrica_id}/statuses/", "counters/40000001/statuses/"),
        (orders, "counters/40000001/orders/"),
        (orders + "{order_id}/", "counters/40000001/orders/D-1001/"),
        ("/api/v1/counters/{metrica_id}/uploads/", "counters/40000001/uploads/"),
        ("/api/v1/holds/", "holds/"),
    ):
        answer = api.get(address)
        assert answer.status == 200
        jsonschema.validate(answer.body, answer_schema(schema, path, "get", 200))
    job = api.post("counters/40000001/uploads/").body
    jsonschema.validate(job, answer_schema(schema, "/api/v1/uploads/{id}/", "get", 200))
    problem = api.get("counters/7/").body
    described = answer_schema(schema, "/api/v1/counters/{metrica_id}/", "get", 404, "application/problem+json")
    jsonschema.validate(problem, described)


def test_the_examples_of_the_mapping_and_of_a_status_hold(api, counter, schema):
    def examples(path, method):
        content = schema["paths"][path][method]["requestBody"]["content"]["application/json"]
        return [example["value"] for example in content["examples"].values()]

    base = "/api/v1/counters/{metrica_id}/"
    [mapping] = examples(base + "statuses/", "put")
    assert api.put("counters/40000001/statuses/", mapping).status == 200
    [status] = examples(base + "statuses/{crm_status}/", "put")
    assert api.put("counters/40000001/statuses/another/", status).status == 201
    api.post("counters/40000001/orders/", {"id": "1", "create_date_time": WHEN, "order_status": "SPAM"})
    [change] = examples(base + "orders/{order_id}/statuses/", "post")
    assert api.post("counters/40000001/orders/1/statuses/", change).status == 200


def test_the_page_loads_nothing_from_elsewhere(client, db):
    answer = client.get("/api/v1/docs/")
    assert answer.status_code == 200
    html = answer.content.decode()
    assert not re.search(r"""(src|href)=["'](https?:)?//""", html)
    files = re.findall(r"""(?:src|href)=["']/static/([^"'?]+)""", html)
    assert len(files) >= 3 and all(finders.find(file) for file in files)
    [script] = re.findall(r"""<script src=["'](/api/[^"']+)""", html)
    assert "/api/v1/schema/" in client.get(unescape(script)).content.decode()
    assert client.get("/api/v1/schema/").status_code == 200


def test_it_is_written_once_for_each_format(client, db):
    def read(**headers):
        answer = client.get("/api/v1/schema/", headers=headers)
        assert answer.status_code == 200
        return answer.headers["Content-Type"].split(";")[0], answer.content

    kind, yaml = read(accept="application/vnd.oai.openapi")
    other_kind, as_json = read(accept="application/json")
    assert (kind, other_kind) == ("application/vnd.oai.openapi", "application/json")
    assert read(accept="application/vnd.oai.openapi") == (kind, yaml)
    assert read(accept="application/json") == (other_kind, as_json)
    assert json.loads(as_json)["openapi"].startswith("3.")
