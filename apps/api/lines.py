"""Newline-delimited JSON, read line by line in flat memory: what is wrong with a line is told of that line alone."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from apps.api.parsing import Place, read_json
from apps.api.problems import Problem, bad_request

LONGEST: Final = 1024 * 1024
"""Bytes of one line. An order with all that it may hold stays far below."""

_PLACE = Place(_("Byte %(byte)s of this line is not UTF-8."), _("This line is no JSON of its own: column %(column)s."))
_SOMETHING = re.compile(rb"[^ \t\r]")


@dataclass(slots=True)
class Line:
    """One line that holds something: its value, or what is wrong with it. `number`: from 1, blank ones counted too."""

    number: int
    value: Any = None
    problem: Problem | None = None


class Lines:
    """The lines of a body. Where that breaks off, the lines end and `broken` says why; the piece of a line that had
    come by then is none. `ended`: how many have ended so far."""

    def __init__(self, pieces: Iterable[bytes], *, longest: int = LONGEST) -> None:
        self._pieces = pieces
        self._longest = longest
        self.ended = 0
        self.broken: Problem | None = None

    def give_up(self, problem: Problem, *, at: int) -> None:
        """The line `at`, and what comes after it, was not taken."""
        self.broken, self.ended = problem, at - 1

    def __iter__(self) -> Iterator[Line]:
        begun: list[bytes] = []
        size = 0  # of the line that has begun, of which no more than the longest is kept
        try:
            for piece in self._pieces:
                *whole, rest = piece.split(b"\n")
                for text in whole:
                    size += len(text)
                    if size <= self._longest:
                        text = b"".join([*begun, text]) if begun else text
                    self.ended += 1
                    yield from self._read(text, size)
                    begun, size = [], 0
                if rest:
                    size += len(rest)
                    if size <= self._longest:
                        begun.append(rest)
                    else:
                        begun.clear()
        except Problem as problem:
            self.broken = problem
            return
        if size:
            self.ended += 1
            yield from self._read(b"".join(begun), size)

    def _read(self, text: bytes, size: int) -> Iterator[Line]:
        number = self.ended
        if size > self._longest:
            yield Line(number, problem=_too_long(self._longest))
        elif _SOMETHING.search(text):
            try:
                yield Line(number, read_json(text, _PLACE))
            except Problem as problem:
                yield Line(number, problem=problem)


def _too_long(longest: int) -> Problem:
    message = _("A line is longer than %(limit)s bytes.") % {"limit": longest}
    return bad_request("line_too_long", message, _("Write each order on a line of its own."))
