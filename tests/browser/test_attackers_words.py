"""An attacker's words on the main pages in a real browser: no script of theirs runs, and the policy is never broken.

Every page, by parsing: tests/admin/test_attackers_words.py.
"""

from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection

from apps.clients.models import Client
from apps.counters.models import Counter
from apps.imports.models import ImportJob
from apps.orders.models import HeldChange, Order
from tests.admin import attacks
from tests.admin.access.world import fill
from tests.admin.conftest import Place
from tests.browser.chromium import Session
from tests.factories import PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "postgresql", reason="a page looks the same whatever the database is"),
]


@pytest.fixture
def attacked(place: Place) -> Place:
    fill(place)
    attacks.attack(place)
    return place


def paths(place: Place) -> list[str]:
    hostile = Order.objects.filter(counter=place.counter, order_id__startswith=attacks.MARKUP).get()
    held = HeldChange.objects.filter(order__counter=place.counter).order_by("-pk").first()
    job = ImportJob.objects.order_by("-created_at").first()
    client = Client.objects.filter(counter=place.counter).order_by("-pk").first()
    assert held and job and client
    counter = f"/admin/counters/counter/{Counter.objects.get(pk=place.counter.pk).pk}"
    return [
        "/admin/",
        "/admin/orders/order/",
        f"/admin/orders/order/?q={quote(attacks.MARKUP)}",
        f"/admin/orders/order/?status={quote(attacks.MARKUP)}",
        f"/admin/orders/order/{hostile.pk}/change/",
        f"/admin/orders/order/{hostile.pk}/status/",
        "/admin/orders/heldchange/",
        f"/admin/orders/heldchange/{held.pk}/change/",
        "/admin/orders/rejectedchange/",
        "/admin/orders/statuschange/",
        "/admin/clients/client/",
        f"/admin/clients/client/{client.pk}/change/",
        f"{counter}/change/",
        f"{counter}/map/",
        f"/admin/imports/importjob/{job.pk}/change/",
        "/admin/agencies/membership/",
        "/admin/agencies/apikey/",
        "/admin/audit/auditentry/",
        "/admin/alerts/alert/",
    ]


def test_nothing_of_theirs_runs(browser_session: Session, attacked: Place, live_server: Any):
    session, dialogs = browser_session, []
    session.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    attacked.owner.set_password(PASSWORD)
    attacked.owner.save()
    session.log_in(attacked.owner.email, PASSWORD)
    for path in paths(attacked):
        session.go(path)
        made = session.page.evaluate(f"document.getElementsByTagName('{attacks.PROBE}').length")
        assert made == 0, path
        assert dialogs == [], path
        assert session.complaints == [], path
    # The list behind “/”, and what a person presses there.
    session.go("/admin/orders/order/")
    session.page.keyboard.press("Control+k")
    session.page.keyboard.type(attacks.PROBE)
    session.page.wait_for_timeout(1500)
    assert dialogs == []
    assert session.complaints == []
    assert session.strangers == []


def test_the_policy_would_stop_what_got_through(browser_session: Session, attacked: Place, live_server: Any):
    """The second wall: a script that somebody brought into a page is not run."""
    session, dialogs = browser_session, []
    session.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    session.go("/admin/login/")
    session.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src='x' onerror='window.ran = true'>");
        }"""
    )
    session.page.wait_for_timeout(500)
    assert session.page.evaluate("window.ran === undefined")
    assert session.complaints, "the browser says what it refused"
    assert dialogs == []
