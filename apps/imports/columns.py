"""Which column of a CSV file holds what: the header, found by name, and the delimiter that it shows.

An empty cell clears what the status itself holds (revenue, cost, currency, goals, products). It says nothing of the
client: what is known of them stays. A column that the file lacks is a field left out. Custom attributes have columns of
their own: `attribute:branch` of the order, `client_attribute:card` of its client.
"""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.metrica.text import Text
from apps.metrica.wire.csvio import CellError, UnusableFile, unusable

REQUIRED = ("id", "create_date_time", "order_status")
CLEARED_BY_EMPTY = ("revenue", "cost", "currency", "goals", "products")
KEPT_BY_EMPTY = (
    "status_date_time",
    "client_uniq_id",
    "client_name",
    "client_ids",
    "emails",
    "phones",
    "emails_md5",
    "phones_md5",
)
KNOWN = REQUIRED + CLEARED_BY_EMPTY + KEPT_BY_EMPTY
ATTRIBUTE, CLIENT_ATTRIBUTE = "attribute", "client_attribute"
# The first columns of a report on rejected rows; a corrected report can be imported as it is.
REPORT_COLUMNS = ("line", "column", "code", "reason")
# After these in a report that the admin gives out: the key of its import, the same in every line.
KEY_COLUMN = "goalpost_import"

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
_SIGNS = {**DELIMITERS, "vertical bar": "|"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How rows are cut and named. Positions count from 0."""

    delimiter: str  # the sign itself
    header: tuple[str, ...]
    positions: dict[str, int]  # our column -> position in the row
    unknown: tuple[str, ...]  # headers that mean nothing here
    is_report: bool  # this is a report of rejected rows, corrected and brought back

    @property
    def delimiter_name(self) -> str:
        return _name_of(self.delimiter)


def read_delimiter(text: str) -> str:
    """`comma`, `semicolon`, `tab`, or the sign itself; "" stands for "find out". Raises ValueError with a sentence."""
    sign = DELIMITERS.get(text.strip().lower(), text if text == "\t" else text.strip())
    sign = "\t" if sign == "\\t" else sign
    if sign and sign not in DELIMITERS.values():
        raise ValueError(_("“%(text)s” is no delimiter. Write comma, semicolon or tab.") % {"text": text})
    return sign


def attribute_column(text: str) -> str:
    """`attribute:name` or `client_attribute:name` as columns are called here; empty where the text names neither."""
    kind, colon, name = (part.strip() for part in text.partition(":"))
    kind = kind.casefold()
    return f"{kind}:{name}" if colon and name and kind in (ATTRIBUTE, CLIENT_ATTRIBUTE) else ""


def read_column_map(pairs: Sequence[str]) -> dict[str, str]:
    """`column=header` pairs as {column: header}. Raises ValueError with a sentence."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        column, equals, header = (part.strip() for part in pair.partition("="))
        if not equals or not header:
            raise ValueError(_('“%(pair)s” is no mapping. Write "column=header".') % {"pair": pair})
        column = attribute_column(column) or column
        if column not in KNOWN and not attribute_column(column):
            text = _("There is no column “%(column)s”. Choose one of: %(known)s.")
            raise ValueError(text % {"column": column, "known": ", ".join(KNOWN)})
        if column in mapping or _key(header) in map(_key, mapping.values()):
            raise ValueError(_("“%(pair)s”: a column and a header are paired once only.") % {"pair": pair})
        mapping[column] = header
    return mapping


def read_header(text: str, *, delimiter: str, column_map: Mapping[str, str]) -> Layout:
    """The layout that the header shows. `delimiter` "" finds it out; a column that `column_map` pairs with an empty
    text is not looked for. Raises UnusableFile."""
    wanted = {column: column for column in KNOWN if column not in column_map}
    wanted |= {_key(header): column for column, header in column_map.items() if header}
    found = {sign: _found(text, sign, wanted) for sign in _SIGNS.values()}
    best = max(found, key=lambda sign: found[sign])
    if not delimiter:
        delimiter = best if found[best] and best in DELIMITERS.values() else ","
    if found[best] > found[delimiter]:
        message = _("The columns are separated by “%(found)s”, not by “%(given)s”. %(next)s")
        known = best in DELIMITERS.values()
        next_step = (
            _("Leave the delimiter out, or write --delimiter %(name)s.") % {"name": _name_of(best)}
            if known
            else _("Save the file with commas, semicolons or tabs.")
        )
        raise unusable(
            1, "wrong_delimiter", message % {"found": _name_of(best), "given": _name_of(delimiter), "next": next_step}
        )
    return _layout(_cells(text, delimiter), delimiter=delimiter, wanted=wanted, column_map=column_map)


def _layout(
    cells: Sequence[str], *, delimiter: str, wanted: Mapping[str, str], column_map: Mapping[str, str]
) -> Layout:
    positions: dict[str, int] = {}
    unknown: list[str] = []
    errors: list[CellError] = []
    of_report = report_width(cells)
    for position, cell in enumerate(cells):
        column = wanted.get(_key(cell))
        if column is None and (named := attribute_column(cell)) not in column_map:
            column = named
        if not column:
            if position >= of_report:
                unknown.append(cell.strip() or _("column %(number)s, without a name") % {"number": position + 1})
        elif column in positions:
            errors.append(
                _error(cell, "duplicate_column", _("The column “%(header)s” is there twice. Keep one of them."))
            )
        else:
            positions[column] = position
    for column in dict.fromkeys((*KNOWN, *column_map)):
        if column not in positions and (column in REQUIRED or column_map.get(column)):
            text = _("The column “%(header)s” is missing. Columns found: %(found)s. Add it, or name it by --map.")
            found = ", ".join(cell.strip() for cell in cells)[:300]
            errors.append(_error(column_map.get(column) or column, "missing_column", text, found=found))
    if errors:
        raise UnusableFile(errors)
    return Layout(delimiter, tuple(cells), positions, tuple(unknown), bool(of_report))


def report_width(header: Sequence[str]) -> int:
    """How many columns a report of rejected rows has before the file's own; 0 where this is none."""
    known = len(REPORT_COLUMNS)
    if tuple(map(_key, header[:known])) != REPORT_COLUMNS:
        return 0
    return known + has_key(header)


def has_key(header: Sequence[str]) -> bool:
    """Whether the lines of this report name the import that it is of."""
    known = len(REPORT_COLUMNS)
    return [*map(_key, header[known : known + 1])] == [KEY_COLUMN]


def find_delimiter(text: str, *, names: Collection[str]) -> tuple[str, list[str]]:
    """By which of the signs that are read this header is cut, and its cells: the one that shows most of the `names`
    (in lower case), or else most cells."""
    wanted = dict.fromkeys(names, "")
    cut = {sign: _cells(text, sign) for sign in DELIMITERS.values()}
    best = max(cut, key=lambda sign: (_found(text, sign, wanted), len(cut[sign])))
    return best, cut[best]


def cut_header(text: str, delimiter: str) -> list[str]:
    return _cells(text, delimiter)


def _error(header: str, code: str, text: str, **parameters: str) -> CellError:
    message: Text = text % {"header": header.strip(), **parameters}
    return CellError(line=1, column=header.strip(), code=code, message=message)


def _found(line: str, delimiter: str, wanted: Mapping[str, str]) -> int:
    """How many columns show when the header is cut by this sign."""
    return sum(_key(cell) in wanted for cell in _cells(line, delimiter))


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter), [])


def _key(header: str) -> str:
    return header.strip().casefold()


def _name_of(sign: str) -> str:
    return next(name for name, known in _SIGNS.items() if known == sign)
