"""Every use of a key is counted, cheaply: a request writes nothing of it, and processes do not wait for each other."""

import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from apps.agencies import key_uses, services
from apps.agencies.models import ApiKey, ApiKeyDay, Role
from apps.audit.models import AuditEntry
from tests.api.conftest import Caller
from tests.factories import SYSTEM, make_counter, make_key, make_member, opened

pytestmark = pytest.mark.django_db


def days() -> list[tuple[int, int, int, int]]:
    return list(ApiKeyDay.objects.order_by("day").values_list(*key_uses.FIELDS))


def order(number: int, **more: object) -> dict[str, object]:
    when = (timezone.now() - timedelta(days=1)).isoformat()
    return {"id": f"D-{number}", "create_date_time": when, "order_status": "new", "client_ids": ["1700000001"], **more}


def test_requests_and_rows_are_counted_and_shown_on_the_keys_page(client: Client):
    counter = make_counter(metrica_id=40000001)
    key, text = make_key(counter.agency)
    caller = Caller(text)
    caller.get("counters/")
    rows = [order(1), order(2), {"id": "D-3", "create_date_time": "never"}]
    assert caller.post("counters/40000001/orders/", rows).body["rejected"] == 1
    caller.post("counters/40000001/orders/?atomic=true", rows)  # nothing is taken in
    assert days() == []
    key_uses.write()
    assert days() == [(3, 2, 4, 0)]
    caller.get("counters/")
    key_uses.write()
    assert days() == [(4, 2, 4, 0)]
    client.force_login(make_member(counter.agency, Role.OWNER))
    page = client.get(f"/admin/agencies/apikey/{key.pk}/change/").content.decode()
    assert 'id="key-days"' in page
    assert ">4</td>" in page


def test_a_request_writes_nothing_of_it_until_a_minute_has_passed(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries
):
    _key, text = make_key()
    caller = Caller(text)
    caller.get("counters/")
    with django_assert_num_queries(2):  # the key and the counters
        caller.get("counters/")
    monkeypatch.setattr(key_uses, "connection", type("Outside", (), {"in_atomic_block": False}))
    monkeypatch.setattr(key_uses, "WRITE_EVERY", 0.0)
    caller.get("counters/")
    assert days() == [(3, 0, 0, 0)]


@pytest.mark.parametrize("why", ["revoked", "expired", "closed", "outside"])
def test_uses_of_a_key_that_is_shut_are_seen_by_its_owner(why: str, client: Client):
    limits = {"networks": ["192.0.2.0/24"]} if why == "outside" else {}
    key, text = make_key(**limits)
    if why == "revoked":
        services.revoke_api_key(actor=SYSTEM, key=key)
    elif why == "expired":
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif why == "closed":
        services.update_agency(actor=SYSTEM, agency=key.agency, is_active=False)
    for _time in range(2):
        assert Caller(text).get("counters/").status == (403 if why == "outside" else 401)
    key_uses.write()
    assert days() == [(0, 0, 0, 2)]
    key.refresh_from_db()
    assert (key.turned_away_why, key.turned_away_from) == (why, "127.0.0.1")
    assert AuditEntry.objects.filter(action="api_key.turned_away", agency=key.agency).count() == 1
    if why != "closed":
        client.force_login(make_member(key.agency, Role.OWNER))
        assert "127.0.0.1" in client.get("/admin/agencies/apikey/").content.decode()


def test_who_does_not_have_the_secret_is_not_counted():
    _key, text = make_key()
    assert Caller(text[:-1] + "?").get("counters/").status == 401
    key_uses.write()
    assert days() == []


def test_the_same_reason_is_told_once_an_hour(monkeypatch: pytest.MonkeyPatch):
    _key, text = make_key(networks=["192.0.2.0/24"])
    now = timezone.now
    for minutes, told in ((0, 1), (2, 1), (59, 1), (61, 2)):
        monkeypatch.setattr(timezone, "now", lambda passed=minutes: now() + timedelta(minutes=passed))
        opened(text, address="198.51.100.1")
        assert AuditEntry.objects.filter(action="api_key.turned_away").count() == told


def test_what_cannot_be_written_is_kept_for_the_next_time(monkeypatch: pytest.MonkeyPatch):
    key, _text = make_key()
    key_uses.note(key.pk, requests=2)
    real = key_uses._write

    def refuse(_taken: object) -> None:
        raise DatabaseError("locked")

    monkeypatch.setattr(key_uses, "_write", refuse)
    key_uses.write()
    monkeypatch.setattr(key_uses, "_write", real)
    key_uses.note(key.pk, requests=1)
    key_uses.write()
    assert days() == [(3, 0, 0, 0)]


def test_a_key_that_is_gone_is_nobodys_trouble():
    key, _text = make_key()
    key_uses.note(key.pk, requests=1)
    key_uses.note(10**9, requests=1)
    key.delete()
    key_uses.write()
    assert days() == []


def test_old_days_go(monkeypatch: pytest.MonkeyPatch):
    key, _text = make_key()
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    for age in (399, 401):
        ApiKeyDay.objects.create(key=key, day=today - timedelta(days=age), requests=1)
    key_uses.note(key.pk, requests=1)
    key_uses.write()
    assert ApiKeyDay.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_several_at_once_lose_nothing():
    key, _text = make_key()
    today = timezone.localdate(timezone=timezone.get_default_timezone())

    def add() -> None:
        for _time in range(10):
            key_uses._write({(key.pk, today): key_uses.Tally(requests=1)})
        connection.close()

    together = [threading.Thread(target=add) for _thread in range(4)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert days() == [(40, 0, 0, 0)]
