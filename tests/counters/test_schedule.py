"""A counter's schedule: what can be written, and when the next upload is due."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.counters.schedule import ScheduleError, parse

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("manual", "manual"),
        (" Manual ", "manual"),
        ("as they come", "as they come"),
        ("as_they_come", "as they come"),
        ("5m", "5m"),
        ("60m", "1h"),
        ("90 m", "90m"),
        ("24h", "24h"),
        ("daily 3:00", "daily 03:00"),
        ("daily 23:59", "daily 23:59"),
    ],
)
def test_a_schedule_has_one_canonical_text(text, canonical):
    assert parse(text).text == canonical
    assert parse(canonical).text == canonical


@pytest.mark.parametrize(
    "text", ["", "0m", "169h", "5s", "daily", "daily 24:00", "daily 03:60", "every 5m", "-5m", "5m5m"]
)
def test_what_is_no_schedule_is_refused_with_what_to_write(text):
    with pytest.raises(ScheduleError, match="as they come, 5m, 1h"):
        parse(text)


def test_no_clock_decides_for_manual_and_as_they_come():
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert parse("manual").next_after(now, MOSCOW) is None
    assert parse("as they come").next_after(now, MOSCOW) is None


def test_daily_is_of_the_counters_day():
    before = datetime(2026, 3, 4, 23, 59, tzinfo=UTC)  # 02:59 of the 5th in Moscow
    assert parse("daily 03:00").next_after(before, MOSCOW) == datetime(2026, 3, 5, 0, 0, tzinfo=UTC)
    at_that_minute = datetime(2026, 3, 5, 0, 0, tzinfo=UTC)
    assert parse("daily 03:00").next_after(at_that_minute, MOSCOW) == datetime(2026, 3, 6, 0, 0, tzinfo=UTC)


def test_a_time_in_the_gap_comes_an_hour_later_and_a_repeated_one_once():
    spring = parse("daily 02:30").next_after(datetime(2026, 3, 28, 12, tzinfo=UTC), BERLIN)
    assert spring == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30 summer time
    autumn = parse("daily 02:30").next_after(datetime(2026, 10, 24, 12, tzinfo=UTC), BERLIN)
    assert autumn == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert parse("daily 02:30").next_after(autumn, BERLIN) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@given(
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    text=st.sampled_from(["5m", "1h", "daily 00:00", "daily 02:30", "daily 23:59"]),
    zone=st.sampled_from(["Europe/Moscow", "Europe/Berlin", "Pacific/Apia", "America/New_York", "UTC"]),
)
def test_the_next_time_is_ahead_and_never_more_than_two_days_off(moment, text, zone):
    following = parse(text).next_after(moment, ZoneInfo(zone))
    assert following is not None
    assert timedelta(0) < following - moment <= timedelta(days=2, hours=1)
