"""The calls of the detailed mode, of the schema, of counters, goals, grants and reports: what goes over the wire, what
comes back (pages: uploadContacts, uploadOrders, mapOrderStatuses, createAttributes, createProducts, addGoal, editGoal,
deleteGoal, grants, mygrant, manage-protocol, stat/data).
"""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

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
    UploadRefused,
)
from apps.metrica.vocabulary import AttributeType, Delimiter, EntityType, MergeMode, OrderType
from tests.metrica.servers import FAILED, PASSED, ScriptedServer, Seen, Talk, answering, envelope
from tests.metrica.test_client import client_for, parts_of

CSV = b"uniq_id,emails\r\nC-1,a@b.ru\r\n"
JSON = b'{"contacts": [{"uniq_id": "C-1"}]}'
SUCCESS = {"success": True}
GOAL = {
    "id": 300000001,
    "name": "Good lead",
    "type": "action",
    "conditions": [{"type": "exact", "url": "good_lead"}],
    "default_price": 12.5,
    "is_favorite": 1,
    "goal_source": "user",
    "status": "Active",
    "flag": "basket",
}


def address(seen: Seen) -> tuple[str, str, dict[str, list[str]]]:
    """Method, path and parameters of a request."""
    method, target, _version = seen.line.split()
    path, _, query = target.partition("?")
    return method, path, parse_qs(query, keep_blank_values=True)


def asked(body: object, call: Callable[[MetricaClient], Any]) -> tuple[Any, Seen]:
    """What `call` makes of this answer, and the request as it arrived."""
    with answering(200, body) as server, client_for(server) as client:
        result = call(client)
    (seen,) = server.seen
    return result, seen


def sent_json(seen: Seen) -> Any:
    assert seen.headers["content-type"] == "application/json"
    assert int(seen.headers["content-length"]) == len(seen.body)
    assert "transfer-encoding" not in seen.headers
    return json.loads(seen.body, parse_float=Decimal)


@pytest.mark.parametrize("what", ["contacts", "orders"])
def test_csv_files(what: str) -> None:
    uploading, seen = asked(
        PASSED,
        lambda client: getattr(client, f"upload_{what}")(
            40000001,
            io.BytesIO(CSV),
            merge_mode=MergeMode.APPEND,
            delimiter=Delimiter.SEMICOLON,
            columns_mapping={"uniq_id": "Client No", "name": "Имя & фамилия"},
        ),
    )
    assert address(seen) == (
        "POST",
        f"/cdp/api/v1/counter/40000001/data/{what}/csv",
        {
            "merge_mode": ["APPEND"],
            "delimiter_type": ["SEMICOLON"],
            "columns_mapping": ['"uniq_id":"Client No","name":"Имя & фамилия"'],
        },
    )
    (part,) = parts_of(seen.headers, seen.body)
    assert part.get_param("name", header="content-disposition") == "file"
    assert (part.get_filename(), part.get_content_type()) == (f"{what}.csv", "text/csv")
    assert part.get_payload(decode=True) == CSV
    assert uploading.passed


@pytest.mark.parametrize("what", ["contacts", "orders"])
def test_csv_files_without_a_mapping(what: str) -> None:
    _, seen = asked(PASSED, lambda client: getattr(client, f"upload_{what}")(1, io.BytesIO(CSV)))
    assert address(seen)[2] == {"merge_mode": ["SAVE"], "delimiter_type": ["COMMA"]}


@pytest.mark.parametrize("what", ["contacts", "orders"])
def test_json_files(what: str) -> None:
    file = io.BytesIO(b"skipped" + JSON)
    file.seek(7)
    uploading, seen = asked(
        PASSED,
        lambda client: getattr(client, f"upload_{what}_json")(40000001, file, merge_mode=MergeMode.UPDATE),
    )
    assert address(seen) == (
        "POST",
        f"/cdp/api/v1/counter/40000001/data/{what}/json",
        {"merge_mode": ["UPDATE"]},
    )
    assert seen.body == JSON
    assert sent_json(seen) == json.loads(JSON)
    assert uploading.passed


@pytest.mark.parametrize("call", ["upload_contacts", "upload_contacts_json", "upload_orders", "upload_orders_json"])
def test_failed_is_a_refused_file(call: str) -> None:
    with answering(200, FAILED) as server, client_for(server) as client, pytest.raises(UploadRefused):
        getattr(client, call)(1, io.BytesIO(JSON))


@pytest.mark.parametrize("mapping", [{"": "x"}, {"uniq_id": 'a"b'}, {'"': "x"}])
def test_a_mapping_that_no_parameter_can_hold(mapping: dict[str, str]) -> None:
    with answering(200, PASSED) as server, client_for(server) as client, pytest.raises(ValueError, match="mapping"):
        client.upload_contacts(1, io.BytesIO(CSV), columns_mapping=mapping)
    assert server.connections == 0


def test_order_statuses() -> None:
    body = {
        "order_statuses": [
            {
                "id": "meeting",
                "humanized": "Meeting",
                "type": "OTHER",
                "goal_action_ids": ["meeting_done", "all"],
                "order_status_source": "API",
                "new_field": 1,
            },
            {"id": "won", "type": "SOMETHING_NEW", "goal_action_ids": "bare_text"},
            {"id": "lead", "humanized": None, "type": "IN_PROGRESS", "goal_action_ids": None},
        ]
    }
    (meeting, won, lead), seen = asked(body, lambda client: client.order_statuses(40000001))
    assert address(seen) == ("GET", "/cdp/api/v1/counter/40000001/schema/order_statuses", {})
    assert meeting == OrderStatus("meeting", OrderType.OTHER, "Meeting", ("meeting_done", "all"))
    assert (meeting.order_type, meeting.source, meeting.raw["new_field"]) == (OrderType.OTHER, "API", 1)
    assert (won.type, won.order_type, won.goal_action_ids) == ("SOMETHING_NEW", None, ("bare_text",))
    assert (lead.humanized, lead.goal_action_ids) == ("", ())


def test_map_order_statuses() -> None:
    statuses = [
        OrderStatus("lead_new", OrderType.IN_PROGRESS, "Новый лид"),
        OrderStatus("meeting", OrderType.OTHER, "Meeting", ("meeting_done",)),
    ]
    result, seen = asked(SUCCESS, lambda client: client.map_order_statuses(40000001, statuses))
    assert result is None
    assert address(seen) == ("POST", "/cdp/api/v1/counter/40000001/schema/order_statuses", {})
    assert sent_json(seen) == {
        "order_statuses": [
            {"id": "lead_new", "humanized": "Новый лид", "type": "IN_PROGRESS", "goal_action_ids": []},
            {"id": "meeting", "humanized": "Meeting", "type": "OTHER", "goal_action_ids": ["meeting_done"]},
        ]
    }


def test_attributes() -> None:
    body = {
        "system_attributes": [{"name": "name", "multivalued": False, "type_name": "text", "type_group": "PREDEFINED"}],
        "custom_attributes": [
            {"name": "tags", "multivalued": 1, "humanized": "Tags", "type_name": "numeric", "type_humanized": "Number"}
        ],
    }
    lists, seen = asked(body, lambda client: client.attributes(7, entity_type=EntityType.CONTACT))
    assert address(seen) == ("GET", "/cdp/api/v1/counter/7/schema/attributes", {"entity_type": ["CONTACT"]})
    assert lists.system == [Attribute("name", type_name="text", type_group="PREDEFINED")]
    assert lists.custom == [Attribute("tags", multivalued=True, humanized="Tags", type_name=AttributeType.NUMERIC)]
    assert lists.custom[0].type_humanized == "Number"


def test_create_attributes() -> None:
    attributes = [
        Attribute("age", humanized="Age", type_name=AttributeType.NUMERIC),
        Attribute("tags", multivalued=True, type_group="PREDEFINED"),
    ]
    _, seen = asked(
        SUCCESS, lambda client: client.create_attributes(7, entity_type=EntityType.ORDER, attributes=attributes)
    )
    assert address(seen) == ("POST", "/cdp/api/v1/counter/7/schema/attributes", {"entity_type": ["ORDER"]})
    assert sent_json(seen) == {
        "attributes": [
            {"name": "age", "multivalued": False, "type_name": "numeric", "humanized": "Age"},
            {"name": "tags", "multivalued": True, "type_name": "text", "type_group": "PREDEFINED"},
        ]
    }


def test_products() -> None:
    products = [Product("sku-1", "Кружка"), Product("sku-2")]
    _, seen = asked(SUCCESS, lambda client: client.upload_products(7, products))
    assert address(seen) == ("POST", "/cdp/api/v1/counter/7/schema/products", {})
    assert sent_json(seen) == {
        "attributes": [],
        "items": [{"name": "sku-1", "humanized": "Кружка"}, {"name": "sku-2", "humanized": ""}],
    }


def test_all_products_that_metrica_takes_go_at_once_and_not_one_more() -> None:
    _, seen = asked(SUCCESS, lambda client: client.upload_products(7, [Product(f"sku-{n}") for n in range(160_000)]))
    assert len(sent_json(seen)["items"]) == 160_000
    with answering(200, SUCCESS) as server, client_for(server) as client, pytest.raises(ValueError, match="160000"):
        client.upload_products(7, [Product("x")] * 160_001)
    assert server.connections == 0


@pytest.mark.parametrize("what", ["types", "predefined_types"])
def test_types(what: str) -> None:
    body = {"types": [{"humanized": "Number"}, {"name": "text", "group": "PREDEFINED", "humanized": "Text"}]}
    (short, full), seen = asked(body, lambda client: getattr(client, what)(7))
    assert address(seen) == ("GET", f"/cdp/api/v1/counter/7/schema/{what}", {})
    assert (short.name, short.group, short.humanized) == ("", "", "Number")
    assert (full.name, full.group, full.humanized) == ("text", "PREDEFINED", "Text")


def test_flags_and_goals_come_with_a_counter() -> None:
    flags = {"counter_id": 7, "collect_first_party_data": 1, "use_in_benchmarks": False, "incognito": "none", "new": 5}
    counter = {"id": 7, "code_status": "CS_OK", "counter_flags": flags, "goals": [GOAL]}
    info, seen = asked({"counter": counter}, lambda client: client.counter(7, field=("counter_flags", "goals")))
    assert address(seen)[2] == {"field": ["counter_flags,goals"]}
    assert info.collect_first_party_data is True
    assert info.flags is not None
    assert (info.flags.use_in_benchmarks, info.flags.measurement_enabled, info.flags.incognito) == (False, None, "none")
    assert info.flags.raw["new"] == 5
    assert info.code_status == "CS_OK"
    assert [goal.identifier for goal in info.goals or ()] == ["good_lead"]


def test_a_counter_without_those_blocks_says_nothing_of_them() -> None:
    info, _ = asked({"counter": {"id": 7}}, lambda client: client.counter(7))
    assert (info.flags, info.collect_first_party_data, info.goals) == (None, None, None)


def test_set_counter_flags() -> None:
    answer = {"counter": {"id": 7, "counter_flags": {"collect_first_party_data": True}}}
    info, seen = asked(answer, lambda client: client.set_counter_flags(7, collect_first_party_data=True))
    assert address(seen) == ("PUT", "/management/v1/counter/7", {"field": ["counter_flags"]})
    assert sent_json(seen) == {"counter": {"counter_flags": {"collect_first_party_data": True}}}
    assert info.collect_first_party_data is True
    with pytest.raises(ValueError, match="flag"):
        MetricaClient(base_url="http://127.0.0.1:9", token="y0_t").set_counter_flags(7)


def test_one_goal() -> None:
    goal, seen = asked({"goal": GOAL}, lambda client: client.goal(7, 300000001))
    assert address(seen) == ("GET", "/management/v1/counter/7/goal/300000001", {})
    assert (goal.identifier, goal.source, goal.status) == ("good_lead", "user", "Active")


def test_create_goal() -> None:
    draft = GoalDraft("Good lead", "good_lead", default_price=Decimal("12.50"), is_favorite=True)
    goal, seen = asked({"goal": GOAL}, lambda client: client.create_goal(7, draft))
    assert address(seen) == ("POST", "/management/v1/counter/7/goals", {})
    assert b'"default_price": 12.50' in seen.body
    assert sent_json(seen) == {
        "goal": {
            "name": "Good lead",
            "type": "action",
            "conditions": [{"type": "exact", "url": "good_lead"}],
            "is_favorite": True,
            "default_price": Decimal("12.50"),
        }
    }
    assert goal.id == 300000001


def test_editing_a_goal_keeps_what_is_not_known_here() -> None:
    goal, _ = asked({"goal": GOAL}, lambda client: client.goal(7, 300000001))
    draft = replace(GoalDraft.of(goal), name="Better lead", default_price=None)
    _, seen = asked({"goal": GOAL}, lambda client: client.edit_goal(7, goal.id, draft))
    assert address(seen) == ("PUT", "/management/v1/counter/7/goal/300000001", {})
    assert sent_json(seen) == {
        "goal": {
            **{name: value for name, value in GOAL.items() if name != "default_price"},
            "name": "Better lead",
            "is_favorite": True,
        }
    }
    _, seen = asked({"goal": GOAL}, lambda client: client.create_goal(7, draft))
    assert "id" not in sent_json(seen)["goal"], "a copy is a goal of its own"


def test_a_goal_of_another_kind_is_not_edited() -> None:
    answer = {"goal": {"id": 1, "name": "CRM: Order created", "type": "cdp_order_in_progress"}}
    goal, _ = asked(answer, lambda client: client.goal(7, 1))
    with pytest.raises(ValueError, match="JavaScript"):
        GoalDraft.of(goal)


def test_delete_goal() -> None:
    result, seen = asked(SUCCESS, lambda client: client.delete_goal(7, 300000001))
    assert result is None
    assert address(seen) == ("DELETE", "/management/v1/counter/7/goal/300000001", {})
    assert seen.body == b""


def test_grants() -> None:
    grant = {
        "user_login": "north",
        "perm": "edit",
        "created_at": "2026-01-02T03:04:05+03:00",
        "comment": "c",
        "partner_data_access": 1,
    }
    (edit, public), seen = asked(
        {"grants": [grant, {"user_login": "", "perm": "public_stat"}]}, lambda client: client.grants(7)
    )
    assert address(seen) == ("GET", "/management/v1/counter/7/grants", {})
    assert (edit.user_login, edit.perm, edit.comment, edit.partner_data_access) == ("north", "edit", "c", True)
    assert (edit.created_at, public.created_at, public.perm) == ("2026-01-02T03:04:05+03:00", "", "public_stat")
    mine, seen = asked({"grant": grant}, lambda client: client.my_grant(7))
    assert address(seen) == ("GET", "/management/v1/counter/7/my_grant", {})
    assert mine == edit


REPORT = {
    "query": {"ids": [7]},
    "data": [
        {"dimensions": [{"name": "2026-03-04"}, {"name": "Ad", "id": "ad"}], "metrics": [3.0, 43089.54]},
        {"dimensions": [{"name": None}, {"name": "Direct", "id": 5}], "metrics": [None, 0]},
    ],
    "total_rows": 25,
    "sampled": True,
    "totals": [3.0, 43089.54],
}


def a_report(client: MetricaClient, **changes: Any) -> Any:
    return client.report(
        **{
            "ids": [7, 8],
            "metrics": ["ym:s:cdpOrdersPayed", "ym:s:cdpOrdersRUBRevenue"],
            "dimensions": ["ym:s:date", "ym:s:source"],
            "date1": date(2026, 3, 1),
            "date2": date(2026, 3, 31),
            **changes,
        }
    )


def test_report() -> None:
    report, seen = asked(REPORT, lambda client: a_report(client, filters="ym:s:x=='y'", limit=50, accuracy="0.1"))
    assert address(seen) == (
        "GET",
        "/stat/v1/data",
        {
            "ids": ["7,8"],
            "metrics": ["ym:s:cdpOrdersPayed,ym:s:cdpOrdersRUBRevenue"],
            "dimensions": ["ym:s:date,ym:s:source"],
            "date1": ["2026-03-01"],
            "date2": ["2026-03-31"],
            "filters": ["ym:s:x=='y'"],
            "limit": ["50"],
            "accuracy": ["0.1"],
        },
    )
    day, other = report.rows
    assert [(dimension.name, dimension.id) for dimension in day.dimensions] == [("2026-03-04", ""), ("Ad", "ad")]
    assert [(dimension.name, dimension.id) for dimension in other.dimensions] == [("", ""), ("Direct", "5")]
    assert (day.metrics, other.metrics) == ((Decimal(3), Decimal("43089.54")), (None, Decimal(0)))
    assert (report.total_rows, report.sampled, report.totals) == (25, True, (Decimal(3), Decimal("43089.54")))
    assert report.raw["query"] == {"ids": [7]}


def test_a_report_without_rows() -> None:
    body = {"data": [], "total_rows": 0, "totals": [0, 0]}
    report, seen = asked(body, lambda client: a_report(client, dimensions=()))
    assert (report.rows, report.sampled) == ([], False)
    assert "dimensions" not in address(seen)[2]
    assert "filters" not in address(seen)[2]
    assert address(seen)[2]["accuracy"] == ["full"]


@pytest.mark.parametrize(
    "changes",
    [
        {"ids": []},
        {"ids": range(501)},
        {"metrics": []},
        {"metrics": ["m"] * 21},
        {"dimensions": ["d"] * 11},
        {"limit": 0},
        {"limit": 100_001},
    ],
)
def test_a_report_beyond_the_documented_limits(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="report"):
        a_report(MetricaClient(base_url="http://127.0.0.1:9", token="y0_t"), **changes)


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
