"""Until when Metrica binds an order (21 days) and takes its changes (111 days)."""

from datetime import timedelta

from apps.orders.timeline import timeline, window
from tests.orders.conftest import NOW, Send, clock, later, row, the_order


def test_days_left(send: Send) -> None:
    send(row())
    young = window(the_order(), now=clock(14, 5) + timedelta(days=20, hours=1))
    assert (young.bind_open, young.bind_days_left, young.update_days_left) == (True, 0, 90)
    bound = window(the_order(), now=clock(14, 5) + timedelta(days=21))
    assert (bound.bind_open, bound.bind_days_left, bound.update_open) == (False, 0, True)
    old = window(the_order(), now=clock(14, 5) + timedelta(days=111))
    assert (old.update_open, old.update_days_left) == (False, 0)


def test_the_timeline_is_in_the_order_of_time(send: Send) -> None:
    send(row(), later(order_status="PAID"), later(order_status="SPAM", status_date_time="2026-11-18 15:00"), now=NOW)
    assert [change.order_status for change in timeline(the_order())] == ["IN_PROGRESS", "SPAM", "PAID"]
