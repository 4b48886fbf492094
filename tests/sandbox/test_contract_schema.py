"""`/schema/…` over real HTTP. Each line of a table: the fact of the contract, the call, what must come of it."""

from typing import Any

import pytest

from apps.sandbox import services
from apps.sandbox.models import Permission, SandboxAttribute, SandboxProduct, SandboxStatus, SandboxUploading
from tests.sandbox.conftest import NUMBER, Api, error_of

LONGEST = "x" * 255


def status(**fields: Any) -> dict[str, Any]:
    return {"order_statuses": [{"id": "won", "type": "PAID", **fields}]}


def attribute(**fields: Any) -> dict[str, Any]:
    return {"attributes": [{"name": "age", "multivalued": False, "type_name": "numeric", **fields}]}


def products(*items: Any, **fields: Any) -> dict[str, Any]:
    return {"attributes": [], "items": list(items), **fields}


GOOD = [
    ("2.6 the published sample: three statuses, one with a goal",
     "order_statuses", {"order_statuses": [
         {"id": "lead_new", "humanized": "New lead", "type": "IN_PROGRESS"},
         {"id": "meeting", "humanized": "Meeting", "type": "OTHER", "goal_action_ids": ["meeting_done"]},
         {"id": "won", "humanized": "Won", "type": "PAID"}]}),
    ("2.6 id and type are all that is required", "order_statuses", status()),
    ("2.6 id: at most 255 characters", "order_statuses", status(id=LONGEST)),
    ("2.6 id: letters, digits, underscore, hyphen, colon", "order_statuses", status(id="Won_1:a-b")),
    ("2.6 humanized: any text up to 4096", "order_statuses", status(humanized="Я" * 4096)),
    ("2.6 goal_action_ids: up to 10", "order_statuses", status(goal_action_ids=[f"g{n}" for n in range(10)])),
    ("2.6 goal_action_ids: none", "order_statuses", status(goal_action_ids=[])),
    ("2.6 the samples pass one text instead of a list", "order_statuses", status(goal_action_ids="meeting_done")),
    ("2.6 type OTHER", "order_statuses", status(type="OTHER")),
    ("3.3 the article maps a status that is called like a default one",
     "order_statuses", status(id="CANCELLED", type="CANCELLED", humanized="Отмена записи")),
    ("2.7 entity_type in upper case", "attributes?entity_type=CONTACT", attribute()),
    ("2.7 the guide writes entity_type in lower case", "attributes?entity_type=contact", attribute()),
    ("2.7 orders have attributes", "attributes?entity_type=ORDER", attribute(type_name="date")),
    ("2.7 companies have attributes", "attributes?entity_type=COMPANY", attribute(type_name="datetime")),
    ("2.7 simple orders have attributes", "attributes?entity_type=SIMPLE_ORDER", attribute(type_name="email")),
    ("2.7 name: at most 255 characters", "attributes?entity_type=CONTACT", attribute(name=LONGEST)),
    ("2.7 type_group can be derived from type_name", "attributes?entity_type=CONTACT", attribute(type_name="text")),
    ("2.7 type_group is matched whatever its case", "attributes?entity_type=CONTACT",
     attribute(type_group="predefined")),
    ("2.7 products are a SYSTEM_LIST", "attributes?entity_type=ORDER",
     attribute(type_name="product", type_group="SYSTEM_LIST", multivalued=True)),
    ("2.7 type_name may be the name of a list", "attributes?entity_type=CONTACT",
     attribute(type_name="regions", type_group="CUSTOM_LIST")),
    ("2.8 the published sample: attributes empty", "products", products({"name": "sku-1", "humanized": "Mug"})),
    ("2.8 items: none", "products", products()),
    ("2.8 name: at most 255 characters", "products", products({"name": LONGEST})),
    ("2.8 humanized: up to 4096", "products", products({"name": "sku-1", "humanized": "Я" * 4096})),
]  # fmt: skip

BAD = [
    ("1.7 a body that is no JSON", "order_statuses", "{", 400, "invalid_json", None),
    ("1.7 a body that is no object", "order_statuses", "[]", 400, "invalid_json", None),
    ("2.6 order_statuses is required", "order_statuses", {}, 400, "missing_parameter", "order_statuses"),
    ("2.6 order_statuses is a list", "order_statuses", {"order_statuses": {}}, 400, "invalid_parameter",
     "order_statuses"),
    ("2.6 of objects", "order_statuses", {"order_statuses": ["won"]}, 400, "invalid_parameter", "order_statuses[0]"),
    ("2.6 id is required", "order_statuses", {"order_statuses": [{"type": "PAID"}]},
     400, "missing_parameter", "order_statuses[0].id"),
    ("2.6 id is a text", "order_statuses", status(id=5), 400, "invalid_parameter", "order_statuses[0].id"),
    ("2.6 id: at least one character", "order_statuses", status(id=""), 400, "invalid_parameter",
     "order_statuses[0].id"),
    ("2.6 id: at most 255 characters", "order_statuses", status(id=LONGEST + "x"),
     400, "invalid_parameter", "order_statuses[0].id"),
    ("2.6 id: no spaces", "order_statuses", status(id="in work"), 400, "invalid_parameter", "order_statuses[0].id"),
    ("2.6 id: no Cyrillic, as far as the pattern can be read", "order_statuses", status(id="Оплачен"),
     400, "invalid_parameter", "order_statuses[0].id"),
    ("2.6 id: the pattern ends where the text ends", "order_statuses", status(id="won\n"),
     400, "invalid_parameter", "order_statuses[0].id"),
    ("2.6 type is required", "order_statuses", {"order_statuses": [{"id": "won"}]},
     400, "missing_parameter", "order_statuses[0].type"),
    ("2.6 type: one of five", "order_statuses", status(type="CANCELED"), 400, "invalid_parameter",
     "order_statuses[0].type"),
    ("2.6 type: upper case", "order_statuses", status(type="paid"), 400, "invalid_parameter", "order_statuses[0].type"),
    ("2.6 type is a text", "order_statuses", status(type=["PAID"]), 400, "invalid_parameter", "order_statuses[0].type"),
    ("2.6 humanized: at most 4096", "order_statuses", status(humanized="x" * 4097),
     400, "invalid_parameter", "order_statuses[0].humanized"),
    ("2.6 humanized is a text", "order_statuses", status(humanized=7), 400, "invalid_parameter",
     "order_statuses[0].humanized"),
    ("2.6 goal_action_ids: at most 10", "order_statuses", status(goal_action_ids=[f"g{n}" for n in range(11)]),
     400, "invalid_parameter", "order_statuses[0].goal_action_ids"),
    ("2.6 goal_action_ids: unique", "order_statuses", status(goal_action_ids=["a", "a"]),
     400, "invalid_parameter", "order_statuses[0].goal_action_ids"),
    ("2.6 goal_action_ids: texts", "order_statuses", status(goal_action_ids=["a", 5]),
     400, "invalid_parameter", "order_statuses[0].goal_action_ids[1]"),
    ("2.7 entity_type is required", "attributes", attribute(), 400, "missing_parameter", "entity_type"),
    ("2.7 entity_type: one of four", "attributes?entity_type=PRODUCT", attribute(), 400, "invalid_parameter",
     "entity_type"),
    ("2.7 attributes is required", "attributes?entity_type=ORDER", {}, 400, "missing_parameter", "attributes"),
    ("2.7 name is required", "attributes?entity_type=ORDER", {"attributes": [{"multivalued": True}]},
     400, "missing_parameter", "attributes[0].name"),
    ("2.7 name: the same pattern", "attributes?entity_type=ORDER", attribute(name="my age"),
     400, "invalid_parameter", "attributes[0].name"),
    ("2.7 multivalued is required", "attributes?entity_type=ORDER", {"attributes": [{"name": "age"}]},
     400, "missing_parameter", "attributes[0].multivalued"),
    ("2.7 multivalued: true or false", "attributes?entity_type=ORDER", attribute(multivalued="yes"),
     400, "invalid_parameter", "attributes[0].multivalued"),
    ("2.7 type_name: predefined or a list", "attributes?entity_type=ORDER", attribute(type_name="colour"),
     400, "invalid_parameter", "attributes[0].type_name"),
    ("2.7 type_group follows from type_name", "attributes?entity_type=ORDER", attribute(type_group="SYSTEM_LIST"),
     400, "invalid_parameter", "attributes[0].type_group"),
    ("2.7 ids of system attributes are not to be reused", "attributes?entity_type=CONTACT", attribute(name="emails"),
     400, "invalid_parameter", "attributes[0].name"),
    ("2.7 ids of system attributes are not to be reused", "attributes?entity_type=order", attribute(name="revenue"),
     400, "invalid_parameter", "attributes[0].name"),
    ("2.8 attributes is required", "products", {"items": []}, 400, "missing_parameter", "attributes"),
    ("2.8 items[].name is required", "products", products({"humanized": "Mug"}), 400, "missing_parameter",
     "items[0].name"),
    ("2.8 items[].name: no spaces", "products", products({"name": "Laptop TG12"}), 400, "invalid_parameter",
     "items[0].name"),
    ("2.8 items[].humanized: at most 4096", "products", products({"name": "sku-1", "humanized": "x" * 4097}),
     400, "invalid_parameter", "items[0].humanized"),
    ("2.8 items: at most 160,000", "products", products(*[{"name": "a"}] * 160_001), 400, "invalid_parameter", "items"),
]  # fmt: skip


def test_what_the_schema_takes(api: Api, subtests: pytest.Subtests) -> None:
    for fact, path, body in GOOD:
        with subtests.test(fact):
            response = api.cdp("POST", f"schema/{path}", body)
            assert (response.status_code, response.json()) == (200, {"success": True}), response.text


def test_what_the_schema_refuses(api: Api, subtests: pytest.Subtests) -> None:
    for fact, path, body, code, error_type, location in BAD:
        with subtests.test(fact):
            raw = {"content": body, "headers": {"Content-Type": "application/json"}} if isinstance(body, str) else {}
            response = api.cdp("POST", f"schema/{path}", None if raw else body, **raw)
            assert error_of(response) == (code, error_type), response.text
            assert response.json()["errors"][0].get("location") == location
            kept = (SandboxStatus, SandboxAttribute, SandboxProduct, SandboxUploading)
            assert not any(model.objects.exists() for model in kept)


def test_json_must_say_that_it_is_json(api: Api) -> None:
    """1.5: JSON bodies are application/json or, like in the management API, application/x-yametrika+json."""
    text = '{"order_statuses": [{"id": "won", "type": "PAID"}]}'
    for content_type, code in (("text/plain", 406), ("application/json", 200), ("application/x-yametrika+json", 200)):
        response = api.cdp("POST", "schema/order_statuses", content=text, headers={"Content-Type": content_type})
        assert response.status_code == code


def test_statuses_come_back_as_they_were_mapped(api: Api) -> None:
    """2.6: GET lists id, humanized, type, goal_action_ids; without pages; nothing before the first mapping."""
    assert api.cdp("GET", "schema/order_statuses").json() == {"order_statuses": []}
    api.cdp("POST", "schema/order_statuses", GOOD[0][2])
    api.cdp("POST", "schema/order_statuses", status(type="SPAM", goal_action_ids="bad_lead"))
    assert api.cdp("GET", "schema/order_statuses").json() == {
        "order_statuses": [
            {"id": "lead_new", "humanized": "New lead", "type": "IN_PROGRESS", "goal_action_ids": []},
            {"id": "meeting", "humanized": "Meeting", "type": "OTHER", "goal_action_ids": ["meeting_done"]},
            {"id": "won", "humanized": "", "type": "SPAM", "goal_action_ids": ["bad_lead"]},
        ]
    }


def test_switches_of_the_mapping(api: Api) -> None:
    """Chapter 5, question 9: replace or upsert; 2.6: whether the default four are listed, a bare text is taken."""
    api.cdp("POST", "schema/order_statuses", GOOD[0][2])
    services.set_switch(name="status_mapping", value="replace")
    api.cdp("POST", "schema/order_statuses", status(id="PAID", humanized="Paid"))
    services.set_switch(name="default_statuses", value="listed")
    listed = api.cdp("GET", "schema/order_statuses").json()["order_statuses"]
    assert [row["id"] for row in listed] == ["IN_PROGRESS", "CANCELLED", "SPAM", "PAID"]
    services.set_switch(name="mapped_statuses", value="100")
    many = {"order_statuses": [{"id": f"s{number}", "type": "OTHER"} for number in range(101)]}
    assert error_of(api.cdp("POST", "schema/order_statuses", many)) == (400, "limit_exceeded")
    assert [row["id"] for row in api.look("statuses", counter=NUMBER)["statuses"]] == ["PAID"], "nothing is half done"
    services.set_switch(name="bare_goal", value="refuse")
    assert error_of(api.cdp("POST", "schema/order_statuses", status(goal_action_ids="a"))) == (400, "invalid_parameter")


def test_attributes_come_back_with_those_of_the_system(api: Api) -> None:
    """2.7: GET answers system_attributes and custom_attributes of the entity type."""
    api.cdp("POST", "schema/attributes?entity_type=CONTACT", attribute(humanized="Age", type_humanized="Years"))
    answer = api.cdp("GET", "schema/attributes?entity_type=contact").json()
    assert answer["custom_attributes"] == [
        {
            "name": "age",
            "humanized": "Age",
            "type_name": "numeric",
            "type_group": "PREDEFINED",
            "type_humanized": "Years",
            "multivalued": False,
        }
    ]
    system = {row["name"]: row for row in answer["system_attributes"]}
    assert {"uniq_id", "name", "birth_date", "client_ids", "emails_md5"} <= set(system)
    assert (system["emails"]["multivalued"], system["birth_date"]["type_name"]) == (True, "date")
    assert api.cdp("GET", "schema/attributes?entity_type=ORDER").json()["custom_attributes"] == []
    assert error_of(api.cdp("GET", "schema/attributes")) == (400, "missing_parameter")


def test_an_attribute_created_again(api: Api) -> None:
    """2.7 says nothing of it; 1.7: conflict, 409, is a violation of integrity."""
    path = "schema/attributes?entity_type=CONTACT"
    api.cdp("POST", path, attribute())
    api.cdp("POST", path, attribute(type_name="text", multivalued=True))
    (row,) = api.look("attributes", counter=NUMBER)["attributes"]
    assert (row["type_name"], row["multivalued"]) == ("text", True)
    services.set_switch(name="existing_attribute", value="conflict")
    response = api.cdp("POST", path, attribute())
    assert error_of(response) == (409, "conflict")
    assert response.json()["errors"][0]["location"] == "attributes[0].name"


def test_types(api: Api) -> None:
    """2.9: types of the system's attributes, and those that custom attributes can have; the same shape."""
    predefined = api.cdp("GET", "schema/predefined_types").json()["types"]
    assert [row["name"] for row in predefined] == ["numeric", "date", "datetime", "email", "text"]
    assert {tuple(row) for row in predefined} == {("name", "group", "humanized")}
    system = api.cdp("GET", "schema/types").json()["types"]
    assert {"name": "product", "group": "SYSTEM_LIST", "humanized": "Product"} in system


def test_a_product_list_is_an_upload_of_a_system_list(api: Api) -> None:
    """2, common answer: entity_type SYSTEM_LIST (e.g. products). A later name takes the place of the earlier."""
    api.cdp("POST", "schema/products", products({"name": "sku-1", "humanized": "Mug"}, {"name": "sku-2"}))
    api.cdp("POST", "schema/products", products({"name": "sku-2", "humanized": "Cup"}))
    assert api.look("products", counter=NUMBER)["products"] == [
        {"name": "sku-1", "humanized": "Mug"},
        {"name": "sku-2", "humanized": "Cup"},
    ]
    listed = api.uploadings().json()["uploadings"]
    assert [(row["entity_type"], row["uploading_format"], row["elements_count"]) for row in listed] == [
        ("SYSTEM_LIST", "JSON", 1),
        ("SYSTEM_LIST", "JSON", 2),
    ]
    services.set_switch(name="products_listed", value="hidden")
    assert api.uploadings().json() == {"uploadings": []}


def test_a_list_names_each_thing_once(api: Api) -> None:
    twice = status()["order_statuses"] * 2
    assert error_of(api.cdp("POST", "schema/order_statuses", {"order_statuses": twice})) == (400, "invalid_parameter")


ADDRESSES = [
    ("GET", "order_statuses"),
    ("POST", "order_statuses"),
    ("GET", "attributes?entity_type=ORDER"),
    ("POST", "attributes?entity_type=ORDER"),
    ("POST", "products"),
    ("GET", "types"),
    ("GET", "predefined_types"),
]


def test_who_may_do_it(api: Api, subtests: pytest.Subtests) -> None:
    """1.2, 1.3: 401 without a token, 403 with a wrong one; changing needs the owner or an editor, reading does not."""
    other = services.create_counter(metrica_id=40000002, owner_login="south", token="y0_south")
    services.add_access(counter=other, login="north-metrica", permission=Permission.VIEW)
    for method, path in ADDRESSES:
        with subtests.test(method=method, path=path):
            body = None
            if method == "POST":
                body = {"order_statuses": [], "attributes": [], "items": []}
            for header, expected in (("", (401, "unauthorized")), ("OAuth nobody", (403, "invalid_token"))):
                call = api.cdp(method, f"schema/{path}", body, headers={"Authorization": header})
                assert error_of(call) == expected
            seen = api.cdp(method, f"schema/{path}", body, number=40000002)
            assert seen.status_code == (403 if method == "POST" else 200)
            assert api.cdp(method, f"schema/{path}", body, number=40000003).status_code == 404
            assert api.cdp("PUT", f"schema/{path}", body).status_code == 404


def test_faults_meet_the_schema_too(api: Api) -> None:
    services.add_fault(kind="server_error", endpoint="schema")
    assert api.uploadings().status_code == 200
    assert error_of(api.cdp("POST", "schema/order_statuses", status())) == (503, "backend_error")
    assert not SandboxStatus.objects.exists()
    assert api.cdp("POST", "schema/order_statuses", status()).status_code == 200
