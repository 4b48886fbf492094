"""A CRM is connected in a real browser, in both languages: an address is made, a sample posted by curl, its fields
mapped on what came, and the order is seen."""

import json
import subprocess
from collections.abc import Callable

import pytest

from apps.orders.models import Order
from apps.receivers import rounds
from tests.admin.conftest import Place
from tests.browser import chromium
from tests.browser.pages import PHONE, is_too_wide
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SAMPLE = {
    "event": "order.changed",
    "order": {
        "number": "1042A",
        "createdAt": "2026-11-24 10:15:00",
        "status": "new",
        "total": "4990.50",
        "customer": {
            "email": "anna@mail.example",
            "phones": [{"number": "+7 903 000-11-22"}, {"number": "84950001122"}],
        },
    },
}
PATHS = {
    "id": "order.number",
    "create_date_time": "order.createdAt",
    "order_status": "order.status",
    "emails": "order.customer.email",
    "phones": "order.customer.phones[*].number",
}
Shot = Callable[[str], None]


def curl(address: str, body: str) -> str:
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: application/json"]
    return subprocess.run([*command, "-d", body, address], capture_output=True, text=True, check=True).stdout


def walk(session: chromium.Session, place: Place, language: str, shot: Shot = lambda name: None) -> None:
    page = session.page
    session.log_in(place.owner.email, PASSWORD)
    session.speak(language)
    session.go("/admin/receivers/receiver/add/")
    page.locator("[name=counter]").select_option(index=1)
    page.fill("[name=name]", "Shop")
    page.locator("[name=kind]").select_option("generic")
    shot("1-add")
    page.click("[name=_save]")
    page.wait_for_load_state("networkidle")
    address = page.locator("#shown-once").inner_text().strip()
    shot("2-address")
    assert curl(address, json.dumps(SAMPLE)) == "200"
    assert curl(address[:-6] + "xxxxx/", json.dumps(SAMPLE)) == "404"
    rounds.WORKING.run()
    session.go("/admin/receivers/receiver/")
    shot("3-list")
    page.click("#result_list tbody a")
    page.wait_for_load_state("networkidle")
    shot("4-receiver")
    page.locator("a[href$='/mapping/']").first.click()
    page.wait_for_load_state("networkidle")
    for name, path in {**PATHS, "revenue": "order.status"}.items():
        page.fill(f"[name={name}]", path)
    page.click("button[name=try]")
    page.wait_for_load_state("networkidle")
    assert page.locator(".gp-import__wrong").count() == 1  # a status is no amount
    shot("5-tried")
    page.fill("[name=revenue]", "order.total")
    page.click("button[name=try]")
    page.wait_for_load_state("networkidle")
    assert page.locator(".gp-import__wrong").count() == 0
    assert not Order.objects.exists()
    shot("6-good")
    page.set_viewport_size({"width": PHONE, "height": 844})
    assert not is_too_wide(session)
    shot("7-phone")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.click("button[name=save]")
    page.wait_for_load_state("networkidle")
    session.go(page.url.removeprefix(session.base_url).split("?")[0].replace("/change/", "/again/"))
    shot("8-again")
    page.click(".gp-form [type=submit]")
    page.wait_for_load_state("networkidle")
    rounds.WORKING.run()
    session.go("/admin/receivers/post/")
    shot("9-posts")
    page.click("#result_list tbody th a")
    page.wait_for_load_state("networkidle")
    shot("10-post")
    page.click("section a[href*='/orders/order/']")
    page.wait_for_load_state("networkidle")
    assert page.locator("text=1042A").count()
    shot("11-order")
    assert Order.objects.get().order_status == "new"
    assert session.complaints == []
    assert session.strangers == []


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_crm_is_connected(browser_session: chromium.Session, place: Place, language: str) -> None:
    walk(browser_session, place, language)
