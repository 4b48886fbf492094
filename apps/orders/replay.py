"""The ways that a counter's orders went, many orders at a time: what a simulation of another mapping is played on.

A way is a row of marks, in timeline order: one for each status with its currency, and one for each goal that the order
named itself there. Beside each mark stands an amount: what the status earned, the price of the goal. Orders with the
same marks are one path, their amounts added up, so a hundred thousand orders come as a few hundred paths.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Final

from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from apps.counters.models import Counter
from apps.goals.simulator import OwnGoal, Path, Step
from apps.metrica.rules import goal_income
from apps.orders.models import Order, StatusChange

ORDERS: Final = 100_000
"""Of a longer period, the newest so many orders are played."""

_STATUS, _GOAL, _PRICED_GOAL = "s", "g", "p"  # what a mark begins with

_Pair = tuple[str, Decimal | None]
"""A mark and the amount beside it."""


def paths(*, counter: Counter, days: int, now: datetime | None = None, limit: int = ORDERS) -> Iterator[Path]:
    """Of the counter's orders that were created in the last `days`, the newest `limit`, as paths. Amounts without a
    currency are in the counter's. One query, its rows read as they come.
    """
    since = (now or timezone.now()) - timedelta(days=days)
    chosen = Order.objects.filter(counter=counter, create_date_time__gte=since).order_by("-create_date_time")
    changes = (
        StatusChange.objects.filter(order__in=chosen.values("pk")[:limit])
        .order_by("order_id", "status_date_time", "seq")
        .values_list("order_id", "order_status", "currency", Cast("goals", TextField()), "revenue", "cost")
    )
    found: dict[tuple[str, ...], tuple[int, list[Decimal | None]]] = {}
    for _order, way in groupby(changes.iterator(chunk_size=5000), key=itemgetter(0)):
        pairs = [pair for change in way for pair in _marks(*change[1:])]
        marks = tuple(mark for mark, _amount in pairs)
        orders, amounts = found.get(marks, (0, [None] * len(marks)))
        found[marks] = orders + 1, [_sum(one, other) for one, (_mark, other) in zip(amounts, pairs, strict=True)]
    for marks, (orders, amounts) in found.items():
        yield Path(_steps(marks, amounts, counter.currency), orders)


def _marks(
    order_status: str, currency: str, goals: str, revenue: Decimal | None, cost: Decimal | None
) -> tuple[_Pair, ...]:
    income = None if revenue is None else goal_income(price=None, revenue=revenue, cost=cost)
    return ((f"{_STATUS}{currency:3}{order_status}", income), *_goal_marks(goals))


@lru_cache(maxsize=10_000)
def _goal_marks(goals: str) -> tuple[_Pair, ...]:
    """Of the goals as the database writes them (JSON): orders mostly name none, or the same ones."""
    pairs: list[_Pair] = []
    for goal in json.loads(goals):
        price = goal.get("price")
        amount = None if price is None else Decimal(price)
        pairs.append((f"{_GOAL if amount is None else _PRICED_GOAL}{goal['goal_action_id']}", amount))
    return tuple(pairs)


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _steps(marks: Sequence[str], amounts: Sequence[Decimal | None], currency: str) -> list[Step]:
    steps: list[Step] = []
    for mark, amount in zip(marks, amounts, strict=True):
        if mark.startswith(_STATUS):
            steps.append(Step(mark[4:], mark[1:4].strip() or currency, amount, [], []))
        else:
            steps[-1].goals.append(OwnGoal(mark[1:], mark.startswith(_PRICED_GOAL)))
            steps[-1].prices.append(amount)
    return steps
