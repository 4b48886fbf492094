"""The header of a CSV file: which cell of a row is which attribute. Pages: uploadSimpleOrders, uploadContacts.

A file may have its own titles; `columns_mapping` then says which attribute stands under which title.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.metrica.problems import BadValue
from apps.metrica.text import _, filled
from apps.metrica.vocabulary import Delimiter
from apps.metrica.wire.csvio import CellError, UnusableFile, unusable

_PAIR = re.compile(r'"([^"]+)":"([^"]+)"')
_PAIRS = re.compile(rf"{_PAIR.pattern}(?:,{_PAIR.pattern})*")


@dataclass(frozen=True, slots=True)
class Column:
    """One column that is read. `title` is what the file calls it, `attribute` what Metrica does."""

    number: int
    title: str
    attribute: str


def format_columns_mapping(mapping: Mapping[str, str]) -> str:
    """`{"uniq_id": "Client No"}` → `"uniq_id":"Client No"`, pairs joined by commas (page: uploadContacts).

    Raises ValueError for a blank name or one with a quotation mark, which the parameter cannot hold.
    """
    for name in (*mapping.keys(), *mapping.values()):
        if not name or '"' in name:
            raise ValueError("A mapping's names must not be blank or hold a quotation mark.")
    return ",".join(f'"{attribute}":"{title}"' for attribute, title in mapping.items())


def parse_columns_mapping(text: str) -> dict[str, str]:
    """The parameter's text as {attribute: title in the file}; an empty text maps nothing.

    Raises BadValue: mapping_format, mapping_twice.
    """
    if text and _PAIRS.fullmatch(text) is None:
        raise BadValue(
            "mapping_format",
            _('A columns mapping looks like "attribute":"Column title", pairs joined by commas without spaces.'),
        )
    pairs = _PAIR.findall(text)
    mapping = dict(pairs)
    if len(mapping) != len(pairs) or len(set(mapping.values())) != len(pairs):
        raise BadValue("mapping_twice", _("The columns mapping names an attribute or a column twice."))
    return mapping


def resolve_header(
    cells: Sequence[str],
    *,
    line: int,
    known: Sequence[str],
    required: Sequence[str],
    delimiter: Delimiter,
    ignore_unknown: bool,
    mapping: Mapping[str, str] | None = None,
) -> list[Column]:
    """The columns to read. Raises UnusableFile, naming everything that is wrong with the header at once."""
    mapping = mapping or {}
    attributes = {title: attribute for attribute, title in mapping.items()}
    expected = [attribute for attribute in known if attribute not in mapping]
    if len(cells) == 1:
        _refuse_other_delimiter(cells[0], line=line, known=(*expected, *attributes), delimiter=delimiter)
    errors = _mapping_errors(mapping, cells, line=line, known=known)
    columns: list[Column] = []
    seen: set[str] = set()
    for number, cell in enumerate(cells):
        attribute = attributes.get(cell, cell if cell in expected else "")
        if attribute not in known:
            if cell not in attributes and not ignore_unknown:
                errors.append(
                    CellError(line, cell, "unknown_column", _("This column is not known in this format. Remove it."))
                )
        elif attribute in seen:
            errors.append(CellError(line, cell, "duplicate_column", _("This column is in the header twice.")))
        else:
            columns.append(Column(number, cell, attribute))
        seen.add(attribute)
    errors.extend(
        CellError(line, column, "missing_column", _("This column is required but is not in the header."))
        for column in required
        if column not in seen and column not in mapping
    )
    if errors:
        raise UnusableFile(errors)
    return columns


def _mapping_errors(
    mapping: Mapping[str, str], cells: Sequence[str], *, line: int, known: Sequence[str]
) -> list[CellError]:
    errors: list[CellError] = []
    for attribute, title in mapping.items():
        if attribute not in known:
            message = _("The columns mapping names an attribute that is not known: %(attribute)s.")
            errors.append(CellError(line, title, "mapping_attribute", filled(message, attribute=attribute)))
        if title not in cells:
            message = _("The columns mapping names a column that is not in the header.")
            errors.append(CellError(line, title, "mapping_title", message))
    return errors


_OTHER_DELIMITERS = {",": _("a comma"), ";": _("a semicolon"), "\t": _("a tab"), "|": _("a vertical bar")}


def _refuse_other_delimiter(cell: str, *, line: int, known: Sequence[str], delimiter: Delimiter) -> None:
    for other, name in _OTHER_DELIMITERS.items():
        if other != delimiter.char and sum(part.strip(' "') in known for part in cell.split(other)) > 1:
            raise unusable(
                line,
                "delimiter",
                filled(
                    _("The columns are separated by %(found)s, but the request says %(expected)s."),
                    found=name,
                    expected=_OTHER_DELIMITERS[delimiter.char],
                ),
            )
