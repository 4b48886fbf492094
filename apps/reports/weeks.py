"""When a weekly letter is due, and which week it tells: the seven days before the day on which it leaves."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from apps.counters.models import Counter
from apps.dashboard.periods import Period
from apps.dashboard.rollup.running import zone_of

WEEK: Final = timedelta(days=7)


def next_letter(counter: Counter, *, weekday: int, hour: int, after: datetime) -> datetime:
    """The first moment after `after` (aware) that is that hour of that day (0: Monday) on the counter's clock."""
    zone = zone_of(counter)
    day = after.astimezone(zone).date()
    day += timedelta(days=(weekday - day.weekday()) % 7)
    moment = _moment(day, hour, zone)
    return moment if moment > after else _moment(day + WEEK, hour, zone)


def last_of(moments: datetime, *, now: datetime) -> datetime:
    """The newest of the weekly moments from `moments` on that is not after `now`: who was away for weeks tells one."""
    return moments + (now - moments) // WEEK * WEEK


def told_by(moment: datetime, counter: Counter) -> date:
    """The last day of the week that a letter of this moment tells."""
    return moment.astimezone(zone_of(counter)).date() - timedelta(days=1)


def week_until(last: date) -> Period:
    return Period(last - timedelta(days=6), last)


def _moment(day: date, hour: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(hour), zone).astimezone(UTC)
