"""Which role may do what, as one table over the pages."""

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory
from django.urls import reverse

from apps.agencies.access import RIGHTS_OF_ROLE, actor_for_key, actor_for_user, require
from apps.agencies.actor import Right
from apps.agencies.invitations import invite
from apps.agencies.models import Membership, Role
from tests.factories import SYSTEM, make_agency, make_key, make_member, make_staff

pytestmark = pytest.mark.django_db

ROLES = {
    "owner": {"read", "operate", "administer"},
    "manager": {"read", "operate"},
    "analyst": {"read"},
}


@pytest.mark.parametrize("role", ROLES)
def test_rights_of_a_role(role: str):
    agency = make_agency()
    actor = actor_for_user(make_member(agency, role))
    assert {right.value for right in Right if actor.can(right)} == ROLES[role]


def test_every_role_is_in_the_table():
    assert set(RIGHTS_OF_ROLE) == set(Role.values) == set(ROLES)


@pytest.mark.parametrize(
    ("scopes", "rights"),
    [(["read"], {"read"}), (["write"], {"operate"}), (["read", "write"], {"read", "operate"})],
)
def test_a_keys_scopes_are_its_rights_and_it_never_administers(scopes: list[str], rights: set[str]):
    key, _ = make_key(scopes=scopes)
    assert {right.value for right in actor_for_key(key).rights} == rights


def test_a_scope_that_is_unknown_gives_nothing():
    key, _ = make_key()
    key.scopes = ["everything"]
    assert actor_for_key(key).rights == frozenset()


# page, method → who gets in. The rest get 403, and strangers 404 (see test_tenancy).
EVERYBODY, OWNER, STAFF = {"owner", "manager", "analyst", "staff"}, {"owner", "staff"}, {"staff"}
PAGES = [
    ("agencies_membership_changelist", False, "get", EVERYBODY),
    ("agencies_membership_change", True, "get", EVERYBODY),
    ("agencies_membership_change", True, "post", OWNER),
    ("agencies_membership_add", False, "get", set()),
    ("agencies_membership_add", False, "post", set()),
    ("agencies_invitation_changelist", False, "get", EVERYBODY),
    ("agencies_invitation_change", True, "get", EVERYBODY),
    ("agencies_invitation_change", True, "post", set()),
    ("agencies_invitation_add", False, "get", OWNER),
    ("agencies_invitation_add", False, "post", OWNER),
    ("agencies_invitation_delete", True, "post", set()),
    ("agencies_invitation_send_again", True, "post", OWNER),
    ("agencies_invitation_withdraw", True, "post", OWNER),
    ("agencies_membership_delete", True, "get", OWNER),
    ("agencies_membership_delete", True, "post", OWNER),
    ("agencies_membership_password_link", True, "post", OWNER),
    ("agencies_membership_second_step_off", True, "post", OWNER),
    ("agencies_apikey_changelist", False, "get", EVERYBODY),
    ("agencies_apikey_change", True, "get", EVERYBODY),
    ("agencies_apikey_change", True, "post", OWNER),
    ("agencies_apikey_rotate", True, "get", OWNER),
    ("agencies_apikey_rotate", True, "post", OWNER),
    ("agencies_apikey_add", False, "get", OWNER),
    ("agencies_apikey_add", False, "post", OWNER),
    ("agencies_apikey_delete", True, "post", set()),
    ("agencies_apikey_revoke", True, "post", OWNER),
    ("agencies_agency_changelist", False, "get", STAFF),
    ("agencies_agency_add", False, "post", STAFF),
    ("agencies_user_changelist", False, "get", STAFF),
    ("agencies_user_add", False, "get", set()),
    ("audit_auditentry_changelist", False, "get", EVERYBODY),
    ("audit_auditentry_add", False, "get", set()),
]


@pytest.mark.parametrize("who", ["owner", "manager", "analyst", "staff"])
@pytest.mark.parametrize(("page", "on_object", "method", "allowed"), PAGES)
def test_who_gets_into_a_page(page: str, on_object: bool, method: str, allowed: set[str], who: str, client: Client):
    agency = make_agency()
    people = {role: make_member(agency, role) for role in Role.values} | {"staff": make_staff()}
    objects = {
        "membership": lambda: Membership.objects.get(user=people["analyst"]).pk,
        "invitation": lambda: invite(actor=SYSTEM, agency=agency, email="new@mail.example", role="analyst")[0].pk,
        "apikey": lambda: make_key(agency)[0].pk,
    }
    args = [objects[page.split("_")[1]]()] if on_object else []
    client.force_login(people[who])
    answer = getattr(client, method)(reverse(f"admin:{page}", args=args))
    assert (answer.status_code in (200, 302)) == (who in allowed), answer.status_code
    if who not in allowed:
        assert answer.status_code == 403


def test_bulk_actions_are_the_owners(client: Client):
    agency = make_agency()
    key, _ = make_key(agency)
    data = {"action": "revoke_selected", "_selected_action": [key.pk]}
    for role, revoked in ((Role.ANALYST, False), (Role.MANAGER, False), (Role.OWNER, True)):
        client.force_login(make_member(agency, role))
        client.post(reverse("admin:agencies_apikey_changelist"), data)
        key.refresh_from_db()
        assert (key.revoked_at is not None) == revoked, role


def test_nothing_can_be_deleted_in_bulk(rf: RequestFactory):
    request = rf.get("/")
    user = make_staff()
    request.user, request.actor = user, actor_for_user(user)  # type: ignore[attr-defined]
    for model_admin in admin.site._registry.values():
        assert "delete_selected" not in model_admin.get_actions(request), model_admin


def test_require_asks_both_the_right_and_the_agency():
    from django.core.exceptions import PermissionDenied

    ours, theirs = make_agency(), make_agency()
    actor = actor_for_user(make_member(ours, Role.MANAGER))
    require(actor=actor, right=Right.OPERATE, agency_id=ours.pk)
    for right, agency in ((Right.ADMINISTER, ours), (Right.OPERATE, theirs)):
        with pytest.raises(PermissionDenied):
            require(actor=actor, right=right, agency_id=agency.pk)
