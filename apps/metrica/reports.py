"""An answer of the reports: rows of dimensions and metrics. Pages: stat/data, cdp_orders metrics."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from apps.metrica.parts import Unreadable, decimal, entries, flag, text


@dataclass(frozen=True, slots=True)
class Dimension:
    """A value by which rows are grouped. `id` is "" for dimensions without identifiers, such as days."""

    name: str
    id: str
    raw: dict[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ReportRow:
    """`dimensions` and `metrics` stand in the order in which they were asked for. None: Metrica gave no number."""

    dimensions: tuple[Dimension, ...]
    metrics: tuple[Decimal | None, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """`total_rows` counts the rows without the limit; `totals` are sums over all of them, a value for each metric.
    Metrica leaves rows out in which all metrics are 0. `sampled`: figures are an estimate from a part of the visits.
    """

    rows: list[ReportRow]
    totals: tuple[Decimal | None, ...]
    total_rows: int
    sampled: bool
    raw: dict[str, Any] = field(repr=False, compare=False)


def read_report(answer: object, *, metrics: int, dimensions: int) -> Report:
    """The parsed JSON as a report of that many columns. Raises Unreadable where it has another shape."""
    rows = [
        ReportRow(
            tuple(
                Dimension(text(entry.get("name")), text(entry.get("id")), raw=entry)
                for entry in entries(row, "dimensions")
            ),
            _numbers(row.get("metrics"), metrics),
        )
        for row in entries(answer, "data")
    ]
    if any(len(row.dimensions) != dimensions for row in rows):
        raise Unreadable("dimensions")
    assert isinstance(answer, dict)
    total_rows = answer.get("total_rows")
    return Report(
        rows=rows,
        totals=_numbers(answer.get("totals"), metrics),
        total_rows=total_rows if isinstance(total_rows, int) else len(rows),
        sampled=bool(flag(answer.get("sampled"))),
        raw=answer,
    )


def _numbers(value: object, count: int) -> tuple[Decimal | None, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise Unreadable("metrics")
    return tuple(decimal(item) for item in value)
