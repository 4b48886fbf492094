"""The life of an API key: made, shown once, used, limited, expired, revoked."""

import re
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.serializers import serialize
from django.utils import timezone

from apps.agencies import keys, services
from apps.agencies.access import actor_for_key, actor_for_user
from apps.agencies.models import ApiKey, Role
from tests.factories import SYSTEM, make_agency, make_key, make_member, opened

pytestmark = pytest.mark.django_db


def test_a_key_is_long_random_and_names_its_prefix():
    key, text = make_key()
    assert re.fullmatch(r"gp_[a-z0-9]{12}_[\w-]{43}", text)
    assert text.split("_")[1] == key.prefix
    assert make_key()[1] != text


def test_only_prefix_and_hash_are_kept():
    key, text = make_key()
    secret = text.split("_", 2)[2]
    stored = serialize("json", ApiKey.objects.all())
    assert secret not in stored
    assert key.secret_hash == keys.hash_of(text)


def test_the_right_key_opens_and_the_wrong_one_does_not():
    key, text = make_key()
    assert opened(text) == key
    for wrong in (text[:-1] + "?", text + "x", text.upper(), key.prefix, "", "gp_", " " + text, "x" * 10_000):
        assert opened(wrong) is None, wrong


def test_another_keys_secret_does_not_fit_this_prefix():
    _, one = make_key()
    _, other = make_key()
    mixed = "_".join([*one.split("_", 2)[:2], other.split("_", 2)[2]])
    assert opened(mixed) is None


@pytest.mark.parametrize(
    "text", ["\x00" * 30, "ключ-который-не-ключ-вовсе", "\ud800" * 30, "' OR 1=1 --                "]
)
def test_odd_texts_are_no_keys(text: str):
    assert opened(text) is None


def test_an_expired_key_opens_nothing():
    key, text = make_key(expires_at=timezone.now() + timedelta(hours=1))
    assert opened(text) == key
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert opened(text) is None


def test_a_revoked_key_opens_nothing():
    key, text = make_key()
    services.revoke_api_key(actor=SYSTEM, key=key)
    assert opened(text) is None
    revoked_at = ApiKey.objects.get(pk=key.pk).revoked_at
    services.revoke_api_key(actor=SYSTEM, key=key)
    assert ApiKey.objects.get(pk=key.pk).revoked_at == revoked_at


def test_the_keys_of_a_closed_agency_open_nothing():
    key, text = make_key()
    services.update_agency(actor=SYSTEM, agency=key.agency, is_active=False)
    assert opened(text) is None


def test_a_use_costs_one_query_and_a_second_one_once_a_minute(django_assert_num_queries):
    key, text = make_key()
    with django_assert_num_queries(2):
        opened(text)
    first = ApiKey.objects.get(pk=key.pk).last_used_at
    for _ in range(3):
        with django_assert_num_queries(1):
            found = opened(text)
            assert found is not None
            assert found.agency.slug  # no further query
    assert ApiKey.objects.get(pk=key.pk).last_used_at == first
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    with django_assert_num_queries(2):
        opened(text)


def test_a_wrong_key_costs_one_query_and_leaves_no_trace(django_assert_num_queries):
    key, text = make_key()
    with django_assert_num_queries(1):
        opened(text[:-1] + "?")
    with django_assert_num_queries(0):
        opened("short")
    assert ApiKey.objects.get(pk=key.pk).last_used_at is None


def test_the_actor_of_a_key():
    key, _ = make_key(name="crm", scopes=["write"], counter_ids=[5, 7, 5])
    actor = actor_for_key(key)
    assert (actor.kind, actor.label, actor.id) == ("key", f"key crm ({key.prefix}…)", str(key.pk))
    assert actor.agencies == {key.agency_id}
    assert actor.counters == {5, 7}


def test_a_secret_from_outside_works_whatever_its_form():
    for secret in ("a" * 12 + "-" + "B" * 12, keys.new_key(), "x" * 24, "y" * 200):
        key, text = make_key(secret=secret)
        assert text == secret
        assert opened(secret) == key


@pytest.mark.parametrize("secret", ["x" * 23, "y" * 201, "", "я" * 24, "with space " * 3, "tab\t" * 8])
def test_a_secret_that_is_none_is_refused(secret: str):
    with pytest.raises(ValidationError) as refusal:
        make_key(secret=secret)
    assert list(refusal.value.message_dict) == ["secret"]


def test_a_secret_in_use_is_refused():
    make_key(secret="the-same-secret-for-everybody")
    with pytest.raises(ValidationError) as refusal:
        make_key(secret="the-same-secret-for-everybody")
    assert refusal.value.error_dict["secret"][0].code == "duplicate"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["read", "admin"]}, "scopes"),
        ({"counter_ids": []}, "counter_ids"),
        ({"counter_ids": [0]}, "counter_ids"),
        ({"counter_ids": ["7"]}, "counter_ids"),
        ({"counter_ids": [True]}, "counter_ids"),
        ({"networks": []}, "networks"),
        ({"networks": ["here"]}, "networks"),
        ({"networks": ["192.0.2.0/33"]}, "networks"),
        ({"networks": [f"192.0.2.{number}" for number in range(51)]}, "networks"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, "expires_at"),
        ({"name": " " * 3}, "name"),
        ({"name": "x" * 101}, "name"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_at_its_field(fields: dict, field: str):
    facts = {"name": "crm", "scopes": ["read"]} | fields
    with pytest.raises(ValidationError) as refusal:
        services.create_api_key(actor=SYSTEM, agency=make_agency(), **facts)
    assert list(refusal.value.message_dict) == [field]
    assert not ApiKey.objects.exists()


def test_a_name_is_taken_while_its_key_is_in_use():
    agency = make_agency()
    key, _ = make_key(agency, name="crm")
    with pytest.raises(ValidationError):
        make_key(agency, name="crm")
    make_key(make_agency(), name="crm")
    services.revoke_api_key(actor=SYSTEM, key=key)
    make_key(agency, name="crm")


def test_only_owners_make_and_revoke_keys():
    ours, theirs = make_agency(), make_agency()
    key, _ = make_key(ours)
    owner_elsewhere = actor_for_user(make_member(theirs, Role.OWNER))
    manager = actor_for_user(make_member(ours, Role.MANAGER))
    for actor in (owner_elsewhere, manager, actor_for_key(key)):
        with pytest.raises(PermissionDenied):
            services.create_api_key(actor=actor, agency=ours, name="x", scopes=["read"])
        with pytest.raises(PermissionDenied):
            services.revoke_api_key(actor=actor, key=key)
