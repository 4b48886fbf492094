"""Takes the rows of a kept file, some at a time, and makes files of the same format of them, row by row as they
were."""

import csv
import io
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Protocol

from apps.uploads.models import UploadFormat

_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of the new file, and the keys of the rows that begin in it."""

    data: bytes
    keys: list[str]


class Scissors(Protocol):
    def __init__(self, source: BinaryIO, key_column: str) -> None: ...

    def next(self, count: int, *, without: Collection[int] = ()) -> Iterator[Piece]:
        """A whole file of the next `count` rows, in pieces; those at the places `without` (counted from the present
        one, which is 0) are left out."""

    def skip(self, count: int) -> None:
        """Leave the next rows out."""


class CsvScissors:
    """In flat memory."""

    def __init__(self, source: BinaryIO, key_column: str) -> None:
        self._records = csv.reader(io.TextIOWrapper(source, encoding="utf-8", newline=""), strict=True)
        self._header = next(self._records)
        self._key = self._header.index(key_column)

    def skip(self, count: int) -> None:
        for _cells in islice(self._records, count):
            pass

    def next(self, count: int, *, without: Collection[int] = ()) -> Iterator[Piece]:
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer)
        writer.writerow(self._header)
        keys: list[str] = []
        for place, cells in enumerate(islice(self._records, count)):
            if place in without:
                continue
            keys.append(cells[self._key])
            writer.writerow(cells)
            if buffer.tell() > _PIECE:
                yield Piece(buffer.getvalue().encode(), keys)
                keys = []
                buffer.seek(0)
                buffer.truncate()
        yield Piece(buffer.getvalue().encode(), keys)


class JsonScissors:
    """JSON goes in small files only (see planner), so this one is read whole."""

    def __init__(self, source: BinaryIO, key_column: str) -> None:
        text = source.read().decode()
        document = json.loads(text)
        [(self._name, _rows)] = document.items()
        self._key = key_column
        self._elements = elements(text)

    def skip(self, count: int) -> None:
        for _element in islice(self._elements, count):
            pass

    def next(self, count: int, *, without: Collection[int] = ()) -> Iterator[Piece]:
        coming = enumerate(islice(self._elements, count))
        rows = [element for place, element in coming if place not in without]
        body = ",".join(text for _row, text in rows)
        data = f"{{{json.dumps(self._name)}:[{body}]}}".encode()
        yield Piece(data, [str(row.get(self._key, "")) for row, _text in rows])


def elements(text: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Each element of the document's one list, with the very text that says it."""
    decode = json.JSONDecoder().raw_decode
    place = text.index("[") + 1
    while True:
        while text[place] in " \t\r\n,":
            place += 1
        if text[place] == "]":
            return
        row, end = decode(text, place)
        yield row, text[place:end]
        place = end


SCISSORS: dict[UploadFormat, type[Scissors]] = {UploadFormat.CSV: CsvScissors, UploadFormat.JSON: JsonScissors}
