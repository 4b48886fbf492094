"""Dates as Metrica reads and writes them, in the counter's time zone (R9). Page: date."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from apps.metrica.text import Text


@dataclass(frozen=True, slots=True)
class Moment:
    """A date that was read. `at` is aware, in UTC; for a date without time, 23:59:00 of that day in the zone.

    `ambiguous`: the clocks went back and the zone showed this time twice; `at` is the first of the two.
    """

    at: datetime
    date_only: bool
    ambiguous: bool


class DateError(ValueError):
    """A text that is no usable date. `code`: date_format, date_nonexistent, time_in_gap, date_before_1970."""

    def __init__(self, code: str, message: Text) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def parse_csv(text: str, zone: ZoneInfo) -> Moment:
    """One of the nine forms that the CSV formats take. Raises DateError."""
    raise NotImplementedError


def parse_any(text: str, zone: ZoneInfo) -> Moment:
    """What parse_csv takes, and ISO 8601 with `T`, with or without an offset or `Z`. Raises DateError."""
    raise NotImplementedError


def format_local(at: datetime, zone: ZoneInfo, *, date_only: bool = False) -> str:
    """`at` (aware) as `yyyy-MM-dd HH:mm:ss`, or `yyyy-MM-dd`, on the zone's clock."""
    raise NotImplementedError
