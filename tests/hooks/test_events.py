"""What happens is told to who wants to know: each event by its real cause, through a real upload to the sandbox."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.counters.services import pause
from apps.hooks import recording
from apps.hooks.models import Endpoint, Event
from apps.orders import holds
from apps.orders.models import StatusChange
from apps.orders.services import reject_by_hand
from apps.uploads.models import JobState
from apps.uploads.services import cancel_job
from tests.factories import make_counter
from tests.hooks.conftest import Hook, send
from tests.uploads.conftest import Shop
from tests.uploads.test_recovering import Backup


def test_delivered_changes_are_told_with_what_the_crm_needs_to_know_them_by(shop: Shop, hook: Hook) -> None:
    shop.push("D-1", "a1", "a2", revenue="5000.50")
    job = shop.upload()
    send()
    first, second = hook.messages("order.delivered")
    change = StatusChange.objects.get(order__order_id="D-1", order_status="a1")
    assert (first["agency"], first["counter"]) == (shop.counter.agency.slug, shop.counter.metrica_id)
    assert first["data"]["upload"] == str(change.upload_id)
    [told] = first["data"]["changes"]
    assert (told["id"], told["order"], told["order_status"]) == (str(change.pk), "D-1", "a1")
    assert (told["revenue"], told["currency"]) == ("5000.5000", "RUB")
    assert told["delivered_at"].endswith("Z")
    assert [one["order_status"] for one in second["data"]["changes"]] == ["a2"]
    [finished] = hook.messages("upload.finished")
    data = finished["data"]
    assert (data["job"], data["state"], data["delivered"], data["error"]) == (str(job.pk), "succeeded", 2, None)


def test_one_request_tells_of_five_hundred_changes(shop: Shop, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_CHANGES", 40)
    shop.push_many((f"B-{number:03}" for number in range(100)), "a1")
    shop.upload()
    send()
    told = [[one["order"] for one in message["data"]["changes"]] for message in hook.messages("order.delivered")]
    assert [len(some) for some in told] == [40, 40, 20]
    assert sorted(order for some in told for order in some) == [f"B-{number:03}" for number in range(100)]


def test_what_turns_out_to_have_gone_before_a_restore_is_told_as_delivered(shop: Shop, hook: Hook) -> None:
    """What was told of it since the backup is forgotten with all else."""
    shop.push_many(("B-1", "B-2"), "a1")
    backup = Backup()
    shop.upload()
    Event.objects.all().delete()
    backup.restore()
    shop.push("NEW", "a1")
    shop.upload()
    assert shop.sends() == 2, "it went a second time"
    send()
    told = [(message["data"]["upload"], message["data"]["changes"]) for message in hook.messages("order.delivered")]
    assert sorted(sorted(change["order"] for change in changes) for _upload, changes in told) == [
        ["B-1", "B-2"],
        ["NEW"],
    ]
    for upload, changes in told:
        for change in changes:
            assert upload == str(StatusChange.objects.get(pk=change["id"]).upload_id)
            assert change["delivered_at"].endswith("Z")


def test_a_refused_row_is_told_with_its_cause_and_the_others_as_delivered(shop: Shop, hook: Hook) -> None:
    shop.push_many(("R-1", "R-2", "R-3", "R-4"), "a1")
    shop.fault("refuse_row", order_id="R-3", count=None)
    shop.upload()
    send()
    [rejected] = hook.messages("order.rejected")
    assert [one["order"] for one in rejected["data"]["changes"]] == ["R-3"]
    change = StatusChange.objects.get(order__order_id="R-3")
    assert (rejected["data"]["code"], rejected["data"]["message"]) == (change.reject_code, change.reject_message)
    assert rejected["data"]["upload"] == str(change.upload_id)
    delivered = [one["order"] for message in hook.messages("order.delivered") for one in message["data"]["changes"]]
    assert sorted(delivered) == ["R-1", "R-2", "R-4"]


def test_a_change_that_is_held_when_it_comes_in_is_told_by_its_reason(shop: Shop, hook: Hook) -> None:
    shop.push("H-1", "nobody mapped this")
    shop.push("H-2", "a1", client_ids=[])
    send()
    by_reason = {message["data"]["reason"]: message["data"] for message in hook.messages("order.held")}
    assert set(by_reason) == {"unmapped_status", "no_identifiers"}
    data = by_reason["unmapped_status"]
    assert [one["order"] for one in data["changes"]] == ["H-1"]
    assert data["message"] == "The status is not mapped"
    assert data["next_step"].startswith("Say what this status means")
    assert data["whole_counter"] is False


def test_a_counter_that_is_paused_holds_all_that_waits_in_one_message(shop: Shop, hook: Hook) -> None:
    shop.push("P-1", "a1")
    shop.push("P-2", "a1")
    pause(counter=shop.counter, reason="A test")
    holds.review(shop.counter)
    holds.review(shop.counter)
    send()
    [held] = hook.messages("order.held")
    assert (held["data"]["reason"], held["data"]["whole_counter"]) == ("counter_paused", True)
    assert held["data"]["changes"] == []


def test_what_a_person_gives_up_is_rejected(shop: Shop, hook: Hook) -> None:
    shop.push("G-1", "nobody mapped this")
    reject_by_hand(changes=StatusChange.objects.all(), why="A double")
    send()
    [rejected] = hook.messages("order.rejected")
    assert (rejected["data"]["code"], rejected["data"]["message"]) == ("given_up", "A double")
    assert (rejected["data"]["upload"], rejected["data"]["changes"][0]["order"]) == (None, "G-1")


def test_a_job_that_fails_and_one_that_is_cancelled_have_finished_too(shop: Shop, hook: Hook) -> None:
    shop.push("F-1", "a1")
    shop.fault("bad_token")
    assert shop.upload().state == JobState.FAILED
    other = shop.ask()
    cancel_job(job=other)
    send()
    failed, cancelled = (message["data"] for message in hook.messages("upload.finished"))
    assert (failed["state"], failed["delivered"]) == ("failed", 0)
    assert failed["error"]["code"] and failed["error"]["message"]
    assert (cancelled["job"], cancelled["state"]) == (str(other.pk), "cancelled")


def test_only_what_was_asked_for_is_told_and_only_of_the_chosen_counters(
    make_shop: Callable[..., Shop], make_hook: Callable[..., Hook]
) -> None:
    shop, stranger = make_shop(), make_shop()
    agency = shop.counter.agency
    second = make_counter(agency)
    ends = make_hook(agency, events=["upload.finished"])
    elsewhere = make_hook(agency, counters=[second])
    here = make_hook(agency, counters=[shop.counter, second])
    switched_off = make_hook(agency, active=False)
    others = make_hook(stranger.counter.agency)
    shop.push("O-1", "a1")
    shop.upload()
    send()
    assert [message["type"] for message in ends.messages()] == ["upload.finished"]
    assert [message["type"] for message in here.messages()] == ["order.delivered", "upload.finished"]
    assert elsewhere.messages() == switched_off.messages() == others.messages() == []
    assert {message["id"] for message in ends.messages()} < {message["id"] for message in here.messages()}


def test_where_nobody_listens_it_costs_one_small_query(shop: Shop, django_assert_num_queries: Any) -> None:
    shop.push("N-1", "a1")
    upload = shop.upload().uploads.get()
    with django_assert_num_queries(1):
        recording.changes_settled(delivery="delivered", upload_id=upload.pk)
    with django_assert_num_queries(1):
        recording.changes_settled(delivery="held", counter_id=shop.counter.pk, change_ids=[upload.pk], code="by_hand")
    assert not Event.objects.exists()


def test_events_are_written_by_the_hundred(shop: Shop, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty times as many cost a few statements more (SQLite takes a row's values by the hundred), not a hundred."""
    counts = []
    for size in (100, 2):
        monkeypatch.setattr(recording, "MOST_CHANGES", size)
        if size == 100:
            shop.push_many((f"M-{number}" for number in range(400)), "a1")
            shop.upload()
        upload = shop.uploads()[-1]
        before = Event.objects.count()
        with transaction.atomic(), CaptureQueriesContext(connection) as asked:
            recording.changes_settled(delivery="delivered", upload_id=upload.pk)
        counts.append((Event.objects.count() - before, len(asked)))
    assert [events for events, _queries in counts] == [4, 200]
    assert counts[1][1] - counts[0][1] < 10


def test_it_is_written_in_the_transaction_of_what_it_tells(shop: Shop, hook: Hook) -> None:
    shop.push("T-1", "nobody mapped this")
    Event.objects.all().delete()

    class Broken(Exception):
        pass

    with pytest.raises(Broken), transaction.atomic():
        reject_by_hand(changes=StatusChange.objects.all(), why="A double")
        assert Event.objects.filter(type="order.rejected").exists()
        raise Broken
    assert not Event.objects.exists()
    assert StatusChange.objects.get().delivery == "held"


def test_an_agency_that_is_closed_is_told_nothing_until_it_is_open_again(shop: Shop, hook: Hook) -> None:
    shop.push("C-1", "nobody mapped this")
    agency = shop.counter.agency
    agency.is_active = False
    agency.save()
    send()
    assert hook.messages() == []
    agency.is_active = True
    agency.save()
    send()
    assert len(hook.messages()) == 1
    assert Endpoint.objects.get().failures == 0
