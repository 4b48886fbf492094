"""Pages of people, keys and agencies, as their owners use them."""

import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from apps.agencies.models import Agency, ApiKey, Invitation, Membership, Role, User
from apps.audit.models import AuditEntry
from tests.factories import make_agency, make_key, make_member, make_membership, make_staff, make_user, opened

pytestmark = pytest.mark.django_db

INVITE, ADD_KEY = "/admin/agencies/invitation/add/", "/admin/agencies/apikey/add/"
PEOPLE, KEYS = "/admin/agencies/membership/", "/admin/agencies/apikey/"


@pytest.fixture
def north() -> Agency:
    return make_agency("north", "North Agency")


@pytest.fixture
def owner(north: Agency, client: Client) -> User:
    user = make_member(north, Role.OWNER, "owner@north.example")
    client.force_login(user)
    return user


def shown_once(answer: Any) -> str:
    found = re.search(r'<pre id="shown-once"[^>]*>([^<]*)</pre>', answer.content.decode())
    assert found
    return found[1].strip()


def errors_of(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


# Agencies


def test_a_new_agency_is_kept_as_the_form_says(client: Client):
    client.force_login(make_staff())
    form = {"name": "West", "slug": "west", "second_step_for": "owners"}
    assert client.post("/admin/agencies/agency/add/", form).status_code == 302
    west = Agency.objects.get(slug="west")
    assert (west.is_active, west.second_step_for) == (False, "owners")
    told = AuditEntry.objects.get(action="agency.created").after
    assert (told["is_active"], told["second_step_for"]) == (False, "owners")


# People


def test_a_person_chooses_a_password_by_an_owners_link(client: Client, owner: User, north: Agency):
    member = make_membership(north, make_user("anna@north.example", password=""), Role.ANALYST)
    url = reverse("admin:agencies_membership_password_link", args=[member.pk])
    told = client.post(url, {"_form_submitted": "on"}, follow=True).content.decode()
    found = re.search(r"http://testserver(/welcome/[^\s<]+)", told)
    assert found
    link = found[1]

    anna = Client()
    page = anna.get(link, follow=True)
    form_url = page.redirect_chain[-1][0]
    new = "my very own words"
    assert 'id="first-password-form"' in page.content.decode()
    assert "123" in str(anna.post(form_url, {"new_password1": "123", "new_password2": "123"}).context["form"].data)
    assert not User.objects.get(email="anna@north.example").check_password("123")
    assert anna.post(form_url, {"new_password1": new, "new_password2": new}).status_code == 302
    answer = anna.post("/admin/login/", {"username": "anna@north.example", "password": new, "next": PEOPLE})
    assert answer.url == PEOPLE  # type: ignore[attr-defined]
    assert "has been used" in Client().get(link, follow=True).content.decode()
    assert AuditEntry.objects.filter(action="person.password_chosen", actor_label="anna@north.example").exists()


def test_a_forged_link_opens_nothing(client: Client):
    assert "has been used" in client.get("/welcome/MQ/abc-def/").content.decode()


def test_changing_a_role_and_removing(client: Client, owner: User, north: Agency):
    member = make_membership(north, make_user("anna@north.example"), Role.ANALYST)
    assert client.post(f"{PEOPLE}{member.pk}/change/", {"role": "manager"}).status_code == 302
    member.refresh_from_db()
    assert member.role == "manager"
    assert client.get(f"{PEOPLE}{member.pk}/delete/").status_code == 200
    assert client.post(f"{PEOPLE}{member.pk}/delete/", {"post": "yes"}).status_code == 302
    assert User.objects.filter(email="anna@north.example").exists()
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["member.role_changed", "member.removed"]


def test_the_last_owner_stays_and_the_page_says_why(client: Client, owner: User):
    member = Membership.objects.get(user=owner)
    errors = errors_of(client.post(f"{PEOPLE}{member.pk}/change/", {"role": "manager"}))
    assert "without an owner" in errors["role"][0]
    page = client.post(f"{PEOPLE}{member.pk}/delete/", {"post": "yes"}, follow=True)
    assert "without an owner" in page.content.decode()
    assert Membership.objects.get(pk=member.pk).role == Role.OWNER


def test_a_new_link_for_who_forgot(client: Client, owner: User, north: Agency):
    member = make_membership(north, make_user("anna@north.example"), Role.ANALYST)
    url = reverse("admin:agencies_membership_password_link", args=[member.pk])
    asked = client.get(url).content.decode()
    assert "Make a link" in asked
    assert "/welcome/" not in asked
    assert "/welcome/" in client.post(url, {"_form_submitted": "on"}, follow=True).content.decode()
    answer = client.post(url, {"_form_submitted": "on"}, headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == f"{PEOPLE}{member.pk}/change/"


# Keys


def test_a_key_is_shown_on_the_next_page_and_never_again(client: Client, owner: User, north: Agency):
    data = {
        "name": "crm",
        "scopes": ["read", "write"],
        "counter_ids": "101, 102",
        "expires_at_0": "",
        "expires_at_1": "",
    }
    answer = client.post(ADD_KEY, data)
    text = shown_once(answer)
    key = opened(text)
    assert key is not None
    assert (key.agency, key.counter_ids) == (north, [101, 102])
    assert "no-store" in answer.headers["Cache-Control"]
    for page in (KEYS, f"{KEYS}{key.pk}/change/"):
        shown = client.get(page).content.decode()
        assert key.prefix in shown
        assert text not in shown
        assert key.secret_hash not in shown
    assert all(text not in str(session.get_decoded()) for session in Session.objects.all())
    assert text not in str(client.cookies)
    assert text.split("_", 2)[2] not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["admin"]}, "scopes"),
        ({"counter_ids": "1, two"}, "counter_ids"),
        ({"counter_ids": "0"}, "counter_ids"),
        ({"counter_ids": "٣"}, "counter_ids"),
        ({"expires_at_0": "2020-01-01", "expires_at_1": "00:00"}, "expires_at"),
    ],
)
def test_a_key_that_makes_no_sense(client: Client, owner: User, changes: dict[str, Any], field: str):
    data = {"name": "crm", "scopes": ["read"], "counter_ids": "", "expires_at_0": "", "expires_at_1": ""} | changes
    assert list(errors_of(client.post(ADD_KEY, data))) == [field]
    assert not ApiKey.objects.exists()


def test_a_name_twice_is_refused_in_words(client: Client, owner: User, north: Agency):
    make_key(north, name="crm")
    errors = errors_of(client.post(ADD_KEY, {"name": "crm", "scopes": ["read"], "counter_ids": ""}))
    assert errors == {"name": ["There is a key of this name already. Choose another name."]}


def test_revoking(client: Client, owner: User, north: Agency):
    key, text = make_key(north)
    url = reverse("admin:agencies_apikey_revoke", args=[key.pk])
    client.get(url)
    assert opened(text)
    client.post(url, {"_form_submitted": "on"})
    assert opened(text) is None
    assert "Revoked" in client.get(KEYS).content.decode()


def test_revoking_by_the_list_reaches_only_ones_own(client: Client, owner: User, north: Agency):
    ours, _ = make_key(north)
    theirs, text = make_key(make_agency())
    client.post(KEYS, {"action": "revoke_selected", "_selected_action": [ours.pk, theirs.pk]})
    ours.refresh_from_db()
    assert ours.revoked_at is not None
    assert opened(text) is not None


# Platform staff


def test_staff_choose_the_agency_of_what_they_make(client: Client, north: Agency):
    client.force_login(make_staff())
    data = {"email": "anna@north.example", "role": "owner"}
    assert "agency" in client.post(INVITE, data).context["form"].errors
    assert client.post(INVITE, {**data, "agency": north.pk}).status_code == 200
    assert Invitation.objects.get().agency == north
    assert client.get(KEYS).status_code == client.get(ADD_KEY).status_code == 200


def test_staff_make_and_close_agencies(client: Client):
    client.force_login(make_staff())
    client.post("/admin/agencies/agency/add/", {"name": "West", "slug": "west", "is_active": "on"})
    agency = Agency.objects.get(slug="west")
    client.post(f"/admin/agencies/agency/{agency.pk}/change/", {"name": "Far West", "slug": "west"})
    agency.refresh_from_db()
    assert (agency.name, agency.is_active) == ("Far West", False)
    assert client.get(f"/admin/agencies/agency/{agency.pk}/delete/").status_code == 403


def test_staff_switch_a_login_off(client: Client):
    user = make_user("anna@example.com")
    client.force_login(make_staff())
    page = f"/admin/agencies/user/{user.pk}/change/"
    assert client.get(page).status_code == 200
    client.post(page, {"email": "anna@example.com", "name": "Anna"})
    user.refresh_from_db()
    assert (user.name, user.is_active) == ("Anna", False)
    assert AuditEntry.objects.get(action="person.changed").agency is None
