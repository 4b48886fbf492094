"""Orders out of a CSV file as a CRM or a spreadsheet writes it: tolerant where nothing can be misread.

Rows come one by one in flat memory, as the mappings that `orders.intake` takes (R1), each with its line. A row that
cannot be cut into its cells comes with what is wrong with it; a quote that is never closed spoils its own line only.
"""

import contextlib
import csv
import io
import os
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from django.utils.translation import gettext as _

from apps.agencies.cells import bare
from apps.imports.columns import (
    ATTRIBUTE,
    CLEARED_BY_EMPTY,
    CLIENT_ATTRIBUTE,
    KEPT_BY_EMPTY,
    REQUIRED,
    Layout,
    cut_header,
    find_delimiter,
    read_header,
)
from apps.imports.encoding import Encoded, detect
from apps.metrica.wire.csvio import CellError, unusable

MAX_LINE = 1_000_000  # characters; a longer line is no order
MAX_RECORD = 2_000_000  # characters of one row that runs over several lines
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # Excel's own way to name the delimiter


@dataclass(slots=True)
class Record:
    """One row of the file. `line` is where it begins (the header is line 1); `row` is None where `error` says why."""

    line: int
    cells: list[str]
    row: dict[str, Any] | None
    error: CellError | None = None


class OrdersFile:
    """A CSV file of orders, opened and understood: encoding, delimiter, columns. A context manager.

    `lists`: columns of attributes with several values, which commas join. Raises UnusableFile where the file cannot be
    used at all; OSError where it cannot be read.
    """

    encoded: Encoded
    layout: Layout

    def __init__(
        self,
        path: Path,
        *,
        delimiter: str = "",
        column_map: Mapping[str, str] | None = None,
        lists: Collection[str] = (),
    ) -> None:
        self._lists = lists
        self._raw: BinaryIO = path.open("rb")
        try:
            self.encoded = detect(self._raw)
            self._text = io.TextIOWrapper(self._raw, encoding=self.encoded.encoding, newline="")
            self._lines = _Lines(self._text)
            self.layout = self._read_layout(delimiter, column_map or {})
        except BaseException:
            self._raw.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._raw.close()

    @property
    def position(self) -> int:
        """How many bytes were read so far."""
        return min(os.lseek(self._raw.fileno(), 0, os.SEEK_CUR), self.encoded.size)

    def _read_layout(self, delimiter: str, column_map: Mapping[str, str]) -> Layout:
        text, named = self._lines.first()
        return read_header(text, delimiter=delimiter or named, column_map=column_map)

    def records(self) -> Iterator[Record]:
        """Every row, once. Blank rows are passed over. Raises UnusableFile where the file changes under our hands."""
        lines, width = self._lines, len(self.layout.header)
        build = _row_builder(self.layout, self._lists)
        unguard = self.layout.is_report
        parser = csv.reader(lines, delimiter=self.layout.delimiter, strict=True)
        while True:
            lines.record.clear()
            line = lines.number + 1
            try:
                cells = next(parser)
            except StopIteration:
                return
            except csv.Error as error:
                one_line = len(lines.record) == 1
                yield lines.spoiled(line, _csv_error(line, str(error)) if one_line else _unclosed(line))
                continue
            except _Overlong:
                text = _("This line is longer than %(limit)s characters and is no order. A quote may not be closed.")
                yield lines.spoiled(line, CellError(line, "", "line_too_long", text % {"limit": MAX_LINE}))
                continue
            except UnicodeDecodeError:
                text = _("The file changed while it was read. Wait until it is complete and import it again.")
                raise unusable(line, "file_changed", text) from None
            if len(cells) != width:
                if not any(map(str.strip, cells)):
                    continue
                if len(lines.record) > 1 and self._next_line_fits(width):
                    yield lines.spoiled(line, _unclosed(line))
                    continue
                yield Record(line, cells, None, _wrong_width(line, len(cells), width))
                continue
            if unguard:
                cells = [bare(cell) for cell in cells]
            row = build(cells)
            if row is not None:
                row["_line"] = line
                yield Record(line, cells, row)

    def _next_line_fits(self, width: int) -> bool:
        """A row over several lines has the wrong number of cells: does its second line look like a row by itself?"""
        try:
            return len(next(csv.reader(self._lines.record[1:], delimiter=self.layout.delimiter, strict=True))) == width
        except (csv.Error, StopIteration):
            return False


class _Overlong(Exception):
    """A line or a row is longer than any order."""


class _Lines:
    """Physical lines with their number, and those of the present row, so that they can be read a second time."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._readline = text.readline
        self._again: deque[str] = deque()
        self._size = 0
        self.number = 0
        self.record: list[str] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._readline(MAX_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        record = self.record
        if record:
            self._size += len(line)
            if self._size > MAX_RECORD:
                record.append(line)
                raise _Overlong
        else:
            self._size = len(line)
        if len(line) >= MAX_LINE:
            record.append(self._cut(line))
            raise _Overlong
        record.append(line)
        return line

    def _cut(self, line: str) -> str:
        """The beginning of a line without end, as a line; its remainder is passed over."""
        rest = line
        while rest and rest[-1] not in "\r\n":
            rest = self._readline(MAX_LINE)
        return line if line[-1] in "\r\n" else line + "\n"

    def header(self) -> str:
        """The header, which may run over lines in quotes."""
        text = ""
        for line in self:
            text += line
            if text.count('"') % 2 == 0:
                break
        self.record.clear()
        return text.rstrip("\r\n")

    def first(self) -> tuple[str, str]:
        """The header, and the delimiter that a line above it names, as Excel writes it. Raises UnusableFile."""
        text, named = self.header(), ""
        if match := _SEPARATOR_LINE.fullmatch(text):
            named, text = match[1], self.header()
        if not text.strip():
            raise unusable(1, "no_header", _("The first line is empty. It must name the columns."))
        return text, named

    def spoiled(self, line: int, error: CellError) -> Record:
        """Give the row's first line as wrong; the lines that it swallowed will be read again, each by itself."""
        first, rest = self.record[0], self.record[1:]
        self._again.extendleft(reversed(rest))
        self.number = line
        return Record(line, [first.rstrip("\r\n")[:1000]], None, error)


@dataclass(frozen=True, slots=True)
class Peek:
    """What a file shows before its columns are named. `rows`: the first ones, as far as they can be cut."""

    encoded: Encoded
    delimiter: str
    header: list[str]
    rows: list[list[str]]


def peek(path: Path, *, delimiter: str = "", names: Collection[str] = (), rows: int = 3) -> Peek:
    """`delimiter` "" finds it out, by the `names` (in lower case) that a header may have. Raises UnusableFile."""
    with path.open("rb") as raw:
        encoded = detect(raw)
        lines = _Lines(io.TextIOWrapper(raw, encoding=encoded.encoding, newline=""))
        text, named = lines.first()
        sign = delimiter or named
        sign, header = (sign, cut_header(text, sign)) if sign else find_delimiter(text, names=names)
        found: list[list[str]] = []
        with contextlib.suppress(csv.Error, _Overlong):
            for cells in csv.reader(lines, delimiter=sign):
                if len(found) == rows:
                    break
                if any(map(str.strip, cells)):
                    found.append(cells)
                lines.record.clear()
        return Peek(encoded, sign, header, found)


def _row_builder(layout: Layout, lists: Collection[str]) -> Callable[[list[str]], dict[str, Any] | None]:
    """The function that names a row's cells; it gives None for a row without a single filled cell."""

    def places(columns: tuple[str, ...]) -> list[tuple[str, int]]:
        return [(column, layout.positions[column]) for column in columns if column in layout.positions]

    required, cleared, kept = places(REQUIRED), places(CLEARED_BY_EMPTY), places(KEPT_BY_EMPTY)
    # (the row's field, the attribute's name, its place, whether it is a list)
    attributes = [
        ("attributes" if kind == ATTRIBUTE else "client_attributes", name, position, column in lists)
        for column, position in layout.positions.items()
        for kind, _colon, name in [column.partition(":")]
        if kind in (ATTRIBUTE, CLIENT_ATTRIBUTE)
    ]

    def build(cells: list[str]) -> dict[str, Any] | None:
        row: dict[str, Any] = {column: cells[position] for column, position in required}
        for column, position in cleared:
            cell = cells[position]
            row[column] = cell if cell and not cell.isspace() else None
        for column, position in kept:
            cell = cells[position]
            if cell and not cell.isspace():
                row[column] = cell
        for field, name, position, is_list in attributes:
            values = row.setdefault(field, {})
            cell = cells[position]
            if cell and not cell.isspace():
                values[name] = [part for part in map(str.strip, cell.split(",")) if part] if is_list else cell
        return row if row["id"].strip() or any(map(str.strip, cells)) else None

    return build


def _csv_error(line: int, reason: str) -> CellError:
    if "field limit" in reason:
        text = _("A cell of this row is longer than %(limit)s characters. A quote may not be closed.")
        return CellError(line, "", "cell_too_long", text % {"limit": csv.field_size_limit()})
    if "unexpected end" in reason:
        return _unclosed(line)
    text = _("A quote stands in the wrong place. Inside a quoted cell, write two quotes for one.")
    return CellError(line, "", "bad_quoting", text)


def _unclosed(line: int) -> CellError:
    return CellError(line, "", "unclosed_quote", _("A quote opens in this line and is not closed."))


def _wrong_width(line: int, found: int, wanted: int) -> CellError:
    text = _("The row has %(found)s cells, the header %(wanted)s. Put a cell with a delimiter in quotes.")
    code = "too_many_cells" if found > wanted else "too_few_cells"
    return CellError(line, "", code, text % {"found": found, "wanted": wanted})
