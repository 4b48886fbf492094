"""Metrica's side of the days, from its reports: CRM metrics and goal reaches by the day of the visit.

Pages: stat/data, cdp_orders metrics, goals, counter. At most 20 metrics a call, so goals come in groups; rows without
numbers are left out by Metrica, so each call also asks for visits. A day that is still missing is a day of zeros.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from apps.counters.gateway import metrica_client
from apps.counters.models import Counter
from apps.counters.services import note_info
from apps.dashboard.models import DayFigures, Side
from apps.goals.models import StatusMapping
from apps.metrica.client import CounterInfo, GoalInfo, MetricaClient
from apps.metrica.vocabulary import MAX_REPORT_METRICS, SystemGoal

LONGEST = 300.0
"""Seconds that all calls of one reading may take; they are a few, and small."""

REPORTED_CURRENCIES = frozenset({"RUB", "USD", "EUR"})
"""In which the reports have revenue and profit (page: stat/param)."""

MOST_GOALS = 190
"""JavaScript goals asked for: ten calls. Metrica allows a counter 200 goals."""

_VISITS = "ym:s:visits"
_DAY = "ym:s:date"
_COUNTS = {
    "orders": "ym:s:cdpOrdersAllOrders",
    "in_progress": "ym:s:cdpOrdersInProgress",
    "paid": "ym:s:cdpOrdersPayed",
    "cancelled": "ym:s:cdpOrdersCancelled",
    "spam": "ym:s:cdpOrdersSpam",
    "other": "ym:s:cdpOrdersOther",
}
_SYSTEM_TYPES = frozenset(goal.value for goal in SystemGoal)

Numbers = dict[date, dict[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Read:
    """`days`: one for each day asked for, not saved yet. `facts`: what else may explain a difference, as JSON."""

    days: list[DayFigures]
    facts: dict[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=timezone.now)


def read(*, counter: Counter, first: date, last: date, reached: Collection[str]) -> Read:
    """The counter's days from `first` to `last`, both included. Two calls, and one for each 19 metrics.

    `reached`: goals (identifiers; system goals by their type) of which ours know reaches; those of the mapping are
    asked for besides. Call it outside any transaction. Raises the errors of apps.metrica.errors.
    """
    assert counter.account is not None, "a counter without an account is not compared"
    mapped = StatusMapping.objects.filter(counter=counter).values_list("goal_action_ids", flat=True)
    wanted = {goal for goals in mapped for goal in goals}.union(reached) - _SYSTEM_TYPES
    at = timezone.now()
    with metrica_client(counter.account, counter=counter, total_timeout=60.0) as client:
        info = client.counter(counter.metrica_id, field=["counter_flags"])
        goals = client.goals(counter.metrica_id)
        known = _goals_to_ask(goals, wanted)
        metrics = {**_COUNTS, **_money(counter.currency), **known}
        numbers, sampled = _numbers(client, counter, list(metrics.values()), first=first, last=last)
    days = [_figures(counter, day, numbers.get(day, {}), metrics, known, at) for day in _days(first, last)]
    note_info(counter=counter, info=info)
    return Read(days, {**_facts(info, goals, wanted), "sampled": sampled}, at)


def _goals_to_ask(goals: Sequence[GoalInfo], wanted: set[str]) -> dict[str, str]:
    """{goal: metric}: the CRM goals by their type, JavaScript goals by identifier; of several with one identifier the
    exact one."""
    found = {goal.type: f"ym:s:goal{goal.id}reaches" for goal in goals if goal.type in _SYSTEM_TYPES}
    of_script = [goal for goal in goals if goal.identifier in wanted]
    for goal in sorted(of_script, key=lambda goal: goal.condition_type == "exact")[-MOST_GOALS:]:
        found[goal.identifier or ""] = f"ym:s:goal{goal.id}reaches"
    return found


def _money(currency: str) -> dict[str, str]:
    if currency not in REPORTED_CURRENCIES:
        return {}
    return {"revenue": f"ym:s:cdpOrders{currency}Revenue", "profit": f"ym:s:cdpOrders{currency}Profit"}


def _numbers(
    client: MetricaClient, counter: Counter, metrics: list[str], *, first: date, last: date
) -> tuple[Numbers, bool]:
    """The figures, and whether Metrica estimated them from a part of the visits."""
    numbers: Numbers = {}
    sampled = False
    size = MAX_REPORT_METRICS - 1
    for start in range(0, len(metrics), size):
        group = [_VISITS, *metrics[start : start + size]]
        report = client.report(ids=[counter.metrica_id], metrics=group, dimensions=[_DAY], date1=first, date2=last)
        sampled = sampled or report.sampled
        for row in report.rows:
            day = numbers.setdefault(date.fromisoformat(row.dimensions[0].name), {})
            day.update((metric, value or Decimal(0)) for metric, value in zip(group, row.metrics, strict=True))
    return numbers, sampled


def _figures(
    counter: Counter, day: date, row: dict[str, Decimal], metrics: dict[str, str], goals: dict[str, str], at: datetime
) -> DayFigures:
    money = {name: row.get(metrics[name], Decimal(0)) if name in metrics else None for name in ("revenue", "profit")}
    return DayFigures(
        counter=counter,
        side=Side.METRICA,
        day=day,
        **{name: int(row.get(metric, 0)) for name, metric in _COUNTS.items()},
        **money,
        goals={goal: int(row.get(metric, 0)) for goal, metric in goals.items()},
        visits=int(row.get(_VISITS, 0)),
        at=at,
    )


def _facts(info: CounterInfo, goals: Sequence[GoalInfo], wanted: set[str]) -> dict[str, Any]:
    conditions: dict[str, set[str | None]] = {}
    for goal in goals:
        if goal.identifier:
            conditions.setdefault(goal.identifier, set()).add(goal.condition_type)
    return {
        "time_zone": info.time_zone_name,
        "missing_goals": sorted(goal for goal in wanted if goal not in conditions),
        "loose_goals": sorted(
            goal for goal in wanted if goal in conditions and conditions[goal].isdisjoint({"exact", None})
        ),
        "crm_goals": sorted(goal.type for goal in goals if goal.type in _SYSTEM_TYPES),
    }


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
