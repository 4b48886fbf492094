"""Every example of the description holds: requests are sent to a live server, answers are held against their schema."""

import json
from datetime import timedelta
from urllib.parse import quote

import httpx
import jsonschema
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from tests.api.test_schema import draft
from tests.api.world import make_world

WRITTEN_ON = "2026-11-04"
"""The day of the examples: it may lie ahead of whoever runs this."""

SCHEMA = json.loads(json.dumps(SchemaGenerator(api_version="v1").get_schema(public=True), default=str))
OPERATIONS = [
    (operation["operationId"], method, path, operation)
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
]


def examples(content):
    """(kind of content, its schema, name, value) of each example."""
    for kind, described in content.items():
        for name, example in described.get("examples", {}).items():
            yield kind, described["schema"], name, example["value"]


def recent(value):
    day = f"{timezone.now() - timedelta(days=3):%Y-%m-%d}"
    return json.loads(json.dumps(value, ensure_ascii=False).replace(WRITTEN_ON, day))


def resolved(schema):
    return draft({**schema, "components": SCHEMA["components"]})


@pytest.mark.parametrize(("name", "method", "path", "operation"), OPERATIONS, ids=[one[0] for one in OPERATIONS])
def test_each_operation_tells_all_and_its_examples_of_answers_fit(name, method, path, operation):
    assert len(operation["description"]) > 30 and operation["description"] != operation["summary"], path
    for status, answer in operation["responses"].items():
        assert "X-Request-ID" in answer["headers"], status
        content = answer.get("content", {})
        if status in ("204", "304"):
            assert not content
            continue
        shown = list(examples(content))
        assert shown, f"{name}: no example of an answer {status}"
        for kind, schema, title, value in shown:
            jsonschema.validate(value, resolved(schema))
            if kind == "application/problem+json":
                assert value["status"] == int(status), title
    if "requestBody" in operation:
        assert list(examples(operation["requestBody"]["content"])), f"{name}: no example of a request"
        assert {"400", "411", "413", "415"} <= set(operation["responses"]), name
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", [])):
        assert "400" in operation["responses"], name
    if "{" in path:
        assert "404" in operation["responses"], name


@pytest.mark.django_db(transaction=True)
def test_each_example_of_a_request_is_taken_and_answered_as_described(live_server):
    world = make_world(live_server.url)
    sent = set()
    with httpx.Client(base_url=live_server.url, headers={"Authorization": f"Bearer {world.key}"}, timeout=60) as http:
        for name, method, path, operation in OPERATIONS:
            address = path
            for part, value in world.of_operation(name).items():
                address = address.replace(f"{{{part}}}", quote(str(value), safe=""))
            bodies = list(examples(operation.get("requestBody", {}).get("content", {})))
            if method == "delete":
                continue  # at the end, so that the others have something to speak of
            for kind, schema, title, value in bodies or [("", {}, "", None)]:
                value = recent(value)
                answer = http.request(method, address, **_as_sent(kind, value))
                assert answer.is_success, (name, title, answer.text)
                if kind == "application/json":
                    jsonschema.validate(value, resolved(schema))
                _check(operation, answer)
                sent.add(name)
        for name, method, path, _operation in OPERATIONS:
            if method == "delete":
                address = path
                for part, value in world.of_operation(name).items():
                    address = address.replace(f"{{{part}}}", quote(str(value), safe=""))
                answer = http.delete(address)
                assert answer.status_code == 204, (name, answer.text)
                sent.add(name)
        for headers, status in (({"Authorization": "Bearer gp_none"}, 401), ({}, 404)):
            answer = http.get("/api/v1/counters/7/", headers=headers)
            assert answer.status_code == status
            _check(SCHEMA["paths"]["/api/v1/counters/{metrica_id}/"]["get"], answer)
    assert sent == {name for name, *_rest in OPERATIONS}


def _as_sent(kind, value):
    if kind == "multipart/form-data":
        file = SimpleUploadedFile("orders.csv", value.pop("file").encode())
        return {"files": {"file": (file.name, file.read(), "text/csv")}, "data": value}
    return {} if value is None else {"json": value}


def _check(operation, answer):
    """The answer is one of those that are described."""
    described = operation["responses"][str(answer.status_code)]
    kind = answer.headers["Content-Type"].partition(";")[0]
    schema = described["content"][kind]["schema"]
    value = answer.json() if kind.endswith("json") else answer.text
    jsonschema.validate(value, resolved(schema))
    assert answer.headers["X-Request-ID"]
    for header, about in described["headers"].items():
        assert header in answer.headers or not about.get("required"), header
