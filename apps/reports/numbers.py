"""What a report says of a counter's days. All of it comes from numbers that were counted before (the roll-up of the
home page and the comparison with Metrica): a page costs the same at ten million orders, and tells of no person.
"""

from collections import Counter as Tally
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext as _

from apps.counters.models import Counter
from apps.counters.templatetags.goalpost import money
from apps.dashboard.admin_pages.comparison import percent
from apps.dashboard.comparison import shares
from apps.dashboard.comparison.adding_up import COUNT_OF_TYPE
from apps.dashboard.models import CounterNumbers, DayFigures, DayNumbers
from apps.dashboard.periods import Period
from apps.dashboard.rollup.days import REACHED
from apps.goals.models import Goal, StatusMapping
from apps.metrica.text import Text
from apps.reports.chart import Chart, by_day

MOST_LINES: Final = 100
"""Statuses and goals each; the smallest ones beyond are put together."""

_TYPE_OF: Final = {name: kind for kind, name in COUNT_OF_TYPE.items()}
_GOAL_OF: Final = {name: goal for goal, name in REACHED.items()}


@dataclass(frozen=True, slots=True)
class StatusLine:
    """`kind`: the type's column, by which it is coloured. `share`: of all delivered orders, `0.0` … `100.0`."""

    name: str
    kind: str
    type: Text
    orders: int
    share: str

    @property
    def percent(self) -> str:
        return percent(float(self.share) / 100)


@dataclass(frozen=True, slots=True)
class GoalLine:
    name: str
    reached: int


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """Of paid orders, with its currency."""

    currency: str
    revenue: str
    profit: str


@dataclass(frozen=True, slots=True)
class ShareLine:
    label: Text
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """`orders`: created in these days; `delivered_orders`: those of them that Metrica has. `as_of`: all is counted up
    to then; None: not everything is counted yet."""

    period: Period
    orders: int
    delivered_orders: int
    paid: int
    changes: int
    statuses: list[StatusLine]
    goals: list[GoalLine]
    money: list[MoneyLine]
    shares: list[ShareLine]
    matched: str
    chart: Chart
    as_of: datetime | None

    @property
    def is_empty(self) -> bool:
        return not self.orders and not self.changes


def report_of(counter: Counter, period: Period) -> Report:
    """Five queries, over a row for each day of the counter at most."""
    state = CounterNumbers.objects.filter(counter=counter).only("days_at", "recounted_at").first()
    rows = list(DayNumbers.objects.filter(counter=counter, day__gte=period.first, day__lte=period.last).order_by("day"))
    figures = DayFigures.objects.of(counter, first=period.first, last=period.last)
    delivered = {row.day: row.delivered for row in rows}
    counts = {name: sum(getattr(row, name) for row in rows) for name in COUNT_OF_TYPE.values()}
    orders = sum(row.orders for row in rows)
    return Report(
        period=period,
        orders=orders,
        delivered_orders=sum(counts.values()),
        paid=counts["paid"],
        changes=sum(delivered.values()),
        statuses=_statuses(counter, rows, counts),
        goals=_goals(counter, rows),
        money=_money(counter, rows),
        shares=_shares(rows, orders),
        matched=percent(shares.share(figures, first=period.first, last=period.last).value),
        chart=by_day(period.each, [delivered.get(day, 0) for day in period.each]),
        as_of=state.days_at if state is not None and state.recounted_at is not None else None,
    )


def _statuses(counter: Counter, rows: Iterable[DayNumbers], counts: dict[str, int]) -> list[StatusLine]:
    """By type, and within it the most frequent first, under the names that the mapping has today."""
    found: Tally[tuple[str, str]] = Tally()
    for row in rows:
        for kind, statuses in row.statuses.items():
            for status, orders in statuses.items():
                found[kind, status] += orders
    mapped = StatusMapping.objects.filter(counter=counter).exclude(name="")
    names = dict(mapped.values_list("crm_status", "name"))
    named: Tally[tuple[str, str]] = Tally()
    for number, ((kind, status), orders) in enumerate(found.most_common()):
        named[kind, names.get(status, status) if number < MOST_LINES else _("Others")] += orders
    for kind, orders in counts.items():
        # Days that were counted before statuses were.
        if (missing := orders - sum(n for (of, _name), n in named.items() if of == kind)) > 0:
            named[kind, _("Others")] += missing
    named = +named  # what is none has no share
    whole = sum(named.values())
    order = list(COUNT_OF_TYPE.values())
    lines = sorted(named.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0][1]))
    return [
        StatusLine(name, kind, _TYPE_OF[kind].label, orders, f"{100 * orders / whole:.1f}")
        for (kind, name), orders in lines
    ]


def _goals(counter: Counter, rows: Iterable[DayNumbers]) -> list[GoalLine]:
    """Metrica's own first, then the counter's by how often they were reached; none that were not."""
    own: Tally[str] = Tally()
    of_metrica: Tally[str] = Tally()
    for row in rows:
        own.update(row.goals)
        of_metrica.update({name: getattr(row, name) for name in _GOAL_OF})
    known = Goal.objects.filter(counter=counter).exclude(name="")
    names = dict(known.values_list("identifier", "name"))
    lines = [GoalLine(str(goal.label), of_metrica[name]) for name, goal in _GOAL_OF.items() if of_metrica[name]]
    most = own.most_common()
    lines += [GoalLine(names.get(goal, goal), times) for goal, times in most[:MOST_LINES]]
    if rest := sum(times for _goal, times in most[MOST_LINES:]):
        lines.append(GoalLine(_("Others"), rest))
    return lines


def _money(counter: Counter, rows: Iterable[DayNumbers]) -> list[MoneyLine]:
    """The counter's currency first. Each by itself: no rate is known here."""
    found = {counter.currency: [Decimal(0), Decimal(0)]}
    for row in rows:
        given = {counter.currency: (row.revenue, row.profit), **row.other_money}
        for currency, (revenue, profit) in given.items():
            sums = found.setdefault(currency, [Decimal(0), Decimal(0)])
            sums[0] += Decimal(revenue)
            sums[1] += Decimal(profit)
    return [
        MoneyLine(currency, money(revenue, currency), money(profit, currency))
        for currency, (revenue, profit) in found.items()
        if revenue or profit
    ]


def _shares(rows: Iterable[DayNumbers], orders: int) -> list[ShareLine]:
    """Of all orders of these days, delivered or not, as the home page has them."""
    found: Tally[str] = Tally()
    for row in rows:
        found.update({name: getattr(row, name) for name in ("with_client_id", "with_phone", "with_email")})
    kinds = (("with_client_id", _("ClientID")), ("with_phone", _("Phone")), ("with_email", _("E-mail")))
    return [ShareLine(label, percent(found[name] / orders if orders else None)) for name, label in kinds]
