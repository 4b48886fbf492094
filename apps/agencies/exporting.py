"""Lists as files, as long as they may be: written while they are read, in flat memory, safe in a spreadsheet."""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from html import unescape
from tempfile import TemporaryFile
from typing import IO, Any, Final

from django.contrib.admin.utils import label_for_field
from django.core.exceptions import FieldDoesNotExist
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ERROR_CODES, ILLEGAL_CHARACTERS_RE

from apps.agencies import keyset
from apps.agencies.cells import guarded
from apps.agencies.merging import Parts

CHUNK: Final = 1_000
SHEET_ROWS: Final = 1_048_576
SHEET_TEXT: Final = 32_767
"""Characters that a cell of a sheet holds."""
SHEET_DIGITS: Final = 15
"""More of them a spreadsheet would round."""
_ICON: Final = re.compile(r'<span class="material-symbols-outlined[^>]*>[^<]*</span>')


@dataclass(frozen=True, slots=True)
class Cell:
    """A column of an exported list. `read` gives what a row has there, as it is: a text, a number, a time, a list."""

    title: Any
    read: Callable[[Any], Any]


@dataclass(slots=True)
class Export:
    """A list on its way into a file. `parts`: see `merging`. `prepare` reads what the cells of a chunk
    need besides its rows. `cut`: its filters or its search have not come to all rows."""

    rows: QuerySet[Any]
    parts: Parts | None
    cells: Sequence[Cell]
    prepare: Callable[[Sequence[Any]], None]
    cut: bool = False
    written: int = field(default=0)

    @property
    def titles(self) -> list[str]:
        return [capfirst(str(cell.title)) for cell in self.cells]

    def lines(self) -> Iterator[list[list[Any]]]:
        """The plain values of all rows, a chunk at a time."""
        for chunk in keyset.chunks(self.rows, CHUNK, self.parts):
            self.prepare(chunk)
            yield [[plain(cell.read(row)) for cell in self.cells] for row in chunk]
            self.written += len(chunk)


def cells_of(model_admin: Any, request: HttpRequest) -> list[Cell]:
    """Of the columns that the list shows, then the keys by which a person finds its rows elsewhere."""
    own: Mapping[str, Sequence[Cell]] = model_admin.export_cells
    shown: list[Cell] = []
    for name in model_admin.get_list_display(request):
        shown.extend(own[name] if name in own else [_cell_of(model_admin, name)])
    return [*shown, *model_admin.export_keys]


def csv_of(export: Export) -> Iterator[str]:
    """Pieces of the file; one for each chunk."""
    writer = csv.writer(_Echo())
    yield "\ufeff"  # spreadsheets take a file without it for another encoding
    yield writer.writerow([guarded(title) for title in export.titles])
    for lines in export.lines():
        yield "".join(writer.writerow([_in_csv(value) for value in line]) for line in lines)


def xlsx_of(export: Export, *, title: str) -> IO[bytes]:
    """The workbook in a temporary file, which goes when it is closed. The rows must fit on a sheet."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("".join(" " if sign in "[]:*?/\\" else sign for sign in title)[:31])
    sheet.freeze_panes = "A2"
    sheet.append([_in_sheet(sheet, title) for title in export.titles])
    for lines in export.lines():
        for line in lines:
            sheet.append([_in_sheet(sheet, value) for value in line])
    file = TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    book.save(file)
    file.seek(0)
    return file


def within(context: Context, pieces: Iterator[str]) -> Iterator[str]:
    """The pieces, each made as though the request still went on: in its language, on its clock, under its trace."""
    try:
        while (piece := context.run(next, pieces, None)) is not None:
            yield piece
    finally:
        context.run(pieces.close)  # type: ignore[attr-defined]


def plain(value: Any) -> str | int | float | Decimal:
    """What a cell says: numbers as numbers, times on the reader's clock, everything else as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, (int, float, Decimal)):
        return value
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, cls=DjangoJSONEncoder)
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(str(plain(part)) for part in value)
    if isinstance(value, SafeString):
        return " ".join(unescape(strip_tags(_ICON.sub("", value))).split())
    return str(value)


def _cell_of(model_admin: Any, name: str) -> Cell:
    """A column that is its field's value, or whose method gives a plain one."""
    title = label_for_field(name, model_admin.model, model_admin)
    try:
        of_model = model_admin.opts.get_field(name)
    except FieldDoesNotExist:
        return Cell(title, lambda row: _second(getattr(model_admin, name)(row)))
    if of_model.choices:
        return Cell(title, lambda row: getattr(row, f"get_{name}_display")())
    return Cell(title, lambda row: getattr(row, name))


def _second(value: Any) -> Any:
    """The theme draws a pair of (look, words) as a label; pages draw a dash where there is nothing."""
    said = value[1] if isinstance(value, tuple) and len(value) == 2 else value
    return "" if said in ("—", "–") else said


def _in_csv(value: Any) -> str:
    return guarded(value) if isinstance(value, str) else _digits(value)


def _in_sheet(sheet: Any, value: Any) -> Any:
    """Text stays text, whatever it looks like."""
    if not isinstance(value, str):
        return value if len(_digits(value).strip("-0.").replace(".", "")) <= SHEET_DIGITS else _digits(value)
    text = guarded(ILLEGAL_CHARACTERS_RE.sub("\ufffd", value))
    if len(text) > SHEET_TEXT:
        text = f"{text[: SHEET_TEXT - 1]}…"
    if text not in ERROR_CODES:
        return text
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    return cell


def _digits(value: float | Decimal) -> str:
    """No more decimals than there are, and never an exponent."""
    text = format(Decimal(str(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text
