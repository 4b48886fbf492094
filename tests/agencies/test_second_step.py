"""The second step of logging in: asked for once it is on, by no way left out, and not to be guessed."""

import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.agencies import second_step
from apps.agencies.models import Agency, Membership, Role, User
from apps.audit.models import AuditEntry
from tests.agencies.test_pages import shown_once
from tests.factories import PASSWORD, make_agency, make_member, make_membership

pytestmark = pytest.mark.django_db

PROFILE, ON = "/admin/profile/", "/admin/profile/second-step/"
LOGIN, CODE = "/admin/login/", "/admin/login/code/"
PEOPLE = "/admin/agencies/membership/"


@pytest.fixture
def north() -> Agency:
    return make_agency("north", "North Agency")


@pytest.fixture
def anna(north: Agency) -> User:
    return make_member(north, Role.OWNER, "anna@north.example")


def code_of(user: User, *, ahead: int = 0) -> str:
    """What the app shows now, or `ahead` steps from now: a code is good once, and for its neighbours' time too."""
    device = TOTPDevice.objects.get(user=user)
    return f"{totp(device.bin_key, t0=-30 * ahead):06d}"


def switched_on(user: User) -> list[str]:
    second_step.begin(user)
    return second_step.switch_on(user=user, code=code_of(user))


def forget_waits() -> None:
    """As if the waits after wrong codes were over."""
    for model in (TOTPDevice, second_step.StaticDevice):
        model.objects.update(throttling_failure_count=0)


def password_step(browser: Client, user: User, **more: Any) -> Any:
    return browser.post(LOGIN, {"username": user.email, "password": PASSWORD, **more})


def is_in(browser: Client) -> bool:
    return browser.get(PEOPLE).status_code == 200


def test_a_person_switches_it_on_with_the_picture_and_gets_backup_codes_once(client: Client, anna: User):
    client.force_login(anna)
    assert "With the password alone" in client.get(PROFILE).content.decode()
    page = client.get(ON).content.decode()
    assert 'src="data:image/svg+xml' in page
    assert page.count("otpauth://totp/Goalpost") == 1
    key = re.search(r'id="second-step-key">([^<]+)<', page)
    assert key
    assert key[1] in client.get(ON).content.decode()  # opening the page again does not make a new key
    assert "wrong or was used" in client.post(ON, {"code": "000000"}).content.decode()
    assert not second_step.is_on(anna)
    forget_waits()
    answer = client.post(ON, {"code": code_of(anna)[:3] + " " + code_of(anna)[3:]})
    codes = shown_once(answer).split()
    assert len(codes) == second_step.BACKUP_CODES
    assert "no-store" in answer.headers["Cache-Control"]
    assert "10 backup codes are left" in client.get(PROFILE).content.decode()
    assert client.get(ON).status_code == 302  # the key is shown to nobody any more
    kept = str([*StaticToken.objects.values_list("token", flat=True), *AuditEntry.objects.values()])
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    entry = AuditEntry.objects.get(action="person.second_step_on")
    assert (entry.agency, entry.actor_label) == (anna.memberships.get().agency, anna.email)


def test_the_password_alone_does_not_open_any_more(anna: User):
    switched_on(anna)
    browser = Client()
    answer = password_step(browser, anna, next=PEOPLE)
    assert answer.url.startswith(CODE)
    assert not is_in(browser)
    assert not AuditEntry.objects.filter(action="person.logged_in").exists()
    assert "wrong" in browser.post(CODE, {"code": "abcde-fghij"}).content.decode()
    assert not is_in(browser)
    answer = browser.post(answer.url, {"code": code_of(anna, ahead=1), "next": PEOPLE})
    assert answer.url == PEOPLE  # type: ignore[attr-defined]
    assert is_in(browser)


def test_a_code_opens_once(anna: User):
    codes = switched_on(anna)
    for code, opened in (
        (code_of(anna, ahead=1), True),
        (code_of(anna, ahead=1), False),
        (codes[0], True),
        (codes[0], False),
        (codes[1].replace("-", "").upper(), True),
    ):
        browser = Client()
        password_step(browser, anna)
        browser.post(CODE, {"code": code})
        assert is_in(browser) == opened, code
        forget_waits()
    assert second_step.standing_of(anna).codes_left == 8


@pytest.mark.parametrize("spoil", ["no_password", "late", "password_changed", "switched_off", "other_session"])
def test_the_code_without_the_password_opens_nothing(anna: User, spoil: str, monkeypatch: Any):
    codes = switched_on(anna)
    browser = Client()
    if spoil != "no_password":
        password_step(browser, anna)
    if spoil == "late":
        monkeypatch.setattr(second_step, "PATIENCE", -1)
    elif spoil == "password_changed":
        anna.set_password("another one entirely")
        anna.save()
    elif spoil == "switched_off":
        User.objects.update(is_active=False)
    elif spoil == "other_session":
        browser = Client()
    for answer in (browser.get(CODE), browser.post(CODE, {"code": codes[0]})):
        assert answer.url == LOGIN  # type: ignore[attr-defined]
    assert "_auth_user_id" not in browser.session
    assert second_step.standing_of(anna).codes_left == 10


def test_wrong_codes_lock_the_door_as_wrong_passwords_do(anna: User, settings: Any):
    settings.AXES_FAILURE_LIMIT = 4
    codes = switched_on(anna)
    browser = Client()
    password_step(browser, anna)
    for number in range(4):
        forget_waits()
        answer = browser.post(CODE, {"code": f"00000{number}"})
    assert answer.status_code == 429
    forget_waits()
    assert browser.post(CODE, {"code": codes[0]}).status_code == 429
    assert password_step(Client(), anna).status_code == 429
    assert second_step.standing_of(anna).codes_left == 10
    assert AuditEntry.objects.filter(action="person.locked_out").count() == 1


def test_coming_back_with_the_right_password_does_not_give_more_guesses(anna: User, settings: Any):
    settings.AXES_FAILURE_LIMIT = 4
    switched_on(anna)
    for number in range(4):
        forget_waits()
        browser = Client()
        password_step(browser, anna)
        browser.post(CODE, {"code": f"00000{number}"})
    assert password_step(Client(), anna).status_code == 429


def test_after_a_wrong_code_even_the_right_one_waits_wherever_it_comes_from(anna: User):
    codes = switched_on(anna)
    for code, wrong in ((code_of(anna, ahead=1), "123456"), (codes[0], "aaaaa-aaaaa")):
        one, other = Client(REMOTE_ADDR="192.0.2.1"), Client(REMOTE_ADDR="192.0.2.2")
        for browser in (one, other):
            password_step(browser, anna)
        for _ in range(3):
            one.post(CODE, {"code": wrong})
        assert "Too many wrong codes" in other.post(CODE, {"code": code}).content.decode()
        assert not is_in(other)


def test_switching_off_and_new_codes_take_a_code(client: Client, anna: User):
    codes = switched_on(anna)
    client.force_login(anna)
    off, renew = "/admin/profile/second-step/off/", "/admin/profile/second-step/codes/"
    for url in (off, renew):
        assert client.get(url).status_code == 200
        assert "wrong" in client.post(url, {"code": "zzzzz-zzzzz"}).content.decode()
        forget_waits()
    assert second_step.standing_of(anna).codes_left == 10
    new = shown_once(client.post(renew, {"code": codes[0]})).split()
    assert "wrong" in client.post(off, {"code": codes[1]}).content.decode()
    forget_waits()
    assert client.post(off, {"code": new[0]}).status_code == 302
    assert not second_step.is_on(anna)
    assert not StaticToken.objects.exists()
    assert password_step(Client(), anna).url == "/admin/"
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"person.backup_codes_renewed", "person.second_step_off"} <= actions
    for url in (off, renew):
        assert client.get(url).status_code == 302


def test_an_owner_helps_who_has_lost_both(client: Client, north: Agency, anna: User):
    lost = make_member(north, Role.ANALYST, "lost@north.example")
    switched_on(lost)
    client.force_login(anna)
    url = f"{PEOPLE}{Membership.objects.get(user=lost).pk}/second-step-off/"
    client.get(url)
    assert second_step.is_on(lost)
    make_membership(make_agency("south"), lost)
    assert "works elsewhere" in client.post(url, {"_form_submitted": "on"}, follow=True).content.decode()
    assert second_step.is_on(lost)
    Membership.objects.filter(user=lost).exclude(agency=north).delete()
    client.post(url, {"_form_submitted": "on"})
    assert not second_step.is_on(lost)
    assert AuditEntry.objects.get(action="member.second_step_reset").agency == north
    assert "alone already" in client.post(url, {"_form_submitted": "on"}, follow=True).content.decode()


def test_a_new_password_by_link_does_not_go_around_it(north: Agency, anna: User):
    from apps.agencies.services import password_link
    from tests.factories import SYSTEM

    switched_on(anna)
    browser = Client()
    page = browser.get(password_link(actor=SYSTEM, member=anna.memberships.get()), follow=True)
    new = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    browser.post(page.redirect_chain[-1][0], new)
    assert password_step(browser, anna).url.startswith(CODE)
    assert not is_in(browser)


def test_the_code_page_leads_nowhere_else_and_keeps_no_secret(anna: User):
    codes = switched_on(anna)
    browser = Client()
    password_step(browser, anna)
    assert PASSWORD not in str([session.get_decoded() for session in Session.objects.all()])
    answer = browser.post(f"{CODE}?next=https://evil.example/", {"code": codes[0], "next": "https://evil.example/"})
    assert answer.url == "/admin/"  # type: ignore[attr-defined]
