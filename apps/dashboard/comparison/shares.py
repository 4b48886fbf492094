"""The share of our orders that Metrica matched to a visit: of a period, and how it goes. Never of a single day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from apps.dashboard.models import DayFigures, Side

SMOOTHED_DAYS = 7
"""Each point of the trend is a week: an order and its visit seldom lie on the same day, but mostly within a week."""


@dataclass(slots=True)
class Share:
    """`matched`: Metrica's orders, spam included; `bindable`: ours that it could bind (see the package)."""

    matched: int = 0
    bindable: int = 0

    @property
    def value(self) -> float | None:
        """0 … 1 as a rule; more where orders come to the counter from elsewhere as well; None without orders."""
        return self.matched / self.bindable if self.bindable else None


def share(figures: Iterable[DayFigures], *, first: date, last: date) -> Share:
    """Of the days from `first` to `last` that both sides know; without the days before our first, whose orders nobody
    has added up."""
    rows = [one for one in figures if first <= one.day <= last]
    both = {one.day for one in rows if one.side == Side.OURS} & {one.day for one in rows if one.side == Side.METRICA}
    result = Share()
    for one in rows:
        if one.day not in both:
            continue
        if one.side == Side.OURS:
            result.bindable += one.bindable
        else:
            result.matched += one.orders + one.spam
    return result


def now_and_before(figures: Iterable[DayFigures], *, today: date, days: int) -> tuple[float | None, float | None]:
    """The share of the last `days`, and of as many before them."""
    rows = list(figures)
    first = today - timedelta(days=days - 1)
    return (
        share(rows, first=first, last=today).value,
        share(rows, first=first - timedelta(days=days), last=first - timedelta(days=1)).value,
    )


def trend(figures: Iterable[DayFigures], *, first: date, last: date) -> list[tuple[date, float | None]]:
    """For each day the share of the week that ends with it; None where the week had no orders."""
    rows = list(figures)
    by_day: dict[date, list[DayFigures]] = {}
    for one in rows:
        by_day.setdefault(one.day, []).append(one)
    points = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        week = [day - timedelta(days=back) for back in range(SMOOTHED_DAYS)]
        of_week = [one for one_day in week for one in by_day.get(one_day, ())]
        points.append((day, share(of_week, first=week[-1], last=day).value))
    return points
