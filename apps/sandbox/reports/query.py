"""A report's query, read strictly (stat/data page)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from operator import eq, ge, gt, le, lt, ne

from django.http import QueryDict

from apps.metrica.serving.envelope import ApiError
from apps.sandbox.reports.errors import report_error, wrong_attribute, wrong_filter
from apps.sandbox.reports.metrics import Metric, check_sets, read_metric

MOST_METRICS, MOST_DIMENSIONS, MOST_ROWS, MOST_COUNTERS = 20, 10, 100_000, 500
_MOST_FILTERS, _LONGEST_FILTER = 20, 10_000
_EARLIEST, _LATEST = date(1970, 1, 1), date(2100, 1, 1)

DAY = "ym:s:date"
_SOURCE = re.compile(
    r"ym:s:(?:<attribution>|last|first|lastsign|last_yandex_direct_click|automatic|)"
    r"(?P<name>TrafficSource|SourceEngine)\Z",
    re.IGNORECASE,
)
_PRESETS = {
    "orders_sources": (
        ("ym:s:<attribution>TrafficSource", "ym:s:<attribution>SourceEngine"),
        (
            "ym:s:visits",
            "ym:s:cdpOrdersAllOrders",
            "ym:s:cdpOrdersConversionIntoOrder",
            "ym:s:cdpOrdersPayed",
            "ym:s:cdpOrdersConversionIntoPayment",
            "ym:s:cdpOrders<currency>Revenue",
            "ym:s:cdpOrders<currency>AverageCheque",
        ),
    )
}
_ATTRIBUTIONS = {"last": "Last", "first": "First", "lastsign": "LastSign", "automatic": "Automatic"}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_DAYS_AGO = re.compile(r"([0-9]{1,5})daysAgo\Z", re.IGNORECASE)
_OFFSET = re.compile(r"([+-])([0-9]{2}):([0-5][0-9])\Z")
_CONDITION = re.compile(r"ym:s:date\s*(==|!=|>=|<=|>|<)\s*'?([0-9]{4}-[0-9]{2}-[0-9]{2})'?\Z")
_OPERATORS: dict[str, Callable[[date, date], bool]] = {"==": eq, "!=": ne, ">=": ge, "<=": le, ">": gt, "<": lt}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQuery:
    metrics: Sequence[Metric]
    dimensions: Sequence[str]
    date1: date
    date2: date
    days: Sequence[tuple[date, date]]  # ranges that the filter leaves of the period
    sort: Sequence[str]
    limit: int
    offset: int
    zone: tzinfo | None  # None: each counter's own
    preset: str
    filters: str
    attribution: str
    currency: str
    time_zone: str


def read_query(query: QueryDict, *, today: Callable[[tzinfo | None], date]) -> ReportQuery:
    """`today` gives the present day of a zone, or of the counter for None. Raises ApiError."""
    currency = query.get("currency", "") or "RUB"
    goal_id = query.get("goal_id", "")
    preset = query.get("preset", "")
    if preset and preset not in _PRESETS:
        raise ApiError("invalid_parameter", f"The sandbox has no preset {preset}.", location="preset")
    preset_dimensions, preset_metrics = _PRESETS.get(preset, ((), ()))
    names = _names(query, "metrics") or list(preset_metrics)
    if not names:
        if "metrics" in query:
            raise ApiError("invalid_parameter", "Wrong parameter: 'metrics', value: ''", location="metrics")
        raise ApiError("missing_parameter", "metrics is required.", location="metrics")
    _at_most(names, MOST_METRICS, 4015, "metrics")
    dimensions = _names(query, "dimensions") or list(preset_dimensions)
    _at_most(dimensions, MOST_DIMENSIONS, 4016, "dimensions")
    check_sets([*names, *dimensions])
    for name in dimensions:
        if name != DAY and not _SOURCE.match(name):
            raise wrong_attribute(name)
    metrics = [read_metric(name, currency=currency, goal_id=goal_id) for name in names]
    zone = _zone(query)
    date1, date2 = _day(query, "date1", "6daysAgo", today(zone)), _day(query, "date2", "today", today(zone))
    if date1 > date2:
        raise report_error(4005, f"Wrong start or end date of the report, value: {date1} {date2}", location="date1")
    filters = query.get("filters", "")
    return ReportQuery(
        metrics=metrics,
        dimensions=dimensions,
        date1=date1,
        date2=date2,
        days=_ranges(date1, date2, filters),
        sort=_sort(query, [*dimensions, *(metric.name for metric in metrics)]),
        limit=_whole(query, "limit", default=100, least=0, most=MOST_ROWS, code=4013),
        offset=_whole(query, "offset", default=1, least=1, most=2**31 - 1, code=4018),
        zone=zone,
        preset=preset,
        filters=filters,
        attribution=_attribution(query),
        currency=currency,
        time_zone=query.get("timezone", ""),
    )


def source_of(dimension: str) -> str:
    """TrafficSource or SourceEngine, or "" for the day."""
    found = _SOURCE.match(dimension)
    return found["name"] if found else ""


def _names(query: QueryDict, name: str) -> list[str]:
    return [part.strip() for part in query.get(name, "").split(",") if part.strip()]


def _at_most(names: Sequence[str], most: int, code: int, what: str) -> None:
    if len(names) > most:
        raise report_error(
            code, f"Exceeded number of {what} in request, value: {len(names)}, limit: {most}", location=what
        )


def _day(query: QueryDict, name: str, default: str, today: date) -> date:
    text = query.get(name, "") or default
    if text == "today":
        return today
    if text == "yesterday":
        return today - timedelta(days=1)
    try:
        if found := _DAYS_AGO.match(text):
            day = today - timedelta(days=int(found[1]))
        else:
            day = date.fromisoformat(text if _DATE.match(text) else "")
    except ValueError:
        day = date.min
    if not _EARLIEST <= day <= _LATEST:
        raise report_error(4018, f"Wrong parameter, value: {name}: {text[:50]}", location=name)
    return day


def _ranges(date1: date, date2: date, filters: str) -> list[tuple[date, date]]:
    """The days of the period for which every condition holds. Only `ym:s:date`, joined by AND, is understood."""
    if len(filters) > _LONGEST_FILTER:
        raise report_error(4022, f"The filter is too long, value: {len(filters)}, limit: {_LONGEST_FILTER}")
    texts = re.split(r"\s+AND\s+", filters.strip()) if filters.strip() else []
    if len(texts) > _MOST_FILTERS:
        raise report_error(4021, f"Exceeded number of filters in request, value: {len(texts)}, limit: {_MOST_FILTERS}")
    conditions = []
    for text in texts:
        found = _CONDITION.match(text.strip())
        if not found:
            raise wrong_filter(
                f"{text[:200]} (the sandbox filters by ym:s:date with ==, !=, >, <, >=, <= and AND only)"
            )
        try:
            conditions.append((_OPERATORS[found[1]], date.fromisoformat(found[2])))
        except ValueError:
            raise wrong_filter(text[:200]) from None
    if not conditions:
        return [(date1, date2)]
    ranges: list[tuple[date, date]] = []
    for number in range((date2 - date1).days + 1):
        day = date1 + timedelta(days=number)
        if not all(holds(day, wanted) for holds, wanted in conditions):
            continue
        if ranges and ranges[-1][1] == day - timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges


def _sort(query: QueryDict, columns: Sequence[str]) -> list[str]:
    names = _names(query, "sort")
    for name in names:
        if name.lstrip("-") not in columns:
            raise report_error(4018, f"Wrong parameter, value: sort: {name}", location="sort")
    return names


def _zone(query: QueryDict) -> tzinfo | None:
    text = query.get("timezone", "")
    if not text:
        return None
    found = _OFFSET.match(text)
    if not found or int(found[2]) > 23:
        raise report_error(4018, f"Wrong parameter, value: timezone: {text}", location="timezone")
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-offset if found[1] == "-" else offset)


def _attribution(query: QueryDict) -> str:
    text = query.get("attribution", "") or "lastsign"
    if text.lower() not in _ATTRIBUTIONS:
        raise ApiError("invalid_parameter", f"Wrong attribution value: {text}", location="attribution")
    return _ATTRIBUTIONS[text.lower()]


def _whole(query: QueryDict, name: str, *, default: int, least: int, most: int, code: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or not least <= int(text) <= most:
        raise report_error(code, f"Wrong value of {name}, value: {text[:20]}", location=name)
    return int(text)


def today_in(zone: tzinfo, now: datetime) -> date:
    return now.astimezone(zone).date()
