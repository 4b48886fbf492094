"""What a manager meets on the pages, in a real browser; an agency's whole first day is in test_the_whole_way."""

from typing import Any

import pytest

from apps.goals.models import StatusMapping
from apps.orders import holds
from apps.orders.models import StatusChange
from apps.uploads.models import UploadJob
from tests.admin.conftest import Place
from tests.browser.chromium import Session
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def session(browser_session: Session, place: Place) -> Any:
    """Logged in as the manager. Afterwards: no complaint on the console, nothing asked of another host."""
    place.manager.set_password(PASSWORD)
    place.manager.save()
    browser_session.log_in(place.manager.email, PASSWORD)
    yield browser_session
    assert browser_session.complaints == []
    assert browser_session.strangers == []


def fits(session: Session) -> bool:
    """True if the page is not wider than the window."""
    return bool(session.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_the_language_is_switched_by_the_menu_and_stays(session: Session, place: Place):
    page = session.page
    assert page.locator("html").get_attribute("lang") == "en"
    page.locator("[x-on\\:click*=openUserLinks]").first.click()
    page.locator("form:has(input[name=language][value=ru]) button").click()
    page.wait_for_load_state("networkidle")
    assert page.locator("html").get_attribute("lang") == "ru"
    session.go("/admin/orders/order/")
    assert page.locator("html").get_attribute("lang") == "ru"
    place.manager.refresh_from_db()
    assert place.manager.language == "ru"


def test_a_hold_is_fixed_in_its_dialog(session: Session, place: Place):
    place.push("A-1", "mystery")
    page = session.page
    session.go("/admin/orders/heldchange/")
    page.get_by_role("link", name="Map", exact=True).click()
    dialog = page.locator("#modal-content #dialog")
    dialog.get_by_label("Order type").select_option("PAID")
    goals = dialog.get_by_label("Goals")
    goals.click()
    page.locator(".gp-picker__item", has_text="goal_Mine").click()
    assert goals.input_value() == "goal_Mine"
    assert dialog.locator("[data-forecast]").inner_text().split("\n") == [
        "CRM: Order created",
        "CRM: Order paid",
        "goal_Mine",
    ]
    dialog.get_by_role("button", name="Save and release").click()
    page.get_by_text("The status “mystery” is mapped").wait_for()
    mapping = StatusMapping.objects.get(counter=place.counter, crm_status="mystery")
    assert (mapping.type, mapping.goal_action_ids) == ("PAID", ["goal_Mine"])
    place.counter.refresh_from_db()
    assert holds.review(place.counter) == 1


def test_a_dialog_can_be_left(session: Session, place: Place):
    place.push("A-1", "new")
    page = session.page
    session.go(f"/admin/counters/counter/{place.counter.pk}/change/")
    page.get_by_role("link", name="Upload now").click()
    dialog = page.locator("#modal-content #dialog")
    dialog.get_by_text("1 status change of this counter will leave for Metrica").wait_for()
    dialog.get_by_text("Cancel").click()
    dialog.wait_for(state="hidden")
    assert not UploadJob.objects.exists()


def test_the_mapping_shows_its_forecast_while_it_is_written(session: Session, place: Place):
    page = session.page
    session.go(f"/admin/counters/counter/{place.counter.pk}/change/")
    row = page.locator("#statuses-group tr.form-row").first
    assert row.locator("[data-forecast]").inner_text() == "CRM: Order created"
    row.locator("select").select_option("OTHER")
    assert row.locator("[data-forecast]").inner_text() == "no goal"
    row.locator("input[data-goals-from]").fill("first, second, first")
    assert row.locator("[data-forecast]").inner_text().split("\n") == ["first", "second"]
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_load_state("networkidle")
    mapping = StatusMapping.objects.get(counter=place.counter, crm_status="new")
    assert (mapping.type, mapping.goal_action_ids) == ("OTHER", ["first", "second"])


def test_what_a_crm_writes_runs_nowhere(session: Session, place: Place):
    evil = '"><img src=x onerror="window.broken=1"><script>window.broken=1</script>'
    place.push(evil[:60], evil, client_uniq_id="C-1", client_name=evil)
    change = StatusChange.objects.get()
    paths = (
        *("/admin/", "/admin/orders/order/", "/admin/orders/heldchange/", "/admin/clients/client/"),
        *(f"/admin/orders/order/{change.order_id}/change/", f"/admin/orders/heldchange/{change.pk}/map/"),
    )
    for path in paths:
        session.go(path)
        assert session.page.evaluate("window.broken") is None, path
