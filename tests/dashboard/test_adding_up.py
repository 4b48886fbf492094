"""Our side of a day: which orders, of which type, with which money and goals, on whose clock."""

from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.counters.services import update_counter
from apps.dashboard.comparison import adding_up
from apps.dashboard.models import DayFigures
from apps.goals.services import set_status
from apps.orders.models import StatusChange
from tests.dashboard.conftest import Loop

pytestmark = pytest.mark.django_db(transaction=True)


def add_up(loop: Loop, ago: int = 2) -> DayFigures:
    assert loop.counter.zone is not None
    return adding_up.add_up(counter=loop.counter, zone=loop.counter.zone, day=loop.day(ago), now=timezone.now())


def test_an_order_counts_by_the_type_of_its_newest_delivered_status(loop: Loop) -> None:
    loop.push("A-1", "new", "lead", "won")
    loop.push("A-2", "new")
    loop.push("A-3", "new", "lost")
    loop.push("A-4", "junk")
    loop.push("A-5", "lead")
    loop.deliver()
    loop.push("A-2", "won")  # not delivered yet: Metrica knows nothing of it
    loop.push("A-6", "new")
    day = add_up(loop)
    counts = (day.in_progress, day.paid, day.cancelled, day.spam, day.other)
    assert counts == (1, 1, 1, 1, 1)
    assert day.orders == 4  # without spam, as Metrica's own sum
    assert day.bindable == 5


def test_a_late_status_does_not_make_an_order_what_it_was(loop: Loop) -> None:
    order = loop.push("A-1", "new", "won")
    loop.deliver()
    loop.push("A-1", "lost", clock=time(0, 0), status_date_time=(order.create_date_time).isoformat())
    loop.deliver()
    day = add_up(loop)
    assert (day.paid, day.cancelled) == (1, 0)
    assert day.goals["cdp_order_cancelled"] == 1  # reached all the same


def test_goals_once_reached_stay_reached_and_count_once_for_an_order(loop: Loop) -> None:
    loop.push("A-1", "new", "lead", "won", "lost")
    loop.push("A-2", "new", "lead", "new", "lead")
    loop.push("A-3", "won", goals=[{"goal_action_id": "deal"}, {"goal_action_id": "branch_2", "price": "5"}])
    loop.deliver()
    assert add_up(loop).goals == {
        "branch_2": 1,
        "cdp_order_cancelled": 1,
        "cdp_order_in_progress": 3,
        "cdp_order_paid": 2,
        "deal": 2,
        "good_lead": 2,
    }


def test_a_status_meant_what_its_file_said_not_what_it_means_today(loop: Loop) -> None:
    loop.push("A-1", "won")
    loop.deliver()
    set_status(counter=loop.counter, crm_status="won", type="SPAM", goal_action_ids=[])
    day = add_up(loop)
    assert (day.paid, day.spam) == (1, 0)
    assert day.goals["deal"] == 1


def test_a_file_that_kept_no_mapping_is_read_by_todays(loop: Loop) -> None:
    loop.push("A-1", "won")
    upload = loop.deliver()
    upload.mapping = {}
    upload.save()
    assert add_up(loop).paid == 1


def test_an_order_whose_statuses_nobody_knows_any_more_is_left_out(loop: Loop) -> None:
    loop.push("A-1", "won")
    upload = loop.deliver()
    upload.mapping = {}
    upload.save()
    StatusChange.objects.update(order_status="forgotten")
    day = add_up(loop)
    assert (day.orders, day.bindable, day.goals) == (0, 0, {})


def test_money_is_that_of_paid_orders_in_the_counters_currency(loop: Loop) -> None:
    loop.push("A-1", "won", revenue="5000", cost="3200.50")
    loop.push("A-2", "won", revenue="100")  # profit without a cost is the revenue
    loop.push("A-3", "won", cost="7")  # a cost of nothing is no loss
    loop.push("A-4", "new", revenue="99999")
    loop.push("A-5", "won", revenue="100", currency="USD")
    loop.push("A-6", "won", revenue="1", currency="RUB")
    loop.deliver()
    day = add_up(loop)
    assert (day.revenue, day.profit) == (Decimal(5101), Decimal("1900.50"))
    assert day.other_currency == 1
    assert day.paid == 5


def test_what_came_too_late_to_be_bound_is_counted_apart(loop: Loop) -> None:
    loop.push("A-1", "new", ago=30)
    loop.push("A-2", "new", ago=30)
    loop.deliver(at=loop.at(30) + timedelta(days=21))
    loop.push("A-3", "new", ago=30)
    loop.deliver(at=loop.at(30) + timedelta(days=21, seconds=1))
    loop.push("A-1", "won", ago=30)  # its first delivery was in time
    loop.deliver()
    day = add_up(loop, ago=30)
    assert (day.bindable, day.late, day.orders) == (2, 1, 3)


def test_orders_without_client_id_are_counted_where_neither_they_nor_their_client_have_one(loop: Loop) -> None:
    loop.push("A-1", "new")
    loop.push("A-2", "new", client_ids=[], emails=["a@mail.example"])
    # A text that looks like one is none.
    loop.push("A-3", "new", client_ids=[], emails=["b@mail.example"], client_uniq_id='"client_ids": ["1')
    loop.push("B-0", "new", ago=9, client_uniq_id="C-1", client_ids=["17000000001"])
    loop.push("A-4", "new", client_ids=[], emails=["c@mail.example"], client_uniq_id="C-1")
    loop.deliver()
    assert (add_up(loop).without_client_id, add_up(loop).bindable) == (2, 4)


def test_what_metrica_may_not_show_yet_is_counted(loop: Loop) -> None:
    loop.push("A-1", "new")
    loop.deliver(at=timezone.now() - timedelta(minutes=121))
    loop.push("A-2", "new")
    loop.push("A-1", "won")
    loop.deliver(at=timezone.now() - timedelta(minutes=119))
    assert add_up(loop).fresh == 2


def test_days_are_those_of_the_counters_clock(loop: Loop) -> None:
    loop.counter = update_counter(counter=loop.counter, time_zone="Asia/Vladivostok")
    loop.push("A-1", "new", ago=3, clock=time(0, 0))
    loop.push("A-2", "new", ago=3, clock=time(23, 59, 59))
    loop.push("A-3", "new", ago=2, clock=time(0, 0))
    loop.deliver()
    assert [add_up(loop, ago).orders for ago in (4, 3, 2, 1)] == [0, 2, 1, 0]


def test_other_counters_orders_are_not_counted(loop: Loop, place: Any) -> None:
    loop.push("A-1", "new")
    loop.deliver()
    order = place.push("B-1", "new")
    place.job(order=order)
    assert add_up(loop).orders == 1


def test_a_day_costs_two_queries_a_chunk_and_one_for_new_files(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding_up, "CHUNK", 5)
    for number in range(12):
        loop.push(f"A-{number}", "new", "won")
    loop.deliver()
    beats = []
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert loop.counter.zone is not None
        day = adding_up.add_up(
            counter=loop.counter,
            zone=loop.counter.zone,
            day=loop.day(2),
            now=timezone.now(),
            alive=lambda: beats.append(1),
        )
    assert day.paid == 12
    assert len(beats) == 3
    # Two for the mapping, one for the orders, three for changes, one for the file they share.
    assert len([one for one in queries.captured_queries if "SELECT" in one["sql"]]) <= 7


def test_changed_days_are_those_of_uploads_that_passed_since(loop: Loop) -> None:
    assert loop.counter.zone is not None
    before = timezone.now()
    loop.push("A-1", "new", ago=5)
    loop.push("A-2", "new", ago=5, clock=time(23, 59))
    loop.push("A-3", "new", ago=40)
    loop.push("A-4", "new", ago=100)
    loop.deliver()
    loop.push("A-5", "new", ago=6)  # not delivered
    between = timezone.now()

    def changed(since: Any, first_ago: int = 60) -> set[Any]:
        assert loop.counter.zone is not None
        return adding_up.changed_days(
            counter=loop.counter, zone=loop.counter.zone, since=since, first=loop.day(first_ago)
        )

    assert changed(before) == {loop.day(5), loop.day(40)}
    assert changed(before, 120) == {loop.day(5), loop.day(40), loop.day(100)}
    assert changed(between) == set()
