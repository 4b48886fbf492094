"""Orders in by the line (R1): a body of any length, in flat memory, and what became of each line told as it is kept.

Rows go through intake in chunks, each one transaction (R2). Of what was told, everything is committed; what was
committed is told, unless the connection is gone.
"""

import json
from collections import Counter as Counting
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from typing import Any, Final, NotRequired, TypedDict

import structlog
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from apps.api import bodies, problems
from apps.api.duplex import Duplex
from apps.api.lines import LONGEST, Lines
from apps.api.orders_in import ResultShape, result_shape
from apps.api.problems import Problem, ProblemShape, bad_request
from apps.api.rows_in import row_error
from apps.counters.models import Counter
from apps.orders import intake
from apps.orders.models import Source

log = structlog.get_logger(__name__)

MEDIA_TYPES: Final = ("application/x-ndjson", "application/ndjson")
CHUNK: Final = 2000
_TOLD_AT_ONCE: Final = 500
"""Results in one piece of the answer; a part of CHUNK, so that no result waits for the next chunk."""

_LOOKED_AT: Final = 16 * 1024 * 1024
"""Bytes without an end of a line after which the answer begins: a compressed body has shown by then what it is."""

Pause = Callable[[], None]
"""Called before each row is taken; may wait."""


class BrokeOffShape(ProblemShape):
    """`line`: where it broke off; what came before was read whole."""

    line: int


class LineResultShape(ResultShape):
    """One row of a stream. `line`: its line in the body, from 1; blank lines count and have no result."""

    line: int


class LastLineShape(TypedDict):
    """The end of the answer to a stream. `complete`: the whole body was read; else `error` says why not."""

    complete: bool
    rows: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    error: NotRequired[BrokeOffShape | None]


class Stream:
    """One body's way through intake. `is_full`: true where nobody reads the answer."""

    def __init__(
        self, *, counter: Counter, lines: Lines, before_row: Pause | None = None, is_full: Callable[[], bool]
    ) -> None:
        self._counter = counter
        self._lines = lines
        self._before_row = before_row
        self._is_full = is_full
        self._untold: deque[tuple[int, Problem | None]] = deque()
        self._counts: Counting[str] = Counting()

    def answer(self) -> Iterator[bytes]:
        """Lines of JSON: a result for each row, several in a piece, and one that sums up."""
        error: BrokeOffShape | None = None
        told: list[bytes] = []
        try:
            results = intake.accept(counter=self._counter, rows=self._rows(), source=Source.API, chunk_size=CHUNK)
            with closing(results):  # type: ignore[type-var]
                for result in results:
                    self._counts[result.result] += 1
                    told.append(self._told(result_shape(result)))
                    if len(told) == _TOLD_AT_ONCE:
                        yield b"".join(told)
                        told.clear()
            if self._lines.broken is not None:
                error = self._broke_off(self._lines.broken, self._lines.ended + 1)
        except Exception as broken:
            log.exception("a stream of orders broke off", counter=self._counter.metrica_id)
            first = self._untold[0][0] if self._untold else self._lines.ended + 1
            error = self._broke_off(problems.fault(broken), first)
        yield b"".join(told) + self._last(error)

    def _rows(self) -> Iterator[Any]:
        for number, line in enumerate(self._lines):
            if number % CHUNK == 0 and self._is_full():
                self._lines.give_up(_not_read(), at=line.number)
                return
            if self._before_row is not None:
                self._before_row()
            self._untold.append((line.number, line.problem))
            yield line.value

    def _told(self, result: ResultShape) -> bytes:
        number, problem = self._untold.popleft()
        shape: LineResultShape = {**result, "line": number}
        if problem is not None:
            shape["errors"] = [row_error(error) for error in problem.errors]
        return _line(shape)

    def _broke_off(self, problem: Problem, line: int) -> BrokeOffShape:
        return {**problems.body(problem), "line": line}

    def _last(self, error: BrokeOffShape | None) -> bytes:
        shape: LastLineShape = {
            "complete": error is None,
            "rows": self._counts.total(),
            "created": self._counts["created"],
            "updated": self._counts["updated"],
            "unchanged": self._counts["unchanged"],
            "rejected": self._counts["rejected"],
            "error": error,
        }
        return _line(shape)


def is_stream(request: Request) -> bool:
    return (request.content_type or "").partition(";")[0].strip().lower() in MEDIA_TYPES


def streamed(*, request: HttpRequest, counter: Counter, before_row: Pause | None = None) -> StreamingHttpResponse:
    """The answer to a body of lines. Raises a Problem where even its first line cannot be read: 400, 408, 411, 413,
    415."""
    pieces = bodies.pieces(request)
    first = _beginning(pieces) if bodies.is_there(request) else []
    if not first:
        raise bad_request("empty_body", _("The body is empty."), _("Send one order as JSON on each line."))
    lines = Lines(chain(first, pieces))

    def work(is_full: Callable[[], bool]) -> Iterator[bytes]:
        return Stream(counter=counter, lines=lines, before_row=before_row, is_full=is_full).answer()

    response = StreamingHttpResponse(Duplex(request, work), content_type=MEDIA_TYPES[0])
    response.headers["X-Accel-Buffering"] = "no"  # nginx passes each piece on at once
    return response


def _beginning(pieces: Iterator[bytes]) -> list[bytes]:
    """Pieces until a line has ended, or is far too long to be one; of such a one the middle is left out."""
    found: list[bytes] = []
    size = 0
    for piece in pieces:
        has_end = b"\n" in piece
        if size <= LONGEST or has_end:
            found.append(piece)
        size += len(piece)
        if has_end or size > _LOOKED_AT:
            break
    return found


def _line(shape: Any) -> bytes:
    return _encode(shape).encode() + b"\n"


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _not_read() -> Problem:
    return Problem(
        status=400,
        code="answer_not_read",
        message=_("The answer is not read, and no more of it can be kept."),
        next_step=_("Read the answer while you send, and go on from this line."),
    )
