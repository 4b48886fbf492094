"""Dates as Metrica reads and writes them, in the counter's time zone (R9). Page: date.

The fast ways cut the text by position and let `datetime.fromisoformat` check the digits: no patterns, no strptime.
Why a text is no date is found out only after it has failed.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from apps.metrica.problems import BadValue
from apps.metrica.text import _

_FIRST_YEAR = 1970
_DIGITS = tuple(f"{number:02d}" for number in range(60))


@dataclass(frozen=True, slots=True)
class Moment:
    """A date that was read. `at` is aware, in UTC; for a date without time, 23:59:00 of that day in the zone.

    `ambiguous`: the clocks went back and the zone showed this time twice; `at` is the first of the two.
    """

    at: datetime
    date_only: bool
    ambiguous: bool


class DateError(BadValue):
    """A text that is no usable date. `code`: date_format, date_nonexistent, time_in_gap, date_before_1970."""


def parse_csv(text: str, zone: ZoneInfo) -> Moment:
    """One of the nine forms of the CSV formats: `dd.MM.yyyy`, `dd.MM.yy` or `yyyy-MM-dd`, alone or followed by
    ` HH:mm` or ` HH:mm:ss`, on the zone's clock (page: date).

    Two-digit years: 00 to 69 are 20xx, 70 to 99 are 19xx. Nothing is trimmed. Raises DateError.
    """
    return _local(_csv_clock(text), zone, date_only=len(text) <= 10)


def parse_any(text: str, zone: ZoneInfo) -> Moment:
    """What parse_csv takes, and ISO 8601: `yyyy-MM-ddTHH:mm[:ss[.fraction]]` with `T` or a space, then nothing
    (the zone's clock), `Z` or an offset `±HH:mm`, `±HHmm`, `±HH`. Spaces around are ignored. Raises DateError.
    """
    text = text.strip()
    length = len(text)
    if length > 16 and text[4] == "-" and text[13] == ":" and (length != 19 or text[16] != ":"):
        return _iso(text, zone)
    if (length == 19 or length == 16) and text[10] == "T" and text[4] == "-":
        text = f"{text[:10]} {text[11:]}"
    return _local(_csv_clock(text), zone, date_only=len(text) <= 10)


def format_local(at: datetime, zone: ZoneInfo, *, date_only: bool = False) -> str:
    """`at` (aware) on the zone's clock: `yyyy-MM-dd HH:mm:ss`, or `yyyy-MM-dd`. Fractions of a second are cut.

    Both hours of an overlap look the same, and Metrica has no way to tell them apart. Raises ValueError for a
    time without a zone.
    """
    if at.tzinfo is None:
        raise ValueError("A time without a zone cannot be shown on a counter's clock.")
    clock = at if at.tzinfo is zone else at.astimezone(zone)
    day = f"{clock.year:04d}-{_DIGITS[clock.month]}-{_DIGITS[clock.day]}"
    if date_only:
        return day
    # Twice as fast as str(): a million rows are written by this.
    return f"{day} {_DIGITS[clock.hour]}:{_DIGITS[clock.minute]}:{_DIGITS[clock.second]}"


def _csv_clock(text: str) -> datetime:
    """The date and time that are written, without a zone."""
    try:
        if text[4:5] == "-" == text[7:8]:
            if _has_csv_time(text, 10):
                return datetime.fromisoformat(text)
        elif text[2:3] == "." and text[5:6] == ".":
            if _has_csv_time(text, 10):
                return datetime.fromisoformat(f"{text[6:10]}-{text[3:5]}-{text[:2]}{text[10:]}")
            if _has_csv_time(text, 8):
                century = "20" if text[6] < "7" else "19"
                return datetime.fromisoformat(f"{century}{text[6:8]}-{text[3:5]}-{text[:2]}{text[8:]}")
    except ValueError:
        pass
    raise _what_is_wrong(text)


def _has_csv_time(text: str, date_length: int) -> bool:
    """True if after the date there is nothing, ` HH:mm` or ` HH:mm:ss`; the digits are checked by others."""
    rest = len(text) - date_length
    if rest == 0:
        return True
    return (
        (rest == 9 or rest == 6)
        and text[date_length] == " "
        and text[date_length + 1 : date_length + 3] < "24"  # newer Pythons would read 24:00 as the next day
        and text[date_length + 3] == ":"
        and (rest == 6 or text[date_length + 6] == ":")
    )


def _iso(text: str, zone: ZoneInfo) -> Moment:
    if text[7] != "-" or text[10] not in "Tt " or text[11:13] >= "24":
        raise _what_is_wrong(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _what_is_wrong(text) from None
    if at.tzinfo is None:
        return _local(at, zone, date_only=False)
    try:
        moment = Moment(at.astimezone(UTC), False, False)
        year = at.astimezone(zone).year
    except OverflowError:
        raise _nonexistent() from None
    if year < _FIRST_YEAR:
        raise _before_1970()
    return moment


def _local(clock: datetime, zone: ZoneInfo, *, date_only: bool) -> Moment:
    """Puts the zone's clock on UTC, minding the hours that it shows twice or never."""
    if clock.year < _FIRST_YEAR:
        raise _before_1970()
    if date_only:
        clock = clock.replace(hour=23, minute=59)
    first = clock.replace(tzinfo=zone)
    before = first.utcoffset()
    after = first.replace(fold=1).utcoffset()
    if before is None or after is None:
        raise ValueError("The zone gives no offset.")
    if before < after:
        raise DateError(
            "time_in_gap",
            _("The counter's clock never showed this time: it was put forward just then. Check the time zone."),
        )
    try:
        return Moment((clock - before).replace(tzinfo=UTC), date_only, before != after)
    except OverflowError:
        raise _nonexistent() from None


_SHAPE = re.compile(
    r"(?:(?P<d>\d\d)\.(?P<m>\d\d)\.(?P<y>\d{4}|\d\d)|(?P<Y>\d{4})-(?P<M>\d\d)-(?P<D>\d\d))"
    r"(?:[Tt ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?(?:[Zz]|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)


def _what_is_wrong(text: str) -> DateError:
    """Why a text that the fast ways refused is no date."""
    if (shape := _SHAPE.fullmatch(text)) is None:
        return _format()
    year = shape["Y"] or shape["y"]
    hour, minute, second = (int(shape[part] or 0) for part in ("hour", "minute", "second"))
    try:
        day = date(
            int(year) if len(year) == 4 else 2000 + int(year),
            int(shape["M"] or shape["m"]),
            int(shape["D"] or shape["d"]),
        )
        datetime.combine(day, time(hour, minute, second))
    except ValueError:
        return _nonexistent()
    return _format()


def _format() -> DateError:
    return DateError(
        "date_format",
        _("This is no date that is understood. Write it like 2026-03-04 14:05:00 or 04.03.2026 14:05."),
    )


def _nonexistent() -> DateError:
    return DateError("date_nonexistent", _("There is no such date or time in the calendar."))


def _before_1970() -> DateError:
    return DateError("date_before_1970", _("Metrica takes no dates before 1970."))
