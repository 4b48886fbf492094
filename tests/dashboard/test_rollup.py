"""The numbers of the home page are what a plain count says, whatever happened, and whatever the worker missed."""

import random
from collections import Counter as Tally
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from django.utils import timezone

from apps.clients.models import Client
from apps.counters import services
from apps.counters.models import Counter
from apps.counters.turns import TurnLost
from apps.dashboard.models import CounterNumbers, DayNumbers, RollUp, StaleDay
from apps.dashboard.rollup import days, running, turns
from apps.goals.services import set_status
from apps.orders import delivery, holds
from apps.orders.models import Order, StatusChange
from tests.dashboard.conftest import Loop, map_statuses, roll_up
from tests.factories import make_account, make_agency, make_counter

pytestmark = pytest.mark.django_db

REACHES = {
    "new": ("in_progress", {"reached_created"}),
    "lead": ("other", {"good_lead"}),
    "won": ("paid", {"reached_created", "reached_paid", "deal"}),
    "lost": ("cancelled", {"reached_cancelled"}),
    "junk": ("spam", {"reached_spam"}),
    "late": ("paid", {"reached_created", "reached_paid"}),
}


@pytest.fixture
def shop(db: None) -> Loop:
    return make_shop()


def make_shop(name: str = "North shop", **fields: Any) -> Loop:
    counter = make_counter(account=make_account(make_agency()), name=name, **fields)
    map_statuses(counter)
    return Loop(counter, cast(Any, None))


def plain_days(counter: Counter) -> dict[date, dict[str, Any]]:
    """Row by row, with nothing but Python."""
    zone = counter.zone
    assert zone is not None
    found: dict[date, Tally[str]] = {}

    def of(moment: datetime) -> Tally[str]:
        return found.setdefault(moment.astimezone(zone).date(), Tally())

    for order in Order.objects.filter(counter=counter).select_related("client"):
        day = of(order.create_date_time)
        day["orders"] += 1
        kinds = {kind for kind, values in order.identifiers.items() if values}
        if order.client is not None:
            kinds |= {kind for kind, values in order.client.identifiers.items() if values}
        day["with_client_id"] += "client_ids" in kinds
        day["with_phone"] += bool(kinds & {"phones", "phones_md5"})
        day["with_email"] += bool(kinds & {"emails", "emails_md5"})
        went = []
        for change in order.changes.all():
            of(change.received_at)["received"] += 1
            if change.delivery == "delivered":
                assert change.delivered_at is not None
                of(change.delivered_at)["delivered"] += 1
                went.append(change)
        went.sort(key=lambda change: (change.status_date_time, change.seq))
        reached: set[str] = set()
        for change in went:
            reached |= REACHES[change.order_status][1]
        for goal in reached:
            day[goal] += 1
            day["reached_own"] += not goal.startswith("reached_")
        if went:
            kind = REACHES[went[-1].order_status][0]
            day[kind] += 1
            day[f"{kind} {went[-1].order_status}"] += 1
            if kind == "paid":
                day["revenue"] += went[-1].revenue or 0  # type: ignore[assignment]
    return {day: {name: n for name, n in tally.items() if n} for day, tally in found.items()}


def kept_days(counter: Counter) -> dict[date, dict[str, Any]]:
    apart = ("id", "counter", "day", "goals", "statuses", "other_money")
    names = [field.name for field in DayNumbers._meta.fields if field.name not in apart]
    found = {}
    for row in DayNumbers.objects.filter(counter=counter):
        values = {name: getattr(row, name) for name in names if name != "profit"} | row.goals
        values |= {f"{kind} {status}": n for kind, of_kind in row.statuses.items() for status, n in of_kind.items()}
        if values := {name: n for name, n in values.items() if n}:
            found[row.day] = values
    return found


def plain_work(counter: Counter) -> dict[str, Any]:
    now = timezone.now()
    found: dict[str, Any] = {"waiting": 0, "held": 0, "rejected": 0, "closing": 0, "oldest": None, "by": Tally()}
    for order in Order.objects.filter(counter=counter):
        changes = list(order.changes.all())
        states = {change.delivery for change in changes}
        closes = order.create_date_time + timedelta(days=21)
        if states & {"waiting", "held"} and not states & {"delivered", "sending"}:
            found["closing"] += now < closes <= now + timedelta(days=3)
        for change in changes:
            if change.delivery == "waiting":
                found["waiting"] += 1
                found["oldest"] = min(found["oldest"] or change.received_at, change.received_at)
            if change.delivery == "held":
                found["held"] += 1
                found["by"][change.hold_reason] += 1
    found["rejected"] = StatusChange.objects.filter(counter=counter).needing_a_person().count()
    return found


def kept_work(counter: Counter) -> dict[str, Any]:
    row = CounterNumbers.objects.get(counter=counter)
    found = {name: getattr(row, name) for name in ("waiting", "held", "rejected", "closing", "oldest")}
    return {**found, "by": row.held_by_reason}


def check(*shops: Loop) -> None:
    for shop in shops:
        assert kept_days(shop.counter) == plain_days(shop.counter)
        assert kept_work(shop.counter) == plain_work(shop.counter)


# ---- whatever happened ----


def work(shop: Loop, dice: random.Random) -> None:
    """Something that happens to a counter."""
    counter, name = shop.counter, f"A-{dice.randrange(25)}"
    changes = StatusChange.objects.filter(counter=counter)
    statuses = dice.choices(["new", "lead", "won", "lost", "junk", "late", "nobody knows"], k=dice.randrange(1, 4))
    act = dice.choice(["push"] * 5 + ["deliver", "deliver", "reject", "hold", "release", "retry", "created", "client"])
    if act == "push":
        who: dict[str, Any] = dice.choice(
            [
                {"client_ids": []},
                {"client_ids": [], "phones": ["+79031234567"]},
                {"emails": ["a@mail.example"]},
                {"client_ids": [], "client_uniq_id": f"C-{dice.randrange(6)}", "emails": ["b@mail.example"]},
                {"client_ids": [], "client_uniq_id": f"C-{dice.randrange(6)}"},
            ]
        )
        shop.push(name, *statuses, ago=dice.randrange(40), revenue=str(dice.randrange(900)), **who)
    elif act == "deliver":
        shop.deliver(at=timezone.now())
    elif act == "reject":
        some = list(changes.filter(delivery="waiting").values_list("pk", flat=True)[:3])
        changes.filter(pk__in=some).update(delivery="rejected", reject_code="invalid")
    elif act == "hold":
        some = list(changes.filter(delivery="waiting").values_list("pk", flat=True)[:3])
        delivery.hold(change_ids=some, reason="by_hand")
    elif act == "release":
        some = list(changes.filter(delivery="held", hold_reason="by_hand").values_list("pk", flat=True)[:3])
        delivery.release(change_ids=some)
    elif act == "retry":
        delivery.retry_rejected(change_ids=list(changes.filter(delivery="rejected").values_list("pk", flat=True)[:2]))
    elif act == "created":
        shop.push(name, *statuses, ago=dice.randrange(40))
    elif act == "client":
        shop.push(name, "new", client_uniq_id=f"C-{dice.randrange(6)}", phones=[f"+7903123{dice.randrange(9999):04}"])


@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_equal_a_plain_count_after_any_work(shop: Loop, seed: int):
    dice = random.Random(seed)
    other = make_shop("Far shop", time_zone="Asia/Kathmandu")
    for _round in range(6):
        for _act in range(12):
            work(dice.choice([shop, other]), dice)
        roll_up()
        check(shop, other)
    set_status(counter=shop.counter, crm_status="late", type="PAID")
    holds.review(Counter.objects.get(pk=shop.counter.pk))
    shop.deliver(at=timezone.now())
    roll_up()
    check(shop, other)
    CounterNumbers.objects.update(recount_at=timezone.now())
    roll_up()
    check(shop, other)
    assert not StaleDay.objects.exists()


def test_an_order_that_gets_another_creation_time_leaves_its_day(shop: Loop):
    shop.push("A-1", "new", ago=5)
    shop.push("A-2", "new", ago=5)
    roll_up()
    Order.objects.update(updated_at=timezone.now() - timedelta(hours=1))  # nothing but the move speaks of that day
    shop.push("A-1", "new", ago=9)
    roll_up()
    kept = kept_days(shop.counter)
    assert (kept[shop.day(5)]["orders"], kept[shop.day(9)]["orders"]) == (1, 1)


# ---- whatever was missed ----


def test_a_run_that_dies_loses_nothing_and_counts_nothing_twice(shop: Loop, monkeypatch: Any):
    roll_up()
    for number in range(6):
        shop.push(f"A-{number}", "new", "won", ago=3 * number)
    shop.deliver(at=timezone.now())
    real = days.keep_sums
    kept: list[int] = []

    def dies(*args: Any, **more: Any) -> None:
        real(*args, **more)
        kept.append(1)
        if len(kept) == 2:
            raise KeyboardInterrupt  # in the middle of a step, as a kill is

    monkeypatch.setattr(running, "_DAYS_TOGETHER", 1)
    monkeypatch.setattr(days, "keep_sums", dies)
    RollUp.objects.update(next_at=timezone.now())
    with pytest.raises(KeyboardInterrupt):
        running.run()
    monkeypatch.undo()
    state = CounterNumbers.objects.get(counter=shop.counter)
    assert len(state.todo) == 5
    assert running.claim() is None, "the dead worker's lease has not ended yet"
    RollUp.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    roll_up()
    check(shop)


def test_days_without_a_worker_are_made_good(shop: Loop):
    roll_up()
    shop.push("A-1", "new", "won", ago=2)
    shop.deliver(at=timezone.now())
    long_ago = timezone.now() - timedelta(days=4)
    CounterNumbers.objects.update(counted_to=long_ago, days_at=long_ago, turn_at=long_ago)
    DayNumbers.objects.all().delete()
    Order.objects.update(updated_at=long_ago + timedelta(days=2))
    StatusChange.objects.update(received_at=long_ago + timedelta(days=2))
    roll_up()
    check(shop)


def test_a_worker_thought_dead_writes_nothing(shop: Loop):
    shop.push("A-1", "new")
    slow = turns.claim()
    assert slow is not None
    RollUp.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    roll_up()
    before = CounterNumbers.objects.get(counter=shop.counter)
    with pytest.raises(TurnLost):
        running.count_work(slow, [shop.counter.pk])
    assert CounterNumbers.objects.get(counter=shop.counter).work_at == before.work_at


def test_numbers_that_are_wrong_are_right_after_the_full_re_count(shop: Loop):
    for ago in (0, 1, 2, 30, 400):
        shop.push(f"A-{ago}", "new", "won", ago=ago)
    shop.deliver(at=timezone.now())
    past = timezone.now() - timedelta(days=30)
    StatusChange.objects.filter(order__order_id__in=["A-30", "A-400"]).update(received_at=past, delivered_at=past)
    roll_up()
    DayNumbers.objects.filter(day__lt=shop.day(1)).delete()
    DayNumbers.objects.create(counter=shop.counter, day=shop.day(50), received=9, orders=9, paid=9, goals={"x": 9})
    roll_up()
    assert kept_days(shop.counter) != plain_days(shop.counter)
    CounterNumbers.objects.update(recount_at=timezone.now())
    roll_up()
    check(shop)


def test_the_full_re_count_goes_on_where_it_was(shop: Loop, monkeypatch: Any):
    for ago in range(12):
        shop.push(f"A-{ago}", "new", ago=ago * 5)
    monkeypatch.setattr(running, "PIECE", 3)
    CounterNumbers.objects.create(counter=shop.counter, counted_to=timezone.now() + timedelta(hours=1))
    turn = turns.claim()
    assert turn is not None
    pieces = 0
    while not running.recount_piece(turn, CounterNumbers.objects.select_related("counter").get()):
        pieces += 1
    assert pieces >= 4
    assert sum(day["orders"] for day in kept_days(shop.counter).values()) == 12


def test_identifiers_that_are_taken_away_leave_the_shares_with_the_next_re_count(shop: Loop):
    order = shop.push("A-1", "new", client_ids=[], client_uniq_id="C-1", phones=["+79031234567"])
    roll_up()
    assert kept_days(shop.counter)[shop.day(2)]["with_phone"] == 1
    assert order.client is not None
    Client.objects.filter(pk=order.client.pk).update(identifiers={})
    CounterNumbers.objects.update(recount_at=timezone.now())
    roll_up()
    check(shop)


def test_another_time_zone_is_counted_anew(shop: Loop):
    for ago in range(3):
        shop.push(f"A-{ago}", "new", ago=ago)
    roll_up()
    shop.counter = services.update_counter(counter=shop.counter, time_zone="Pacific/Auckland")
    roll_up()
    check(shop)


# ---- turns ----


def test_a_turn_is_followed_by_a_rest(shop: Loop):
    running.run()
    assert running.claim() is None
    RollUp.objects.update(next_at=timezone.now())
    assert running.claim() is not None
    assert running.claim() is None, "one at a time"


def test_the_tick_tells_the_workers_once(shop: Loop, django_capture_on_commit_callbacks: Any):
    now = timezone.now()
    with django_capture_on_commit_callbacks() as told:
        running.on_tick(now=now)
        running.on_tick(now=now + timedelta(seconds=1))
        running.on_tick(now=now + timedelta(hours=1))
    assert len(told) == 2, "the first message was lost, so another followed"


def test_a_counter_that_cannot_be_counted_keeps_nobody_from_it(shop: Loop, monkeypatch: Any):
    other = make_shop("Far shop")
    other.push("B-1", "new")
    shop.push("A-1", "new")
    real = running.look

    def breaks(turn: Any, state: CounterNumbers) -> None:
        if state.counter == shop.counter:
            raise ValueError("a day that no calendar has")
        real(turn, state)

    monkeypatch.setattr(running, "look", breaks)
    roll_up()
    check(other)


def test_busy_counters_leave_the_full_re_count_its_share(shop: Loop, monkeypatch: Any):
    shop.push("A-1", "new", ago=9)
    roll_up()
    DayNumbers.objects.all().delete()
    CounterNumbers.objects.update(recount_at=timezone.now())
    monkeypatch.setattr(turns.Turn, "seconds", running.TURN_SECONDS - running.RECOUNT_SECONDS + 1)
    monkeypatch.setattr(running, "_one_counter", lambda turn, state: pytest.fail("no time is left for it"))
    roll_up()
    assert kept_days(shop.counter)[shop.day(9)]["orders"] == 1


def test_a_quiet_counter_costs_no_count_of_its_days(shop: Loop, django_assert_max_num_queries: Any):
    shop.push("A-1", "new")
    roll_up()
    CounterNumbers.objects.update(counted_to=timezone.now() + timedelta(hours=1))
    with django_assert_max_num_queries(22):
        roll_up()
    assert CounterNumbers.objects.get().todo == []


def test_revenue_is_exact(shop: Loop):
    shop.push("A-1", "won", revenue="0.1", cost="0.03")
    shop.push("A-2", "won", revenue="0.2")
    shop.deliver()
    roll_up()
    day = DayNumbers.objects.get(counter=shop.counter, day=shop.day(2))
    assert (day.revenue, day.profit) == (Decimal("0.3"), Decimal("0.27"))
