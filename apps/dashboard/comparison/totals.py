"""The table of a comparison: days, sums of the period, goals; both sides with their differences."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.dashboard.comparison import shares
from apps.dashboard.models import DayFigures, Side
from apps.metrica.text import Text
from apps.metrica.vocabulary import SystemGoal

COUNTS: dict[str, Text] = {
    "orders": _("Orders without spam"),
    "in_progress": _("In progress"),
    "paid": _("Paid"),
    "cancelled": _("Cancelled"),
    "spam": _("Spam"),
    "other": _("Other"),
}
MONEY: dict[str, Text] = {"revenue": _("Revenue"), "profit": _("Profit")}
_OURS_ONLY = ("bindable", "late", "without_client_id", "fresh", "other_currency")
_SYSTEM_GOALS = [goal.value for goal in SystemGoal]

Number = int | Decimal


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure of both sides; None where a side has none. `name`: for people."""

    name: Text
    ours: Number | None
    metrica: Number | None

    @property
    def difference(self) -> Number | None:
        """Metrica's less ours."""
        return None if self.ours is None or self.metrica is None else self.metrica - self.ours

    @property
    def percent(self) -> int | None:
        """Metrica's in percent of ours."""
        if not self.ours or self.metrica is None:
            return None
        return round(100 * self.metrica / self.ours)


@dataclass(frozen=True, slots=True)
class Line:
    """One day. A side is None where nobody has added it up, or Metrica was not asked for it."""

    day: date
    ours: DayFigures | None
    metrica: DayFigures | None

    @property
    def pairs(self) -> list[Pair]:
        return _pairs(self.ours, self.metrica)


@dataclass(frozen=True, slots=True)
class Totals:
    """A period. The sums are of the days that both sides know, so that they are sums of the same days."""

    lines: list[Line]
    ours: DayFigures
    metrica: DayFigures
    known_days: int
    points: list[tuple[date, float | None]] = field(default_factory=list)

    @property
    def matched(self) -> float | None:
        """The share that Metrica matched, of the period."""
        return shares.Share(self.metrica.orders + self.metrica.spam, self.ours.bindable).value

    @property
    def pairs(self) -> list[Pair]:
        return _pairs(self.ours, self.metrica)

    @property
    def goals(self) -> list[Pair]:
        """CRM goals first, then the JavaScript goals by their reaches."""
        ours, theirs = self.ours.goals, self.metrica.goals
        script = set(ours).union(theirs).difference(_SYSTEM_GOALS)
        names = _SYSTEM_GOALS + sorted(script, key=lambda goal: (-ours.get(goal, 0), -theirs.get(goal, 0), goal))
        return [
            Pair(goal, ours.get(goal, 0) if self.known_days else None, theirs.get(goal))
            for goal in names
            if goal in script or goal in theirs or ours.get(goal)
        ]


def totals(figures: Iterable[DayFigures], *, first: date, last: date) -> Totals:
    """Of the days from `first` to `last`, both included, newest first. `figures` may reach further back: the trend of
    the first days then stands on whole weeks."""
    rows = list(figures)
    by_day: dict[date, dict[str, DayFigures]] = {}
    for one in rows:
        by_day.setdefault(one.day, {})[one.side] = one
    lines = []
    for number in range((last - first).days, -1, -1):
        day = first + timedelta(days=number)
        sides = by_day.get(day, {})
        lines.append(Line(day, sides.get(Side.OURS), sides.get(Side.METRICA)))
    both = [(line.ours, line.metrica) for line in lines if line.ours is not None and line.metrica is not None]
    return Totals(
        lines=lines,
        ours=_sum(one for one, _other in both),
        metrica=_sum(other for _one, other in both),
        known_days=len(both),
        points=shares.trend(rows, first=first, last=last),
    )


def _sum(figures: Iterable[DayFigures]) -> DayFigures:
    whole = DayFigures()
    for one in figures:
        for name in (*COUNTS, *_OURS_ONLY, "visits"):
            setattr(whole, name, getattr(whole, name) + getattr(one, name))
        for name in MONEY:
            amount = getattr(one, name)
            if amount is not None:
                setattr(whole, name, (getattr(whole, name) or Decimal(0)) + amount)
        for goal, reaches in one.goals.items():
            whole.goals[goal] = whole.goals.get(goal, 0) + reaches
    return whole


def _pairs(ours: DayFigures | None, metrica: DayFigures | None) -> list[Pair]:
    def value(side: DayFigures | None, name: str) -> Any:
        return None if side is None else getattr(side, name)

    names = {**COUNTS, **MONEY}
    return [Pair(text, value(ours, name), value(metrica, name)) for name, text in names.items()]
