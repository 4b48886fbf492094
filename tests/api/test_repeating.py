"""Idempotency-Key: a request sent twice acts once, and the second is told what the first was."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.api import limits, repeating
from apps.api.models import KeptAnswer
from apps.audit.models import AuditEntry
from apps.counters.models import Counter
from apps.orders.models import Order, StatusChange
from apps.uploads.events import ticked
from apps.uploads.models import UploadJob
from tests.threads import Thread, on_postgresql

PATH = "counters/40000001/orders/"
WHEN = (datetime.now(UTC) - timedelta(days=3)).strftime("%Y-%m-%dT12:00:00+03:00")


def order(number=1, **fields):
    row = {"id": f"D-{number}", "create_date_time": WHEN, "order_status": "PAID", "client_ids": ["17000000001"]}
    return {**row, **fields}


def keyed(key="k-1", **headers):
    return {"Idempotency-Key": key, **headers}


def test_the_same_again_is_answered_as_before_and_does_nothing(api, counter):
    first = api.post(PATH, [order(1), {}], **keyed())
    again = api.post(PATH, [order(1), {}], **keyed())
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body and again.body["created"] == 1
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert StatusChange.objects.count() == AuditEntry.objects.filter(action="orders.accepted").count() == 1
    # Without the key, or with another one, it is a request of its own.
    assert api.post(PATH, [order(1), {}]).body["unchanged"] == 1
    assert api.post(PATH, [order(1), {}], **keyed("k-2")).body["unchanged"] == 1


def test_the_same_key_with_something_else_is_a_conflict(api, counter):
    api.post(PATH, [order(1)], **keyed())
    for path, body in ((PATH, [order(2)]), (PATH + "?atomic=true", [order(1)]), (PATH, order(1))):
        answer = api.post(path, body, **keyed())
        assert (answer.status, answer.body["code"]) == (409, "idempotency_key_reused")
        assert answer.body["next_step"]
    assert Order.objects.count() == 1


def test_each_address_agency_and_limit_has_keys_of_its_own(api, counter, outsider, caller_for, agency):
    first = api.post(PATH, [order(1)], **keyed()).body
    assert api.post("counters/40000001/uploads/", {}, **keyed()).status == 202
    assert outsider.post(PATH, [order(1)], **keyed()).status == 404
    assert outsider.post("counters/40000002/orders/", [order(1)], **keyed()).body["created"] == 1
    # Another key of the agency is the same caller; one that is limited is told nothing of what it cannot see.
    assert caller_for(agency).post(PATH, [order(1)], **keyed()).body == first
    assert caller_for(agency, counter_ids=[40000009]).post(PATH, [order(1)], **keyed()).status == 404
    assert caller_for(agency, scopes=["read"]).post(PATH, [order(1)], **keyed()).status == 403


def test_what_was_refused_may_be_sent_again_with_the_same_key(api, counter):
    assert api.post(PATH + "?atomic=true", [order(1, revenue="x")], **keyed()).status == 400
    assert not KeptAnswer.objects.exists()
    assert api.post(PATH + "?atomic=true", [order(1)], **keyed()).body["created"] == 1


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "ключ".encode().decode("latin-1"), "a\tb"])
def test_a_key_that_is_none(api, counter, key):
    answer = api.post(PATH, [order(1)], **keyed(key))
    assert (answer.status, answer.body["code"]) == (400, "bad_idempotency_key")
    assert not Order.objects.exists()


def test_it_holds_for_whatever_writes(api, counter):
    api.post(PATH, [order(1)])
    calls = [
        ("POST", PATH + "D-1/statuses/", {"order_status": "SPAM"}, 200),
        ("POST", "counters/40000001/uploads/", {}, 202),
        ("PATCH", "counters/40000001/", {"name": "Renamed"}, 200),
        ("PUT", "counters/40000001/statuses/known/", {"type": "SPAM"}, 201),
        ("PUT", "counters/40000001/statuses/", [], 200),
        ("PUT", "counters/40000001/products/", [{"name": "sku-1"}], 200),
    ]
    for method, path, body, status in calls:
        first, again = (api(method, path, body, **keyed()) for _time in range(2))
        assert (first.status, again.status) == (status, status), path
        assert again.headers["Idempotency-Replayed"] == "true"
        assert first.body == again.body
        assert first.headers.get("Location") == again.headers.get("Location")
    assert StatusChange.objects.count() == 2 and UploadJob.objects.count() == 1
    assert AuditEntry.objects.filter(action="counter.changed").count() <= 1
    # Nothing is kept of what only reads.
    assert "Idempotency-Replayed" not in api.get(PATH, **keyed()).headers


def test_a_retry_of_an_upload_is_one_job(api, counter):
    from apps.uploads.models import JobState

    job = UploadJob.objects.create(counter=counter, trigger="api", state=JobState.SUCCEEDED)
    first, again = (api.post(f"uploads/{job.pk}/retry/", **keyed()) for _time in range(2))
    assert (first.status, again.status) == (202, 202) and first.body["id"] == again.body["id"]
    assert UploadJob.objects.count() == 2


def test_what_is_kept_says_nothing_to_who_only_reads_the_database(api, counter):
    api.post(PATH, [order(1, id="Anna-7", emails=["none"])], **keyed("anna@example.com"))
    kept = KeptAnswer.objects.get()
    text = b"|".join([bytes(kept.answer), kept.key.encode(), kept.request.encode(), repr(kept.headers).encode()])
    assert b"anna" not in text.lower() and len(kept.key) == len(kept.request) == 64


def test_what_cannot_be_opened_any_more_is_done_anew(api, counter, settings):
    from cryptography.fernet import Fernet

    api.post(PATH, [order(1)], **keyed())
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert api.post(PATH, [order(1)], **keyed()).body["unchanged"] == 1
    assert api.post(PATH, [order(1)], **keyed()).headers["Idempotency-Replayed"] == "true"


def test_its_time_ends_and_the_clock_takes_it_away(api, counter, settings):
    settings.IDEMPOTENCY_HOURS = 2
    api.post(PATH, [order(1)], **keyed())
    ticked.send(sender=None, now=timezone.now())
    assert KeptAnswer.objects.count() == 1
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(hours=3))
    assert api.post(PATH, [order(2)], **keyed()).body["created"] == 1  # though nobody has cleaned up
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(hours=3))
    ticked.send(sender=None, now=timezone.now())
    assert not KeptAnswer.objects.exists()


def test_a_compressed_body_is_the_same_request(api, counter):
    import gzip

    raw = json.dumps([order(1)]).encode()
    first = api("POST", PATH, raw=raw, **keyed())
    again = api("POST", PATH, raw=gzip.compress(raw), **keyed(**{"Content-Encoding": "gzip"}))
    assert again.headers["Idempotency-Replayed"] == "true" and first.body == again.body


@pytest.mark.django_db(transaction=True)
def test_a_fault_in_the_middle_leaves_nothing_and_the_next_one_acts(api, counter, monkeypatch):
    """The process may end at any point of its transaction; a fault stands for that here, killed ones are below."""
    keep = repeating._Wanted.keep

    def fault(self, response):
        keep(self, response)
        raise RuntimeError("boom")

    api.client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(repeating._Wanted, "keep", fault)
        assert api.post(PATH, [order(1)], **keyed()).status == 500
    assert not Order.objects.exists() and not KeptAnswer.objects.exists()
    answer = api.post(PATH, [order(1)], **keyed())
    assert answer.body["created"] == 1 and "Idempotency-Replayed" not in answer.headers


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_while_the_first_is_under_way_others_wait_and_then_are_told_to_come_back(api, counter, monkeypatch):
    monkeypatch.setattr(repeating, "WAIT_SECONDS", 1)
    key = {"value": ""}
    real = repeating._Wanted.__init__

    def noted(self, *arguments):
        real(self, *arguments)
        key["value"] = self._key

    monkeypatch.setattr(repeating._Wanted, "__init__", noted)
    api.post(PATH, [order(1)], **keyed("first"))
    agency = Counter.objects.get().agency_id
    KeptAnswer.objects.all().delete()
    with transaction.atomic():
        # As a request that has come first and does not end.
        KeptAnswer.objects.create(pk=key["value"], agency_id=agency, request="x")
        answer = Thread(lambda: api.post(PATH, [order(1)], **keyed("first"))).result()
        assert (answer.status, answer.body["code"]) == (409, "idempotency_in_progress")
        assert answer.headers["Retry-After"] == str(repeating.RETRY_AFTER)
        transaction.set_rollback(True)
    # It ended by a fault: the next one acts.
    answer = api.post(PATH, [order(1)], **keyed("first"))
    assert answer.body["unchanged"] == 1 and "Idempotency-Replayed" not in answer.headers


def test_goals_may_be_asked_for_twice_without_a_transaction_around_metrica(agency, caller_for, counter, monkeypatch):
    from apps.api.views import goals

    seen = []

    def create(*, counter, goals):
        seen.append(len(connection.savepoint_ids))
        from apps.goals.models import Goal

        Goal.objects.create(counter=counter, identifier=goals[0].identifier)

        class Done:
            created = goals

        return Done

    monkeypatch.setattr(goals.sync, "create_goals", create)
    api = caller_for(agency)
    first, again = (api.post("counters/40000001/goals/", {"identifier": "lead"}, **keyed()) for _time in range(2))
    assert (first.status, again.status, len(seen)) == (201, 201, 1)
    assert first.body == again.body and seen == [0]


def test_a_repeated_answer_has_its_etag(api, counter):
    path = "counters/40000001/statuses/won/"
    first, again = (api.put(path, {"type": "PAID"}, **keyed()) for _time in range(2))
    assert (first.status, again.status, again.headers["Idempotency-Replayed"]) == (201, 201, "true")
    assert again.headers["ETag"] == first.headers["ETag"]


def test_a_row_of_a_limit_is_not_held_to_the_end_of_a_request(api, counter, settings, monkeypatch):
    settings.API_ORDERS_PER_MINUTE = 100
    monkeypatch.setattr(limits, "_tell", lambda *_told: pytest.fail("told within the request's transaction"))
    assert api.post(PATH, [order(n) for n in range(5)], **keyed()).status == 200
