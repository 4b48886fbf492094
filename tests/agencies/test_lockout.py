"""Guessing is stopped from one address, from many, and at many logins; the person themselves still gets in."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.test import Client
from django.utils import timezone

from apps.agencies.models import Agency, User
from apps.agencies.services import password_link
from apps.audit.models import AuditEntry
from tests.factories import PASSWORD, SYSTEM, make_agency, make_member

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"


@pytest.fixture
def north(settings: Any) -> Agency:
    settings.AXES_FAILURE_LIMIT, settings.LOGIN_FAILURES_OF_A_LOGIN, settings.LOGIN_FAILURES_OF_AN_ADDRESS = 3, 6, 8
    return make_agency("north")


@pytest.fixture
def anna(north: Agency) -> User:
    return make_member(north, email="anna@north.example")


def at(address: str, *, like: Client | None = None) -> Client:
    """A browser at this address, with the cookies of another one."""
    browser = Client(REMOTE_ADDR=address)
    if like is not None:
        browser.cookies.update(like.cookies)
    return browser


def knock(browser: Client, email: str, password: str = "wrong") -> int:
    return browser.post(LOGIN, {"username": email, "password": password}).status_code


def from_everywhere(email: str, times: int, *, first: int = 1) -> list[int]:
    return [knock(at(f"198.51.100.{first + number}"), email) for number in range(times)]


def test_many_addresses_at_one_login_are_stopped(anna: User, north: Agency):
    assert from_everywhere(anna.email, 6) == [200] * 5 + [429]
    assert knock(at("203.0.113.1"), anna.email, PASSWORD) == 429
    assert knock(at("203.0.113.1"), make_member(north).email, PASSWORD) == 302
    assert AuditEntry.objects.filter(action="person.locked_out", agency=north).count() == 1


def test_one_address_at_many_logins_is_stopped(north: Agency):
    people = [make_member(north) for _number in range(6)]
    attacker = at("198.51.100.1")
    answers = [knock(attacker, people[number % 6].email) for number in range(8)]
    assert answers == [200] * 7 + [429]
    assert knock(attacker, people[5].email, PASSWORD) == 429
    assert knock(attacker, "nobody@nowhere.example") == 429
    assert knock(at("203.0.113.1"), people[5].email, PASSWORD) == 302


def test_a_browser_in_which_the_person_was_let_in_stays_open_to_them(anna: User, north: Agency):
    hers = at("192.0.2.1")
    assert knock(hers, anna.email, PASSWORD) == 302
    from_everywhere(anna.email, 7)
    assert knock(at("192.0.2.1"), anna.email, PASSWORD) == 429  # the address is not what is known
    later = at("192.0.2.9", like=hers)
    later.cookies.pop("session", None)
    assert knock(later, anna.email, PASSWORD) == 302
    # It opens no other login, and no more guesses than anybody has.
    other = make_member(north)
    from_everywhere(other.email, 7, first=50)
    assert knock(at("192.0.2.9", like=hers), other.email, PASSWORD) == 429
    from_everywhere(anna.email, 1, first=80)
    thief = at("192.0.2.10", like=hers)
    assert [knock(thief, anna.email) for _time in range(3)][-1] == 429
    assert knock(thief, anna.email, PASSWORD) == 429


def test_a_known_browser_is_forgotten_with_the_password(anna: User):
    hers = at("192.0.2.1")
    knock(hers, anna.email, PASSWORD)
    anna.set_password("another good battery")
    anna.save()
    from_everywhere(anna.email, 7)
    assert knock(at("192.0.2.1", like=hers), anna.email, "another good battery") == 429


def test_one_login_is_counted_under_one_name_however_it_is_written(anna: User):
    """A database that folds more than we count by would let each spelling guess anew."""
    for number, name in enumerate(
        ("ANNA@NORTH.EXAMPLE", " Anna@north.example ", "\uff41nna@north.example", anna.email)
    ):
        knock(at(f"198.51.100.{number}"), name)
    assert set(AccessAttempt.objects.values_list("username", flat=True)) == {anna.email}
    max_is = make_member(make_agency("south"), email="maxis@north.example")
    # Upper case makes S of \u017f and, in some databases, I of \u0131: neither is this login.
    for name in ("max\u0131s@north.example", "maxi\u017f@nor\u0442h.example"):
        assert User.objects.by_email(name) is None
        assert knock(at("203.0.113.7"), name, PASSWORD) == 200
    assert User.objects.by_email("MAXIS@north.example") == max_is
    assert knock(at("203.0.113.8"), "\u0130" * 254, PASSWORD) == 200  # twice as long once it is folded


def test_addresses_of_ipv6_are_counted_by_their_network(north: Agency):
    """Whoever has one has 2^64 of them."""
    people = [make_member(north) for _number in range(9)]
    answers = [knock(at(f"2001:db8:1:2:{number:x}::7"), people[number].email) for number in range(8)]
    assert answers == [200] * 7 + [429]
    assert knock(at("2001:db8:1:2:ffff::1"), people[8].email, PASSWORD) == 429
    assert knock(at("2001:db8:1:3::1"), people[8].email, PASSWORD) == 302


@pytest.mark.parametrize("text", ["", "x", "a:b:c", "eyJ9:1tXXXX:xxxx", "\x00"])
def test_a_forged_cookie_opens_nothing(anna: User, settings: Any, text: str):
    from_everywhere(anna.email, 6)
    browser = at("192.0.2.1")
    browser.cookies[settings.KNOWN_BROWSER_COOKIE] = text
    assert knock(browser, anna.email, PASSWORD) == 429


def test_nobody_is_locked_out_for_ever(anna: User):
    from_everywhere(anna.email, 7)
    browser = at("192.0.2.1")
    # Who goes on while it is locked does not prolong it.
    before = AccessAttempt.objects.order_by("-attempt_time").first()
    knock(browser, anna.email)
    assert AccessAttempt.objects.order_by("-attempt_time").first() == before
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert knock(browser, anna.email, PASSWORD) == 302


def test_an_owners_link_lets_in_who_others_keep_out(anna: User):
    from_everywhere(anna.email, 7)
    browser = at("192.0.2.1")
    page = browser.get(password_link(actor=SYSTEM, member=anna.memberships.get()), follow=True)
    new = {"new_password1": "another good battery", "new_password2": "another good battery"}
    browser.post(page.redirect_chain[-1][0], new)
    from_everywhere(anna.email, 7, first=100)  # who guesses goes on
    assert knock(at("192.0.2.2"), anna.email, "another good battery") == 429
    assert knock(browser, anna.email, "another good battery") == 302


def test_what_was_tried_is_kept_nowhere(anna: User):
    knock(at("198.51.100.1"), anna.email, "nearly my password")
    kept = str(list(AccessAttempt.objects.values()))
    assert "nearly" not in kept
