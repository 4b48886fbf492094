"""What each role may do: buttons that are not theirs are not drawn, and the POST behind them is refused."""

import io
from typing import Any

import pytest
from django.urls import reverse

from apps.alerts.models import Alert
from apps.alerts.services import save_channel
from apps.counters.models import Counter, MetricaAccount
from apps.dashboard.models import Comparison
from apps.goals.models import MappingVersion
from apps.hooks.services import create_endpoint
from apps.imports.services import receive
from apps.orders.models import HeldChange, Order, StatusChange
from apps.reports.services import create_link
from apps.uploads.models import UploadJob
from tests.admin.conftest import Place
from tests.admin.pages import words

pytestmark = pytest.mark.django_db

OPERATING = [
    ("counters_counter", "pause"),
    ("counters_counter", "upload"),
    ("counters_counter", "read"),
    ("counters_counter", "compare"),
    ("counters_counter", "compare-orders"),
    ("dashboard_comparison", "compare"),
    ("counters_counter", "create-goals"),
    ("counters_counter", "map"),
    ("counters_counter", "simulate"),
    ("counters_counter", "to_detailed"),
    ("goals_mappingversion", "restore"),
    ("counters_metricaaccount", "check"),
    ("orders_order", "upload"),
    ("orders_order", "status"),
    ("orders_order", "resend"),
    ("orders_order", "retry"),
    ("orders_order", "hold"),
    ("orders_order", "release"),
    ("clients_client", "merge"),
    ("orders_heldchange", "map"),
    ("orders_heldchange", "identify"),
    ("orders_heldchange", "release"),
    ("orders_heldchange", "reject"),
    ("orders_heldchange", "reject_status"),
    ("counters_counter", "set_zone"),
    ("counters_counter", "choose_account"),
    ("orders_rejectedchange", "correct"),
    ("orders_rejectedchange", "map"),
    ("orders_rejectedchange", "retry"),
    ("orders_rejectedchange", "leave"),
    ("uploads_uploadjob", "retry"),
    ("uploads_uploadjob", "retry_rejected"),
    ("uploads_uploadjob", "cancel"),
    ("imports_importjob", "cancel"),
    ("imports_importjob", "discard"),
    ("imports_importjob", "columns"),
    ("hooks_endpoint", "test"),
    ("hooks_endpoint", "enable"),
    ("hooks_endpoint", "now"),
    ("hooks_endpoint", "since"),
    ("hooks_delivery", "again"),
    ("hooks_delivery", "give_up"),
    ("alerts_alert", "mute"),
    ("alerts_alert", "unmute"),
    ("alerts_channel", "test"),
    ("reports_reportlink", "send-now"),
    ("reports_reportlink", "prolong"),
    ("reports_reportlink", "new-address"),
    ("reports_reportlink", "take-back"),
]
ADMINISTERING = [
    ("counters_metricaaccount", "connect"),
    ("counters_metricaaccount", "disconnect"),
    ("clients_client", "erase"),
    ("hooks_endpoint", "secret"),
    ("alerts_channel", "find-chat"),
    ("alerts_channel", "new-secret"),
]


@pytest.fixture
def objects(place: Place) -> dict[str, Any]:
    order = place.push("A-1", "new", client_uniq_id="C-1")
    endpoint, _secret = create_endpoint(
        agency=place.agency, name="CRM", url="https://crm.example/hook", events=["order.held"]
    )
    place.push("A-2", "unknown")
    return {
        "hooks_endpoint": endpoint,
        "hooks_delivery": endpoint.deliveries.get(),
        "alerts_alert": Alert.objects.create(
            agency=place.agency,
            cause="webhook_disabled",
            severity="warning",
            facts={"endpoint": endpoint.pk, "at": "2026-01-01T10:00:00+00:00", "why": "gone"},
        ),
        "alerts_channel": save_channel(agency=place.agency, name="Duty", addresses=["duty@north.example"])[0],
        "counters_counter": place.counter,
        "counters_metricaaccount": place.account,
        "goals_mappingversion": MappingVersion.objects.filter(counter=place.counter).last(),
        "orders_order": order,
        "clients_client": order.client,
        "orders_heldchange": place.change("A-2"),
        "orders_rejectedchange": order.changes.get(),
        "uploads_uploadjob": place.job(),
        "imports_importjob": receive(
            counter=place.counter, name="a.csv", content=io.BytesIO(b"id,create_date_time,order_status\n")
        ),
        "reports_reportlink": create_link(counter=place.counter, name="Client", days=30, emails=["anna@shop.example"]),
        "dashboard_comparison": Comparison.objects.create(counter=place.counter),
    }


@pytest.mark.parametrize(("pages", "act"), [*OPERATING, *ADMINISTERING])
def test_an_analyst_does_nothing(place: Place, objects: dict[str, Any], login: Any, pages: str, act: str):
    browser = login(place.analyst)
    url = reverse(f"admin:{pages}_{act}", args=[objects[pages].pk])
    assert browser.get(url).status_code == 403
    assert browser.post(url, {"reason": "x", "why": "x", "token": "x", "order_status": "new"}).status_code == 403


@pytest.mark.parametrize(("pages", "act"), ADMINISTERING)
def test_a_manager_does_not_touch_tokens(place: Place, objects: dict[str, Any], login: Any, pages: str, act: str):
    browser = login(place.manager)
    assert browser.post(reverse(f"admin:{pages}_{act}", args=[objects[pages].pk]), {"token": "x"}).status_code == 403
    place.account.refresh_from_db()
    assert place.account.state == "connected"


def test_an_analyst_sees_no_buttons(place: Place, objects: dict[str, Any], login: Any):
    browser = login(place.analyst)
    for pages, obj in objects.items():
        if pages in ("orders_heldchange", "orders_rejectedchange"):
            continue
        answer = browser.get(reverse(f"admin:{pages}_change", args=[obj.pk]))
        assert answer.status_code == 200
        assert answer.context["actions_detail"] == []
    held = browser.get(reverse("admin:orders_heldchange_changelist"))
    assert "Map the status" not in words(held)
    assert reverse("admin:orders_heldchange_map", args=[objects["orders_heldchange"].pk]) not in held.content.decode()
    order = browser.get(reverse("admin:orders_order_change", args=[place.change("A-2").order_id]))
    assert "Map the status" not in words(order)


def test_an_analyst_reads_the_counter_and_cannot_save_it(place: Place, login: Any):
    browser = login(place.analyst)
    url = reverse("admin:counters_counter_change", args=[place.counter.pk])
    page = browser.get(url)
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert "goal_Mine" in words(page)
    assert browser.post(url, {"name": "Stolen"}).status_code == 403
    place.counter.refresh_from_db()
    assert place.counter.name == "Mine shop"


@pytest.mark.parametrize(
    "page",
    [
        *("counters_counter_add", "counters_metricaaccount_add", "orders_order_add", "imports_importjob_add"),
        "reports_reportlink_add",
    ],
)
def test_an_analyst_adds_nothing(place: Place, login: Any, page: str):
    browser = login(place.analyst)
    assert browser.get(reverse(f"admin:{page}")).status_code == 403
    assert browser.post(reverse(f"admin:{page}"), {"id": "x"}).status_code == 403


def test_a_manager_adds_orders_but_no_counters_and_accounts(place: Place, login: Any):
    browser = login(place.manager)
    assert browser.get(reverse("admin:orders_order_add")).status_code == 200
    assert browser.get(reverse("admin:counters_counter_add")).status_code == 403
    assert browser.get(reverse("admin:counters_metricaaccount_add")).status_code == 403


@pytest.mark.parametrize("page", ["orders_order", "orders_heldchange"])
def test_an_analyst_has_no_bulk_actions(place: Place, objects: dict[str, Any], login: Any, page: str):
    browser = login(place.analyst)
    url = reverse(f"admin:{page}_changelist")
    assert browser.get(url).context["action_form"] is None
    before = list(StatusChange.objects.order_by("pk").values())
    for name in ("upload_orders", "release_changes", "reject_changes"):
        data = {"action": name, "_selected_action": str(objects[page].pk), "_confirmed": "1", "why": "x"}
        browser.post(url, data)
    assert list(StatusChange.objects.order_by("pk").values()) == before
    assert UploadJob.objects.count() == 1


@pytest.mark.parametrize("model", [Counter, MetricaAccount, Order, HeldChange, UploadJob])
def test_nobody_deletes(place: Place, objects: dict[str, Any], login: Any, model: Any):
    """What was delivered is proof; it does not go away by a click."""
    browser = login(place.owner)
    opts = model._meta
    obj = objects[f"{opts.app_label}_{opts.model_name}"]
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_delete", args=[obj.pk])
    assert browser.post(url, {"post": "yes"}).status_code in (403, 404)
    listed = browser.get(reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"))
    assert "delete_selected" not in listed.content.decode()
