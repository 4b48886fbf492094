"""Which goals a status reaches, with which income, and how long an order can be bound and changed.

Used by the forecast, the planner's tests and the sandbox alike, so there is one reading of the rules.
Pages: contacts, uploadSimpleOrders, maporderstatuses-about (by its newer builds CANCELLED and SPAM do reach
a goal of their own).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from apps.metrica.vocabulary import OrderType, SystemGoal

BINDING_WINDOW = timedelta(days=21)
UPDATE_WINDOW = timedelta(days=111)

_SYSTEM_GOALS: dict[OrderType, tuple[SystemGoal, ...]] = {
    OrderType.IN_PROGRESS: (SystemGoal.CREATED,),
    OrderType.PAID: (SystemGoal.CREATED, SystemGoal.PAID),
    OrderType.CANCELLED: (SystemGoal.CANCELLED,),
    OrderType.SPAM: (SystemGoal.SPAM,),
    OrderType.OTHER: (),
}


@dataclass(frozen=True, slots=True)
class GoalPrice:
    """A JavaScript goal named by an order, with a price of its own or None (`goal[:price]`)."""

    goal_action_id: str
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class GoalReach:
    """One goal that a row reaches. `goal` is a SystemGoal value or a JavaScript goal's identifier.

    `income` is in the row's currency; None means that the goal is reached without income.
    """

    goal: str
    income: Decimal | None
    system: bool


def system_goals(order_type: OrderType) -> tuple[SystemGoal, ...]:
    """Goals that Metrica reaches by the status type alone (pages: contacts, data)."""
    return _SYSTEM_GOALS[order_type]


def goal_income(*, price: Decimal | None, revenue: Decimal | None, cost: Decimal | None) -> Decimal | None:
    """The goal's own price; else revenue − cost; else revenue; else None (page: orders-data).

    A cost without a revenue gives no income: there is nothing to subtract it from.
    """
    if price is not None:
        return price
    if revenue is None or cost is None:
        return revenue
    return revenue - cost


def reached_goals(
    *,
    order_type: OrderType,
    goal_action_ids: Sequence[str],
    extra_goals: Sequence[GoalPrice],
    revenue: Decimal | None,
    cost: Decimal | None,
) -> list[GoalReach]:
    """Everything one row reaches: system goals, then the mapping's goals, then the order's own, each once.

    `goal_action_ids` are the mapping's JavaScript goals, `extra_goals` come with the order. Where both name a
    goal, or the order names it twice, the first price given for it counts.
    """
    without_price = goal_income(price=None, revenue=revenue, cost=cost)
    reached = [GoalReach(goal.value, without_price, True) for goal in system_goals(order_type)]
    prices: dict[str, Decimal | None] = dict.fromkeys(goal_action_ids)
    for extra in extra_goals:
        if prices.get(extra.goal_action_id) is None:
            prices[extra.goal_action_id] = extra.price
    reached.extend(
        GoalReach(goal, goal_income(price=price, revenue=revenue, cost=cost), False) for goal, price in prices.items()
    )
    return reached


def simple_status(*, order_type: OrderType, goal_action_ids: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """`order_status` for the simple format, and the goals left for its `goals` cell (page: uploadSimpleOrders).

    A type goes out under its own name. The simple format knows no OTHER: there the first goal's identifier is
    the status, which gives the order that type. Raises ValueError for OTHER without goals: nothing could be sent.
    """
    goals = tuple(dict.fromkeys(goal_action_ids))
    if order_type is not OrderType.OTHER:
        return order_type.value, goals
    if not goals:
        raise ValueError("A status of type OTHER has no goal, so the simple format has no name for it.")
    return goals[0], goals[1:]


def bind_until(create_date_time: datetime) -> datetime:
    """The last moment (UTC) at which an order made then can still be bound to a visit (page: contacts).

    Raises ValueError for a time without a zone.
    """
    return _utc(create_date_time) + BINDING_WINDOW


def update_until(visit_start: datetime) -> datetime:
    """The last moment (UTC) at which an order bound to that visit can still be changed (page: contacts).

    Raises ValueError for a time without a zone.
    """
    return _utc(visit_start) + UPDATE_WINDOW


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("A window cannot be counted from a time without a zone.")
    return moment.astimezone(UTC)
