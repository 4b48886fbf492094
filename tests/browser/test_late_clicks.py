"""A page that is a while old, in a real browser: a click on what cannot be done any more says so, and where."""

from typing import Any

import pytest

from apps.agencies.models import Membership
from apps.orders.admin_pages.holds import HeldChangeAdmin
from apps.orders.services import reject_by_hand
from tests.admin.conftest import Place
from tests.browser.chromium import Session
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def held(browser_session: Session, place: Place) -> Session:
    """The manager before the list of holds, with one row in it."""
    place.push("H-1", "unheard of")
    place.manager.set_password(PASSWORD)
    place.manager.save()
    browser_session.log_in(place.manager.email, PASSWORD)
    browser_session.go("/admin/orders/heldchange/")
    return browser_session


def press(session: Session) -> Any:
    session.page.locator("#result_list tbody tr").get_by_role("link", name="Map the status").click()
    return session.page.locator("#modal-content")


def test_what_was_done_meanwhile_is_told_on_the_page(held: Session, place: Place):
    reject_by_hand(changes=[place.change("H-1")], why="somebody else was faster")
    press(held)
    held.page.get_by_text("This cannot be done any more").wait_for()
    held.page.get_by_text("Nothing is held").wait_for()
    assert not held.page.locator("#modal-content").is_visible()
    assert held.complaints == []


def test_a_dialog_that_is_refused_says_why(held: Session, place: Place):
    Membership.objects.filter(user=place.manager).update(role="analyst")
    dialog = press(held)
    dialog.get_by_role("alert").wait_for()
    assert "This is not yours to do" in dialog.inner_text()


def test_a_dialog_of_what_is_not_there_any_more_says_so(held: Session, place: Place):
    Membership.objects.filter(user=place.manager).update(counter_ids=[1])
    dialog = press(held)
    dialog.get_by_role("alert").wait_for()
    assert "This is not here" in dialog.inner_text()


def test_a_dialog_that_breaks_says_so(held: Session, monkeypatch: pytest.MonkeyPatch, live_server: Any):
    def broken(*args: Any) -> Any:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(HeldChangeAdmin, "get_or_404", broken)
    dialog = press(held)
    dialog.get_by_role("alert").wait_for()
    assert "Something went wrong on our side" in dialog.inner_text()


def test_back_brings_a_form_that_can_be_sent_again(held: Session, place: Place):
    """The browser keeps a left page as it was, the sent form in it. Under its driver it keeps none, so it is told of
    the return."""
    held.go("/admin/orders/order/add/")
    sent = "document.querySelector('form.gp-form').dataset.sent"
    held.page.evaluate(f"() => {{ {sent} = '1'; }}")
    held.page.evaluate("() => window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    assert held.page.evaluate(f"() => {sent} ?? ''") == ""
    held.page.get_by_role("button", name="Take the order in").click()
    held.page.locator(".gp-error").first.wait_for()
