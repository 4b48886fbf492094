"""Who came in, who went out, and at whose door somebody guessed."""

import pytest
from django.test import Client

from apps.agencies.models import Role, User
from apps.audit.models import AuditEntry
from tests.factories import PASSWORD, make_agency, make_membership, make_staff, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def pat() -> User:
    user = make_user("pat@example.com")
    for slug in ("north", "south"):
        make_membership(make_agency(slug), user, Role.MANAGER)
    return user


def entries(action: str) -> list[tuple[str | None, str, str | None]]:
    found = AuditEntry.objects.filter(action=action).order_by("agency__slug")
    return list(found.values_list("agency__slug", "actor_label", "ip"))


def login(client: Client, user: User, password: str) -> None:
    client.post("/admin/login/", {"username": user.email, "password": password, "next": "/admin/agencies/membership/"})


def test_coming_in_and_going_out_is_told_to_each_agency(client: Client, pat: User):
    login(client, pat, PASSWORD)
    client.post("/admin/logout/")
    for action in ("person.logged_in", "person.logged_out"):
        assert entries(action) == [("north", "pat@example.com", "127.0.0.1"), ("south", "pat@example.com", "127.0.0.1")]


def test_staff_are_told_of_in_the_platforms_own_log(client: Client):
    login(client, make_staff("root@example.com"), PASSWORD)
    assert entries("person.logged_in") == [(None, "root@example.com", "127.0.0.1")]


def test_guessing_is_told_once_the_door_is_locked(client: Client, pat: User, settings):
    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        login(client, pat, "wrong")
    assert entries("person.locked_out") == []
    login(client, pat, "wrong")
    assert [slug for slug, *_ in entries("person.locked_out")] == ["north", "south"]
    login(client, pat, "wrong")
    assert len(entries("person.locked_out")) == 2
    assert "wrong" not in str(list(AuditEntry.objects.values()))


def test_guessing_at_a_login_that_is_not_there_is_no_concern_of_an_agency(client: Client, pat: User, settings):
    for _ in range(settings.AXES_FAILURE_LIMIT):
        client.post("/admin/login/", {"username": "nobody@example.com", "password": "wrong"})
    assert entries("person.locked_out") == []
