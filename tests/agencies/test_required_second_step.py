"""Where a second step of logging in is required, nothing opens without it; who has to is led to it."""

from typing import Any
from urllib.parse import quote

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.agencies import second_step, services
from apps.agencies.access import actor_for_user
from apps.agencies.models import Agency, Role, User
from apps.audit.models import AuditEntry
from tests.agencies.test_second_step import CODE, ON, PEOPLE, code_of, forget_waits, password_step, switched_on
from tests.factories import PASSWORD, SYSTEM, make_agency, make_member, make_membership, make_staff

pytestmark = pytest.mark.django_db

RULE = f"{PEOPLE}requirement/"


@pytest.fixture
def north() -> Agency:
    return make_agency("north", "North Agency")


def logged_in(user: User) -> Client:
    browser = Client()
    assert password_step(browser, user).status_code == 302
    return browser


@pytest.mark.parametrize(
    ("of", "shut"), [("", set()), ("owners", {"owner"}), ("everybody", {"owner", "manager", "analyst"})]
)
def test_whom_an_agency_requires_it_of(north: Agency, of: str, shut: set[str]):
    services.require_second_step(actor=SYSTEM, agency=north, of=of)
    for role in Role.values:
        browser = logged_in(make_member(north, role))
        for url in ("/admin/", PEOPLE, "/admin/orders/order/", "/admin/profile/", "/admin/password_change/"):
            answer = browser.get(url)
            assert (answer.status_code == 302 and answer.url == ON) == (role in shut), (role, url)
        assert browser.post("/admin/logout/").status_code in (200, 302)


def test_who_is_led_to_it_switches_it_on_and_goes_on(north: Agency):
    services.require_second_step(actor=SYSTEM, agency=north, of="everybody")
    anna = make_member(north)
    browser, elsewhere = logged_in(anna), logged_in(anna)
    assert "requires a second step" in browser.get(ON).content.decode()
    browser.post(ON, {"code": code_of(anna)})
    assert browser.get(PEOPLE).status_code == 200
    assert elsewhere.get(PEOPLE).status_code == 302  # a login by the password alone ends
    assert elsewhere.get(PEOPLE).url.startswith("/admin/login/")  # type: ignore[attr-defined]
    again = logged_in(anna)
    again.post(CODE, {"code": code_of(anna, ahead=1)})
    assert again.get(PEOPLE).status_code == 200


def test_it_costs_one_query_a_page_where_it_is_required(north: Agency):
    services.require_second_step(actor=SYSTEM, agency=north, of="everybody")
    anna = make_member(north)
    switched_on(anna)
    browser = logged_in(anna)
    browser.post(CODE, {"code": code_of(anna, ahead=1)})
    browser.get("/admin/jsi18n/")
    browser.get("/admin/profile/second-step/off/")
    for rule, queries in (("everybody", 1), ("", 0)):
        Agency.objects.update(second_step_for=rule)
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(PEOPLE).status_code == 200
        assert len([query for query in asked if "totp" in query["sql"]]) == queries


@pytest.mark.parametrize("what", ["removed", "replaced", "password"])
def test_a_login_is_not_verified_any_longer_than_its_device_and_password(
    north: Agency, what: str, monkeypatch: pytest.MonkeyPatch
):
    """R11: what a code has opened stays open only for that device."""
    anna = make_member(north)
    codes = switched_on(anna)
    browser = logged_in(anna)
    browser.post(CODE, {"code": code_of(anna, ahead=1)})
    services.require_second_step(actor=SYSTEM, agency=north, of="everybody")
    assert browser.get(PEOPLE).status_code == 200
    if what == "password":
        new = {
            "old_password": PASSWORD,
            "new_password1": "another good battery",
            "new_password2": "another good battery",
        }
        browser.post("/admin/password_change/", new)
    else:
        TOTPDevice.objects.filter(user=anna).delete()
    if what == "removed":
        assert browser.get(PEOPLE).url == ON  # type: ignore[attr-defined]
        return
    if what == "replaced":
        # Where sessions are ended along with it, this one would not be left to be asked.
        monkeypatch.setattr(second_step.sign_ins, "end_others", lambda **_: 0)
        codes = switched_on(anna)
    answer = browser.get(f"{PEOPLE}?q=anna")
    assert answer.url == f"{CODE}?next={quote(f'{PEOPLE}?q=anna', safe='')}"  # type: ignore[attr-defined]
    assert browser.get(PEOPLE).url.startswith("/admin/login/")  # type: ignore[attr-defined]  # nobody is in meanwhile
    answer = browser.post(answer.url, {"code": codes[0], "next": PEOPLE})  # type: ignore[attr-defined]
    assert answer.url == PEOPLE  # type: ignore[attr-defined]
    assert browser.get(PEOPLE).status_code == 200


def test_it_cannot_be_switched_off_where_it_is_required(north: Agency):
    anna = make_member(north)
    codes = switched_on(anna)
    services.require_second_step(actor=SYSTEM, agency=north, of="owners")
    browser = logged_in(anna)
    browser.post(CODE, {"code": code_of(anna, ahead=1)})
    page = browser.post("/admin/profile/second-step/off/", {"code": codes[0]}).content.decode()
    assert "required of you" in page
    assert second_step.is_on(anna)
    assert second_step.standing_of(anna).codes_left == 10


def test_who_lost_it_and_was_helped_has_to_switch_it_on_again(north: Agency):
    services.require_second_step(actor=SYSTEM, agency=north, of="everybody")
    lost = make_member(north, Role.ANALYST)
    switched_on(lost)
    browser = logged_in(lost)
    browser.post(CODE, {"code": code_of(lost, ahead=1)})
    assert browser.get(PEOPLE).status_code == 200
    second_step.reset(actor=SYSTEM, member=lost.memberships.get())
    forget_waits()
    assert browser.get(PEOPLE).url.startswith("/admin/login/")  # type: ignore[attr-defined]
    assert logged_in(lost).get(PEOPLE).url == ON  # type: ignore[attr-defined]


@pytest.mark.parametrize("of", ["nobody", "staff", "owners", "everybody"])
def test_what_the_platform_requires(settings: Any, north: Agency, of: str):
    settings.SECOND_STEP_FOR = of
    shut = {"nobody": 0, "staff": 1, "owners": 2, "everybody": 3}[of]
    for number, user in enumerate((make_staff(), make_member(north), make_member(north, Role.MANAGER)), start=1):
        assert (logged_in(user).get("/admin/").status_code == 302) == (number <= shut), (of, user)


def test_one_agency_of_several_is_enough(north: Agency):
    pat = make_member(make_agency("south"), Role.ANALYST)
    make_membership(north, pat, Role.ANALYST)
    services.require_second_step(actor=SYSTEM, agency=north, of="everybody")
    assert logged_in(pat).get(PEOPLE).status_code == 302


def test_an_owner_requires_it_on_the_page_of_people(client: Client, north: Agency):
    anna = make_member(north)
    make_member(north, Role.ANALYST)
    client.force_login(anna)
    assert RULE in client.get(PEOPLE).content.decode()
    assert "2 of 2 people" in client.get(RULE).content.decode()
    assert "list" in client.post(RULE, {"of": "me"}).content.decode() or Agency.objects.get().second_step_for == ""
    client.post(RULE, {"of": "everybody"})
    assert Agency.objects.get().second_step_for == "everybody"
    entry = AuditEntry.objects.get(action="agency.second_step_required")
    assert (entry.agency, entry.after["second_step_for"]) == (north, "everybody")
    assert client.get(PEOPLE).url == ON  # type: ignore[attr-defined]


def test_nobody_else_requires_anything(north: Agency):
    for actor in (actor_for_user(make_member(north, Role.MANAGER)), actor_for_user(make_member(make_agency("south")))):
        with pytest.raises(PermissionDenied):
            services.require_second_step(actor=actor, agency=north, of="everybody")
