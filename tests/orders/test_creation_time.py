"""R9: the creation time may be corrected until anything of the order was sent, and is frozen from then on."""

import uuid
from datetime import timedelta

import pytest

from apps.orders import delivery
from tests.orders.conftest import NOW, Send, clock, later, row, the_order, timeline, told

NEW = "2026-11-18 16:00:00"


def test_it_may_be_corrected_before_anything_was_sent(send: Send) -> None:
    send(row())
    report = send(row(create_date_time=NEW))
    assert (report.updated, report.results[0].change) == (1, None), "the order changed, its states did not"
    assert the_order().create_date_time == clock(16)
    assert timeline()[0].status_date_time == clock(14, 5), "what happened is not edited (R3)"
    assert send(row(create_date_time=NEW)).unchanged == 1


def test_a_correction_frees_what_the_wrong_time_held(send: Send) -> None:
    """R8: 200 days ago would be too old for an update; it was a slip."""
    send(row(create_date_time=(NOW - timedelta(days=200)).isoformat(), order_status="?"), later(order_status="PAID"))
    assert timeline()[-1].hold_reason == "update_window_closed"
    send(row(order_status="PAID"))
    assert timeline()[-1].hold_reason == ""


@pytest.mark.parametrize("outcome", ["sending", "delivered", "rejected"])
def test_it_is_frozen_once_something_went_out(send: Send, outcome: str) -> None:
    send(row())
    upload = uuid.uuid4()
    delivery.claim(change_ids=[timeline()[0].pk], upload_id=upload)
    if outcome == "delivered":
        delivery.settle_delivered(upload_id=upload, at=NOW)
    if outcome == "rejected":
        delivery.reject(upload_id=upload, code="x", message="x")
    report = send(row(create_date_time=NEW, order_status="PAID"))
    assert told(report)[1] == [("create_date_time", "create_date_time_frozen")]
    assert (report.updated, the_order().order_status) == (1, "PAID"), "the rest of the row is taken"
    assert the_order().create_date_time == clock(14, 5)


def test_what_certainly_was_not_sent_freezes_nothing(send: Send) -> None:
    send(row())
    upload = uuid.uuid4()
    delivery.claim(change_ids=[timeline()[0].pk], upload_id=upload)
    delivery.give_back(upload_id=upload)
    assert told(send(row(create_date_time=NEW)))[1] == []
    assert the_order().create_date_time == clock(16)


def test_a_bare_day_says_nothing_against_a_known_time_of_that_day(send: Send) -> None:
    send(row())
    assert send(row(create_date_time="18.11.2026")).unchanged == 1
    assert (the_order().create_date_time, the_order().create_date_only) == (clock(14, 5), False)
    assert send(row(create_date_time="19.11.2026")).updated == 1
    assert (the_order().create_date_time, the_order().create_date_only) == (clock(23, 59, day=19), True)


def test_a_time_makes_a_bare_day_exact(send: Send) -> None:
    send(row(create_date_time="18.11.2026"))
    send(row(create_date_time=NEW))
    assert (the_order().create_date_time, the_order().create_date_only) == (clock(16), False)


def test_a_known_order_needs_it_no_more(send: Send) -> None:
    send(row())
    assert send(later(order_status="PAID")).updated == 1
    assert send(later(order_status="SPAM", create_date_time=None)).updated == 1


def test_an_order_may_come_first_in_the_same_call(send: Send) -> None:
    report = send(later(), row(), later(order_status="PAID"))
    assert [result.result for result in report.results] == ["rejected", "created", "updated"]
    assert told(report)[0] == [("create_date_time", "required")]


def test_outside_the_binding_window_is_a_warning_and_no_hold(send: Send) -> None:
    """R8: Metrica binds orders of the last 21 days."""
    inside, outside = NOW - timedelta(days=20, hours=23), NOW - timedelta(days=21, hours=1)
    assert told(send(row(create_date_time=inside.isoformat())))[1] == []
    report = send(row(id="D-2", create_date_time=outside.isoformat()))
    assert told(report)[1] == [("create_date_time", "outside_binding_window")]
    assert report.results[0].hold is None
    assert told(send(later(id="D-2", order_status="PAID", create_date_time=outside.isoformat())))[1] == []


def test_a_row_that_cannot_be_taken_leaves_no_mark(send: Send) -> None:
    from apps.clients.models import Client

    report = send(later(client_uniq_id="C-1", client_name="Anna", emails="anna@example.com"))
    assert report.rejected == 1
    assert not Client.objects.exists()
