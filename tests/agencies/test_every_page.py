"""Every address of the admin, asked by those who have no business there."""

import re
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.factories import make_user

pytestmark = pytest.mark.django_db

OPEN_TO_ALL = {"/admin/login/"}


def addresses(resolver: URLResolver, start: str = "/") -> Iterator[str]:
    for entry in resolver.url_patterns:
        text = start + re.sub(r"<[^>]+>|\(\?P<[^>]+>[^)]*\)", "1", str(entry.pattern)).strip("^$").replace("\\Z", "")
        if isinstance(entry, URLPattern):
            yield text
        else:
            yield from addresses(entry, text)


def admin_addresses() -> list[str]:
    return sorted({path for path in addresses(get_resolver()) if path.startswith("/admin/")} - OPEN_TO_ALL)


def test_there_is_something_to_ask():
    paths = admin_addresses()
    assert "/admin/agencies/apikey/1/revoke/" in paths
    assert len(paths) > 5 * len(admin.site._registry)


def test_whoever_is_not_logged_in_is_led_to_the_login_page(client: Client):
    for path in admin_addresses():
        for method in (client.get, client.post):
            answer = method(path)
            leads_to = answer.headers.get("Location", "")
            assert answer.status_code in (301, 302, 404), path
            assert answer.status_code == 404 or leads_to.startswith(("/admin/login/", "/admin/")), path
            assert "_auth_user_id" not in client.session


def test_a_person_without_an_agency_reads_everywhere_what_to_do(client: Client):
    client.force_login(make_user())
    for path in admin_addresses():
        if path == "/admin/logout/":
            continue
        for method in (client.get, client.post):
            answer = method(path)
            if answer.status_code == 200:
                assert b"Ask the owner of your agency" in answer.content, path
            else:
                assert answer.status_code in (301, 302, 404), path
                assert answer.headers.get("Location", "/admin/").startswith(("/admin/", "1/change")), path
