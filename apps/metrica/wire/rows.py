"""Writing Metrica's CSV files: RFC 4180, UTF-8 without BOM, CRLF, the full header first (R5). Page: uploadSimpleOrders.

What differs from file to file is only how a record becomes cells.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import BinaryIO, Generic, TypeVar

from apps.metrica.text import Text, _
from apps.metrica.vocabulary import Delimiter

ROWS_AT_A_TIME = 1000
_BETWEEN = "\x1f"

T = TypeVar("T")


class UnwritableRow(ValueError):
    """The format has no way to say what this record holds, for instance a NUL byte. `record` is the culprit."""

    def __init__(self, record: object, message: Text) -> None:
        super().__init__(message)
        self.record = record
        self.message = message


NOT_TEXT = _("The record holds a NUL byte or half a character, which no file can hold.")


class Lines:
    """What csv.writer writes into: one list entry for each row."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.write = self.held.append


def row_writer(lines: Lines, delimiter: str) -> Callable[[Sequence[str]], None]:
    """Writes what csv.writer would, byte for byte; a row without anything to quote, as most are, goes a shorter way."""
    write_quoted = csv.writer(lines, delimiter=delimiter).writerow
    add = lines.held.append

    def write(cells: Sequence[str]) -> None:
        text = _BETWEEN.join(cells)
        if (
            delimiter in text
            or '"' in text
            or "\n" in text
            or "\r" in text
            or text.count(_BETWEEN) != len(cells) - 1
            or not text
        ):
            write_quoted(cells)
        else:
            add(text.replace(_BETWEEN, delimiter) + "\r\n")

    return write


class RowsWriter(Generic[T]):
    """Writes the header at once, then rows as they come, into `fp`; counts and hashes what it wrote.

    After every call all that was accepted is in `fp`. `cells` gives a record's cells in the order of `columns` and
    raises ValueError for one that cannot be written.
    """

    unwritable: type[UnwritableRow] = UnwritableRow

    def __init__(
        self, fp: BinaryIO, *, columns: Sequence[str], cells: Callable[[T], Sequence[str]], delimiter: Delimiter
    ) -> None:
        self.rows = 0
        self.bytes_written = 0
        self._fp = fp
        self._cells = cells
        self._hash = hashlib.sha256()
        self._lines = Lines()
        self._write_row = row_writer(self._lines, delimiter.char)
        self._write_row(columns)
        self._flush(())

    def write(self, record: T) -> None:
        """Appends one row. Raises UnwritableRow and then has written nothing."""
        self._write_batch((record,))

    def write_many(self, records: Iterable[T]) -> None:
        """Appends rows in their order, in flat memory. Raises UnwritableRow; `rows` tells how many went before."""
        source = iter(records)
        while batch := list(islice(source, ROWS_AT_A_TIME)):
            self._write_batch(batch)

    def sha256(self) -> str:
        """Hex digest of all bytes written so far, the header included."""
        return self._hash.hexdigest()

    def _write_batch(self, records: Sequence[T]) -> None:
        write_row, cells = self._write_row, self._cells
        record = records[0]
        try:
            for record in records:
                write_row(cells(record))
        except ValueError as error:
            # Rows before the culprit stay good, so they are written: the caller may drop it and go on.
            self._flush(records)
            raise self.unwritable(record, getattr(error, "message", str(error))) from error
        self._flush(records)

    def _flush(self, records: Sequence[T]) -> None:
        lines = self._lines.held
        data = encoded(lines)
        if data is None:
            number = next(number for number, line in enumerate(lines) if encoded([line]) is None)
            del lines[number:]
            self._flush(records)
            raise self.unwritable(records[number], NOT_TEXT)
        self._fp.write(data)
        self._hash.update(data)
        self.bytes_written += len(data)
        if records:
            self.rows += len(lines)
        lines.clear()


def encoded(lines: Sequence[str]) -> bytes | None:
    """UTF-8, or None if a NUL or a lone surrogate is among the characters."""
    text = "".join(lines)
    if "\0" in text:
        return None
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


def joined(values: Sequence[str]) -> str:
    """The cell of a list. Raises ValueError where a value holds a comma."""
    text = values[0] if len(values) == 1 else ",".join(values)
    if "," in text and text.count(",") >= len(values):
        raise ValueError("An identifier holds a comma, so a list of them cannot be written.")
    return text
