"""A row that Metrica refuses, in a real browser: found in the list, corrected there and delivered (R7, R8)."""

from typing import Any

import pytest

from apps.counters.services import connect_account
from apps.sandbox import services as sandbox
from apps.sandbox.models import FaultKind, SandboxOrder
from apps.uploads.models import Trigger, UploadJob
from apps.uploads.runner import run_job
from apps.uploads.services import request_upload
from tests.admin.conftest import Place
from tests.browser.chromium import Session
from tests.browser.test_walk import fits
from tests.factories import PASSWORD
from tests.goals.metrica import TOKEN, known_to_sandbox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def session(browser_session: Session, place: Place, live_server: Any) -> Any:
    """Logged in as the manager of a counter whose Metrica is the sandbox."""
    known_to_sandbox(place.counter.metrica_id)
    connect_account(agency=place.agency, login=place.account.login, token=TOKEN, base_url=f"{live_server.url}/sandbox")
    place.manager.set_password(PASSWORD)
    place.manager.save()
    browser_session.log_in(place.manager.email, PASSWORD)
    yield browser_session
    assert browser_session.complaints == []
    assert browser_session.strangers == []


def test_a_refused_row_is_corrected_in_the_list_and_delivered(session: Session, place: Place):
    # As if Metrica did not take this address: it refuses the row for as long as it holds it.
    refused = "wrong@mail.example"
    sandbox.add_fault(kind=FaultKind.REFUSE_ROW, counter=place.counter.metrica_id, count=None, contains=refused)
    order = place.push("R-1", "won", emails=[refused], revenue="5000")
    place.push("R-2", "won")
    run_job(request_upload(counter=place.counter, trigger=Trigger.SCHEDULE).pk)
    assert (place.change("R-1").delivery, place.change("R-2").delivery) == ("rejected", "delivered")
    page = session.page

    session.go("/admin/")
    page.get_by_role("link", name="Rejected").first.click()
    row = page.locator("#result_list tbody tr")
    row.get_by_role("link", name="R-1").wait_for()
    assert row.count() == 1
    assert fits(session)
    row.get_by_role("link", name="Correct").click()
    dialog = page.locator("#modal-content #dialog")
    assert dialog.get_by_label("E-mails").input_value() == refused
    dialog.get_by_label("E-mails").fill("right@mail.example")
    dialog.get_by_role("button", name="Correct and send again").click()
    page.get_by_text("Corrected: it goes with the next upload.").wait_for()
    page.get_by_text("Nothing is rejected").wait_for()

    session.go(f"/admin/counters/counter/{place.counter.pk}/change/")
    page.get_by_role("link", name="Upload now").click()
    dialog.get_by_role("button", name="Upload now").click()
    page.get_by_text("The upload is on its way.").wait_for()
    run_job(UploadJob.objects.latest("id").pk)
    page.locator(".gp-tile").get_by_text("Succeeded").wait_for()
    session.go(f"/admin/orders/order/{order.pk}/change/")
    page.get_by_text("Metrica has the current state of this order").wait_for()
    assert order.changes.latest("pk").delivery == "delivered"
    assert SandboxOrder.objects.filter(order_id="R-1").exists()
