"""People and agencies: who is let in, who is never left out."""

import threading

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection

from apps.agencies import services
from apps.agencies.access import actor_for_user
from apps.agencies.events import acted
from apps.agencies.models import Agency, Membership, Role, User
from tests.factories import PASSWORD, SYSTEM, make_agency, make_member, make_membership, make_staff, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def told():
    """What listeners heard: (action, object, before, after)."""
    heard: list[tuple] = []

    def listen(*, action, obj, before, after, **_):
        heard.append((action, obj, before, after))

    acted.connect(listen)
    yield heard
    acted.disconnect(listen)


def code_of(refusal: pytest.ExceptionInfo[ValidationError], field: str) -> str | None:
    return refusal.value.error_dict[field][0].code


def test_an_agency_is_made_by_the_platform_only(told):
    agency = services.create_agency(actor=actor_for_user(make_staff()), slug="north", name=" North ")
    assert (agency.slug, agency.name) == ("north", "North")
    assert told == [
        ("agency.created", agency, None, {"slug": "north", "name": "North", "is_active": True, "second_step_for": ""})
    ]
    owner = actor_for_user(make_member(agency, Role.OWNER))
    with pytest.raises(PermissionDenied):
        services.create_agency(actor=owner, slug="mine", name="Mine")
    with pytest.raises(PermissionDenied):
        services.update_agency(actor=owner, agency=agency, name="Mine")


def test_platform_staff_make_agencies_whichever_one_they_look_at():
    agency = make_agency()
    services.create_agency(actor=actor_for_user(make_staff(), agency.pk), slug="west", name="West")


@pytest.mark.parametrize(("slug", "name", "field"), [("", "N", "slug"), ("не slug", "N", "slug"), ("n", " ", "name")])
def test_an_agency_needs_a_slug_and_a_name(slug: str, name: str, field: str):
    with pytest.raises(ValidationError) as refusal:
        services.create_agency(actor=SYSTEM, slug=slug, name=name)
    assert field in refusal.value.error_dict


def test_a_change_that_changes_nothing_leaves_no_trace(told):
    agency = make_agency("north", "North")
    services.update_agency(actor=SYSTEM, agency=agency, name="North")
    assert told == []
    services.update_agency(actor=SYSTEM, agency=agency, is_active=False)
    assert [heard[0] for heard in told] == ["agency.changed"]


def test_a_new_person_gets_the_first_password():
    member = services.add_member(
        actor=SYSTEM, agency=make_agency(), email=" Anna@North.Example ", role="manager", password=PASSWORD, name="Anna"
    )
    assert (member.user.email, member.user.name, member.role) == ("anna@north.example", "Anna", "manager")
    assert member.user.check_password(PASSWORD)


def test_a_person_without_a_first_password_cannot_log_in_until_they_choose_one():
    member = services.add_member(actor=SYSTEM, agency=make_agency(), email="anna@north.example", role="analyst")
    assert not member.user.has_usable_password()


def test_who_has_a_login_already_keeps_it():
    known = make_user("anna@example.com", name="Anna")
    member = services.add_member(
        actor=SYSTEM, agency=make_agency(), email="ANNA@example.com", role="owner", password="taken over!", name="Eve"
    )
    assert member.user == known
    known.refresh_from_db()
    assert known.check_password(PASSWORD)
    assert known.name == "Anna"


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"email": "no address"}, "email", "invalid"),
        ({"email": ""}, "email", "invalid"),
        ({"role": "king"}, "role", "invalid_choice"),
        ({"password": "12345678"}, "password", "password_too_common"),
        ({"password": "new@north.example1"}, "password", "password_too_similar"),
    ],
)
def test_a_person_who_makes_no_sense_is_refused(fields: dict, field: str, code: str):
    facts = {"email": "new@north.example", "role": "manager", "password": PASSWORD} | fields
    with pytest.raises(ValidationError) as refusal:
        services.add_member(actor=SYSTEM, agency=make_agency(), **facts)
    assert code_of(refusal, field) == code
    assert not User.objects.exists()


def test_one_is_in_an_agency_once():
    agency = make_agency()
    make_member(agency, Role.ANALYST, "anna@example.com")
    with pytest.raises(ValidationError) as refusal:
        services.add_member(actor=SYSTEM, agency=agency, email="Anna@example.com", role="owner")
    assert code_of(refusal, "email") == "duplicate"


def test_every_act_tells_what_was_and_what_is(told):
    agency = make_agency()
    owner = actor_for_user(make_member(agency, Role.OWNER))
    member = services.add_member(actor=owner, agency=agency, email="anna@example.com", role="analyst")
    services.change_member(actor=owner, member=member, role="manager")
    services.change_member(actor=owner, member=member, role="manager")
    services.remove_member(actor=owner, member=member)
    facts = {"email": "anna@example.com", "counter_ids": None}
    assert [(action, before, after) for action, _, before, after in told] == [
        ("member.added", None, {**facts, "role": "analyst"}),
        ("member.role_changed", {**facts, "role": "analyst"}, {**facts, "role": "manager"}),
        ("member.removed", {**facts, "role": "manager"}, None),
    ]


def test_the_last_owner_stays():
    agency = make_agency()
    last = make_membership(agency, role=Role.OWNER)
    make_membership(agency, make_user(is_active=False), Role.OWNER)
    make_membership(agency, role=Role.MANAGER)
    for act in (
        lambda: services.remove_member(actor=SYSTEM, member=last),
        lambda: services.change_member(actor=SYSTEM, member=last, role="manager"),
    ):
        with pytest.raises(ValidationError) as refusal:
            act()
        assert code_of(refusal, "role") == "last_owner"
    assert Membership.objects.get(pk=last.pk).role == Role.OWNER


def test_one_of_two_owners_may_go():
    agency = make_agency()
    first, second = make_membership(agency, role=Role.OWNER), make_membership(agency, role=Role.OWNER)
    services.change_member(actor=SYSTEM, member=first, role="analyst")
    with pytest.raises(ValidationError):
        services.remove_member(actor=SYSTEM, member=second)


def test_owners_of_other_agencies_change_nothing_here():
    agency = make_agency()
    member = make_membership(agency, role=Role.ANALYST)
    stranger = actor_for_user(make_member(make_agency(), Role.OWNER))
    for act in (
        lambda: services.add_member(actor=stranger, agency=agency, email="a@b.example", role="owner"),
        lambda: services.change_member(actor=stranger, member=member, role="owner"),
        lambda: services.remove_member(actor=stranger, member=member),
        lambda: services.password_link(actor=stranger, member=member),
    ):
        with pytest.raises(PermissionDenied):
            act()


def test_a_password_link_is_for_people_of_this_agency_alone():
    ours, theirs = make_agency(), make_agency()
    owner = actor_for_user(make_member(ours, Role.OWNER))
    both = make_user()
    make_membership(theirs, both, Role.OWNER)
    member = make_membership(ours, both, Role.ANALYST)
    staff = make_membership(ours, make_staff(), Role.ANALYST)
    for somebody in (member, staff):
        with pytest.raises(ValidationError) as refusal:
            services.password_link(actor=owner, member=somebody)
        assert refusal.value.code == "works_elsewhere"
    assert services.password_link(actor=SYSTEM, member=member).startswith("/welcome/")


def test_logins_are_the_platforms():
    agency = make_agency()
    user = make_member(agency, Role.ANALYST)
    with pytest.raises(PermissionDenied):
        services.update_person(actor=actor_for_user(make_member(agency, Role.OWNER)), user=user, is_superuser=True)
    services.update_person(actor=SYSTEM, user=user, email="New@Example.com", is_active=False)
    user.refresh_from_db()
    assert (user.email, user.is_active) == ("new@example.com", False)


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_leave_at_once_do_not_leave_the_agency_alone():
    agency = make_agency()
    members = [make_membership(agency, role=Role.OWNER) for _ in range(2)]
    ready, refused = threading.Barrier(2), []

    def leave(member: Membership) -> None:
        try:
            ready.wait()
            services.remove_member(actor=SYSTEM, member=member)
        except ValidationError as refusal:
            refused.append(refusal)
        finally:
            connection.close()

    threads = [threading.Thread(target=leave, args=(member,)) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert Agency.objects.get(pk=agency.pk).memberships.filter(role=Role.OWNER).count() == 1
