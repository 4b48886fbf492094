"""R6 for every call: what is known when it was refused, cut or answered with nonsense."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from apps.metrica.client import Attribute, GoalDraft, MetricaClient, OrderStatus, Product
from apps.metrica.errors import (
    AccessDenied,
    InvalidRequest,
    MetricaError,
    NoAnswer,
    NotSent,
    ServerError,
    UnknownOutcome,
)
from apps.metrica.vocabulary import EntityType
from tests.metrica.asking import CSV, JSON
from tests.metrica.servers import ScriptedServer, Talk, answering, envelope
from tests.metrica.test_client import client_for
from tests.metrica.test_client_management import a_report

CHANGES: dict[str, Callable[[MetricaClient], Any]] = {
    "map_order_statuses": lambda client: client.map_order_statuses(7, [OrderStatus("a", "PAID")]),
    "create_attributes": lambda client: client.create_attributes(
        7, entity_type=EntityType.CONTACT, attributes=[Attribute("a")]
    ),
    "upload_products": lambda client: client.upload_products(7, [Product("a")]),
    "set_counter_flags": lambda client: client.set_counter_flags(7, collect_first_party_data=True),
    "create_goal": lambda client: client.create_goal(7, GoalDraft("a", "a")),
    "edit_goal": lambda client: client.edit_goal(7, 1, GoalDraft("a", "a")),
    "delete_goal": lambda client: client.delete_goal(7, 1),
}
QUESTIONS: dict[str, Callable[[MetricaClient], Any]] = {
    "order_statuses": lambda client: client.order_statuses(7),
    "attributes": lambda client: client.attributes(7, entity_type=EntityType.ORDER),
    "types": lambda client: client.types(7),
    "predefined_types": lambda client: client.predefined_types(7),
    "goal": lambda client: client.goal(7, 1),
    "grants": lambda client: client.grants(7),
    "my_grant": lambda client: client.my_grant(7),
    "report": a_report,
}
UPLOADS: dict[str, Callable[[MetricaClient], Any]] = {
    "upload_contacts": lambda client: client.upload_contacts(7, io.BytesIO(CSV)),
    "upload_contacts_json": lambda client: client.upload_contacts_json(7, io.BytesIO(JSON)),
    "upload_orders": lambda client: client.upload_orders(7, io.BytesIO(CSV)),
    "upload_orders_json": lambda client: client.upload_orders_json(7, io.BytesIO(JSON)),
}
WRITES = {**CHANGES, **UPLOADS}


def error_of(server: ScriptedServer, call: Callable[[MetricaClient], Any]) -> MetricaError:
    with client_for(server) as client, pytest.raises(MetricaError) as caught:
        call(client)
    return caught.value


def cut(talk: Talk) -> None:
    talk.read_request()


@pytest.mark.parametrize("name", WRITES)
def test_a_write_whose_answer_is_lost_is_of_unknown_outcome(name: str) -> None:
    code = "unknown_change" if name in CHANGES else "unknown_outcome"
    with ScriptedServer(cut) as server:
        error = error_of(server, WRITES[name])
    assert (type(error), error.code) == (UnknownOutcome, code)
    for status, body in [(502, b"<h1>proxy</h1>"), (504, envelope("timeout", code=504)), (500, b"")]:
        with answering(status, body) as server:
            error = error_of(server, WRITES[name])
        assert (type(error), error.code) == (UnknownOutcome, code), status


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("body", [b"", b"{", [], {}, {"success": None}, {"goal": 1}, {"uploading": {}}])
def test_a_write_whose_answer_is_of_another_shape_is_of_unknown_outcome(name: str, body: object) -> None:
    with answering(200, body) as server:
        assert type(error_of(server, WRITES[name])) is UnknownOutcome


@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_metrica_refuses_did_not_happen(name: str) -> None:
    with answering(403, envelope("access_denied", code=403)) as server:
        assert type(error_of(server, WRITES[name])) is AccessDenied
    with answering(503, envelope("backend_error", code=503)) as server:
        assert type(error_of(server, WRITES[name])) is ServerError


@pytest.mark.parametrize("name", CHANGES)
def test_a_place_in_the_body_of_a_change_is_no_bad_row_of_a_file(name: str) -> None:
    with answering(400, envelope("invalid_parameter", location="order_statuses[0].id")) as server:
        error = error_of(server, CHANGES[name])
    assert (type(error), error.location) == (InvalidRequest, "order_statuses[0].id")


@pytest.mark.parametrize("name", {**WRITES, **QUESTIONS})
def test_without_a_connection_nothing_was_sent(name: str) -> None:
    with (
        MetricaClient(base_url="http://127.0.0.1:9", token="y0_t", timeout=2) as client,
        pytest.raises(NotSent),
    ):
        {**WRITES, **QUESTIONS}[name](client)


@pytest.mark.parametrize("name", ["map_order_statuses", "create_attributes", "upload_products", "delete_goal"])
def test_success_false_is_a_refusal(name: str) -> None:
    with answering(200, {"success": False}) as server:
        assert type(error_of(server, CHANGES[name])) is InvalidRequest


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        [],
        {},
        {"order_statuses": [{"type": "PAID"}], "types": [1], "goal": {}, "grants": {}, "grant": []},
        {"system_attributes": [{"humanized": "nameless"}], "custom_attributes": []},
        {"data": [{"dimensions": [], "metrics": [1, 2]}], "totals": [1, 2]},
        {"data": [{"dimensions": [{}, {}], "metrics": [1]}], "totals": [1, 2]},
        {"data": [], "totals": [1]},
    ],
)
def test_an_answer_of_another_shape_is_no_answer(name: str, body: object) -> None:
    with answering(200, body) as server:
        assert type(error_of(server, QUESTIONS[name])) is NoAnswer


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_can_be_asked_again(name: str) -> None:
    with ScriptedServer(cut) as server:
        assert type(error_of(server, QUESTIONS[name])) is NoAnswer
