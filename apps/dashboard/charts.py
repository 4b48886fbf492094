"""The charts of the home page: day numbers of some counters, as data for the theme's charts, with their sums."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db.models import Sum
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.counters.models import Counter
from apps.counters.templatetags.goalpost import money, number
from apps.dashboard.behind import Behind
from apps.dashboard.comparison.adding_up import COUNT_OF_TYPE
from apps.dashboard.models import DayNumbers
from apps.dashboard.periods import Period
from apps.dashboard.rollup.days import REACHED
from apps.goals.models import Goal
from apps.metrica.text import Text
from apps.metrica.vocabulary import OrderType

GOALS_SHOWN = 12

_COLOURS: Final = {
    "blue": "#2563eb",
    "green": "#16a34a",
    "orange": "#ea580c",
    "red": "#dc2626",
    "violet": "#9333ea",
    "grey": "#64748b",
}
_MONEY_COLOURS: Final = ("green", "blue", "violet", "orange", "red", "grey")
_CHANGES: Final = (
    ("received", gettext_lazy("Received"), "blue"),
    ("delivered", gettext_lazy("Delivered"), "green"),
)
_TYPES: Final = tuple(
    (name, kind.label, colour)
    for (kind, name), colour in zip(COUNT_OF_TYPE.items(), ("blue", "green", "orange", "red", "violet"), strict=True)
)
_GOALS: Final = (
    *(
        (name, goal.label, colour)
        for (goal, name), colour in zip(REACHED.items(), ("blue", "green", "orange", "red"), strict=True)
    ),
    ("reached_own", gettext_lazy("Your JavaScript goals"), "violet"),
)


@dataclass(frozen=True, slots=True)
class Series:
    """One line or colour of a chart. `total`: of the period, as text. `url`: the list behind it, empty for nothing."""

    label: str
    colour: str
    total: str
    values: list[float]
    url: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """`kind`: how the theme draws it. `data`: JSON for it, empty where there is nothing to draw."""

    name: str
    title: str
    kind: str
    series: list[Series]
    data: str
    note: str = ""
    behind: str = ""  # the list of all that the chart is about

    @property
    def summary(self) -> str:
        """What the picture shows, for those who do not see it."""
        return "; ".join(f"{one.label}: {one.total}" for one in self.series)


@dataclass(frozen=True, slots=True)
class GoalLine:
    identifier: str
    name: str
    reached: int
    url: str = ""


def charts_of(counters: Collection[int], period: Period, behind: Behind | None = None) -> list[Chart]:
    """Of these counters (primary keys) together. One query over day numbers. `behind`: where the numbers lead."""
    names = [name for name, _label, _colour in (*_CHANGES, *_TYPES, *_GOALS)]
    sums = {f"sum_{name}": Sum(name) for name in (*names, "revenue", "profit")}
    rows = DayNumbers.objects.filter(counter__in=list(counters), day__gte=period.first, day__lte=period.last)
    found: list[Any] = list(rows.order_by().values("day", "counter__currency").annotate(**sums))
    days = period.each
    urls = behind.by_number() if behind is not None else {}
    uploads, orders = (behind.delivered, behind.orders()) if behind is not None else ("", "")
    return [
        _counts("changes", _("Status changes"), "line", _CHANGES, found, days, urls, uploads),
        _counts(
            "types",
            _("Delivered orders by type"),
            "bar",
            _TYPES,
            found,
            days,
            urls,
            orders,
            note=_("by the day of the order's creation"),
        ),
        _money(found, days, behind),
        _counts(
            "goals",
            _("Goals reached"),
            "bar",
            _GOALS,
            found,
            days,
            urls,
            orders,
            note=_("by the day of the order's creation"),
        ),
    ]


def goals_of(counter: Counter, period: Period, behind: Behind | None = None) -> list[GoalLine]:
    """The counter's JavaScript goals that were reached most in the period. Two queries."""
    rows = DayNumbers.objects.filter(counter=counter, day__gte=period.first, day__lte=period.last, reached_own__gt=0)
    reached: dict[str, int] = {}
    for goals in rows.order_by().values_list("goals", flat=True):
        for goal, times in goals.items():
            reached[goal] = reached.get(goal, 0) + times
    most = sorted(reached.items(), key=lambda item: (-item[1], item[0]))[:GOALS_SHOWN]
    known = Goal.objects.filter(counter=counter, identifier__in=[goal for goal, _times in most])
    names = dict(known.values_list("identifier", "name"))
    return [
        GoalLine(goal, names.get(goal, ""), times, behind.orders(goal=goal) if behind is not None else "")
        for goal, times in most
    ]


def _counts(
    name: str,
    title: str,
    kind: str,
    shown: Iterable[tuple[str, Text, str]],
    rows: list[dict[str, Any]],
    days: list[date],
    urls: Mapping[str, str],
    behind: str,
    note: str = "",
) -> Chart:
    series = []
    for column, label, colour in shown:
        of_day = _of_day(rows, f"sum_{column}")
        whole = int(sum(of_day.values()))
        url = urls.get(column, "") if whole else ""
        series.append(Series(str(label), colour, number(whole), [float(of_day.get(day, 0)) for day in days], url))
    return Chart(name, title, kind, series, _data(series, days, kind), note, behind)


def _money(rows: list[dict[str, Any]], days: list[date], behind: Behind | None) -> Chart:
    """Revenue and profit, of each currency by itself: no rate is known here."""
    series: list[Series] = []
    for currency in sorted({row["counter__currency"] for row in rows if row["sum_revenue"] or row["sum_profit"]}):
        of_currency = [row for row in rows if row["counter__currency"] == currency]
        for column, label in (("revenue", _("Revenue")), ("profit", _("Profit"))):
            of_day = _of_day(of_currency, f"sum_{column}")
            total = money(sum(of_day.values(), Decimal(0)), currency)
            colour = _MONEY_COLOURS[len(series) % len(_MONEY_COLOURS)]
            values = [float(of_day.get(day, 0)) for day in days]
            url = behind.orders(currency=currency, sent_as=OrderType.PAID.value) if behind is not None else ""
            series.append(Series(f"{label}, {currency}", colour, total, values, url))
    note = _("of paid orders, by the day of their creation")
    data, orders = _data(series, days, "line"), behind.orders() if behind is not None else ""
    return Chart("money", _("Revenue and profit delivered"), "line", series, data, note, orders)


def _of_day(rows: Iterable[dict[str, Any]], column: str) -> dict[date, Any]:
    found: dict[date, Any] = {}
    for row in rows:
        found[row["day"]] = found.get(row["day"], 0) + row[column]
    return found


def _data(series: Iterable[Series], days: list[date], kind: str) -> str:
    shown = [one for one in series if any(one.values)]
    if not shown:
        return ""
    drawn = []
    for one in shown:
        colour = _COLOURS[one.colour]
        look = {"borderColor": colour} if kind == "line" else {"backgroundColor": colour, "stack": "day"}
        common = {"label": one.label, "data": one.values, "displayYAxis": True, "maxTicksXLimit": 8}
        drawn.append({**common, **look})
    # Translators: a day and a short month in Django's letters; "b" writes the month in lower case.
    labels = [formats.date_format(day, _("j M")) for day in days]
    return json.dumps({"labels": labels, "datasets": drawn}, ensure_ascii=False)
