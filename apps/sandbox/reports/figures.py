"""Figures of a report from the sandbox's own tables: by day of the visit, and for the whole period.

An order and a reached goal belong to the day of their visit, on the clock of the counter. Their queries name the
visit's counter too, so that the index of visits by time can be used.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from django.db.models import Case, CharField, Count, F, Max, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Cast, Coalesce, Concat, TruncDate

from apps.metrica.vocabulary import DEFAULT_CURRENCY, OrderType
from apps.sandbox.models import (
    SandboxCounter,
    SandboxGoal,
    SandboxOrder,
    SandboxOrderEvent,
    SandboxReach,
    SandboxVisit,
)

Key = date | None  # None: the whole period
_ZERO = Decimal(0)


@dataclass(slots=True)
class Money:
    revenue: Decimal = _ZERO
    profit: Decimal = _ZERO
    paid: int = 0  # orders in it


@dataclass(slots=True)
class GoalFigures:
    reaches: int = 0
    visits: int = 0
    users: int = 0
    income: dict[str, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class Figures:
    """What one row of a report is made of. `money` is of paid orders, by currency."""

    visits: int = 0
    users: int = 0
    orders: dict[str, int] = field(default_factory=dict)
    money: dict[str, Money] = field(default_factory=dict)
    goals: dict[int, GoalFigures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What to look at. `ranges`: days, both ends included. `until`: what came later does not show yet."""

    zones: Mapping[tzinfo, Sequence[SandboxCounter]]
    ranges: Sequence[tuple[date, date]]
    until: datetime | None
    goals: Sequence[SandboxGoal] = ()
    currencies: Sequence[str] = ()
    goals_by_order: bool = False  # the switch `young_goal`
    with_orders: bool = True


def figures(scope: Scope, *, by_day: bool) -> dict[Key, Figures]:
    """Figures by day, or of the whole period under None. At most four queries for each time zone."""
    found: dict[Key, Figures] = {}

    def row(key: Key) -> Figures:
        if key not in found:
            found[key] = Figures(goals={goal.pk: GoalFigures() for goal in scope.goals})
        return found[key]

    for zone, counters in scope.zones.items():
        for visits in _visits(scope, zone, counters, by_day):
            figure = row(visits["day"])
            figure.visits += visits["visits"]
            figure.users += visits["users"]
        if scope.with_orders:
            for orders in _orders(scope, zone, counters, by_day):
                _add_orders(row(orders["day"]), orders)
        if scope.goals:
            for reaches in _reaches(scope, zone, counters, by_day):
                _add_reaches(row(reaches["day"]), reaches, scope)
    return found


def _visits(scope: Scope, zone: tzinfo, counters: Sequence[SandboxCounter], by_day: bool) -> Iterable[dict[str, Any]]:
    visits = SandboxVisit.objects.filter(_within(scope, zone, "started_at"), counter__in=counters).order_by()
    return _by_day(visits, "started_at", zone, by_day).annotate(
        visits=Count("pk"), users=Count(_user(""), distinct=True)
    )


def _orders(scope: Scope, zone: tzinfo, counters: Sequence[SandboxCounter], by_day: bool) -> Iterable[dict[str, Any]]:
    """Orders as they stood at `until`: those that changed since, by the last row that had been applied by then."""
    orders = SandboxOrder.objects.filter(
        _within(scope, zone, "visit__started_at"), counter__in=counters, visit__counter__in=counters
    )
    if scope.until is None:
        return _summed(orders.order_by(), zone, by_day)
    # Not by a subquery for each event: SQLite would run it for each visit too.
    changed = SandboxOrderEvent.objects.filter(
        order__counter__in=counters, order__updated_at__gt=scope.until, uploading__received_at__lte=scope.until
    )
    latest = changed.order_by().values("order").annotate(latest=Max("pk")).values("latest")
    events = SandboxOrderEvent.objects.filter(_within(scope, zone, "visit__started_at"), pk__in=latest)
    settled = orders.filter(updated_at__lte=scope.until)
    return [*_summed(settled.order_by(), zone, by_day), *_summed(events.order_by(), zone, by_day)]


def _summed(rows: QuerySet[Any], zone: tzinfo, by_day: bool) -> QuerySet[Any, dict[str, Any]]:
    return _by_day(rows, "visit__started_at", zone, by_day, "type", "currency").annotate(
        orders=Count("pk"), revenue_sum=Sum("revenue"), profit_sum=Sum(F("revenue") - Coalesce("cost", _ZERO))
    )


def _add_orders(figure: Figures, orders: Mapping[str, Any]) -> None:
    kind = orders["type"]
    figure.orders[kind] = figure.orders.get(kind, 0) + orders["orders"]
    if kind == OrderType.PAID:
        money = figure.money.setdefault(orders["currency"] or DEFAULT_CURRENCY, Money())
        money.revenue += orders["revenue_sum"] or _ZERO
        money.profit += orders["profit_sum"] or _ZERO
        money.paid += orders["orders"]


def _reaches(scope: Scope, zone: tzinfo, counters: Sequence[SandboxCounter], by_day: bool) -> Iterable[dict[str, Any]]:
    """All goals in one query: a column for each figure of each goal."""
    wanted: dict[str, Any] = {}
    for goal in scope.goals:
        counts = counted(goal, by_order=scope.goals_by_order)
        wanted[f"reaches_{goal.pk}"] = Count("pk", filter=counts)
        wanted[f"visits_{goal.pk}"] = Count("visit", filter=counts, distinct=True)
        wanted[f"users_{goal.pk}"] = Count(_user("visit__"), filter=counts, distinct=True)
        for currency in scope.currencies:
            wanted[f"income_{goal.pk}_{currency}"] = Sum("income", filter=counts & Q(currency=currency))
    rows = SandboxReach.objects.filter(
        _within(scope, zone, "visit__started_at"), counter__in=counters, visit__counter__in=counters
    )
    if scope.until is not None:
        rows = rows.filter(reached_at__lte=scope.until)
    rows = rows.filter(goal__in=[identifier for goal in scope.goals for identifier in goal.identifiers])
    return _by_day(rows.order_by(), "visit__started_at", zone, by_day).annotate(**wanted)


def counted(goal: SandboxGoal, *, by_order: bool) -> Q:
    """The reaches that count for `goal`: those after its creation. CRM goals have been there from the start."""
    own = Q(counter=goal.counter_id, goal__in=goal.identifiers)
    if goal.is_crm:
        return own
    if by_order:
        return own & Q(order__create_date_time__gte=goal.created_at)
    return own & Q(repeated_at__gte=goal.created_at)


def _add_reaches(figure: Figures, reaches: Mapping[str, Any], scope: Scope) -> None:
    for goal in scope.goals:
        figures_of_goal = figure.goals[goal.pk]
        figures_of_goal.reaches += reaches[f"reaches_{goal.pk}"]
        figures_of_goal.visits += reaches[f"visits_{goal.pk}"]
        figures_of_goal.users += reaches[f"users_{goal.pk}"]
        for currency in scope.currencies:
            income = reaches[f"income_{goal.pk}_{currency}"] or _ZERO
            figures_of_goal.income[currency] = figures_of_goal.income.get(currency, _ZERO) + income


def _by_day(rows: QuerySet[Any], moment: str, zone: tzinfo, by_day: bool, *more: str) -> QuerySet[Any, dict[str, Any]]:
    day = TruncDate(moment, tzinfo=zone) if by_day else Value(None, output_field=CharField())
    return rows.annotate(day=day).values("day", *more)


def _within(scope: Scope, zone: tzinfo, moment: str) -> Q:
    found = Q(pk__in=[])
    for first, last in scope.ranges:
        start = datetime(first.year, first.month, first.day, tzinfo=zone)
        after = last + timedelta(days=1)
        end = datetime(after.year, after.month, after.day, tzinfo=zone)
        found |= Q(**{f"{moment}__gte": start, f"{moment}__lt": end})
    return found


def _user(path: str) -> Any:
    """The visitor of a visit; a visit without ClientID is a visitor of its own."""
    alone = Concat(Value("v"), Cast(f"{path}id", CharField()))
    return Case(When(**{f"{path}client_id": ""}, then=alone), default=F(f"{path}client_id"), output_field=CharField())
