"""The mapping's editor in a real browser: a change at Metrica is settled, a draft is tried, a goal is created."""

from typing import Any

import pytest

from apps.counters.models import Counter, Mode
from apps.counters.services import connect_account
from apps.goals import status_sync, sync
from apps.goals.models import Goal, StatusMapping
from tests.admin.conftest import Place
from tests.browser.chromium import Session
from tests.browser.test_walk import fits
from tests.factories import PASSWORD
from tests.goals.metrica import TOKEN, Statuses, known_to_sandbox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def session(browser_session: Session, place: Place) -> Any:
    place.manager.set_password(PASSWORD)
    place.manager.save()
    browser_session.log_in(place.manager.email, PASSWORD)
    yield browser_session
    assert browser_session.complaints == []
    assert browser_session.strangers == []


@pytest.fixture
def metrica(place: Place, live_server: Any) -> Statuses:
    at_metrica = known_to_sandbox(place.counter.metrica_id)
    login = place.account.login
    connect_account(agency=place.agency, login=login, token=TOKEN, base_url=f"{live_server.url}/sandbox")
    Counter.objects.filter(pk=place.counter.pk).update(mode=Mode.DETAILED)
    place.counter = Counter.objects.select_related("account").get(pk=place.counter.pk)
    status_sync.ensure_in_step(counter=place.counter)
    return Statuses(at_metrica)


def test_a_change_at_metrica_is_shown_and_settled(session: Session, place: Place, metrica: Statuses):
    metrica.put("won", "SPAM", "Won")
    status_sync.compare(counter=place.counter)
    page = session.page
    session.go(f"/admin/counters/counter/{place.counter.pk}/change/")
    page.get_by_text("Nothing leaves until you choose").wait_for()
    page.locator(".gp-note a", has_text="Compare statuses").click()
    dialog = page.locator("#modal-content")
    dialog.get_by_text("Somebody changed it at Metrica.").wait_for()
    dialog.get_by_label("Ours is right: overwrite Metrica's").check()
    dialog.get_by_role("button", name="Bring into step").click()
    page.get_by_text("The statuses here and at Metrica are in step.").wait_for()
    assert metrica["won"]["type"] == "PAID"
    assert fits(session)


def test_a_draft_is_tried_in_a_window_of_its_own_and_stays_a_draft(session: Session, place: Place):
    place.push("A-1", "new", "won", revenue="5000", cost="1200")
    page = session.page
    session.go(f"/admin/counters/counter/{place.counter.pk}/change/")
    page.select_option("select[name=statuses-1-type]", "CANCELLED")
    with page.expect_popup() as opened:
        page.get_by_role("button", name="What would change?").click()
    result = opened.value
    result.get_by_text("Goals would differ").wait_for()
    result.get_by_role("button", name="90 days").click()
    result.get_by_text("Goals would differ").wait_for()
    assert result.locator("tr.gp-differs").count() == 2  # paid is lost, cancelled is gained
    # The editor still holds the draft, and nothing was saved.
    assert page.locator("select[name=statuses-1-type]").input_value() == "CANCELLED"
    assert StatusMapping.objects.get(crm_status="won").type == "PAID"


def test_a_missing_goal_is_created_after_it_was_shown(session: Session, place: Place, metrica: Statuses):
    sync.refresh(counter=place.counter)
    page = session.page
    session.go(f"/admin/counters/counter/{place.counter.pk}/change/")
    page.get_by_role("link", name="Create goals at Metrica").click()
    dialog = page.locator("#modal-content")
    dialog.get_by_label("Name").fill("Deal won")
    dialog.get_by_label("Default price").fill("12.50")
    dialog.get_by_role("button", name="Create").click()
    page.get_by_text("1 goal is created at Metrica.").wait_for()
    goal = Goal.objects.get(counter=place.counter, identifier="goal_Mine")
    assert (goal.name, goal.condition, goal.missing_since) == ("Deal won", "exact", None)
    assert goal.metrica_goal_id is not None


def test_an_unknown_status_is_mapped_from_the_list(session: Session, place: Place):
    place.push("A-1", "Отказ клиента")
    page = session.page
    session.go(f"/admin/counters/counter/{place.counter.pk}/change/")
    page.get_by_role("link", name="Add to the mapping").click()
    dialog = page.locator("#modal-content")
    assert dialog.locator("[name=crm_status]").input_value() == "Отказ клиента"
    assert dialog.locator("[name=type]").input_value() == "CANCELLED"
    dialog.get_by_role("button", name="Add").click()
    page.get_by_text("is mapped").wait_for()
    assert StatusMapping.objects.get(crm_status="Отказ клиента").type == "CANCELLED"
