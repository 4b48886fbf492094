"""A person sees where they are logged in, and ends any of it from anywhere."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from apps.agencies import sign_ins
from apps.agencies.models import Agency, Role, SignIn, User
from apps.audit.models import AuditEntry
from tests.factories import PASSWORD, make_agency, make_member

pytestmark = pytest.mark.django_db

PROFILE, END, PEOPLE = "/admin/profile/", "/admin/profile/sessions/", "/admin/agencies/membership/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
YANDEX = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 "
    "YaBrowser/25.8.0.0 Safari/537.36"
)


@pytest.fixture
def north() -> Agency:
    return make_agency("north", "North Agency")


@pytest.fixture
def anna(north: Agency) -> User:
    return make_member(north, Role.ANALYST, "anna@north.example")


def browser_of(user: User, agent: str = FIREFOX, ip: str = "192.0.2.7") -> Client:
    browser = Client(HTTP_USER_AGENT=agent, REMOTE_ADDR=ip)
    answer = browser.post("/admin/login/", {"username": user.email, "password": PASSWORD})
    assert answer.status_code == 302
    return browser


def is_in(browser: Client) -> bool:
    return browser.get(PEOPLE).status_code == 200


def test_each_session_is_listed_with_when_where_and_what(anna: User):
    here, there = browser_of(anna), browser_of(anna, YANDEX, "198.51.100.9")
    page = here.get(PROFILE).content.decode()
    for text in ("Firefox, Linux", "192.0.2.7", "Yandex Browser, Windows", "198.51.100.9", "This one"):
        assert text in page
    assert page.count("Log out there</button>") == 1
    there.post("/admin/logout/")
    assert "198.51.100.9" not in here.get(PROFILE).content.decode()


def test_one_is_ended_and_the_others_go_on(anna: User):
    here, there, third = browser_of(anna), browser_of(anna, YANDEX, "198.51.100.9"), browser_of(anna)
    pk = SignIn.objects.get(ip="198.51.100.9").pk
    assert "was ended" in here.post(END, {"session": pk}, follow=True).content.decode()
    assert [is_in(one) for one in (here, there, third)] == [True, False, True]
    entry = AuditEntry.objects.get(action="person.session_ended")
    assert (entry.actor_label, entry.before["ip"]) == (anna.email, "198.51.100.9")
    assert here.post(END, {"session": pk}).status_code == 404


def test_all_others_are_ended_at_once(anna: User):
    here, *others = (browser_of(anna) for _ in range(3))
    assert "2 sessions were ended" in here.post(END, {"session": "others"}, follow=True).content.decode()
    assert [is_in(one) for one in (here, *others)] == [True, False, False]
    assert SignIn.objects.count() == Session.objects.count() == 1


@pytest.mark.parametrize("given", ["", "x", "0", "9" * 30, "-1", "٣"])
def test_what_is_no_session_of_theirs_is_not_there(anna: User, north: Agency, given: str):
    browser_of(make_member(north, Role.OWNER))
    here = browser_of(anna)
    foreign = SignIn.objects.exclude(user=anna).get()
    for value in (given, str(foreign.pk)):
        assert here.post(END, {"session": value}).status_code == 404
    assert here.get(END).status_code == 405
    assert SignIn.objects.count() == 2


def test_a_new_password_ends_what_was_opened_with_the_old_one(anna: User):
    here, there = browser_of(anna), browser_of(anna)
    new = {"old_password": PASSWORD, "new_password1": "my very own words", "new_password2": "my very own words"}
    assert here.post("/admin/password_change/", new).status_code == 302
    assert [is_in(one) for one in (here, there)] == [True, False]
    assert here.get(PROFILE).content.decode().count("This one") == 1
    assert SignIn.objects.count() == 1


def test_last_seen_moves_on_at_little_cost(anna: User):
    here = browser_of(anna)
    here.get(PEOPLE)
    long_ago = timezone.now() - timedelta(hours=5)
    SignIn.objects.update(seen_at=long_ago)
    here.get(PEOPLE)
    assert SignIn.objects.get().seen_at == long_ago  # it was seen just now; nothing is written again and again
    cache.clear()
    here.get(PEOPLE)
    assert SignIn.objects.get().seen_at > long_ago


def test_sessions_that_are_over_are_not_listed_and_go_with_the_next_login(anna: User):
    here, gone, late = browser_of(anna), browser_of(anna), browser_of(anna)
    key = gone.session.session_key
    Session.objects.filter(session_key=key).delete()
    Session.objects.filter(session_key=late.session.session_key).update(expire_date=timezone.now())
    assert here.get(PROFILE).content.decode().count("Firefox, Linux") == 1
    browser_of(anna)
    assert not SignIn.objects.filter(session_key=key).exists()
    assert SignIn.objects.count() == 3


def test_a_session_from_before_is_listed_once_it_is_seen(anna: User):
    here = browser_of(anna)
    SignIn.objects.all().delete()
    cache.clear()
    assert "Firefox, Linux" in here.get(PROFILE).content.decode()


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox, Linux"),
        (YANDEX, "Yandex Browser, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Safari/604.1", "Safari, iPhone"),
        ("curl/8.5", "curl/8.5"),
        ("", ""),
    ],
)
def test_browsers_are_named_as_people_call_them(agent: str, name: str):
    assert sign_ins.name_of(agent) == name
