"""What the readers of the two formats find, in one shape and in English."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from django.utils import translation

from apps.metrica.wire.csvio import CellError, UnusableFile
from apps.metrica.wire.json_reading import FieldError, ReadItem, UnusableJson
from apps.metrica.wire.reading import ReadRow
from apps.sandbox.problems import RowProblem

R = TypeVar("R")
ReadRecord = tuple[int, R | None, list[RowProblem]]
"""Line of the file or number in the list; the record, or else what is wrong with it."""


class Unreadable(Exception):
    """The file or body cannot be used, from here on or at all."""

    def __init__(self, problems: Sequence[RowProblem]) -> None:
        super().__init__("; ".join(f"{problem.location}: {problem.code}" for problem in problems))
        self.problems = list(problems)


def from_csv(read: Callable[[], Iterable[ReadRow[R]]]) -> Iterator[ReadRecord[R]]:
    """Rows as `read` gives them. Raises Unreadable, also where `read` itself finds the header unusable."""
    try:
        for row in read():
            yield row.line, row.record, [_of_cell(error) for error in row.errors]
    except UnusableFile as error:
        raise Unreadable([_of_cell(cell) for cell in error.errors]) from error


def from_json(read: Callable[[], Iterable[ReadItem[R]]]) -> Iterator[ReadRecord[R]]:
    """Elements as `read` gives them. Raises Unreadable."""
    try:
        for item in read():
            yield item.index, item.record, [_of_field(error, item.index) for error in item.errors]
    except UnusableJson as error:
        raise Unreadable([_of_field(field, 0) for field in error.errors]) from error


def _of_cell(error: CellError) -> RowProblem:
    # What travels over the API is English whatever the language of the request.
    with translation.override("en"):
        return RowProblem(error.line, error.column, error.code, str(error.message))


def _of_field(error: FieldError, index: int) -> RowProblem:
    column = error.location.partition("].")[2] or error.location
    with translation.override("en"):
        return RowProblem(index, column, error.code, str(error.message), path=error.location)
