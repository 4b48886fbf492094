"""R11: an agency sees itself, and whoever nobody knows sees nothing."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.agencies.access import actor_for_key, actor_for_user
from apps.agencies.actor import NOBODY, Actor, Right, system
from apps.agencies.models import Agency, ApiKey, Membership, Role, User
from apps.counters.models import ApiCall, Counter, MetricaAccount
from tests.factories import make_agency, make_key, make_member, make_membership, make_staff, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def north() -> Agency:
    return make_agency("north", "North Agency")


@pytest.fixture
def south() -> Agency:
    return make_agency("south", "South Agency")


@pytest.fixture
def alice(north: Agency) -> User:
    return make_member(north, Role.OWNER, "alice@north.example")


@pytest.fixture
def bob(north: Agency) -> User:
    return make_member(north, Role.MANAGER, "bob@north.example")


@pytest.fixture
def charlie(south: Agency) -> User:
    return make_member(south, Role.OWNER, "charlie@south.example")


def test_each_sees_the_things_of_their_own_agency(north: Agency, south: Agency, alice: User, bob: User, charlie: User):
    make_key(north, name="crm")
    make_key(south, name="shop")
    for person, keys in ((alice, ["crm"]), (bob, ["crm"]), (charlie, ["shop"])):
        assert [key.name for key in ApiKey.objects.visible_to(actor_for_user(person))] == keys
    assert [agency.slug for agency in Agency.objects.visible_to(actor_for_user(charlie))] == ["south"]


@pytest.mark.parametrize("actor", [None, NOBODY, Actor("person", "x"), Actor("key", "x", agencies=frozenset())])
def test_whoever_has_no_agency_sees_nothing(north: Agency, actor: Actor | None):
    make_key(north)
    for model in (Agency, Membership, ApiKey, Counter, MetricaAccount, ApiCall):
        assert list(model.objects.visible_to(actor)) == []


def test_the_system_and_platform_staff_see_all(north: Agency, south: Agency):
    for actor in (system(), actor_for_user(make_staff())):
        assert set(Agency.objects.visible_to(actor)) == {north, south}
    assert set(Agency.objects.visible_to(actor_for_user(make_staff(), south.pk))) == {south}


def test_a_key_limited_to_counters_sees_these_and_nothing_that_has_no_counter(north: Agency):
    account = MetricaAccount.objects.create(agency=north, login="north")
    for number in (101, 102):
        Counter.objects.create(agency=north, metrica_id=number, name=str(number), account=account)
    limited, _ = make_key(north, counter_ids=[102, 999])
    free, _ = make_key(north)
    assert [counter.metrica_id for counter in Counter.objects.visible_to(actor_for_key(limited))] == [102]
    assert list(MetricaAccount.objects.visible_to(actor_for_key(limited))) == []
    assert Counter.objects.visible_to(actor_for_key(free)).count() == 2
    assert list(MetricaAccount.objects.visible_to(actor_for_key(free))) == [account]


def test_a_key_limited_to_counters_does_not_reach_another_agency_by_the_same_number(north: Agency, south: Agency):
    Counter.objects.create(agency=south, metrica_id=101, name="theirs")
    limited, _ = make_key(north, counter_ids=[101])
    assert list(Counter.objects.visible_to(actor_for_key(limited))) == []


def test_somebody_elses_object_is_not_there(north: Agency, alice: User, bob: User, charlie: User, client: Client):
    member = Membership.objects.get(user=bob)
    key, _ = make_key(north)
    pages = [
        reverse(f"admin:agencies_{model}_{page}", args=[pk])
        for model, pk in (("membership", member.pk), ("apikey", key.pk))
        for page in ("change", "delete", "history")
    ]
    pages += [
        reverse("admin:agencies_apikey_revoke", args=[key.pk]),
        reverse("admin:agencies_membership_password_link", args=[member.pk]),
    ]
    client.force_login(charlie)
    for page in pages:
        assert client.post(page, {"post": "yes", "_form_submitted": "on"}).status_code == 404, page
        if "delete" not in page and "revoke" not in page and "password-link" not in page:
            assert client.get(page).status_code == 404, page
    assert ApiKey.objects.get(pk=key.pk).revoked_at is None
    assert Membership.objects.filter(pk=member.pk).exists()
    client.force_login(alice)
    assert client.get(pages[0]).status_code == 200


def test_lists_show_ones_own_only(alice: User, bob: User, charlie: User, client: Client):
    client.force_login(charlie)
    page = client.get(reverse("admin:agencies_membership_changelist")).content.decode()
    assert "charlie@south.example" in page
    assert "alice@north.example" not in page


def test_an_inactive_persons_actor_is_nobody(north: Agency):
    user = make_user(is_active=False)
    make_membership(north, user)
    assert actor_for_user(user) is NOBODY


def test_the_chosen_agency_counts_only_where_one_belongs(north: Agency, south: Agency):
    user = make_user()
    make_membership(north, user, Role.ANALYST)
    make_membership(south, user, Role.OWNER)
    assert actor_for_user(user).agency_id == north.pk
    assert actor_for_user(user, south.pk).rights == frozenset(Right)
    elsewhere = make_agency("west")
    assert actor_for_user(user, elsewhere.pk).agency_id == north.pk
