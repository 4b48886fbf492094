"""Metrics that the sandbox can work out: CRM orders, goals, visits and users (visits: basic, cdp_orders, conversions).

`<currency>` and `<goal_id>` stand in a name either as their value or as they are, with the value in a parameter.
"""

import re
from dataclasses import dataclass

from apps.metrica.vocabulary import CURRENCIES, OrderType
from apps.sandbox.reports.errors import report_error, wrong_metric
from apps.sandbox.reports.figures import Figures

# Sets of data that Metrica has metrics for; two of them do not mix in one query.
_SETS = ("ym:s:", "ym:pv:", "ym:ev:", "ym:ad:", "ym:u:", "ym:up:", "ym:dl:", "ym:el:", "ym:sh:", "ym:sp:", "ym:ce:")
_ORDERS = {
    "InProgress": OrderType.IN_PROGRESS,
    "Payed": OrderType.PAID,
    "Spam": OrderType.SPAM,
    "Cancelled": OrderType.CANCELLED,
    "Other": OrderType.OTHER,
}
_CDP = re.compile(
    r"ym:s:cdpOrders(?:(?P<count>AllOrders|InProgress|Payed|Spam|Cancelled|Other)"
    r"|(?P<rate>ConversionIntoOrder|ConversionIntoPayment)"
    r"|(?P<currency>[A-Z]{3})(?P<money>AverageCheque|Revenue|Profit))\Z"
)
_GOAL = re.compile(
    r"ym:s:goal(?P<goal>[0-9]{1,18})(?:(?P<count>reaches|visits|users|conversionRate|userConversionRate)"
    r"|converted(?P<currency>[A-Z]{3})Revenue)\Z"
)
# YND is Metrica's own code for the currency of Yandex.
_CURRENCIES = CURRENCIES | {"YND"}


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of a report. `goal` and `currency` are what the figures must be asked for."""

    name: str
    what: str
    goal: int | None = None
    currency: str = ""

    def value(self, figures: Figures) -> float | None:
        """The number for one row; None where it would be divided by nothing."""
        if self.goal is not None:
            return self._of_goal(figures)
        if self.what in ("visits", "users"):
            return float(figures.visits if self.what == "visits" else figures.users)
        counts = figures.orders
        ordered = sum(number for kind, number in counts.items() if kind != OrderType.SPAM)
        paid = counts.get(OrderType.PAID, 0)
        if self.what == "AllOrders":
            return float(ordered)
        if self.what in _ORDERS:
            return float(counts.get(_ORDERS[self.what], 0))
        if self.what == "ConversionIntoOrder":
            return _share(ordered, figures.visits)
        if self.what == "ConversionIntoPayment":
            return _share(paid, ordered)
        money = figures.money.get(self.currency)
        if self.what == "Profit":
            return float(money.profit) if money else 0.0
        revenue = float(money.revenue) if money else 0.0
        if self.what == "AverageCheque":
            return revenue / money.paid if money and money.paid else None
        return revenue

    def _of_goal(self, figures: Figures) -> float | None:
        assert self.goal is not None
        goal = figures.goals[self.goal]
        if self.currency:
            return float(goal.income.get(self.currency, 0))
        if self.what == "conversionRate":
            return _share(goal.visits, figures.visits)
        if self.what == "userConversionRate":
            return _share(goal.users, figures.users)
        return float({"reaches": goal.reaches, "visits": goal.visits, "users": goal.users}[self.what])


def _share(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def read_metric(name: str, *, currency: str, goal_id: str) -> Metric:
    """Raises ApiError with the code 4002 for a metric that is none or that the sandbox has no data for."""
    full = name.replace("<currency>", currency).replace("<goal_id>", goal_id)
    if full in ("ym:s:visits", "ym:s:users"):
        return Metric(full, full.removeprefix("ym:s:"))
    if found := _CDP.match(full):
        _check_currency(name, found["currency"])
        what = found["count"] or found["rate"] or found["money"]
        return Metric(full, what, currency=found["currency"] or "")
    if found := _GOAL.match(full):
        _check_currency(name, found["currency"])
        return Metric(full, found["count"] or "income", goal=int(found["goal"]), currency=found["currency"] or "")
    if full.startswith(_SETS):
        raise wrong_metric(name, " (the sandbox knows visits, users, CRM orders and goals of visits only)")
    raise wrong_metric(name)


def _check_currency(name: str, currency: str | None) -> None:
    if currency and currency not in _CURRENCIES:
        raise wrong_metric(name)


def check_sets(names: list[str]) -> None:
    """Raises ApiError with the code 4011 where `names` are of different sets."""
    sets: dict[str, str] = {}
    for name in names:
        prefix = next((known for known in _SETS if name.startswith(known)), "")
        sets.setdefault(prefix, name)
    sets.pop("", None)
    if len(sets) > 1:
        first, second = list(sets.values())[:2]
        raise report_error(
            4011,
            "Metrics and dimensions with different prefixes can be used together only when filtering data, "
            f"value: {first} is incompatible with {second}",
        )
