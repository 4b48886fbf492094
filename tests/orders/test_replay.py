"""Real orders as paths: what a simulation is played on, and how long it takes on many."""

import os
import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from apps.counters.models import Counter
from apps.goals.resolve import Resolver
from apps.goals.services import set_status
from apps.goals.simulator import OwnGoal, simulate
from apps.orders.intake import accept_all
from apps.orders.replay import paths
from tests.factories import make_counter

pytestmark = pytest.mark.django_db


def push(counter: Counter, order_id: str, *states: dict, days_ago: int = 1) -> None:
    created = timezone.now() - timedelta(days=days_ago)
    rows = [
        {
            "id": order_id,
            "create_date_time": created.isoformat(),
            "status_date_time": (created + timedelta(hours=hour)).isoformat(),
            "emails": ["a@mail.example"],
            **state,
        }
        for hour, state in enumerate(states)
    ]
    report = accept_all(counter=counter, rows=rows, source="api", actor_label="key crm")
    assert not report.rejected, [one.errors for one in report.results]


def new(**more) -> dict:
    return {"order_status": "new", "revenue": "100", "cost": "40", **more}


def won(**more) -> dict:
    return {"order_status": "won", "revenue": "900", "cost": None, **more}


def test_orders_that_went_the_same_way_are_one_path_and_their_amounts_are_added_up(django_assert_num_queries):
    counter = make_counter(currency="EUR")
    push(counter, "A", new(), won())
    push(counter, "B", new(revenue="200"), won(cost="100"))
    push(counter, "C", new(revenue=None, cost=None), won(currency="USD"))
    with django_assert_num_queries(1):
        found = sorted(paths(counter=counter, days=7), key=lambda path: -path.orders)
    assert [path.orders for path in found] == [2, 1]
    same, other = found
    assert [(step.order_status, step.currency, step.income) for step in same.steps] == [
        ("new", "EUR", Decimal(60 + 160)),
        ("won", "EUR", Decimal(900 + 800)),
    ]
    assert [(step.order_status, step.currency, step.income) for step in other.steps] == [
        ("new", "EUR", None),
        ("won", "USD", Decimal(900)),
    ]


def test_steps_stand_as_they_happened_not_as_they_came():
    counter = make_counter()
    push(counter, "A", won())
    created = timezone.now() - timedelta(days=2)
    row = {"id": "A", "order_status": "new", "status_date_time": created.isoformat()}
    assert not accept_all(counter=counter, rows=[row], source="api", actor_label="crm").rejected
    (path,) = paths(counter=counter, days=7)
    assert [step.order_status for step in path.steps] == ["new", "won"]


def test_goals_of_the_orders_own_come_with_their_prices():
    counter = make_counter()
    goals = [{"goal_action_id": "deal", "price": "10"}, {"goal_action_id": "bare", "price": None}]
    push(counter, "A", won(goals=goals))
    push(counter, "B", won(goals=[{"goal_action_id": "deal", "price": "5.50"}, goals[1]]))
    push(counter, "C", won(goals=[{"goal_action_id": "deal", "price": None}, goals[1]]))
    found = {path.orders: path.steps[0] for path in paths(counter=counter, days=7)}
    assert found[2].goals == [OwnGoal("deal", True), OwnGoal("bare", False)]
    assert found[2].prices == [Decimal("15.50"), None]
    assert found[1].goals == [OwnGoal("deal", False), OwnGoal("bare", False)]


def test_only_the_periods_orders_and_of_them_the_newest():
    counter, other = make_counter(), make_counter()
    for day in (1, 3, 9):
        push(counter, f"D{day}", new(order_status=f"day {day}"), days_ago=day)
    push(other, "X", new(order_status="foreign"))
    statuses = {step.order_status for path in paths(counter=counter, days=7) for step in path.steps}
    assert statuses == {"day 1", "day 3"}
    (newest,) = paths(counter=counter, days=30, limit=1)
    assert newest.steps[0].order_status == "day 1"


@pytest.mark.parametrize("priced", [False, True], ids=["plain", "own goals with prices"])
def test_a_hundred_thousand_orders_are_played_within_five_seconds(priced):
    """Their four statuses each, on whatever this machine is; a machine under tests is slower than a quiet one."""
    if connection.vendor != "postgresql":
        pytest.skip("about PostgreSQL")
    counter = make_counter()
    many_orders(counter, 100_000, priced=priced)
    set_status(counter=counter, crm_status="s0", type="IN_PROGRESS")
    set_status(counter=counter, crm_status="s1", type="OTHER", goal_action_ids=["call"])
    present = Resolver.for_counter(counter)
    set_status(counter=counter, crm_status="s3", type="PAID", goal_action_ids=["own"])
    draft = Resolver.for_counter(counter)
    began = time.process_time(), time.monotonic()
    done = simulate(paths(counter=counter, days=30), present=present, draft=draft)
    own, took = time.process_time() - began[0], time.monotonic() - began[1]
    assert done.orders == 100_000
    paid = next(effect for effect in done.effects if effect.goal == "cdp_order_paid")
    assert paid.before.reaches == 0
    assert paid.after.reaches > 10_000
    # Others may hold the processors meanwhile; our own share of the time is not theirs to lengthen.
    assert own < 5
    assert took < 5 or os.getloadavg()[0] > (os.cpu_count() or 1)


def many_orders(counter: Counter, count: int, *, priced: bool) -> None:
    goals = (
        "jsonb_build_array(jsonb_build_object('goal_action_id', 'own', 'price', (o.id % 1000)::text))"
        if priced
        else "'[]'::jsonb"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO orders_order (counter_id, order_id, create_date_time, create_date_only, identifiers,
                order_status, status_date_time, changes_count, resend_due, created_at, updated_at)
            SELECT %s, 'o' || n, now() - (n %% 25) * interval '1 day', false, '{}', 's3', now(), 4, false, now(), now()
            FROM generate_series(1, %s) n""",
            [counter.pk, count],
        )
        cursor.execute(
            f"""
            INSERT INTO orders_statuschange (id, counter_id, order_id, seq, order_status, status_date_time, received_at,
                source, received_by, request_id, revenue, cost, currency, goals, products, attributes, changed,
                delivery, hold_reason, forced, reject_code, reject_message)
            SELECT gen_random_uuid(), o.counter_id, o.id, n, 's' || (hashint8(o.id * 7 + n) & 1023) %% 6,
                now() + n * interval '1 minute', now(), 'api', '', '', o.id %% 9999, 10, 'RUB', {goals}, '{{}}', '{{}}',
                '[]', 'delivered', '', false, '', ''
            FROM orders_order o, generate_series(1, 4) n WHERE o.counter_id = %s""".replace(
                "(o.id % 1000)", "(o.id %% 1000)"
            ),
            [counter.pk],
        )
        cursor.execute("ANALYZE orders_order, orders_statuschange")
