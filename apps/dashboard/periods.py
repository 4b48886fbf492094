"""The period that a page is about: the last so many days, or days of a person's own choice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

OFFERED: Final = (7, 28, 90)
USUAL: Final = 28
MOST_DAYS: Final = 366


@dataclass(frozen=True, slots=True)
class Period:
    """From `first` to `last`, both included. `days`: one of OFFERED, 0 for days of one's own. `problem`: why what was
    asked for is not what is shown."""

    first: date
    last: date
    days: int = 0
    problem: str = ""

    @property
    def each(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]

    @property
    def query(self) -> dict[str, str]:
        """What leads to this period again."""
        if self.days:
            return {} if self.days == USUAL else {"days": str(self.days)}
        return {"from": self.first.isoformat(), "to": self.last.isoformat()}


def read(query: Mapping[str, str], *, today: date) -> Period:
    """Never fails: what cannot be shown is replaced by the usual days, and `problem` says so."""
    asked = query.get("days", "")
    usual = int(asked) if asked in map(str, OFFERED) else USUAL
    first, last = query.get("from", "").strip(), query.get("to", "").strip()
    if not first and not last:
        return _last(usual, today)
    try:
        begins, ends = parse_date(first), parse_date(last) if last else today
    except ValueError:  # 30 February
        begins = ends = None
    if begins is None or ends is None:
        return _last(usual, today, _("Write both days like 2026-01-31."))
    if begins > ends:
        return _last(usual, today, _("The first day must not be after the last one."))
    if (ends - begins).days >= MOST_DAYS:
        return _last(usual, today, _("Choose at most %(most)s days.") % {"most": MOST_DAYS})
    days = (ends - begins).days + 1
    return Period(begins, ends, days if ends == today and days in OFFERED else 0)


def _last(days: int, today: date, problem: str = "") -> Period:
    return Period(today - timedelta(days=days - 1), today, days, problem)
