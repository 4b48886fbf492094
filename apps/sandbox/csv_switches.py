"""CSV files as the switches let them be: what a switch accepts is put right here, before the strict readers see it."""

import csv
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from io import StringIO
from typing import BinaryIO

from apps.metrica.vocabulary import Delimiter

_BOM = b"\xef\xbb\xbf"
_STEP = 2**20
_LINE = re.compile(rb"[^\n]*\n")


def accepted(file: BinaryIO, *, switches: Mapping[str, str]) -> BinaryIO:
    """`file` from where it stands, without what the switches `byte_order_mark` and `encoding` forgive."""
    if switches["byte_order_mark"] == "accept" and file.read(len(_BOM)) != _BOM:
        file.seek(0)
    if switches["encoding"] == "cp1251" and not _is_utf8(file):
        return _Recoded(file)  # type: ignore[return-value]
    return file


def renamed(file: BinaryIO, *, delimiter: Delimiter, titles: Mapping[str, str]) -> BinaryIO:
    """`file` with other names in its header. `titles`: the attribute for each title."""
    header = file.readline(_STEP)
    try:
        cells = next(csv.reader([header.decode()], delimiter=delimiter.char, strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        # The reader will say what is wrong with it.
        return _WithHeader(file, header)  # type: ignore[return-value]
    text = StringIO()
    csv.writer(text, delimiter=delimiter.char, lineterminator="\r\n").writerow(titles.get(cell, cell) for cell in cells)
    return _WithHeader(file, text.getvalue().encode())  # type: ignore[return-value]


def without_columns(
    file: BinaryIO, *, delimiter: Delimiter, names: Collection[str] = (), duplicates: bool = False
) -> BinaryIO:
    """`file` without the columns `names` and, if `duplicates`, without those whose name came before."""
    return _WithoutColumns(file, delimiter=delimiter.char, names=names, duplicates=duplicates)  # type: ignore[return-value]


def _is_utf8(file: BinaryIO) -> bool:
    start = file.tell()
    try:
        while line := file.readline(_STEP):
            line.decode()
        return True
    except UnicodeDecodeError:
        return False
    finally:
        file.seek(start)


class _Recoded:
    """Windows-1251 read as UTF-8."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readline(self, size: int = -1) -> bytes:
        return self._file.readline(size).decode("cp1251", errors="replace").encode()


class _WithHeader:
    def __init__(self, file: BinaryIO, header: bytes) -> None:
        self._file = file
        self._header = header

    def readline(self, size: int = -1) -> bytes:
        header, self._header = self._header, b""
        return header or self._file.readline(size)


class _WithoutColumns:
    """From a record on that cannot be read, the file goes through as it is: the reader will say what is wrong."""

    def __init__(self, file: BinaryIO, *, delimiter: str, names: Collection[str], duplicates: bool) -> None:
        self._file = file
        self._delimiter = delimiter
        self._record: list[bytes] = []  # lines of the record being read
        self._ready: deque[bytes] = deque()
        self._records = csv.reader(self._lines(), delimiter=delimiter, strict=True)
        self._readable = True
        header = self._next() or []
        seen: set[str] = set()
        self._kept: list[int] = []
        for place, name in enumerate(header):
            if name not in names and not (duplicates and name in seen):
                self._kept.append(place)
            seen.add(name)
        self._width = len(header)
        if self._readable:
            self._put(header)

    def readline(self, size: int = -1) -> bytes:
        if not self._ready and self._readable and (cells := self._next()) is not None:
            self._put(cells)
        return self._ready.popleft() if self._ready else self._file.readline(size)

    def _next(self) -> list[str] | None:
        self._record.clear()
        try:
            return next(self._records, None)
        except (csv.Error, UnicodeDecodeError):
            self._readable = False
            self._ready.extend(self._record)
            return None

    def _put(self, cells: list[str]) -> None:
        if not cells:
            self._ready.extend(self._record)
            return
        left = [cells[place] for place in self._kept if place < len(cells)]
        if len(cells) != self._width:
            # The number of cells stays wrong.
            left = [*left, *[""] * (len(self._kept) + 1 - len(left))]
        text = StringIO(newline="")
        csv.writer(text, delimiter=self._delimiter, lineterminator="\r\n").writerow(left)
        self._ready.extend(_LINE.findall(text.getvalue().encode()))

    def _lines(self) -> Iterator[str]:
        while line := self._file.readline(_STEP):
            self._record.append(line)
            yield line.decode()
