"""An owner connects a Yandex login in a real browser, against the sandbox's OAuth pages, and all that comes after."""

from typing import Any

import pytest
from django.utils import timezone

from apps.counters.models import AccountState, Counter, MetricaAccount
from apps.counters.tasks import renew_token
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxGrant
from apps.sandbox.oauth import issuing
from apps.uploads import scheduler
from tests.admin.conftest import Place
from tests.browser.chromium import Session
from tests.browser.test_walk import fits
from tests.counters.conftest import LOGIN, Yandex, at_yandex
from tests.factories import PASSWORD

__all__ = ["at_yandex"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/admin/counters/metricaaccount/"


@pytest.fixture
def session(at_yandex: Yandex, browser_session: Session, place: Place) -> Any:
    """Logged in as the owner. Afterwards: no complaint on the console, nothing asked of another host."""
    place.owner.set_password(PASSWORD)
    place.owner.save()
    browser_session.log_in(place.owner.email, PASSWORD)
    yield browser_session
    assert browser_session.complaints == []
    assert browser_session.strangers == []


def account() -> MetricaAccount:
    return MetricaAccount.objects.get(login=LOGIN)


def connect_by_redirect(session: Session) -> None:
    page = session.page
    session.go(LIST)
    page.get_by_role("link", name="Connect Yandex").first.click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Go to Yandex").click()
    page.get_by_role("heading", name="Goalpost asks for access to Metrica").wait_for()
    page.get_by_label("Login", exact=True).select_option(LOGIN)
    page.get_by_role("button", name="Give access").click()
    page.get_by_text(f"{LOGIN} is connected.").wait_for()


def choose(session: Session, act: str) -> None:
    """From those behind “More”, for which the header has no room."""
    session.page.locator("a:visible", has_text="more_horiz").click()
    session.page.get_by_role("link", name=act).click()


def open_account(session: Session) -> None:
    session.go(f"{LIST}{account().pk}/change/")


def test_by_redirect_and_on_to_its_counters(session: Session, place: Place, at_yandex: Yandex):
    connect_by_redirect(session)
    page = session.page
    page.get_by_text("Reading works: 2 counters. Uploading not yet proven").wait_for()
    page.get_by_text("Yandex says: north-metrica").wait_for()
    assert "code=" not in page.url
    for secret in at_yandex.secrets():
        assert secret not in page.content()
    page.get_by_role("link", name="Import counters").click()
    page.get_by_label("Search by name, site or whole number").fill("dental")
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_load_state("networkidle")
    assert page.locator("[name=counter]").count() == 1
    page.locator("[name=counter]").check()
    page.get_by_role("button", name="Add the picked counters").click()
    page.get_by_text("1 counter was added with its time zone and goals").wait_for()
    counter = Counter.objects.get(metrica_id=40000001)
    assert (counter.agency, counter.time_zone) == (place.agency, "Europe/Moscow")


def test_by_typed_code(session: Session):
    page = session.page
    session.go(LIST)
    page.get_by_role("link", name="Connect Yandex").first.click()
    page.get_by_label("Yandex shows a code, and you type it in").check()
    page.get_by_role("button", name="Continue").click()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open Yandex's page").click()
    yandex = opened.value
    yandex.get_by_label("Or a new login").fill("typed-login")
    yandex.get_by_role("button", name="Give access").click()
    code = yandex.locator("#code").inner_text()
    yandex.close()
    page.get_by_label("Code").fill(code[:-1] + ("a" if code[-1] != "a" else "b"))
    page.get_by_role("button", name="Connect", exact=True).click()
    page.get_by_text("Yandex does not know this code").wait_for()
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Connect", exact=True).click()
    page.get_by_text("typed-login is connected.").wait_for()
    assert MetricaAccount.objects.get(login="typed-login").renews_itself


def test_a_person_refuses(session: Session):
    page = session.page
    session.go(f"{LIST}yandex/")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Go to Yandex").click()
    page.get_by_role("button", name="Refuse").click()
    page.get_by_text("The access was refused on Yandex's page.").wait_for()
    page.get_by_role("link", name="Begin again").click()
    page.get_by_role("button", name="Continue").wait_for()
    assert not MetricaAccount.objects.filter(login=LOGIN).exists()


def test_renewal_is_seen(session: Session, at_yandex: Yandex):
    sandbox.set_switch(name="token_lifetime", value="ten_minutes")
    connect_by_redirect(session)
    page = session.page
    page.locator(".gp-tile", has_text="Token expires").get_by_text("in 9 min").wait_for()
    before = account()
    at_yandex.make_due(before)
    assert scheduler.renew_tokens() == 1
    renew_token(before.pk)
    open_account(session)
    page.locator(".gp-tile", has_text="Renewed").get_by_text("just now").wait_for()
    assert account().token_encrypted != before.token_encrypted
    choose(session, "Check the connection")
    page.locator("#modal-content #dialog").get_by_role("button", name="Ask Metrica").click()
    page.get_by_text("Metrica answered: this account reaches 2 counters. Reading works").wait_for()


def test_a_renewal_that_fails_is_seen_and_heals(session: Session, at_yandex: Yandex):
    connect_by_redirect(session)
    at_yandex.make_due(account())
    sandbox.add_fault(kind="server_error", endpoint="oauth")
    renew_token(account().pk)
    page = session.page
    open_account(session)
    page.get_by_text("could not be renewed yet; it is tried again. Yandex OAuth has a fault on its side.").wait_for()
    session.go(LIST)
    page.get_by_text("Needs a look").wait_for()
    session.go("/admin/")
    page.get_by_text(f"The token of {LOGIN} could not be renewed yet").wait_for()
    at_yandex.make_due(account())
    renew_token(account().pk)
    session.go("/admin/")
    assert page.get_by_text("could not be renewed").count() == 0


def test_expiry_is_told_and_mended(session: Session):
    """The token and its refresh token ended at Yandex: the check says so, and connecting anew is one way round."""
    connect_by_redirect(session)
    (grant,) = SandboxGrant.objects.filter(token__login=LOGIN)
    issuing.end_token(token=grant.token.token, expires_at=timezone.now())
    page = session.page
    open_account(session)
    choose(session, "Check the connection")
    dialog = page.locator("#modal-content #dialog")
    dialog.get_by_role("button", name="Ask Metrica").click()
    page.get_by_text("The account's token is wrong, expired or revoked.").wait_for()
    assert account().state == AccountState.DISCONNECTED
    MetricaAccount.objects.filter(login=LOGIN).update(refresh_at=timezone.now())
    renew_token(account().pk)
    open_account(session)
    page.get_by_text("cannot be renewed. Connect the account again.").wait_for()
    page.locator(".gp-note--bad").get_by_role("link", name="Connect").click()
    page.get_by_role("heading", name=f"Connect {LOGIN} again").wait_for()
    assert page.get_by_label("Yandex login").input_value() == LOGIN
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Go to Yandex").click()
    assert page.get_by_label("Login", exact=True).input_value() == LOGIN, "the login is proposed"
    page.get_by_role("button", name="Give access").click()
    page.get_by_text(f"{LOGIN} is connected.").wait_for()
    assert account().state == AccountState.CONNECTED


def test_disconnecting_revokes(session: Session, at_yandex: Yandex):
    connect_by_redirect(session)
    assert at_yandex.live() == 1
    page = session.page
    choose(session, "Disconnect")
    dialog = page.locator("#modal-content #dialog")
    dialog.get_by_label("Why").fill("the client left")
    dialog.get_by_role("button", name="Disconnect").click()
    page.get_by_text("The account is disconnected and its token forgotten.").wait_for()
    assert at_yandex.live() == 0
    assert account().token_encrypted == ""


def test_pages_fit_a_phone(session: Session):
    connect_by_redirect(session)
    session.page.set_viewport_size({"width": 390, "height": 844})
    for path in (f"{LIST}yandex/", LIST, f"{LIST}{account().pk}/change/", f"{LIST}{account().pk}/import/"):
        session.go(path)
        assert fits(session), path
    session.go(f"{LIST}yandex/")
    session.page.get_by_role("button", name="Continue").click()
    assert fits(session)
    session.page.get_by_role("link", name="Go to Yandex").click()
    assert fits(session)
