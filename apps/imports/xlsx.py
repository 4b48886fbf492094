"""The first sheet of an Excel workbook as CSV: read in a stream, one line a row, so that lines are the sheet's rows.

A workbook is a ZIP of XML that may unpack to anything; so what it says of its own size is checked before anything is
unpacked (no more than that is ever read), and rows and columns are counted.
"""

import csv
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import IO, Any, BinaryIO

from django.utils.translation import gettext as _
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from apps.metrica.wire.csvio import UnusableFile, unusable

MAX_SHEET_BYTES = 1_000_000_000
MAX_STRINGS_BYTES = 64_000_000  # they are held in memory
MAX_OTHER_BYTES = 32_000_000
MAX_MEMBERS = 2_000
MAX_COLUMNS = 500
_TELL_EVERY = 2_000  # rows
_LINE_ENDS = re.compile(r"[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_TIME = re.compile(r"[hs]", re.IGNORECASE)
_LITERALS = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was read of a workbook."""

    name: str
    rows: int
    cut: bool  # there are more rows than were asked for


def is_workbook(file: BinaryIO) -> bool:
    """Whether a file that begins like a ZIP is an Excel workbook. Raises UnusableFile where it cannot be opened."""
    with _opened(file) as archive:
        return "xl/workbook.xml" in archive.namelist()


def write_csv(source: BinaryIO, target: IO[str], *, rows: int, alive: Callable[[], None] = lambda: None) -> Sheet:
    """The first visible sheet's rows up to row number `rows`. `alive` is called while it takes time.

    Raises UnusableFile.
    """
    with _opened(source) as archive:
        _check_sizes(archive)
    workbook: Any = None
    try:
        workbook = load_workbook(source, read_only=True, data_only=True, keep_links=False)
        sheet = next((one for one in workbook.worksheets if one.sheet_state == "visible"), None)
        if sheet is None:
            raise unusable(1, "xlsx_no_sheet", _("The workbook has no visible sheet. Put the orders on one."))
        sheet.reset_dimensions()  # what the file says of them need not be true
        writer = csv.writer(target)
        number = 0
        for number, cells in enumerate(_rows(sheet, rows + 1), start=1):
            if number > rows:
                return Sheet(str(sheet.title), rows, True)
            writer.writerow(cells)
            if number % _TELL_EVERY == 0:
                alive()
        return Sheet(str(sheet.title), number, False)
    except (UnusableFile, OSError):
        raise
    except _NOT_READABLE as error:
        raise _damaged() from error
    finally:
        if workbook is not None:
            workbook.close()


# What openpyxl and the standard library raise for files that are not what they should be.
_NOT_READABLE = (
    *(zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, TypeError, IndexError, AttributeError),
    *(EOFError, SyntaxError, RuntimeError, NotImplementedError, OverflowError, AssertionError),
)


def _rows(sheet: Any, last: int) -> Iterator[list[str]]:
    header = [_text(cell) for row in sheet.iter_rows(max_row=1, max_col=MAX_COLUMNS + 1) for cell in row]
    while header and not header[-1].strip():
        header.pop()
    if len(header) > MAX_COLUMNS:
        message = _("The sheet has more than %(limit)s columns. Delete those that hold nothing of the orders.")
        raise unusable(1, "too_many_columns", message % {"limit": MAX_COLUMNS})
    width = len(header) or 1
    for row in sheet.iter_rows(max_row=last, max_col=width):
        cells = [_text(cell) for cell in row]
        yield cells + [""] * (width - len(cells))


def _text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return _LINE_ENDS.sub(" ", value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime):
        shown = _LITERALS.sub("", cell.number_format or "")
        value = (value + timedelta(milliseconds=500)).replace(microsecond=0)
        return (
            f"{value:%Y-%m-%d %H:%M:%S}"
            if _TIME.search(shown) or value.time().isoformat() != "00:00:00"
            else (f"{value:%Y-%m-%d}")
        )
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    return _LINE_ENDS.sub(" ", str(value))


def _number(value: float) -> str:
    """As Excel would show it in full: 15 digits. A longer one has lost digits, and is written so that this is seen."""
    if value != value or value in (float("inf"), float("-inf")):
        return ""
    return format(value, ".14E") if abs(value) >= 1e15 else format(Decimal(format(value, ".15g")), "f")


def _opened(source: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeDecodeError, RuntimeError) as error:
        raise _damaged() from error


def _check_sizes(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    strings = sum(one.file_size for one in members if one.filename.lower().endswith("sharedstrings.xml"))
    sheets = [one.file_size for one in members if one.filename.lower().startswith("xl/worksheets/sheet")]
    # Pictures and the like are not read.
    parts = [one for one in members if one.filename.lower().endswith((".xml", ".rels"))]
    others = sum(one.file_size for one in parts) - strings - sum(sheets)
    too_large = max(sheets, default=0) > MAX_SHEET_BYTES or strings > MAX_STRINGS_BYTES or others > MAX_OTHER_BYTES
    if too_large or len(members) > MAX_MEMBERS:
        message = _("The workbook unpacks to more than can be read. Save the sheet as CSV and upload that.")
        raise unusable(1, "xlsx_too_large", message)


def _damaged() -> UnusableFile:
    return unusable(1, "xlsx_damaged", _("The workbook cannot be opened. Save it in Excel as .xlsx again, or as CSV."))
