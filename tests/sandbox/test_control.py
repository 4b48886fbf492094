"""The control addresses: another process sets up the sandbox and sees what happened in it."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from django.utils import timezone

from apps.sandbox.models import SandboxCounter, SandboxToken, SandboxUploading
from apps.sandbox.switches import SWITCHES
from tests.sandbox.conftest import NUMBER, Api, csv, local


def test_a_whole_story_over_http(api: Api) -> None:
    now = timezone.now()
    made = api.control(
        "counters",
        metrica_id=77,
        name="Shop",
        time_zone_name="Asia/Vladivostok",
        owner_login="south",
        token="y0_south",
        goals={"good_lead": "Good leads"},
    )
    assert made == {"metrica_id": 77, "token": "y0_south"}
    api.control("goals", counter=77, identifier="meeting")
    (visit,) = api.control(
        "visits",
        counter=77,
        started_at=(now - timedelta(hours=2)).isoformat(),
        client_id="17",
        phones=["8 (903) 123-45-67"],
    )["visits"]
    assert visit["phones"] == ["79031234567"]
    body = csv(f"D-1,{local(now, ZoneInfo('Asia/Vladivostok'))},C-1,17,,,good_lead,50.50,,meeting:7,")
    headers = {"Authorization": "OAuth y0_south"}
    answer = api.upload(body, number=77, headers=headers).json()["uploading"]

    (order,) = api.look("orders", counter=77, id="D-1")["orders"]
    assert (order["type"], order["revenue"], order["visit"]) == ("OTHER", "50.5", visit["id"])
    (event,) = order["events"]
    assert event["uploading_id"] == answer["uploading_id"]
    assert event["line"] == 2
    reaches = api.look("reaches", counter=77)["reaches"]
    assert [(reach["goal"], reach["income"], reach["order"], reach["visit"]) for reach in reaches] == [
        ("good_lead", "50.5", "D-1", visit["id"]),
        ("meeting", "7", "D-1", visit["id"]),
    ]
    (uploading,) = api.look("uploadings", counter=77)["uploadings"]
    assert (uploading["status"], uploading["elements_count"]) == ("PASSED", 1)
    (request,) = api.look("requests", counter=77)["requests"]
    assert (request["method"], request["status"], request["login"]) == ("POST", 200, "south")
    assert request["uploading_id"] == answer["uploading_id"]
    assert "y0_south" not in str(request)


def test_lists_come_in_pages(api: Api) -> None:
    api.upload(csv(*[f"D-{number},2026-03-10,,17,,,PAID,,,," for number in range(7)]))
    page = api.look("orders", counter=NUMBER, limit=3, offset=6)
    assert ([order["id"] for order in page["orders"]], page["total"]) == (["D-6"], 7)
    assert api.look("reaches", goal="cdp_order_paid")["total"] == 0


def test_faults_and_switches(api: Api) -> None:
    fault = api.control("faults", kind="latency", count=2, counter=NUMBER, seconds=0)
    assert (fault["kind"], fault["count"], fault["counter"], fault["seconds"]) == ("latency", 2, NUMBER, 0)
    api.uploadings()
    assert api.look("faults")["faults"][0]["applied"] == 1
    api.client.request("DELETE", f"{api.base}/control/faults", json={})
    assert api.look("faults")["faults"] == []
    assert api.look("switches")["switches"] == {name: switch.default for name, switch in SWITCHES.items()}
    assert api.control("switches", name="unknown_status", value="refuse")["switches"]["unknown_status"] == "refuse"


def test_reset_empties_everything_and_deletes_the_files(api: Api) -> None:
    api.upload(csv("D-1,2026-03-10,,17,,,PAID,,,,"))
    body = SandboxUploading.objects.get().body
    assert body.storage.exists(body.name)
    api.control("switches", name="unknown_status", value="refuse")
    api.control("faults", kind="latency", count=2, counter=NUMBER)
    api.control("visits", counter=NUMBER, started_at="2026-11-01T10:00:00Z", client_id="17")
    api.control("reset")
    assert not body.storage.exists(body.name)
    assert not SandboxCounter.objects.exists()
    assert not SandboxToken.objects.exists()
    assert api.look("switches")["switches"]["unknown_status"] == "accept"
    assert api.look("requests")["total"] == 0
    api.control("counters", metrica_id=NUMBER)


IMPOSSIBLE = [
    ("counters", {"metrica_id": NUMBER}, 400),
    ("counters", {"metrica_id": 0}, 400),
    ("counters", {"metrica_id": 5, "time_zone_name": "Mars/Olympus"}, 400),
    ("counters", {"metrica_id": 5, "colour": "red"}, 400),
    ("counters", {"metrica_id": 5, "owner_login": "south", "token": "y0_north"}, 400),
    ("counters", {"metrica_id": 5, "goals": ["a&b"]}, 400),
    ("visits", {"counter": 404, "started_at": "2026-11-01T10:00:00Z"}, 404),
    ("visits", {"counter": NUMBER, "started_at": "2026-11-01T10:00:00"}, 400),
    ("visits", {"counter": NUMBER, "started_at": "2026-11-01T10:00:00Z", "emails": ["nobody"]}, 400),
    ("visits", {"counter": NUMBER}, 400),
    ("faults", {"kind": "earthquake"}, 400),
    ("switches", {"name": "gravity", "value": "off"}, 400),
]


def test_what_cannot_be_changes_nothing(api: Api, subtests: pytest.Subtests) -> None:
    for name, body, status in IMPOSSIBLE:
        with subtests.test(name=name):
            response = api.client.post(f"{api.base}/control/{name}", json=body)
            assert (response.status_code, set(response.json())) == (status, {"error"})
            assert list(SandboxCounter.objects.values_list("metrica_id", flat=True)) == [NUMBER]


def test_another_site_cannot_command_it_by_a_form(api: Api) -> None:
    """A browser sends text/plain to any site unasked; application/json it must ask for first."""
    response = httpx.post(f"{api.base}/control/reset", content="{}", headers={"Content-Type": "text/plain"})
    assert response.status_code == 400
    assert httpx.post(f"{api.base}/control/reset").status_code == 400
    assert SandboxCounter.objects.exists()
    assert httpx.get(f"{api.base}/control/reset").status_code == 405


def test_what_the_detailed_format_leaves_can_be_looked_at(api: Api) -> None:
    """Customers, statuses, attributes, products; and all applied rows in their order with types and incomes."""
    order = {"client_uniq_id": "C-1", "client_type": "CONTACT", "order_status": "IN_PROGRESS", "revenue": 10}
    attributes = [{"name": "age", "multivalued": False, "type_name": "numeric"}]
    api.cdp("POST", "schema/attributes?entity_type=contact", {"attributes": attributes})
    api.cdp("POST", "schema/order_statuses", {"order_statuses": [{"id": "won", "humanized": "Won", "type": "PAID"}]})
    api.cdp("POST", "schema/products", {"attributes": [], "items": [{"name": "sku-1", "humanized": "Mug"}]})
    person = {"uniq_id": "C-1", "client_ids": ["17"], "attribute_values": {"age": ["41"]}}
    api.cdp("POST", "data/contacts/json?merge_mode=SAVE", {"contacts": [person]})
    api.control("visits", counter=NUMBER, started_at=timezone.now().isoformat(), client_id="17")
    created = local(timezone.now() + timedelta(seconds=1))
    for order_id, status in (("D-1", "IN_PROGRESS"), ("D-2", "good_lead"), ("D-1", "won")):
        row = order | {"id": order_id, "order_status": status, "create_date_time": created}
        api.cdp("POST", "data/orders/json?merge_mode=SAVE", {"orders": [row]})

    (customer,) = api.look("customers", counter=NUMBER)["customers"]
    assert (customer["uniq_id"], customer["client_ids"], customer["attribute_values"]) == (
        "C-1",
        ["17"],
        {"age": ["41"]},
    )
    assert [event["line"] for event in customer["events"]] == [0]
    events = api.look("events", counter=NUMBER)["events"]
    assert [(event["order"], event["type"], event["reached"]) for event in events] == [
        ("D-1", "IN_PROGRESS", [{"goal": "cdp_order_in_progress", "income": "10"}]),
        ("D-2", "OTHER", [{"goal": "good_lead", "income": "10"}]),
        (
            "D-1",
            "PAID",
            [{"goal": "cdp_order_in_progress", "income": "10"}, {"goal": "cdp_order_paid", "income": "10"}],
        ),
    ]
    assert [event["type"] for event in api.look("events", id="D-1")["events"]] == ["IN_PROGRESS", "PAID"]
    assert [row["id"] for row in api.look("statuses", counter=NUMBER)["statuses"]] == ["won"]
    assert [row["name"] for row in api.look("attributes", counter=NUMBER)["attributes"]] == ["age"]
    assert api.look("products", counter=NUMBER)["products"] == [{"name": "sku-1", "humanized": "Mug"}]
    assert api.look("counters")["counters"][0]["first_contacts_at"]
    assert api.look("customers", uniq_id="nobody")["total"] == 0
