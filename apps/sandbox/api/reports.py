"""`/stat/v1/data`: a report as a table (stat/data page)."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta, tzinfo
from typing import Any

from django.utils import timezone

from apps.metrica.serving.envelope import ApiError
from apps.metrica.serving.query import numbers
from apps.sandbox import switches
from apps.sandbox.api.endpoint import Call, endpoint
from apps.sandbox.models import Endpoint, SandboxCounter, SandboxGoal
from apps.sandbox.reports.errors import wrong_metric
from apps.sandbox.reports.figures import Figures, GoalFigures, Scope, figures
from apps.sandbox.reports.query import DAY, MOST_COUNTERS, ReportQuery, read_query, source_of, today_in

_DELAY = timedelta(hours=2)
_Row = tuple[list[dict[str, Any]], list[float | None]]


@endpoint(Endpoint.REPORT)
def data(call: Call) -> dict[str, Any]:
    query, now = call.request.GET, timezone.now()
    counters = _counters(call)
    first = counters[0].zone
    asked = read_query(query, today=lambda zone: today_in(zone or first, now))
    moved = switches.values()
    delayed = moved["report_delay"] == "two_hours"
    scope = Scope(
        zones=_zones(counters, asked.zone),
        ranges=asked.days,
        until=now - _DELAY if delayed else None,
        goals=_goals(asked, counters),
        currencies=sorted({metric.currency for metric in asked.metrics if metric.goal and metric.currency}),
        goals_by_order=moved["young_goal"] == "order",
        with_orders=any("cdpOrders" in metric.name for metric in asked.metrics),
    )
    nothing = Figures(goals={goal.pk: GoalFigures() for goal in scope.goals})
    total = figures(scope, by_day=False).get(None, nothing)
    rows = _rows(asked, scope, total)
    page = rows[asked.offset - 1 : asked.offset - 1 + asked.limit]
    return {
        "query": _echo(asked, counters),
        "data": [{"dimensions": dimensions, "metrics": values} for dimensions, values in page],
        "total_rows": len(rows),
        "total_rows_rounded": False,
        "sampled": False,
        "contains_sensitive_data": False,
        "sample_share": 1.0,
        "sample_size": total.visits,
        "sample_space": total.visits,
        "data_lag": int(_DELAY.total_seconds()) if delayed else 0,
        "totals": [metric.value(total) for metric in asked.metrics],
        "min": _extremes(asked, rows, min),
        "max": _extremes(asked, rows, max),
    }


def _counters(call: Call) -> list[SandboxCounter]:
    """The counters of `ids`, as asked for. 404 for one that is not there, 403 for one that the login may not open."""
    query = call.request.GET
    if "ids" not in query:
        raise ApiError("missing_parameter", "ids is required.", location="ids")
    wanted = list(dict.fromkeys(numbers(query, "ids", most=MOST_COUNTERS)))
    if not wanted:
        raise ApiError("invalid_parameter", "Wrong parameter: 'ids', value: ''", location="ids")
    there = SandboxCounter.objects.filter(metrica_id__in=wanted, deleted_at=None)
    found = {counter.metrica_id: counter for counter in there}
    missing = [number for number in wanted if number not in found]
    if missing:
        raise ApiError("not_found", f"There is no counter {missing[0]}.", location="ids")
    if there.open_to(call.login).count() < len(wanted):
        raise ApiError("access_denied", "Access is denied.", location="ids")
    return [found[number] for number in wanted]


def _zones(counters: Sequence[SandboxCounter], fixed: tzinfo | None) -> dict[tzinfo, list[SandboxCounter]]:
    zones: dict[tzinfo, list[SandboxCounter]] = {}
    for counter in counters:
        zones.setdefault(fixed or counter.zone, []).append(counter)
    return zones


def _goals(asked: ReportQuery, counters: Sequence[SandboxCounter]) -> list[SandboxGoal]:
    wanted = {metric.goal: metric.name for metric in asked.metrics if metric.goal is not None}
    if not wanted:
        return []
    found = list(SandboxGoal.objects.shown_of(counters).filter(pk__in=wanted))
    for number in wanted.keys() - {goal.pk for goal in found}:
        raise wrong_metric(wanted[number], " (the counters have no such goal)")
    return found


def _rows(asked: ReportQuery, scope: Scope, total: Figures) -> list[_Row]:
    """All rows, sorted; those in which every metric is zero are left out (seen live)."""
    by_day = DAY in asked.dimensions
    found = figures(scope, by_day=by_day) if by_day else {None: total}
    rows: list[_Row] = []
    for key, figure in found.items():
        values = [metric.value(figure) for metric in asked.metrics]
        if any(values):
            rows.append(([_dimension(name, key) for name in asked.dimensions], values))
    # Without `sort`, by the first metric, from the largest.
    columns = [*asked.dimensions, *(metric.name for metric in asked.metrics)]
    rows.sort(key=lambda row: _texts(row))
    for name in reversed(asked.sort or [f"-{asked.metrics[0].name}"]):
        place = columns.index(name.lstrip("-"))
        rows.sort(key=lambda row, place=place: _cell(row, place), reverse=name.startswith("-"))  # type: ignore[misc]
    return rows


def _texts(row: _Row) -> list[str]:
    return [str(dimension["name"]) for dimension in row[0]]


def _cell(row: _Row, place: int) -> Any:
    dimensions, values = row
    if place < len(dimensions):
        return str(dimensions[place]["name"])
    return values[place - len(dimensions)] or 0.0


def _dimension(name: str, day: date | None) -> dict[str, Any]:
    """Visits of the sandbox come without a source, which Metrica takes for direct traffic."""
    source = source_of(name)
    if not source:
        assert day is not None
        return {"name": day.isoformat()}
    if source.lower() == "trafficsource":
        return {"icon_id": "0", "icon_type": "traffic-source", "name": "Direct traffic", "id": "direct"}
    return {"name": None, "id": None}


def _extremes(asked: ReportQuery, rows: Sequence[_Row], choose: Callable[..., float | None]) -> list[float | None]:
    """The smallest or largest value of each metric among the rows."""
    columns = [[values[place] for _dimensions, values in rows] for place in range(len(asked.metrics))]
    return [choose((value for value in column if value is not None), default=None) for column in columns]


def _echo(asked: ReportQuery, counters: Sequence[SandboxCounter]) -> dict[str, Any]:
    echo: dict[str, Any] = {
        "ids": [counter.metrica_id for counter in counters],
        "dimensions": list(asked.dimensions),
        "metrics": [metric.name for metric in asked.metrics],
        "sort": list(asked.sort) or [f"-{asked.metrics[0].name}"],
        "date1": asked.date1.isoformat(),
        "date2": asked.date2.isoformat(),
        "limit": asked.limit,
        "offset": asked.offset,
        "group": "Day",
        "auto_group_size": "1",
        "attr_name": "",
        "quantile": "50",
        "offline_window": "21",
        "attribution": asked.attribution,
        "currency": asked.currency,
        "adfox_event_id": "0",
    }
    more = {"preset": asked.preset, "filters": asked.filters, "timezone": asked.time_zone}
    return echo | {name: value for name, value in more.items() if value}
