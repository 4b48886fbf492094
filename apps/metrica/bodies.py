"""Bodies of requests: files on their way, read piece by piece so that memory stays flat for 1 GB, and small JSON.

Pages: uploadSimpleOrders (one part named `file`, with a file name, `text/csv`), uploadContactJson_1, formats.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from apps.metrica.redact import as_it_is
from apps.metrica.wire.json_text import json_text

PIECE = 128 * 1024

Shown = Callable[[str, bool], str]
"""What the ledger may see of the start of a body, given that and whether it is the whole; see redact.py."""


class FileChanged(OSError):
    """The file gave fewer bytes than it had when the request was started."""


class Body(Protocol):
    """What a request carries. `length` is its exact number of bytes; it can be iterated once."""

    content_type: str
    length: int

    def excerpt(self, size: int) -> str:
        """What the ledger may see of the first `size` bytes, but for what masks find; taken before the iteration."""
        ...

    def __iter__(self) -> Iterator[bytes]: ...


class _File:
    """A seekable file, from where it stands to its end."""

    def __init__(self, file: BinaryIO) -> None:
        start = file.tell()
        self.size = file.seek(0, os.SEEK_END) - start
        file.seek(start)
        self._file = file

    def start(self, size: int) -> str:
        """The first bytes as text; the position stays where it was."""
        position = self._file.tell()
        data = self._file.read(size)
        self._file.seek(position)
        return data.decode("utf-8", errors="replace")

    def __iter__(self) -> Iterator[bytes]:
        left = self.size
        while left:
            piece = self._file.read(min(PIECE, left))
            if not piece:
                raise FileChanged(f"{left} bytes of the file are missing.")
            left -= len(piece)
            yield piece


class MultipartFile:
    """A CSV file as the one part of a multipart request; `length` includes the framing."""

    def __init__(self, file: BinaryIO, *, filename: str, shown: Shown = as_it_is) -> None:
        self._file = _File(file)
        self._shown = shown
        boundary = uuid.uuid4().hex
        self._head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(filename)}"\r\n'
            "Content-Type: text/csv\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.length = len(self._head) + self._file.size + len(self._tail)

    def excerpt(self, size: int) -> str:
        return self._shown(self._file.start(size), self._file.size <= size)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        yield from self._file
        yield self._tail


class JsonFile:
    """A file that holds JSON, sent as it is."""

    content_type = "application/json"

    def __init__(self, file: BinaryIO, *, shown: Shown) -> None:
        self._file = _File(file)
        self._shown = shown
        self.length = self._file.size

    def excerpt(self, size: int) -> str:
        return self._shown(self._file.start(size), self._file.size <= size)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._file


class JsonBody:
    """A value of a few kilobytes, or a list of products of some megabytes; nothing personal is in it."""

    content_type = "application/json"

    def __init__(self, value: object) -> None:
        self._data = json_text(value).encode()
        self.length = len(self._data)

    def excerpt(self, size: int) -> str:
        return self._data[:size].decode("utf-8", errors="replace")

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, self.length, PIECE):
            yield self._data[start : start + PIECE]


def _quoted(filename: str) -> str:
    """As browsers write it: what would end the header's quotes or line is percent-encoded."""
    return filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
