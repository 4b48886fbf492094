"""What an entry says, and what it never says."""

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils.translation import gettext_lazy

from apps.agencies import services
from apps.agencies.access import actor_for_key, actor_for_user
from apps.agencies.actor import Actor
from apps.audit import trace
from apps.audit.models import AuditEntry
from apps.audit.services import HIDDEN, record, snapshot
from tests.factories import SYSTEM, make_agency, make_key, make_member, make_membership

pytestmark = pytest.mark.django_db


def test_who_what_where_and_under_which_request():
    agency = make_agency("north")
    user = make_member(agency, email="alice@north.example")
    with trace.traced(actor=actor_for_user(user), source="web", request_id="r-1", ip="192.0.2.7"):
        record(action="thing.done", agency=agency, obj=user, before={"a": 1}, after={"a": 2}, details={"rows": 3})
    entry = AuditEntry.objects.get()
    assert (entry.agency, entry.actor_kind, entry.actor_id) == (agency, "person", str(user.pk))
    assert (entry.actor_label, entry.source, entry.request_id, entry.ip) == (
        "alice@north.example",
        "web",
        "r-1",
        "192.0.2.7",
    )
    assert (entry.object_type, entry.object_id) == ("agencies.user", str(user.pk))
    assert (entry.object_label, entry.before, entry.after) == ("alice@north.example", {"a": 1}, {"a": 2})
    assert entry.details == {"rows": 3}


def test_outside_of_any_request_the_system_acts():
    entry = record(action="tick", agency=None)
    assert (entry.actor_kind, entry.actor_label, entry.source, entry.ip) == ("system", "system", "worker", None)
    assert uuid.UUID(entry.request_id).version == 7


def test_the_agency_by_its_key_or_itself():
    agency = make_agency()
    assert record(action="a", agency=agency.pk).agency_id == record(action="a", agency=agency).agency_id == agency.pk


def test_the_entry_goes_with_the_act_it_tells_of():
    class Oops(Exception): ...

    with pytest.raises(Oops), transaction.atomic():
        record(action="thing.done", agency=None)
        raise Oops
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    "name",
    ["token", "Password", "secret", "oauth_token", "client_secret", "secret_hash", "token_encrypted", "Authorization",
     "api_key", "api-key", "tokens", "password_hash"],
)  # fmt: skip
def test_secrets_are_hidden_however_deep(name: str):
    entry = record(
        action="a",
        agency=None,
        before={name: "x1y2"},
        after={"rows": [{"deep": {name: "x1y2"}}]},
        details={name: ["x1y2"]},
    )
    entry.refresh_from_db()
    assert "x1y2" not in str(entry.__dict__)
    assert entry.before == {name: HIDDEN}


def test_what_only_sounds_like_a_secret_stays():
    facts = {"token_replaced": True, "token_expires_at": None, "password": "", "tokenizer": "x", "key": "name"}
    assert record(action="a", agency=None, after=facts).after == facts


def test_values_of_any_kind_become_json():
    moment = datetime(2026, 11, 4, 14, 5, 30, 123456, tzinfo=UTC)
    facts = {
        "money": Decimal("5000.10"),
        "at": moment,
        "day": date(2026, 11, 4),
        "id": uuid.UUID(int=7),
        "text": gettext_lazy("Owner"),
        "list": (1, 2),
        7: "number as name",
    }
    entry = record(action="a", agency=None, after=facts)
    entry.refresh_from_db()
    assert entry.after == {
        "money": "5000.10",
        "at": "2026-11-04T14:05:30.123Z",
        "day": "2026-11-04",
        "id": "00000000-0000-0000-0000-000000000007",
        "text": "Owner",
        "list": [1, 2],
        "7": "number as name",
    }


def test_texts_no_database_takes_are_taken():
    odd = "NUL \x00, half \ud83d, emoji 🎯"
    agency = make_agency(name="x")
    actor = Actor("person", odd * 30, odd)
    entry = record(action="a", agency=agency, after={odd: [odd]}, details={"x": {odd: odd}}, actor=actor)
    entry.refresh_from_db()
    clean = "NUL \ufffd, half ?, emoji 🎯"
    assert entry.after == {clean: [clean]}
    assert entry.actor_label == (clean * 30)[:255]


def test_a_snapshot_is_ready_for_json():
    key, _ = make_key(name="crm", counter_ids=[7])
    facts = snapshot(key, ("name", "agency_id", "counter_ids", "created_at", "expires_at"))
    assert facts["name"] == "crm"
    assert facts["agency_id"] == key.agency_id
    assert facts["counter_ids"] == [7]
    assert isinstance(facts["created_at"], str)
    assert facts["expires_at"] is None


def test_what_agencies_tell_is_written_down():
    agency = make_agency("north")
    owner = make_membership(agency).user
    actor = actor_for_user(owner)
    with trace.traced(actor=actor, source="web", request_id="r-2"):
        services.add_member(actor=actor, agency=agency, email="anna@north.example", role="manager")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_type, entry.before) == ("member.added", "agencies.membership", None)
    assert entry.after == {"email": "anna@north.example", "role": "manager", "counter_ids": None}
    assert (entry.agency, entry.actor_label, entry.request_id) == (agency, owner.email, "r-2")


def test_a_removed_member_is_still_named():
    member = make_membership(role="analyst")
    pk = str(member.pk)
    services.remove_member(actor=SYSTEM, member=member)
    entry = AuditEntry.objects.get()
    assert (entry.object_id, entry.object_label) == (pk, f"{member.user.email} · Analyst")


def test_the_key_is_named_once_it_is_known():
    key, _ = make_key(name="crm")
    with trace.traced(actor=SYSTEM, source="api") as current:
        trace.set_actor(actor_for_key(key))
        entry = record(action="a", agency=key.agency)
    assert (entry.actor_kind, entry.actor_label) == ("key", f"key crm ({key.prefix}…)")
    assert entry.request_id == current.request_id
    assert trace.current().actor.kind == "system"


def test_naming_an_actor_outside_of_a_request_does_nothing():
    trace.set_actor(Actor("key", "x"))
    assert trace.current().actor.kind == "system"
