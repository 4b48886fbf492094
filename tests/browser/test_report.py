"""A client's report in a real browser: on a phone and on a screen, in both languages, keeping to its own policy."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.dashboard.models import DayNumbers
from apps.reports import services
from apps.reports.letters import stopping
from tests.admin.conftest import Place
from tests.browser import chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDER_THAN_THE_WINDOW = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture
def path(place: Place) -> str:
    services.change_look(look=services.look_of(place.agency), shown_name="Bright Co", colour="#ffd400")
    for ago in range(30):
        day = timezone.localdate() - timedelta(days=ago)
        statuses = {"paid": {"A rather long name of a status": ago + 1}, "other": {"new": 2}}
        DayNumbers.objects.create(
            counter=place.counter,
            day=day,
            orders=ago + 3,
            delivered=ago * 7,
            paid=ago + 1,
            other=2,
            revenue=1_234_567,
            profit=7_654_321,
            reached_paid=ago + 1,
            goals={"goal_Mine": ago + 1},
            statuses=statuses,
        )
    link = services.create_link(counter=place.counter, name="Anna", days=30, emails=["anna@shop.example"])
    return f"/report/{services.secret_of(link)}/"


@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_is_read_on_any_screen(browser_session: chromium.Session, path: str, width: int):
    session, page = browser_session, browser_session.page
    page.set_viewport_size({"width": width, "height": 800})
    session.go(path)
    assert page.inner_text("h1") == "Mine shop"
    assert page.locator("svg.chart rect").count() == 29
    assert page.evaluate("getComputedStyle(document.querySelector('.head')).backgroundColor") == "rgb(255, 212, 0)"
    assert not page.evaluate(WIDER_THAN_THE_WINDOW)
    page.click("text=7 days")
    page.wait_for_load_state("networkidle")
    assert page.locator(".chosen").inner_text() == "7 days"
    page.click(".language")
    page.wait_for_load_state("networkidle")
    assert page.get_attribute("html", "lang") == "ru"
    assert "period=7" in page.url
    assert not page.evaluate(WIDER_THAN_THE_WINDOW)
    page.click("summary")
    assert page.locator(".by-day tbody tr").count() == 7
    page.emulate_media(media="print")
    assert not page.locator(".choices").is_visible()
    assert page.context.cookies() == []
    assert session.complaints == []
    assert session.strangers == []


def test_the_letters_are_stopped_in_the_browser(browser_session: chromium.Session, place: Place, path: str):
    from apps.reports.models import Recipient

    session, page = browser_session, browser_session.page
    session.go(stopping.path_of(Recipient.objects.get()))
    page.click("button")
    page.wait_for_load_state("networkidle")
    assert "You get no more letters" in page.inner_text("main")
    page.click("button")
    page.wait_for_load_state("networkidle")
    assert Recipient.objects.get().unsubscribed_at is None
    assert session.complaints == []


def test_the_address_is_copied_and_the_look_seen_before_it_is_kept(
    browser_session: chromium.Session, place: Place, path: str, settings: Any
):
    from tests.factories import PASSWORD

    session, page = browser_session, browser_session.page
    session.log_in(place.owner.email, PASSWORD)
    session.go("/admin/reports/reportlink/")
    page.click("#result_list tbody a")
    page.wait_for_load_state("networkidle")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("[data-gp-copy]")
    page.wait_for_function("document.querySelector('[data-gp-copy]').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()").endswith(path)
    session.go("/admin/reports/agencylook/")
    page.fill("[name=colour]", "#006644")
    with page.expect_popup() as opened:
        page.click("button[formtarget=_blank]")
    shown = opened.value
    shown.wait_for_load_state("networkidle")
    assert shown.evaluate("getComputedStyle(document.querySelector('.head')).backgroundColor") == "rgb(0, 102, 68)"
    assert "not saved yet" in shown.inner_text(".ribbon")
    assert services.look_of(place.agency).brand == "#ffd400"
