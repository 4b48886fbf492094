"""How long a login lasts, what ends it, and what its cookies may."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from apps.agencies.models import SignIn, User
from tests.factories import PASSWORD, make_agency, make_member
from tests.project.test_settings import ROOT

PEOPLE, LOGIN = "/admin/agencies/membership/", "/admin/login/"


@pytest.fixture
def anna(db: None) -> User:
    return make_member(make_agency("north"))


def log_in(user: User) -> Client:
    browser = Client()
    assert browser.post(LOGIN, {"username": user.email, "password": PASSWORD}).status_code == 302
    return browser


def is_in(browser: Client) -> bool:
    cache.clear()  # as ten minutes later
    return browser.get(PEOPLE).status_code == 200


@pytest.mark.parametrize(
    ("fields", "stays"),
    [
        ({"seen_at": timedelta(hours=71)}, True),
        ({"seen_at": timedelta(hours=73)}, False),
        ({"began_at": timedelta(days=13)}, True),
        ({"began_at": timedelta(days=15)}, False),
    ],
)
def test_a_login_ends_after_a_while_whether_it_is_used_or_not(anna: User, fields: dict[str, timedelta], stays: bool):
    browser = log_in(anna)
    SignIn.objects.update(**{name: timezone.now() - ago for name, ago in fields.items()})
    assert is_in(browser) is stays
    assert is_in(browser) is stays
    assert SignIn.objects.exists() is stays


def test_being_used_keeps_it(anna: User):
    browser = log_in(anna)
    SignIn.objects.update(seen_at=timezone.now() - timedelta(hours=71))
    assert is_in(browser)
    assert SignIn.objects.get().seen_at > timezone.now() - timedelta(minutes=1)


def test_logging_in_gives_another_session(anna: User):
    browser = Client()
    browser.get("/i18n/setlang/")
    browser.session["planted"] = True
    session = browser.session
    session["planted"] = True
    session.save()
    browser.cookies["session"] = session.session_key
    browser.post(LOGIN, {"username": anna.email, "password": PASSWORD})
    assert browser.session.session_key != session.session_key
    assert is_in(browser)


def test_a_new_password_logs_out_everywhere_else(anna: User):
    here, elsewhere = log_in(anna), log_in(anna)
    new = "another good battery"
    here.post("/admin/password_change/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert is_in(here)
    assert not is_in(elsewhere)


def test_the_cookies_are_for_this_host_its_encrypted_pages_and_no_script(anna: User):
    """Asked of the project as it runs in production: the settings of tests are those of development."""
    show = (
        "from django.conf import settings as s; "
        "print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.LANGUAGE_COOKIE_NAME, s.KNOWN_BROWSER_COOKIE, "
        "s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.LANGUAGE_COOKIE_SECURE, "
        "s.SESSION_COOKIE_DOMAIN, s.SESSION_COOKIE_PATH)"
    )
    environment = {**os.environ, "DEBUG": "off", "SECRET_KEY": "k" * 50, "ENCRYPTION_KEYS": "A" * 43 + "="}
    environment |= {"ENV_FILE": os.devnull, "DJANGO_SETTINGS_MODULE": "project.settings"}
    done = subprocess.run(
        [sys.executable, "-c", show], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    names = "__Host-session __Host-csrf __Host-language __Host-browser"
    assert done.stdout.strip() == f"{names} True True True None /"
    browser = Client()
    browser.get(LOGIN)
    browser.post("/i18n/setlang/", {"language": "ru"})
    browser.post(LOGIN, {"username": anna.email, "password": PASSWORD})
    assert set(browser.cookies) == {"session", "csrf", "language", "browser"}
    for name, cookie in browser.cookies.items():
        assert (cookie["httponly"], cookie["samesite"], cookie["domain"], cookie["path"]) == (True, "Lax", "", "/"), (
            name
        )


@pytest.mark.parametrize("password", ["short words", "123456789012", "password1234", "qwertyuiop12", "north.example"])
def test_passwords_that_are_none(password: str):
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError):
        validate_password(password, User(email="anna@north.example", name="Anna"))
