"""Status → goals and incomes, windows (pages: contacts, uploadSimpleOrders, maporderstatuses-about)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from apps.metrica.rules import (
    GoalPrice,
    GoalReach,
    bind_until,
    goal_income,
    reached_goals,
    simple_status,
    system_goals,
    update_until,
)
from apps.metrica.vocabulary import OrderType


@pytest.mark.parametrize(
    ("order_type", "goals"),
    [
        ("IN_PROGRESS", ["cdp_order_in_progress"]),
        ("PAID", ["cdp_order_in_progress", "cdp_order_paid"]),
        ("CANCELLED", ["cdp_order_cancelled"]),
        ("SPAM", ["cdp_order_spam"]),
        ("OTHER", []),
    ],
)
def test_goals_of_a_type(order_type: str, goals: list[str]) -> None:
    assert [goal.value for goal in system_goals(OrderType(order_type))] == goals


D = Decimal


@pytest.mark.parametrize(
    ("price", "revenue", "cost", "income"),
    [
        (D(7), D(5000), D(3200), D(7)),
        (D(0), D(5000), D(3200), D(0)),
        (None, D(5000), D(3200), D(1800)),
        (None, D(100), D(150), D(-50)),
        (None, D(5000), D(0), D(5000)),
        (None, D(5000), None, D(5000)),
        (None, D(0), None, D(0)),
        (None, None, D(3200), None),
        (None, None, None, None),
        (D(7), None, None, D(7)),
    ],
)
def test_income(price: Decimal | None, revenue: Decimal | None, cost: Decimal | None, income: Decimal | None) -> None:
    assert goal_income(price=price, revenue=revenue, cost=cost) == income


def test_the_second_row_of_the_sample() -> None:
    """PAID, 5000 − 3200, goals "deal_won:5000,branch_2"."""
    assert reached_goals(
        order_type=OrderType.PAID,
        goal_action_ids=(),
        extra_goals=(GoalPrice("deal_won", D(5000)), GoalPrice("branch_2")),
        revenue=D(5000),
        cost=D(3200),
    ) == [
        GoalReach("cdp_order_in_progress", D(1800), True),
        GoalReach("cdp_order_paid", D(1800), True),
        GoalReach("deal_won", D(5000), False),
        GoalReach("branch_2", D(1800), False),
    ]


def test_the_third_row_of_the_sample() -> None:
    """SPAM without revenue reaches its goals without income."""
    assert reached_goals(
        order_type=OrderType.SPAM,
        goal_action_ids=(),
        extra_goals=(GoalPrice("bad_lead"),),
        revenue=None,
        cost=None,
    ) == [GoalReach("cdp_order_spam", None, True), GoalReach("bad_lead", None, False)]


def test_the_dental_clinics_of_the_article() -> None:
    """NEW LEAD → branch 1 → cancelled → branch 2 → paid, each with the goals of the article."""

    def goals(order_type: OrderType, *goal_action_ids: str) -> list[str]:
        reached = reached_goals(
            order_type=order_type, goal_action_ids=goal_action_ids, extra_goals=(), revenue=None, cost=None
        )
        return [reach.goal for reach in reached]

    assert goals(OrderType.IN_PROGRESS) == ["cdp_order_in_progress"]
    assert goals(OrderType.OTHER, "zapis1", "vse_zapisi") == ["zapis1", "vse_zapisi"]
    assert goals(OrderType.CANCELLED) == ["cdp_order_cancelled"]
    assert goals(OrderType.OTHER, "zapis2", "vse_zapisi") == ["zapis2", "vse_zapisi"]
    assert goals(OrderType.PAID, "oplaty_2_filial") == ["cdp_order_in_progress", "cdp_order_paid", "oplaty_2_filial"]


@pytest.mark.parametrize(
    ("mapped", "extra", "incomes"),
    [
        (["a"], [GoalPrice("a", D(5))], {"a": D(5)}),
        (["a", "a"], [], {"a": D(100)}),
        ([], [GoalPrice("a"), GoalPrice("a", D(5))], {"a": D(5)}),
        ([], [GoalPrice("a", D(5)), GoalPrice("a")], {"a": D(5)}),
        ([], [GoalPrice("a", D(5)), GoalPrice("a", D(6))], {"a": D(5)}),
        ([], [GoalPrice("a", D(0)), GoalPrice("a", D(6))], {"a": D(0)}),
        (["b", "a"], [GoalPrice("a", D(5)), GoalPrice("c")], {"b": D(100), "a": D(5), "c": D(100)}),
    ],
)
def test_each_goal_once_and_its_price_wins(
    mapped: list[str], extra: list[GoalPrice], incomes: dict[str, Decimal]
) -> None:
    reached = reached_goals(
        order_type=OrderType.OTHER, goal_action_ids=mapped, extra_goals=extra, revenue=D(100), cost=None
    )
    assert [(reach.goal, reach.income) for reach in reached] == list(incomes.items())


@pytest.mark.parametrize(
    ("order_type", "goals", "sent"),
    [
        (OrderType.PAID, [], ("PAID", ())),
        (OrderType.PAID, ["deal", "branch"], ("PAID", ("deal", "branch"))),
        (OrderType.OTHER, ["good_lead"], ("good_lead", ())),
        (OrderType.OTHER, ["zapis1", "vse_zapisi", "zapis1"], ("zapis1", ("vse_zapisi",))),
        (OrderType.CANCELLED, ["lost", "lost"], ("CANCELLED", ("lost",))),
    ],
)
def test_simple_status(order_type: OrderType, goals: list[str], sent: tuple[str, tuple[str, ...]]) -> None:
    assert simple_status(order_type=order_type, goal_action_ids=goals) == sent


def test_other_without_a_goal_has_no_name_in_the_simple_format() -> None:
    with pytest.raises(ValueError, match="OTHER"):
        simple_status(order_type=OrderType.OTHER, goal_action_ids=[])


def test_windows_are_21_and_111_days_of_24_hours_whatever_the_clocks_do() -> None:
    before_the_change = datetime(2026, 3, 20, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    assert bind_until(before_the_change) == datetime(2026, 4, 10, 11, tzinfo=UTC)
    assert bind_until(before_the_change) - before_the_change.astimezone(UTC) == timedelta(days=21)
    assert update_until(before_the_change) - before_the_change.astimezone(UTC) == timedelta(days=111)
    assert bind_until(before_the_change).tzinfo is UTC


@pytest.mark.parametrize("window", [bind_until, update_until])
def test_a_window_needs_a_time_zone(window: object) -> None:
    assert callable(window)
    with pytest.raises(ValueError, match="zone"):
        window(datetime(2026, 3, 20))
