"""Orders in: from a parsed body through intake to a result for each row. No serializer stands between (R1)."""

from typing import Any, Literal, NotRequired, TypedDict

from django.utils.translation import gettext_lazy as _

from apps.api.rows_in import RowErrorShape, refusal, rows_of, told
from apps.counters.models import Counter
from apps.orders import intake
from apps.orders.models import Source
from apps.orders.results import IntakeReport, RowResult


class ResultShape(TypedDict):
    """One row. `change`: the status change that it made; `hold`: why that waits for a person. `warnings`: what was left
    out of a row that was taken."""

    index: int
    id: str | None
    result: Literal["created", "updated", "unchanged", "rejected"]
    change: NotRequired[str | None]
    hold: NotRequired[str | None]
    errors: NotRequired[list[RowErrorShape]]
    warnings: NotRequired[list[RowErrorShape]]


class ReportShape(TypedDict):
    created: int
    updated: int
    unchanged: int
    rejected: int
    results: list[ResultShape]


def orders_of(payload: Any) -> list[Any]:
    """One order, or an array of them. Raises a Problem (400, 413)."""
    return rows_of(
        payload,
        code="not_orders",
        neither=_("The body must be an order or an array of orders."),
        too_many=_("One request takes up to %(limit)s orders; here are %(given)s."),
    )


def take_in(*, counter: Counter, rows: list[Any], atomic: bool = False) -> IntakeReport:
    """Raises a Problem (400) where all or nothing was asked for and it is nothing."""
    report = intake.accept_all(counter=counter, rows=rows, source=Source.API, atomic=atomic)
    if atomic and report.rejected:
        raise refusal(report.results)
    return report


def report_shape(report: IntakeReport) -> ReportShape:
    return {
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "rejected": report.rejected,
        "results": [result_shape(result) for result in report.results],
    }


def result_shape(result: RowResult) -> ResultShape:
    shape: ResultShape = {"index": result.index, "id": result.id, "result": result.result}
    if result.errors:
        shape["errors"] = told(result.errors)
    else:
        shape["change"] = None if result.change is None else str(result.change)
        shape["hold"] = result.hold
    if result.warnings:
        shape["warnings"] = told(result.warnings)
    return shape
