"""Rows in, of orders and of clients alike: how they stand in a body, and how it is told what was wrong with one."""

from collections.abc import Iterable
from typing import Any, Final, TypedDict

from django.utils.translation import gettext_lazy as _

from apps.api.problems import FieldError, Problem, bad_request
from apps.metrica.text import Text
from apps.orders.results import RowResult
from apps.orders.rows import RowError

MAX_ROWS: Final = 10_000
_NOT_TAKEN: Final = "not_taken"
"""What is said of good rows that a bad one kept out."""


class RowErrorShape(TypedDict):
    field: str | None
    code: str
    message: str


def rows_of(payload: Any, *, code: str, neither: Text, too_many: Text) -> list[Any]:
    """One row, or an array of them. Raises a Problem: 400 (`code`, `neither`) for anything else, 413 (`too_many`, with
    places for the limit and the number given) for too many."""
    if isinstance(payload, dict):
        return [payload]
    if not isinstance(payload, list):
        raise bad_request(code, neither, _("Write {…} or [{…}, {…}]."))
    if len(payload) > MAX_ROWS:
        raise Problem(
            status=413,
            code="too_many_rows",
            message=too_many % {"limit": MAX_ROWS, "given": len(payload)},
            next_step=_("Send them in several requests, one after the other."),
        )
    return payload


def told(errors: Iterable[RowError]) -> list[RowErrorShape]:
    return [{"field": error.field or None, "code": error.code, "message": str(error.message)} for error in errors]


def row_problems(result: RowResult) -> list[FieldError]:
    return [{**error} for error in told(result.errors)]


def row_error(error: FieldError) -> RowErrorShape:
    """What kept a row from being read, as rows are told of: the next step is part of the message there."""
    message = " ".join(filter(None, [error["message"], error.get("next_step", "")]))
    return {"field": error["field"], "code": error["code"], "message": message}


def refusal(results: Iterable[RowResult]) -> Problem:
    """All or nothing was asked for, and it is nothing (400)."""
    errors: list[FieldError] = [
        {**error, "index": result.index, "id": result.id}
        for result in results
        for error in row_problems(result)
        if error["code"] != _NOT_TAKEN
    ]
    return Problem(
        status=400,
        code="rows_rejected",
        message=_("All or nothing was asked for, and some rows cannot be taken. None was."),
        next_step=_("Correct the rows named in errors and send all again."),
        errors=errors,
    )
