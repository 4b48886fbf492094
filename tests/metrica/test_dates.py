"""R9: dates on the counter's clock, all documented forms, gaps and overlaps named (page: date)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrica.dates import DateError, format_local, parse_any, parse_csv

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    MOSCOW,
    BERLIN,
    *map(ZoneInfo, ["Asia/Vladivostok", "America/Sao_Paulo", "Asia/Kolkata", "UTC", "Asia/Tehran"]),
]


def code_of(text: str, zone: ZoneInfo = MOSCOW, *, csv: bool = True) -> str:
    with pytest.raises(DateError) as caught:
        (parse_csv if csv else parse_any)(text, zone)
    assert len(str(caught.value.message)) > 20
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "utc", "date_only"),
    [
        ("21.04.2020", "2020-04-21 20:59:00", True),
        ("21.04.20", "2020-04-21 20:59:00", True),
        ("2020-04-21", "2020-04-21 20:59:00", True),
        ("21.04.2020 11:59:02", "2020-04-21 08:59:02", False),
        ("21.04.20 11:59:02", "2020-04-21 08:59:02", False),
        ("2020-04-21 11:59:02", "2020-04-21 08:59:02", False),
        ("21.04.2020 11:59", "2020-04-21 08:59:00", False),
        ("21.04.20 11:59", "2020-04-21 08:59:00", False),
        ("2020-04-21 11:59", "2020-04-21 08:59:00", False),
    ],
)
@pytest.mark.parametrize("parse", [parse_csv, parse_any])
def test_the_nine_documented_forms(text: str, utc: str, date_only: bool, parse: object) -> None:
    assert callable(parse)
    moment = parse(text, MOSCOW)
    assert moment.at == datetime.fromisoformat(utc + "+00:00")
    assert moment.at.tzinfo is UTC
    assert (moment.date_only, moment.ambiguous) == (date_only, False)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-04T14:05:00+03:00", "2026-03-04 11:05:00"),
        ("2026-03-04T14:05:00+0300", "2026-03-04 11:05:00"),
        ("2026-03-04T14:05:00-05", "2026-03-04 19:05:00"),
        ("2026-03-04T14:05+03:00", "2026-03-04 11:05:00"),
        ("2026-03-04T14:05+03", "2026-03-04 11:05:00"),
        ("2026-03-04T14:05:00Z", "2026-03-04 14:05:00"),
        ("2026-03-04T14:05Z", "2026-03-04 14:05:00"),
        ("2026-03-04 14:05:00+03:00", "2026-03-04 11:05:00"),
        ("2026-03-04T14:05:00", "2026-03-04 13:05:00"),
        ("2026-03-04T14:05", "2026-03-04 13:05:00"),
        ("2026-03-04T14:05:00.250Z", "2026-03-04 14:05:00.250"),
        ("2026-03-04T14:05:00.250123", "2026-03-04 13:05:00.250123"),
        ("  2026-03-04 14:05 ", "2026-03-04 13:05:00"),
    ],
)
def test_iso_8601_for_programs(text: str, utc: str) -> None:
    moment = parse_any(text, BERLIN)
    assert moment.at == datetime.fromisoformat(utc + "+00:00")
    assert moment.at.tzinfo is UTC
    assert moment.date_only is False


@pytest.mark.parametrize(
    "text",
    ["2026-03-04T14:05", "2026-03-04T14:05:00", "2026-03-04 14:05:00+03:00", "2026-03-04 14:05:00Z", " 2026-03-04"],
)
def test_csv_takes_the_documented_forms_only(text: str) -> None:
    assert code_of(text) == "date_format"
    parse_any(text, MOSCOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        "20260304",
        "2026-W01-1",
        "2026-3-4",
        "4.3.2026",
        "04/03/2026",
        "1772600000",
        "2026-03-04 10",
        "2026-03-04 1:05",
        "2026-03-04  10:05",
        "2026-03-04\t10:05",
        "2026-03-04 10:05:2",
        "2026-03-04 +1:00",
        "2026-03-04 10:05\n",
        "٢٠٢٦-03-04",
        "０４.03.2026",
        "2026-03-04 1٥:05",
        "04.03.2026T10:05",
        "2026.03.04",
        "04-03-2026",
        "2026-03-04 14:05 PM",
        "NaN",
        "2026-03-04\0",
    ],
)
def test_texts_that_are_no_date(text: str) -> None:
    assert code_of(text) == "date_format"
    if "\n" not in text:
        assert code_of(text, csv=False) == "date_format"


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "29.02.2026",
        "30.02.26 10:00",
        "2026-13-01",
        "00.01.2026",
        "2026-00-10",
        "0000-01-01",
        "2026-03-04 24:00",
        "2026-03-04 25:00:00",
        "2026-03-04 10:60",
        "2026-03-04 10:00:60",
    ],
)
def test_dates_that_do_not_exist(text: str) -> None:
    assert code_of(text) == "date_nonexistent"
    assert code_of(text, csv=False) == "date_nonexistent"


def test_programs_get_the_same_names_for_the_same_faults() -> None:
    assert code_of("2026-02-30T10:00:00Z", csv=False) == "date_nonexistent"
    assert code_of("2026-03-04T24:00:00Z", csv=False) == "date_nonexistent"
    assert code_of("9999-12-31T23:59:59-10:00", csv=False) == "date_nonexistent"
    assert code_of("1969-12-31T23:59:59Z", ZoneInfo("UTC"), csv=False) == "date_before_1970"
    assert code_of("2026-03-04T10:00:00+99:00", csv=False) == "date_format"


def test_years_of_two_digits() -> None:
    assert parse_csv("01.02.69", MOSCOW).at.year == 2069
    assert parse_csv("01.02.70", MOSCOW).at.year == 1970
    assert parse_csv("29.02.00", MOSCOW).at.year == 2000


def test_dates_begin_in_1970_on_the_counters_clock() -> None:
    assert code_of("1969-12-31") == "date_before_1970"
    assert code_of("31.12.1969 23:59:59") == "date_before_1970"
    assert parse_csv("1970-01-01 00:00", MOSCOW).at == datetime(1969, 12, 31, 21, tzinfo=UTC)
    assert parse_any("1969-12-31T21:00:00Z", MOSCOW).at == datetime(1969, 12, 31, 21, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-03-29 02:00:00", "29.03.2026 02:30", "2026-03-29 02:59:59"])
def test_a_time_in_a_gap_is_an_error(text: str) -> None:
    assert code_of(text, BERLIN) == "time_in_gap"
    assert code_of(text, BERLIN, csv=False) == "time_in_gap"


def test_the_edges_of_a_gap_are_good() -> None:
    assert parse_csv("2026-03-29 01:59:59", BERLIN).at == datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)
    assert parse_csv("2026-03-29 03:00:00", BERLIN).at == datetime(2026, 3, 29, 1, 0, 0, tzinfo=UTC)


def test_a_day_that_a_zone_skipped() -> None:
    assert code_of("2011-12-30", ZoneInfo("Pacific/Apia")) == "time_in_gap"


def test_of_an_overlap_the_first_hour_is_taken_and_it_is_said() -> None:
    moment = parse_csv("2026-10-25 02:30:00", BERLIN)
    assert moment.at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert moment.ambiguous
    assert not parse_csv("2026-10-25 03:00:00", BERLIN).ambiguous
    assert not parse_csv("2026-10-25 01:59:59", BERLIN).ambiguous


def test_an_offset_is_taken_at_its_word_in_gap_and_overlap() -> None:
    assert parse_any("2026-10-25T02:30:00+01:00", BERLIN).at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert not parse_any("2026-10-25T02:30:00+01:00", BERLIN).ambiguous
    assert parse_any("2026-03-29T02:30:00+01:00", BERLIN).at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_russia_changed_its_clocks_for_good() -> None:
    """Moscow was at +4 until 26 October 2014, which is long enough ago for nobody to remember."""
    assert parse_csv("2014-10-25 12:00", MOSCOW).at == datetime(2014, 10, 25, 8, tzinfo=UTC)
    assert parse_csv("2014-10-27 12:00", MOSCOW).at == datetime(2014, 10, 27, 9, tzinfo=UTC)


def test_formatting() -> None:
    at = datetime(2026, 3, 4, 21, 5, 6, 999999, tzinfo=UTC)
    assert format_local(at, MOSCOW) == "2026-03-05 00:05:06"
    assert format_local(at, MOSCOW, date_only=True) == "2026-03-05"
    assert format_local(at.astimezone(BERLIN), MOSCOW) == "2026-03-05 00:05:06"
    with pytest.raises(ValueError, match="zone"):
        format_local(datetime(2026, 3, 4), MOSCOW)


def same_instant_after(at: datetime, zone: ZoneInfo) -> datetime:
    """What a clock that cannot tell the two hours of an overlap apart makes of a time."""
    local = at.astimezone(zone)
    return local.replace(fold=0).astimezone(UTC)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2037, 12, 31)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC)),
    st.sampled_from(ZONES),
)
def test_written_and_read_again_a_time_is_the_same(at: datetime, zone: ZoneInfo) -> None:
    moment = parse_csv(format_local(at, zone), zone)
    assert moment.at == same_instant_after(at, zone)
    assert moment.ambiguous == (
        at.astimezone(zone).replace(fold=0).utcoffset() != at.astimezone(zone).replace(fold=1).utcoffset()
    )
    assert parse_any(at.astimezone(zone).isoformat(), ZoneInfo("UTC")).at == at


@given(st.dates(datetime(1970, 1, 2).date(), datetime(2037, 12, 31).date()), st.sampled_from([MOSCOW, BERLIN]))
def test_a_date_alone_is_the_end_of_its_day(day: object, zone: ZoneInfo) -> None:
    moment = parse_csv(str(day), zone)
    assert moment.date_only
    assert format_local(moment.at, zone) == f"{day} 23:59:00"
    assert format_local(moment.at, zone, date_only=True) == str(day)


@given(st.text(max_size=30) | st.text("0123456789-:. TZ+", max_size=30), st.sampled_from(ZONES))
def test_any_text_is_a_date_or_a_date_error(text: str, zone: ZoneInfo) -> None:
    for parse in (parse_csv, parse_any):
        try:
            moment = parse(text, zone)
        except DateError:
            continue
        assert moment.at.utcoffset() == timedelta(0)
