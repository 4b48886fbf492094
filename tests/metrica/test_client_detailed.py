"""Files of the detailed format and a counter's schema: what goes over the wire, what comes back (pages: uploadContacts,
uploadOrders, mapOrderStatuses, createAttributes, createProducts, getTypes).
"""

import io
import json

import pytest

from apps.metrica.client import Attribute, OrderStatus, Product
from apps.metrica.errors import (
    UploadRefused,
)
from apps.metrica.vocabulary import AttributeType, Delimiter, EntityType, MergeMode, OrderType
from tests.metrica.asking import CSV, JSON, SUCCESS, address, asked, sent_json
from tests.metrica.servers import FAILED, PASSED, answering
from tests.metrica.test_client import client_for, parts_of


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
