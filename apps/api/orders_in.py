"""Orders in: from a parsed body through intake to a result for each row. No serializer stands between (R1)."""

from collections.abc import Iterable
from typing import Any, Literal, NotRequired, TypedDict

from django.utils.translation import gettext_lazy as _

from apps.api.problems import FieldError, Problem, bad_request
from apps.counters.models import Counter
from apps.orders import intake
from apps.orders.models import Source
from apps.orders.results import IntakeReport, RowResult
from apps.orders.rows import RowError

MAX_ROWS = 10_000
NOT_TAKEN = "not_taken"  # what intake says of good rows that a bad one kept out


class RowErrorShape(TypedDict):
    field: str | None
    code: str
    message: str


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


def rows_of(payload: Any) -> list[Any]:
    """One order, or an array of them. Raises a Problem: 400 for anything else, 413 for too many."""
    if isinstance(payload, dict):
        return [payload]
    if not isinstance(payload, list):
        message = _("The body must be an order or an array of orders.")
        raise bad_request("not_orders", message, _("Write {…} or [{…}, {…}]."))
    if len(payload) > MAX_ROWS:
        message = _("One request takes up to %(limit)s orders; here are %(given)s.")
        raise Problem(
            status=413,
            code="too_many_rows",
            message=message % {"limit": MAX_ROWS, "given": len(payload)},
            next_step=_("Send them in several requests, one after the other."),
        )
    return payload


def take_in(*, counter: Counter, rows: list[Any], atomic: bool = False) -> IntakeReport:
    """Raises a Problem (400) where all or nothing was asked for and it is nothing."""
    report = intake.accept_all(counter=counter, rows=rows, source=Source.API, atomic=atomic)
    if atomic and report.rejected:
        raise _refusal(report.results)
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
        shape["errors"] = _told(result.errors)
    else:
        shape["change"] = None if result.change is None else str(result.change)
        shape["hold"] = result.hold
    if result.warnings:
        shape["warnings"] = _told(result.warnings)
    return shape


def row_problems(result: RowResult) -> list[FieldError]:
    return [
        {"field": error.field or None, "code": error.code, "message": str(error.message)} for error in result.errors
    ]


def row_error(error: FieldError) -> RowErrorShape:
    """What kept a row from being read, as rows are told of: the next step is part of the message there."""
    message = " ".join(filter(None, [error["message"], error.get("next_step", "")]))
    return {"field": error["field"], "code": error["code"], "message": message}


def _told(errors: Iterable[RowError]) -> list[RowErrorShape]:
    return [{"field": error.field or None, "code": error.code, "message": str(error.message)} for error in errors]


def _refusal(results: Iterable[RowResult]) -> Problem:
    errors: list[FieldError] = [
        {**error, "index": result.index, "id": result.id}
        for result in results
        for error in row_problems(result)
        if error["code"] != NOT_TAKEN
    ]
    return Problem(
        status=400,
        code="rows_rejected",
        message=_("All or nothing was asked for, and some rows cannot be taken. None was."),
        next_step=_("Correct the rows named in errors and send all again."),
        errors=errors,
    )
