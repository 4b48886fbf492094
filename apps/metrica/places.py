"""Where in an uploaded file an answer of Metrica points. Page: errors.

The documented sample is `orders[0].id`; for CSV files no sample is published, so a line and a column are looked for by
their words. Nothing here is sure of anything: who acts on a place checks what comes of it.
"""

import re
from dataclasses import dataclass

from apps.metrica.vocabulary import CONTACT_COLUMNS, ORDER_COLUMNS, SIMPLE_COLUMNS

_ELEMENT = re.compile(r"\A\w*\[(\d{1,9})\](?:\.(\w+))?")
_LINE = re.compile(r"\b(?:line|строк[аеи])\s*[:№#]?\s*(\d{1,9})", re.IGNORECASE)
_COLUMN = re.compile(r"\b(?:column|field|столб[а-я]+|колонк[аеи]|пол[ея])\s*[:№#]?\s*[«\"'`]?(\w+)", re.IGNORECASE)
_COLUMNS = frozenset({*SIMPLE_COLUMNS, *ORDER_COLUMNS, *CONTACT_COLUMNS})


@dataclass(frozen=True, slots=True)
class Place:
    """`row`: of the file's records, from 0; None where the place names none. `field`: a column's name, or ""."""

    row: int | None
    field: str


def read_place(location: str) -> Place:
    """What a `location` of the error envelope says: `orders[3].emails`, or `line 5, column emails` (1 is the
    header)."""
    if element := _ELEMENT.match(location):
        return Place(int(element[1]), _known(element[2] or ""))
    line, column = _LINE.search(location), _COLUMN.search(location)
    row = int(line[1]) - 2 if line else -1
    return Place(row if row >= 0 else None, _known(column[1] if column else location))


def _known(name: str) -> str:
    return name if name in _COLUMNS else ""
