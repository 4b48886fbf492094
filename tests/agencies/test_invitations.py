"""Invitations: who is asked in, by which link, for how long, and what becomes of a link that was used or withdrawn."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from apps.agencies import invitations
from apps.agencies.access import actor_for_user
from apps.agencies.models import Agency, Invitation, Membership, Role, User
from apps.audit.models import AuditEntry
from apps.counters.models import Counter
from tests.agencies.test_pages import shown_once
from tests.factories import PASSWORD, SYSTEM, make_agency, make_member, make_membership, make_user

pytestmark = pytest.mark.django_db

INVITE, PEOPLE = "/admin/agencies/invitation/add/", "/admin/agencies/membership/"
NEW = {"name": "Anna", "password": "my very own words", "again": "my very own words"}


@pytest.fixture
def north() -> Agency:
    return make_agency("north", "North Agency")


@pytest.fixture
def owner(north: Agency, client: Client) -> User:
    user = make_member(north, Role.OWNER, "owner@north.example")
    client.force_login(user)
    return user


@pytest.fixture
def post(settings: Any) -> list[Any]:
    """A mail server is set up; what leaves is here."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.SITE_URL = "https://goalpost.example"
    return mail.outbox


def asked(agency: Agency, email: str = "anna@north.example", **fields: Any) -> tuple[Invitation, str]:
    """An invitation and its link's path."""
    invitation, secret = invitations.invite(actor=SYSTEM, agency=agency, email=email, **{"role": "manager", **fields})
    return invitation, f"/invitation/{secret}/"


def link_in(text: str) -> str:
    found = re.search(r"https?://[^/\s]+(/invitation/[\w-]+/)", text)
    assert found, text
    return found[1]


@pytest.mark.django_db(transaction=True)
def test_an_invitation_goes_by_mail_with_the_sites_own_address(client: Client, owner: User, post: list[Any]):
    Counter.objects.create(agency=owner.memberships.get().agency, metrica_id=101, name="Shop")
    data = {"email": "Anna@north.example", "role": "manager", "reach": "these", "counter_ids": ["101"]}
    answer = client.post(INVITE, data, headers={"Host": "localhost"}, follow=True)
    assert "on its way to anna@north.example" in answer.content.decode()
    assert "anna@north.example" in client.get(PEOPLE).content.decode()
    (letter,) = post
    assert letter.to == ["anna@north.example"]
    assert "https://goalpost.example/invitation/" in letter.body
    assert "North Agency" in letter.subject

    anna = Client()
    page = anna.get(link_in(letter.body))
    assert "Join North Agency" in page.content.decode()
    # The link goes to no other site; “no-referrer” would make browsers send the form without an origin, to be refused.
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert "no-store" in page.headers["Cache-Control"]
    answer = anna.post(link_in(letter.body), NEW, follow=True)
    assert answer.redirect_chain[-1][0] == "/admin/"
    member = Membership.objects.get(user__email="anna@north.example")
    assert (member.role, member.counter_ids, member.user.name) == ("manager", [101], "Anna")
    assert member.user.check_password(NEW["password"])
    told = list(AuditEntry.objects.filter(object_type__startswith="agencies").values_list("action", flat=True))
    assert {"invitation.sent", "member.added", "invitation.accepted"} <= set(told)
    secret = link_in(letter.body).split("/")[2]
    assert secret not in str(list(AuditEntry.objects.values()) + list(Invitation.objects.values()))
    assert letter.body not in client.get(PEOPLE).content.decode()


def test_without_a_mail_server_the_page_shows_the_link_once(client: Client, owner: User, settings: Any):
    settings.SITE_URL = ""
    answer = client.post(INVITE, {"email": "anna@north.example", "role": "analyst"})
    assert "No mail server is set up." in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    path = link_in(shown_once(answer))
    assert mail.outbox == []
    assert path not in client.get(PEOPLE).content.decode()
    assert Client().get(path).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_refuses_leaves_the_link_to_hand_over(client: Client, owner: User, settings: Any):
    settings.SITE_URL, settings.EMAIL_PORT = "https://goalpost.example", 9  # nobody listens there
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_TIMEOUT = "127.0.0.1", 2
    answer = client.post(INVITE, {"email": "anna@north.example", "role": "analyst"})
    assert "refused" in answer.content.decode()
    assert link_in(shown_once(answer))
    assert Invitation.objects.get().mailed_at is None


def test_a_link_is_good_once(north: Agency):
    _, link = asked(north)
    assert Client().post(link, NEW).status_code == 302
    for method in (Client().get, Client().post):
        answer = method(link)
        assert answer.status_code == 404
        assert "has been used" in answer.content.decode()
    assert Membership.objects.count() == User.objects.count() == 1


@pytest.mark.parametrize("spoil", ["expire", "withdraw", "send_again", "close", "forge"])
def test_a_link_that_is_not_good_opens_nothing(north: Agency, spoil: str):
    invitation, link = asked(north)
    if spoil == "expire":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif spoil == "close":
        Agency.objects.update(is_active=False)
    elif spoil == "forge":
        link = link[:-2] + ("a/" if link[-2] != "a" else "b/")
    else:
        getattr(invitations, spoil)(actor=SYSTEM, invitation=invitation)
    assert Client().get(link).status_code == 404
    assert Client().post(link, NEW).status_code == 404
    assert not User.objects.exists()


def test_who_has_a_login_logs_in_and_just_joins(client: Client, north: Agency):
    known = make_user("anna@north.example", name="Anna of old")
    _, link = asked(north, role="analyst")
    page = client.get(link).content.decode()
    assert "There is a login by anna@north.example already" in page
    client.post(link, NEW)  # nobody gets in by a password of their own choice
    assert not Membership.objects.exists()
    answer = client.post(f"/admin/login/?next={link}", {"username": known.email, "password": PASSWORD, "next": link})
    assert answer.url == link  # type: ignore[attr-defined]
    assert 'id="joining-form"' in client.get(link).content.decode()
    assert client.post(link).status_code == 302
    known.refresh_from_db()
    assert known.check_password(PASSWORD)
    assert known.name == "Anna of old"
    assert Membership.objects.get(user=known).role == "analyst"


def test_somebody_else_who_is_logged_in_does_not_join(client: Client, north: Agency):
    make_user("anna@north.example")
    _, link = asked(north)
    client.force_login(make_user("thief@example.com"))
    assert "logged in as somebody else" in client.get(link).content.decode()
    client.post(link, NEW)
    assert not Membership.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": "12345678", "again": "12345678"}, "password"),
        ({"again": "other"}, "again"),
        ({"name": ""}, "name"),
    ],
)
def test_the_page_says_what_is_wrong_and_the_link_stays_good(north: Agency, changes: dict[str, str], field: str):
    _, link = asked(north)
    answer = Client().post(link, NEW | changes)
    assert field in answer.context["form"].errors
    assert not User.objects.exists()
    assert Client().post(link, NEW).status_code == 302


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "owner@north.example"}, "email"),
        ({"email": "asked@north.example"}, "email"),
        ({"role": "king"}, "role"),
        ({"reach": "these", "counter_ids": ["102"]}, "counter_ids"),
        ({"reach": "these"}, "counter_ids"),
        ({"role": "owner", "reach": "these", "counter_ids": ["101"]}, "counter_ids"),
    ],
)
def test_the_form_says_what_is_wrong_where_it_is(
    client: Client, owner: User, north: Agency, changes: dict[str, Any], field: str
):
    Counter.objects.create(agency=north, metrica_id=101, name="Shop")
    Counter.objects.create(agency=make_agency(), metrica_id=102, name="Theirs")
    asked(north, "asked@north.example")
    answer = client.post(INVITE, {"email": "anna@north.example", "role": "manager", "reach": "all", **changes})
    assert list(answer.context["form"].errors) == [field]
    assert Invitation.objects.count() == 1
    assert "Theirs" not in answer.content.decode()


def test_two_owners_who_ask_the_same_person_at_once(
    client: Client, owner: User, north: Agency, monkeypatch: pytest.MonkeyPatch
):
    """Both looked before either had written: the second reads that the person is invited."""
    monkeypatch.setattr(invitations, "_check_email", lambda agency, email: None)
    asked(north)
    answer = client.post(INVITE, {"email": "anna@north.example", "role": "manager"})
    assert "invited already" in str(answer.context["form"].errors["email"])
    assert Invitation.objects.count() == 1


def test_an_agency_in_the_post_is_not_listened_to(client: Client, owner: User, north: Agency):
    client.post(INVITE, {"agency": make_agency().pk, "email": "x@x.example", "role": "owner"})
    assert Invitation.objects.get().agency == north


@pytest.mark.django_db(transaction=True)
def test_sending_again_and_withdrawing(client: Client, owner: User, north: Agency, post: list[Any]):
    invitation, first = asked(north)
    page = f"/admin/agencies/invitation/{invitation.pk}"
    assert client.get(f"{page}/change/").status_code == 200
    client.post(f"{page}/send-again/", {"_form_submitted": "on"})
    second = link_in(post[0].body)
    assert Client().get(first).status_code == 404
    assert Client().get(second).status_code == 200
    client.post(f"{page}/withdraw/", {"_form_submitted": "on"})
    assert Client().get(second).status_code == 404
    again = client.post(f"{page}/send-again/", {"_form_submitted": "on"}, follow=True)
    assert "accepted or withdrawn already" in again.content.decode()
    assert len(post) == 1
    assert "anna@north.example" not in client.get(PEOPLE).content.decode()
    invitations.invite(actor=SYSTEM, agency=north, email="anna@north.example", role="analyst")  # anew, if wanted
    actions = AuditEntry.objects.filter(action__startswith="invitation").order_by("pk").values_list("action", flat=True)
    sent, again_, withdrawn = "invitation.sent", "invitation.sent_again", "invitation.withdrawn"
    assert list(actions) == [sent, again_, withdrawn, sent]


def test_an_invited_member_who_is_in_already_keeps_the_role(north: Agency):
    anna = make_user("anna@north.example")
    _, link = asked(north, role="owner")
    make_membership(north, anna, Role.ANALYST)
    with_login = Client()
    with_login.force_login(anna)
    with_login.post(link)
    assert Membership.objects.get().role == "analyst"


def test_only_an_owner_invites(north: Agency):
    manager = actor_for_user(make_member(north, Role.MANAGER))
    stranger = actor_for_user(make_member(make_agency(), Role.OWNER))
    invitation, _ = asked(north)
    for actor in (manager, stranger):
        for act in (
            lambda actor=actor: invitations.invite(actor=actor, agency=north, email="a@b.example", role="owner"),
            lambda actor=actor: invitations.send_again(actor=actor, invitation=invitation),
            lambda actor=actor: invitations.withdraw(actor=actor, invitation=invitation),
        ):
            with pytest.raises(PermissionDenied):
                act()


def test_two_who_follow_one_link_are_not_both_let_in(north: Agency):
    _, link = asked(north)
    secret = link.split("/")[2]
    invitations.join_newly(secret=secret, name="Anna", password=NEW["password"])
    with pytest.raises(ValidationError):
        invitations.join(secret=secret, user=make_user("other@north.example"))
