"""The days that a reader may choose: the last so many, this month, the last one; a letter's link names its own week."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.utils.translation import gettext_lazy as _

from apps.dashboard import periods
from apps.dashboard.periods import Period
from apps.metrica.text import Text

USUAL: Final = "30"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the periods offered. `key`: as the address has it."""

    key: str
    label: Text
    chosen: bool


_OFFERED: Final[tuple[tuple[str, Text], ...]] = (
    ("7", _("7 days")),
    ("30", _("30 days")),
    ("90", _("90 days")),
    ("month", _("This month")),
    ("last_month", _("Last month")),
)


def read(query: Mapping[str, str], *, today: date) -> tuple[Period, list[Choice]]:
    """What was asked for; what makes no sense is replaced by the usual days. `today`: on the counter's clock."""
    asked = query.get("period", "")
    key = asked if asked in dict(_OFFERED) else USUAL
    own = periods.read(query, today=today) if not asked and (query.get("from") or query.get("to")) else None
    if own is not None and not own.problem:
        return own, [Choice(name, label, False) for name, label in _OFFERED]
    return _days_of(key, today), [Choice(name, label, name == key) for name, label in _OFFERED]


def _days_of(key: str, today: date) -> Period:
    if key == "month":
        return Period(today.replace(day=1), today)
    if key == "last_month":
        last = today.replace(day=1) - timedelta(days=1)
        return Period(last.replace(day=1), last)
    days = int(key)
    return Period(today - timedelta(days=days - 1), today, days)
