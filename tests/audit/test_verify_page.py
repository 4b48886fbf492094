"""R12: from a page one sees whether the chain holds, and until which entry, however long it is."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from apps.agencies.models import Agency, Role, User
from apps.audit import chain, triggers, verifying
from apps.audit.models import AuditEntry, AuditLink
from apps.audit.services import record
from tests.admin.pages import words
from tests.factories import make_agency, make_member, make_staff

pytestmark = pytest.mark.django_db

PAGE = "/admin/audit/auditentry/verify/"


@pytest.fixture
def north() -> Agency:
    return make_agency("north", "North Agency")


@pytest.fixture
def analyst(north: Agency, client: Client) -> User:
    user = make_member(north, Role.ANALYST, "analyst@north.example")
    client.force_login(user)
    return user


@pytest.fixture
def five(north: Agency, analyst: User) -> list[AuditEntry]:
    """All that the agency's chain holds so far ends with these."""
    written = [record(action=f"thing.{number}", agency=north) for number in range(5)]
    chain.seal()
    return written


def tampered(entry: AuditEntry) -> None:
    with triggers.lifted(connection):
        AuditEntry.objects.filter(pk=entry.pk).update(action="other.done")


def token(answer: Any) -> str:
    found = re.search(r'name="token" value="([^"]+)"', answer.content.decode())
    assert found is not None
    return found[1]


def test_it_holds_until_the_newest_sealed_entry(client: Client, five: list[AuditEntry], django_assert_num_queries: Any):
    record(action="younger", agency=five[0].agency)
    text = words(client.get(PAGE))
    assert "North Agency" in text
    assert "Not sealed yet 1" in text
    with django_assert_num_queries(13):
        answer = client.post(PAGE)
    text = words(answer)
    end = chain.end_of(five[0].agency_id)
    assert "The chain holds." in text
    assert f"{end.position} entries were checked" in text
    assert "Until entry thing.4" in text
    assert end.hash in text
    assert "hx-post" not in answer.content.decode().split('id="verify"')[1]


def test_a_finished_check_is_in_the_log_and_on_the_page(client: Client, five: list[AuditEntry], analyst: User):
    client.post(PAGE)
    entry = AuditEntry.objects.get(action="audit.verified")
    end = chain.end_of(five[0].agency_id)
    assert (entry.actor_label, entry.agency_id) == (analyst.email, five[0].agency_id)
    assert entry.details == {"holds": True, "checked": end.position, "hash": end.hash}
    assert f"by {analyst.email}, found that it holds up to place {end.position}" in words(client.get(PAGE))


def test_a_broken_chain_says_where_and_leads_to_the_entry(client: Client, five: list[AuditEntry]):
    place = AuditLink.objects.get(entry=five[2]).position
    tampered(five[2])
    answer = client.post(PAGE)
    text = words(answer)
    assert f"The chain breaks at place {place}. The entry is not what was sealed." in text
    assert f"Up to place {place - 1} (" in text
    assert f"/admin/audit/auditentry/{five[2].pk}/change/" in answer.content.decode()
    entry = AuditEntry.objects.get(action="audit.verified")
    assert (entry.details["holds"], entry.details["broken_at"]) == (False, place)
    assert f"found that it breaks at place {place}" in words(client.get(PAGE))


def test_a_long_chain_is_checked_by_the_piece(client: Client, five: list[AuditEntry], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(verifying, "PIECE", 2)
    monkeypatch.setattr(verifying, "SECONDS", 0)
    end = chain.end_of(five[0].agency_id).position
    answer = client.post(PAGE)
    rounds = 1
    while "The chain holds." not in words(answer):
        assert f"{min(2 * rounds, end)} of {end} entries checked so far" in words(answer)
        assert 'hx-trigger="load delay:100ms, submit"' in answer.content.decode()
        assert not AuditEntry.objects.filter(action="audit.verified").exists()
        record(action="meanwhile", agency=five[0].agency)
        chain.seal()
        answer = client.post(PAGE, {"token": token(answer)})
        rounds += 1
    assert rounds == -(-end // 2), "what comes meanwhile is for the next check"
    assert AuditEntry.objects.filter(action="audit.verified").count() == 1


def test_a_break_in_a_later_piece_is_found(client: Client, five: list[AuditEntry], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(verifying, "PIECE", 1)
    monkeypatch.setattr(verifying, "SECONDS", 0)
    tampered(five[4])
    answer = client.post(PAGE)
    for _round in range(20):
        if 'name="token"' not in answer.content.decode():
            break
        answer = client.post(PAGE, {"token": token(answer)})
    assert "The chain breaks at place" in words(answer)


@pytest.mark.parametrize("forged", ["x", "a:b:c", "", "\x00"])
def test_a_token_that_is_none_begins_anew(client: Client, five: list[AuditEntry], forged: str):
    assert "The chain holds." in words(client.post(PAGE, {"token": forged}))


def test_a_token_of_another_chain_is_none(client: Client, five: list[AuditEntry]):
    south = make_agency("south")
    foreign = verifying.Check(south.pk, chain.End(10**6, "x"), chain.End(10**6, "x")).token
    tampered(five[0])
    assert "The chain breaks at place" in words(client.post(PAGE, {"token": foreign}))


def test_ones_own_chain_alone(client: Client, five: list[AuditEntry]):
    south = make_agency("south")
    theirs = record(action="theirs", agency=south)
    chain.seal()
    tampered(theirs)
    assert "The chain holds." in words(client.post(PAGE))
    client.force_login(make_staff())
    text = words(client.post(PAGE))
    assert "this checks the platform's own chain" in text
    assert "theirs" not in text


def test_an_empty_log_says_so(client: Client, analyst: User, north: Agency):
    assert "Nothing is sealed yet" in words(client.post(PAGE))


def test_missing_triggers_are_told(client: Client, five: list[AuditEntry]):
    with triggers.lifted(connection):
        assert "its triggers are missing" in words(client.get(PAGE))
    assert "its triggers are missing" not in words(client.get(PAGE))


def test_the_list_leads_to_it(client: Client, analyst: User):
    assert PAGE in client.get("/admin/audit/auditentry/").content.decode()
