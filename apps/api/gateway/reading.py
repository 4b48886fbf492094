"""A file or body of Metrica's formats, element by element in flat memory, as the raw rows that intake takes (R1).

What stands in the cells is read by intake itself, so it is taken here as it is by every other way: more tolerantly than
Metrica does, never otherwise. Here is only what belongs to the format: columns, required fields, what is left out.
Pages: uploadSimpleOrders, uploadContacts, uploadContactJson_1, uploadOrders, uploadOrdersJson_1, modes.
"""

import codecs
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from apps.api.gateway.problems import MAX_PROBLEMS, Problem, of_cells, place_of
from apps.api.gateway.rows import RowMaker
from apps.audit.services import clean_text
from apps.metrica.text import _
from apps.metrica.vocabulary import ID_PATTERN, Delimiter
from apps.metrica.wire.csvio import Records
from apps.metrica.wire.json_reading import JsonItems
from apps.metrica.wire.reading import Table
from apps.metrica.wire.values import REQUIRED

_OBJECT = _("An object is expected here.")
_MOST_IGNORED = 50


@dataclass(slots=True)
class Element:
    """One row of the file or object of the list: what intake is to take, or why it cannot be. `number`: the line, or
    the place in the list, from 0."""

    number: int
    row: dict[str, Any] | None
    problems: list[Problem] = field(default_factory=list)


class Source(ABC):
    """The elements of one upload; `elements` may be asked for again and again, each time from the beginning.

    Raises UnusableFile, UnusableJson while iterating. `ignored`: names of columns or fields that mean nothing here.
    """

    def __init__(self, file: BinaryIO, *, maker: RowMaker) -> None:
        self._file = file
        self.maker = maker
        self.ignored: dict[str, None] = {}

    @abstractmethod
    def elements(self) -> Iterator[Element]:
        """From the first."""

    @abstractmethod
    def place(self, number: int, name: str = "") -> str:
        """Where that is; `name`: as intake calls the field."""

    def _begin(self) -> BinaryIO:
        """From the start, past a byte order mark: that says nothing that could be misread."""
        self._file.seek(0)
        if self._file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            self._file.seek(0)
        self.maker.begin()
        return self._file

    def _ignore(self, name: str) -> None:
        if len(self.ignored) < _MOST_IGNORED:
            self.ignored[clean_text(name[:100])] = None


class CsvSource(Source):
    def __init__(
        self, file: BinaryIO, *, maker: RowMaker, delimiter: Delimiter, columns_mapping: Mapping[str, str]
    ) -> None:
        super().__init__(file, maker=maker)
        self._delimiter = delimiter
        self._mapping = columns_mapping
        self._title: Callable[[str], str] = str

    def elements(self) -> Iterator[Element]:
        kind = self.maker.kind
        known = (*kind.columns, *self._further_columns())
        table = Table(
            self._begin(),
            known=known,
            required=kind.required,
            parsers={},
            delimiter=self._delimiter,
            ignore_unknown_columns=True,
            columns_mapping=self._mapping,
        )
        self._title = table.title
        for row in table:
            if row.errors:
                yield Element(row.line, None, of_cells(row.errors))
                continue
            made, wrong = self.maker.make(row.values, row.line)
            problems = [Problem(place_of(row.line, table.title(name)), code, message) for name, code, message in wrong]
            yield Element(row.line, None if problems else made, problems)

    def place(self, number: int, name: str = "") -> str:
        return place_of(number, self._title(self.maker.kind.attribute(name)) if name else "")

    def _further_columns(self) -> list[str]:
        """Custom attributes: what else the header names, where the format has room for it."""
        _line, header = next(iter(Records(self._begin(), delimiter=self._delimiter)), (1, []))
        titles = set(self._mapping.values())
        candidates = [*(cell for cell in header if cell not in titles), *self._mapping]
        further = []
        for name in dict.fromkeys(candidates):
            if name in self.maker.kind.columns and name not in self.maker.kind.passed_over:
                continue
            if self.maker.kind.has_attributes and ID_PATTERN.match(name) and name not in self.maker.kind.passed_over:
                further.append(name)
            elif name not in self._mapping:
                self._ignore(name)
        return further


class JsonSource(Source):
    def elements(self) -> Iterator[Element]:
        kind = self.maker.kind
        for index, item in JsonItems(self._begin(), key=kind.list_name, ignore_unknown=True):
            place = f"{kind.list_name}[{index}]"
            if not isinstance(item, dict):
                yield Element(index, None, [Problem(place, "object_expected", _OBJECT)])
                continue
            values = {name: value for name, value in item.items() if value not in (None, "", [], {})}
            problems = [
                Problem(f"{place}.{name}", "required", REQUIRED[name]) for name in kind.required if name not in values
            ]
            made, wrong = self.maker.make(self._known(values), index)
            problems += [Problem(f"{place}.{name}", code, message) for name, code, message in wrong]
            yield Element(index, None if problems else made, problems[:MAX_PROBLEMS])

    def place(self, number: int, name: str = "") -> str:
        place = f"{self.maker.kind.list_name}[{number}]"
        if not name:
            return place
        attribute = self.maker.kind.attribute(name)
        return f"{place}.{f'attribute_values.{attribute}' if name.startswith('attributes.') else attribute}"

    def _known(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of the format, custom attributes beside the others."""
        kind = self.maker.kind
        found = {}
        for name, value in values.items():
            if (name in kind.columns and name not in kind.passed_over) or (
                name == "attribute_values" and kind.has_attributes
            ):
                found[name] = value
            else:
                self._ignore(name)
        return found
