"""What a person decides about held changes and orders: done once, said in the audit log, told to the uploads."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django import DjangoCaptureOnCommitCallbacks

from apps.audit.models import AuditEntry
from apps.counters import services as counters
from apps.counters.models import Counter
from apps.orders import services
from apps.orders.events import changes_accepted
from apps.orders.models import Delivery, Order, StatusChange
from apps.orders.people import erase_client
from tests.orders.conftest import NOW, Send, later, row, the_order, timeline
from tests.orders.test_delivery import UPLOAD, put


@pytest.fixture
def heard() -> Any:
    """Counters of which the uploads were told."""
    told: list[int] = []

    def listen(counter_id: int, **_rest: Any) -> None:
        told.append(counter_id)

    changes_accepted.connect(listen)
    yield told
    changes_accepted.disconnect(listen)


def actions() -> list[str]:
    entries = AuditEntry.objects.filter(object_type="orders.order").order_by("id")
    return list(entries.values_list("action", flat=True))


def test_hold_and_release(
    send: Send, counter: Counter, heard: list[int], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    send(row())
    [change] = timeline()
    assert services.hold_by_hand(changes=[change]) == 1
    assert services.hold_by_hand(changes=[change]) == 0
    assert (timeline()[0].delivery, timeline()[0].hold_reason) == (Delivery.HELD, "by_hand")
    with django_capture_on_commit_callbacks(execute=True):
        assert services.release_by_hand(change=change) == ""
    assert (timeline()[0].delivery, timeline()[0].forced) == (Delivery.WAITING, True)
    assert heard == [counter.pk]
    assert actions() == ["change.held", "change.released"]
    entry = AuditEntry.objects.filter(action="change.released").get()
    assert entry.details["change"] == str(change.pk)
    assert (entry.object_id, entry.agency_id) == (str(the_order().pk), counter.agency_id)


def test_a_closed_window_can_be_overruled_and_other_causes_cannot(send: Send, counter: Counter) -> None:
    send(row(create_date_time=(NOW - timedelta(days=120)).isoformat()), later(order_status="PAID"))
    closed = timeline()[1]
    assert closed.hold_reason == "update_window_closed"
    assert services.release_by_hand(change=closed) == ""

    send(row(id="D-2", order_status="?"))
    [unmapped] = timeline("D-2")
    assert services.release_by_hand(change=unmapped) == "unmapped_status"
    assert timeline("D-2")[0].delivery == Delivery.HELD
    counters.pause(counter=counter, reason="x")
    assert services.release_by_hand(change=unmapped) == "counter_paused"
    assert actions() == ["change.released"]


def test_give_up(send: Send) -> None:
    send(row(order_status="?"), row(id="D-2"))
    changes = [*timeline("D-1"), *timeline("D-2")]
    with pytest.raises(ValidationError):
        services.reject_by_hand(changes=changes, why="  ")
    assert services.reject_by_hand(changes=changes, why="a test order") == 1, "what waits is not held"
    [change] = timeline()
    assert (change.delivery, change.reject_code, change.reject_message) == ("rejected", "given_up", "a test order")
    assert change.hold_reason == ""
    assert actions() == ["change.given_up"]


def test_try_again(
    send: Send, counter: Counter, heard: list[int], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    send(row())
    put(timeline()[0].pk, Delivery.REJECTED)
    with django_capture_on_commit_callbacks(execute=True):
        assert services.retry_rejected(changes=timeline()) == 1
        assert services.retry_rejected(changes=timeline()) == 0
    assert timeline()[0].delivery == Delivery.WAITING
    assert heard == [counter.pk]
    assert actions() == ["change.retried"]


def test_send_the_present_state_once_more(send: Send) -> None:
    send(row())
    put(timeline()[0].pk, Delivery.DELIVERED)
    assert services.resend_current(orders=list(Order.objects.all())) == 1
    assert the_order().resend_due
    assert StatusChange.objects.get().upload_id == UPLOAD, "the timeline keeps how it went the first time"
    assert actions() == ["order.resend_requested"]


def test_very_many_are_decided_on_with_one_entry_and_few_statements(
    send: Send, counter: Counter, django_assert_num_queries: Any
) -> None:
    many = range(30)
    send(*(row(id=f"D-{number}") for number in many), *(row(id=f"U-{number}", order_status="?") for number in many))
    changes = list(StatusChange.objects.select_related("counter__account", "order__client").order_by("pk"))
    good = [change for change in changes if change.delivery == Delivery.WAITING]
    StatusChange.objects.filter(pk__in=[change.pk for change in good]).update(delivery="held", hold_reason="by_hand")
    changes = list(StatusChange.objects.select_related("counter__account", "order__client").order_by("pk"))
    with django_assert_num_queries(8):
        assert services.release_many_by_hand(changes=changes) == 30
    assert StatusChange.objects.filter(delivery="waiting", forced=True).count() == 30
    with django_assert_num_queries(6):
        assert services.reject_by_hand(changes=changes, why="a test") == 30, "those let go meanwhile stay so"
    released, given_up = AuditEntry.objects.filter(action__in=["change.released", "change.given_up"]).order_by("id")
    assert released.details["held_for"] == {"by_hand": 30}
    assert (given_up.details["changes"], given_up.details["held_for"]) == (30, {"unmapped_status": 30})
    assert given_up.details["why"] == "a test"
    assert len(given_up.details["changes_sha256"]) == 64
    assert (given_up.object_type, given_up.object_id) == ("counters.counter", str(counter.pk))


def test_two_who_decide_at_once_leave_one_trace(send: Send) -> None:
    """R12: what somebody has decided on meanwhile is in nobody else's trace."""
    send(row(), row(id="D-2"))
    for order in ("D-1", "D-2"):
        put(timeline(order)[0].pk, Delivery.REJECTED)
    seen = [*timeline("D-1"), *timeline("D-2")]
    assert services.retry_rejected(changes=[timeline("D-1")[0]]) == 1
    assert services.retry_rejected(changes=seen) == 1
    assert actions() == ["change.retried", "change.retried"]
    entries = AuditEntry.objects.filter(action="change.retried").order_by("id")
    assert [entry.object_label for entry in entries] == ["D-1", "D-2"]

    for order in ("D-1", "D-2"):
        put(timeline(order)[0].pk, Delivery.REJECTED)
    seen = [*timeline("D-1"), *timeline("D-2")]
    assert services.leave_rejected(changes=[timeline("D-1")[0]], why="first") == 1
    assert services.leave_rejected(changes=seen, why="second") == 1
    left = AuditEntry.objects.filter(action="change.left").order_by("id")
    assert [(entry.object_label, entry.details["why"]) for entry in left] == [("D-1", "first"), ("D-2", "second")]
    assert timeline("D-1")[0].reject_message == "first"


def test_an_order_without_anything_delivered_leaves_no_trace_of_sending_again(send: Send) -> None:
    send(row(), row(id="D-2"))
    put(timeline("D-1")[0].pk, Delivery.DELIVERED)
    assert services.resend_current(orders=list(Order.objects.order_by("pk"))) == 1
    services.resend_current(orders=list(Order.objects.order_by("pk")))
    asked = AuditEntry.objects.filter(action="order.resend_requested")
    assert [entry.object_label for entry in asked] == ["D-1"], "once, and of no other"


def test_an_erased_client_is_not_sent_again(send: Send, counter: Counter) -> None:
    Counter.objects.filter(pk=counter.pk).update(mode="detailed")
    counter.refresh_from_db()
    send(row(client_uniq_id="C-1"))
    client = the_order().client
    assert client is not None
    erase_client(client=client)
    client.refresh_from_db()
    with pytest.raises(ValidationError) as refused:
        services.send_client_again(client=client)
    assert refused.value.code == "client_gone"
    client.refresh_from_db()
    assert (client.revision, client.is_due) == (0, False)
    assert not AuditEntry.objects.filter(action="client.resend_requested").exists()
