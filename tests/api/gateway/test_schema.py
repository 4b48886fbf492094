"""Statuses, attributes and products that a script declares are the counter's own from then on."""

import pytest

from apps.api.models import ReceivedUpload
from apps.audit.models import AuditEntry
from apps.counters.models import Counter, CustomAttribute, Mode, Product
from apps.goals.models import MappingVersion, StatusMapping
from apps.goals.services import set_status
from tests.api.gateway.conftest import errors_of, order

LEAD = {"id": "lead_new", "humanized": "New lead", "type": "IN_PROGRESS"}
MEETING = {"id": "meeting", "humanized": "Meeting", "type": "OTHER", "goal_action_ids": ["meeting_done"]}
WON = {"id": "won", "humanized": "Won", "type": "PAID", "goal_action_ids": "deal_won"}  # as the page's samples write it


class TestStatuses:
    def test_they_become_the_mapping(self, script, counter):
        assert script.json("schema/order_statuses", {"order_statuses": [LEAD, MEETING, WON]}).body == {"success": True}
        rows = StatusMapping.objects.values_list("crm_status", "name", "type", "metrica_id", "goal_action_ids")
        assert list(rows) == [
            ("lead_new", "New lead", "IN_PROGRESS", "lead_new", []),
            ("meeting", "Meeting", "OTHER", "meeting", ["meeting_done"]),
            ("won", "Won", "PAID", "won", ["deal_won"]),
        ]
        assert script.get("schema/order_statuses").body["order_statuses"][1] == MEETING
        script.orders({"order_status": "meeting"})
        assert order().current_change.hold_reason in ("", "no_identifiers")
        entry = AuditEntry.objects.filter(action="status.added").first()
        assert (entry.source, entry.actor_kind) == ("api", "key")
        assert MappingVersion.objects.get().source == "api"

    def test_those_named_are_changed_and_the_others_stay(self, script, counter):
        set_status(counter=counter, crm_status="Оплачен", type="PAID", metrica_id="won")
        set_status(counter=counter, crm_status="Спам", type="SPAM")
        changed = {"id": "won", "humanized": "Paid at last", "type": "CANCELLED"}
        script.json("schema/order_statuses", {"order_statuses": [changed]})
        assert list(StatusMapping.objects.values_list("crm_status", "type", "name")) == [
            ("Оплачен", "CANCELLED", "Paid at last"),
            ("Спам", "SPAM", ""),
        ]
        script.orders({"order_status": "won"})
        assert order().order_status == "Оплачен"

    @pytest.mark.parametrize(
        ("status", "kind", "location"),
        [
            ({"id": "два слова", "type": "PAID"}, "invalid_parameter", "order_statuses[0].id"),
            ({"id": "x"}, "missing_parameter", "order_statuses[0].type"),
            ({"id": "x", "type": "WON"}, "invalid_parameter", "order_statuses[0].type"),
            ({"id": "x", "type": "PAID", "goal_action_ids": ["a/b"]}, "invalid_parameter", None),
            ({"id": "x", "type": "OTHER"}, "invalid_parameter", "order_statuses[0].goal_action_ids"),
            ({"id": "x", "type": "PAID", "humanized": "n" * 300}, "invalid_parameter", "order_statuses[0].humanized"),
        ],
    )
    def test_what_is_refused_changes_nothing(self, script, counter, status, kind, location):
        answer = script.json("schema/order_statuses", {"order_statuses": [status, LEAD]})
        assert answer.status == 400
        assert answer.body["errors"][0]["error_type"] == kind
        assert answer.body["errors"][0]["location"] == (location or "order_statuses[0].goal_action_ids")
        assert not StatusMapping.objects.exists()

    def test_in_detailed_mode_a_status_needs_no_goal(self, script, counter):
        Counter.objects.update(mode=Mode.DETAILED)
        assert script.json("schema/order_statuses", {"order_statuses": [{"id": "x", "type": "OTHER"}]}).status == 200


class TestAttributes:
    def test_they_are_declared_beside_the_others(self, script, counter):
        branch = {"name": "branch", "multivalued": False, "humanized": "Branch", "type_name": "text"}
        age = {"name": "age", "multivalued": False, "type_name": "numeric", "type_group": "predefined"}
        assert script.json("schema/attributes?entity_type=order", {"attributes": [branch]}).body == {"success": True}
        script.json("schema/attributes?entity_type=CONTACT", {"attributes": [age]})
        script.json("schema/attributes?entity_type=ORDER", {"attributes": [branch | {"multivalued": True}]})
        declared = CustomAttribute.objects.values_list("entity", "name", "type", "multivalued", "humanized")
        assert set(declared) == {("ORDER", "branch", "text", True, "Branch"), ("CONTACT", "age", "numeric", False, "")}
        lists = script.get("schema/attributes?entity_type=ORDER").body
        assert [one["name"] for one in lists["custom_attributes"]] == ["branch"]
        assert "revenue" in {one["name"] for one in lists["system_attributes"]}
        assert script.get("schema/attributes?entity_type=SIMPLE_ORDER").body["custom_attributes"] == []
        assert AuditEntry.objects.filter(action="counter.attributes_changed").count() == 3

    @pytest.mark.parametrize(
        ("entity", "attribute", "code"),
        [
            ("COMPANY", {"name": "size", "multivalued": False}, "entity_type"),
            ("ORDER", {"name": "revenue", "multivalued": False}, "system_name"),
            ("ORDER", {"name": "basket", "multivalued": True, "type_name": "product"}, "type_name"),
            ("THING", {"name": "size", "multivalued": False}, "invalid_choice"),
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, script, counter, entity, attribute, code):
        answer = script.json(f"schema/attributes?entity_type={entity}", {"attributes": [attribute]})
        assert (answer.status, errors_of(answer)[0][2]) == (400, code)
        assert not CustomAttribute.objects.exists()

    def test_without_an_entity_type(self, script, counter):
        assert script.get("schema/attributes").body["errors"][0]["error_type"] == "missing_parameter"


def test_products_are_added_and_listed_among_the_uploads(script, counter):
    script.json("schema/products", {"attributes": [], "items": [{"name": "sku-1", "humanized": "Mug"}, {"name": "b"}]})
    script.json("schema/products", {"attributes": [], "items": [{"name": "b", "humanized": "Bag"}]})
    assert dict(Product.objects.values_list("name", "humanized")) == {"sku-1": "Mug", "b": "Bag"}
    newest = script.get("last_uploadings").body["uploadings"][0]
    assert (newest["entity_type"], newest["elements_count"]) == ("SYSTEM_LIST", 1)
    assert ReceivedUpload.objects.first().updated == 1
    bad = script.json("schema/products", {"attributes": [], "items": [{"name": "два слова"}]})
    assert bad.body["errors"][0]["location"] == "items[0].name"


def test_types(script, counter):
    names = [one["name"] for one in script.get("schema/types").body["types"]]
    assert set(names) == {"numeric", "date", "datetime", "email", "text", "product"}
    assert "product" not in [one["name"] for one in script.get("schema/predefined_types").body["types"]]


@pytest.mark.parametrize("path", ["schema/order_statuses", "schema/attributes?entity_type=ORDER", "schema/products"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"x": 1}', b"[" * 100_000])
def test_bodies_that_are_none(script, counter, path, body):
    answer = script.json(path, body)
    assert answer.status == 400 and answer.body["errors"][0]["error_type"] in ("invalid_json", "missing_parameter")
