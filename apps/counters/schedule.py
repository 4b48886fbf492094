"""When a counter's orders go out: by hand, as they come, every so often, or daily at a time of the counter's day."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MANUAL = "manual"
AS_THEY_COME = "as they come"

_EVERY = re.compile(r"(\d{1,4})\s*([mh])")
_DAILY = re.compile(r"daily (\d{1,2}):(\d{2})")


class ScheduleError(ValueError):
    """The text is no schedule; the message says what to write."""


@dataclass(frozen=True, slots=True)
class Schedule:
    kind: Literal["manual", "as_they_come", "every", "daily"]
    every: timedelta | None = None
    at: time | None = None

    @property
    def text(self) -> str:
        """The one way to write this schedule; `parse` reads it back."""
        if self.every is not None:
            minutes = int(self.every.total_seconds() // 60)
            return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
        if self.at is not None:
            return f"daily {self.at:%H:%M}"
        return MANUAL if self.kind == "manual" else AS_THEY_COME

    @property
    def words(self) -> str:
        """For people."""
        if self.at is not None:
            return _("daily at %(time)s") % {"time": f"{self.at:%H:%M}"}
        if self.every is None:
            return _("by hand") if self.kind == "manual" else _("as they come")
        minutes = int(self.every.total_seconds() // 60)
        if minutes % 60:
            return ngettext("every minute", "every %(count)s minutes", minutes) % {"count": minutes}
        return ngettext("every hour", "every %(count)s hours", minutes // 60) % {"count": minutes // 60}

    def next_after(self, moment: datetime, zone: ZoneInfo | None) -> datetime | None:
        """The first time after `moment` (aware) that an upload is due, in UTC; None where no clock decides.

        A daily time is of the counter's day (UTC while its zone is unknown). A time that a clock change leaves out
        comes an hour later on that day; one that a clock change repeats comes once, the first time.
        """
        if self.every is not None:
            return moment.astimezone(UTC) + self.every
        if self.at is None:
            return None
        local_zone = zone or ZoneInfo("UTC")
        day = moment.astimezone(local_zone).date()
        for _day in range(3):
            candidate = datetime.combine(day, self.at, local_zone).astimezone(UTC)
            if candidate > moment:
                return candidate
            day += timedelta(days=1)
        raise AssertionError("a daily time comes within two days")


def parse(text: str) -> Schedule:
    """`manual`, `as they come`, `5m`, `1h`, `daily 03:00`. Raises ScheduleError."""
    words = " ".join(text.lower().replace("_", " ").split())
    if words == MANUAL:
        return Schedule("manual")
    if words == AS_THEY_COME:
        return Schedule("as_they_come")
    if match := _EVERY.fullmatch(words):
        minutes = int(match[1]) * (60 if match[2] == "h" else 1)
        if 1 <= minutes <= 7 * 24 * 60:
            return Schedule("every", every=timedelta(minutes=minutes))
    if (match := _DAILY.fullmatch(words)) and int(match[1]) < 24 and int(match[2]) < 60:
        return Schedule("daily", at=time(int(match[1]), int(match[2])))
    raise ScheduleError(
        _("“%(text)s” is no schedule. Write manual, as they come, 5m, 1h (up to a week) or daily 03:00.")
        % {"text": text}
    )
