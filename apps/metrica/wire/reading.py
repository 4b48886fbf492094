"""Reading Metrica's CSV files strictly: every fault of a row is said at once, with line and column (R7).

What differs from file to file is the columns, their parsers, and what a record must hold.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, TypeVar

from apps.metrica.dates import Moment
from apps.metrica.problems import BadValue
from apps.metrica.text import _, filled
from apps.metrica.vocabulary import Delimiter
from apps.metrica.wire.csvio import CellError, Records, unusable
from apps.metrica.wire.header import resolve_header
from apps.metrica.wire.values import REQUIRED, nul

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReadRow(Generic[T]):
    """One row of a file: its first line (the header is line 1), and the record or else what is wrong with it."""

    line: int
    record: T | None
    errors: tuple[CellError, ...]


@dataclass(slots=True)  # not frozen: that would cost a tenth of the time of reading
class Row:
    """The cells of a row, parsed as far as they can be. `given`: attributes whose cell is not blank; `cut`: the
    number of cells is wrong, so nothing else can be said.
    """

    line: int
    values: dict[str, Any]
    given: set[str]
    errors: list[CellError]
    cut: bool = False


class Table:
    """A CSV file whose header has been read. Iterates its rows in file order, in flat memory.

    `parsers` by attribute; what has none is text. Raises UnusableFile at once for the header, and while iterating
    where the file stops being readable. Blank lines are skipped.
    """

    def __init__(
        self,
        fp: BinaryIO,
        *,
        known: Sequence[str],
        required: Sequence[str],
        parsers: Mapping[str, Callable[[str], object]],
        delimiter: Delimiter,
        ignore_unknown_columns: bool,
        columns_mapping: Mapping[str, str] | None = None,
    ) -> None:
        self._records = iter(Records(fp, delimiter=delimiter))
        if (first := next(self._records, None)) is None:
            raise unusable(1, "empty", _("The file is empty. Its first line must name the columns."))
        self.header_line, header = first
        self._width = len(header)
        self.columns = resolve_header(
            header,
            line=self.header_line,
            known=known,
            required=required,
            delimiter=delimiter,
            ignore_unknown=ignore_unknown_columns,
            mapping=columns_mapping,
        )
        self._required = [(name, self.title(name), REQUIRED[name]) for name in required]
        self._cells = [
            (column.number, column.title, column.attribute, parsers.get(column.attribute, str))
            for column in self.columns
        ]

    def title(self, attribute: str) -> str:
        """What the file calls this attribute."""
        return next((column.title for column in self.columns if column.attribute == attribute), attribute)

    def __iter__(self) -> Iterator[Row]:
        for line, cells in self._records:
            yield self._row(line, cells)

    def _row(self, line: int, cells: list[str]) -> Row:
        if len(cells) != self._width:
            message = filled(
                _("The row has %(found)s cells, the header has %(expected)s. A cell with a comma needs quotes."),
                found=len(cells),
                expected=self._width,
            )
            return Row(line, {}, set(), [CellError(line, "", "cell_count", message)], cut=True)
        values: dict[str, Any] = {}
        given: set[str] = set()
        errors: list[CellError] = []
        for number, title, attribute, parse in self._cells:
            if text := cells[number]:
                given.add(attribute)
                try:
                    if "\0" in text:
                        raise nul()
                    values[attribute] = parse(text)
                except BadValue as problem:
                    errors.append(CellError(line, title, problem.code, problem.message))
        for attribute, title, message in self._required:
            if attribute not in given:
                errors.append(CellError(line, title, "required", message))
        return Row(line, values, given, errors)


def with_times(found: dict[str, Any], times: Mapping[str, str]) -> dict[str, Any]:
    """`found` with each Moment taken apart into its time (UTC) and its flag; `times` names the flag of each field."""
    for name, flag in times.items():
        if name in found:
            moment: Moment = found[name]
            found[name], found[flag] = moment.at, moment.date_only
    return found


def with_attributes(found: dict[str, Any], attributes: Mapping[str, bool]) -> dict[str, Any]:
    """`found` with the custom attributes in a mapping of their own."""
    found["attributes"] = {name: found.pop(name) for name in attributes if name in found}
    return found


def columns_of(attributes: Mapping[str, bool]) -> dict[str, Callable[[str], object]]:
    """The parsers of custom attributes' cells, by name; the value says whether the attribute is multivalued."""
    return {name: _several if multivalued else _single for name, multivalued in attributes.items()}


def _single(text: str) -> tuple[str, ...]:
    return (text,)


def _several(text: str) -> tuple[str, ...]:
    values = tuple(text.split(","))
    if "" in values:
        raise BadValue("empty", _("A value of the list is empty."))
    return values
