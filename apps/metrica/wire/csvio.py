"""What all of Metrica's CSV files share: cell errors, the file that cannot be used, reading in bounded memory.

A file is read strictly (page: uploadSimpleOrders): UTF-8 without a byte order mark, the delimiter that was named,
RFC 4180 quoting. Memory stays flat whatever comes: a line or a row of unbelievable length ends the reading.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from apps.metrica.text import Text, _, filled
from apps.metrica.vocabulary import Delimiter

MAX_ROW_BYTES = 128 * 1024
"""A row longer than this is an unclosed quote or no CSV. It is also the csv module's limit for one cell."""


@dataclass(frozen=True, slots=True)
class CellError:
    """One thing wrong with a file. Line 1 is the header; `column` is "" when it is not about one column."""

    line: int
    column: str
    code: str
    message: Text


class UnusableFile(ValueError):
    """The file cannot be read as what it should be, so none of its rows counts.

    Codes: empty, bom, encoding, nul, delimiter, row_too_long, quoting, line_ends, missing_column, unknown_column,
    duplicate_column, mapping_attribute, mapping_title.
    """

    def __init__(self, errors: Sequence[CellError]) -> None:
        super().__init__("; ".join(f"line {error.line}: {error.code}" for error in errors))
        self.errors = list(errors)


def unusable(line: int, code: str, message: Text, *, column: str = "") -> UnusableFile:
    return UnusableFile([CellError(line, column, code, message)])


class Records:
    """Iterates a file's records as (line of its first character, cells), blank lines left out.

    Raises UnusableFile where the file stops being readable.
    """

    def __init__(self, fp: BinaryIO, *, delimiter: Delimiter) -> None:
        self._fp = fp
        self._line = 0
        self._record_bytes = 0
        self._reader = csv.reader(self._lines(), delimiter=delimiter.char, strict=True)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        reader = self._reader
        while True:
            line = self._line + 1
            self._record_bytes = 0
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise self._not_csv(line, str(error)) from None
            if cells is None:
                return
            if cells:
                yield line, cells

    def _lines(self) -> Iterator[str]:
        readline = self._fp.readline
        while data := readline(MAX_ROW_BYTES + 1):
            self._line += 1
            self._record_bytes += len(data)
            if self._record_bytes > MAX_ROW_BYTES:
                raise unusable(
                    self._line,
                    "row_too_long",
                    _("A row grew longer than 128 KB here. A quotation mark before this line may not be closed."),
                )
            if self._line == 1:
                _refuse_marks(data)
            try:
                yield data.decode()
            except UnicodeDecodeError as error:
                raise _not_utf8(self._line, data, error) from None

    def _not_csv(self, line: int, reason: str) -> UnusableFile:
        if "new-line character" in reason:
            return unusable(line, "line_ends", _("Lines must end with LF or CRLF, not with a single CR."))
        if "field limit" in reason:
            return unusable(line, "row_too_long", _("A cell is longer than can be read."))
        if "unexpected end" in reason:
            return unusable(line, "quoting", _("A quotation mark opened in this row is never closed."))
        return unusable(
            line,
            "quoting",
            _("A quotation mark is misplaced. A quoted cell ends at its closing mark; inside it marks are doubled."),
        )


def _refuse_marks(first_line: bytes) -> None:
    if first_line.startswith(b"\xef\xbb\xbf"):
        raise unusable(1, "bom", _("The file starts with a byte order mark (BOM). Save it as UTF-8 without BOM."))
    if first_line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in first_line[:2]:
        raise unusable(1, "encoding", _("The file is in UTF-16. Metrica takes UTF-8 only."))


def _not_utf8(line: int, data: bytes, error: UnicodeDecodeError) -> UnusableFile:
    spoiled = data[error.start : error.start + 40].decode("cp1251", errors="replace")
    cyrillic = sum("\u0400" <= character <= "\u04ff" for character in spoiled)
    if cyrillic >= 2:
        message = _("Byte %(byte)s of this line is not UTF-8; the file looks like Windows-1251. Save it as UTF-8.")
    else:
        message = _("Byte %(byte)s of this line is not UTF-8. Save the file as UTF-8.")
    return unusable(line, "encoding", filled(message, byte=error.start + 1))
