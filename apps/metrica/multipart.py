"""A file on its way into a multipart request, read piece by piece: memory stays flat for a file of 1 GB.

Page: uploadSimpleOrders (one part named `file`, with a file name, `text/csv`).
"""

import os
import uuid
from collections.abc import Iterator
from typing import BinaryIO

PIECE = 128 * 1024


class FileChanged(OSError):
    """The file gave fewer bytes than it had when the request was started."""


class MultipartFile:
    """The body of an upload. `length` is its exact number of bytes, framing included.

    `file` is seekable and is read from where it stands. The body can be iterated once.
    """

    def __init__(self, file: BinaryIO, *, filename: str) -> None:
        start = file.tell()
        self._size = file.seek(0, os.SEEK_END) - start
        file.seek(start)
        self._file = file
        boundary = uuid.uuid4().hex
        self._head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(filename)}"\r\n'
            "Content-Type: text/csv\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.length = len(self._head) + self._size + len(self._tail)

    def start_of_file(self, size: int) -> bytes:
        """The first bytes of the file; the position stays where it was."""
        position = self._file.tell()
        data = self._file.read(size)
        self._file.seek(position)
        return data

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        left = self._size
        while left:
            piece = self._file.read(min(PIECE, left))
            if not piece:
                raise FileChanged(f"{left} bytes of the file are missing.")
            left -= len(piece)
            yield piece
        yield self._tail


def _quoted(filename: str) -> str:
    """As browsers write it: what would end the header's quotes or line is percent-encoded."""
    return filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
