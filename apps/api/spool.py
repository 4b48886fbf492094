"""What one thread writes and another reads, in order, in flat memory: what is not read yet waits on disk."""

import os
import tempfile
import threading
from collections.abc import Iterator
from typing import Final

IN_MEMORY: Final = 1024 * 1024
PIECE: Final = 64 * 1024


class Spool:
    """One writes and ends, one reads until the end. Whoever closes it gives its disk back."""

    def __init__(self, *, in_memory: int = IN_MEMORY) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115 - closed by close()
        self._read = self._written = 0
        self._ended = False
        self._news = threading.Condition()

    @property
    def waiting(self) -> int:
        """Bytes that nobody has read yet."""
        return self._written - self._read

    def write(self, text: bytes) -> None:
        """Nothing is kept once the spool is closed."""
        with self._news:
            if self._file.closed:
                return
            self._file.seek(self._written)
            self._file.write(text)
            self._written += len(text)
            self._news.notify()

    def end(self) -> None:
        with self._news:
            self._ended = True
            self._news.notify()

    def __iter__(self) -> Iterator[bytes]:
        """Pieces as they come, until the end."""
        while piece := self._next():
            yield piece

    def close(self) -> None:
        with self._news:
            self._ended = True
            self._file.close()

    def _next(self) -> bytes:
        with self._news:
            while self._read == self._written:
                if self._ended:
                    return b""
                self._news.wait()
            self._file.seek(self._read)
            piece = self._file.read(PIECE)
            self._read += len(piece)
            if self._read == self._written:
                self._file.seek(0, os.SEEK_SET)
                self._file.truncate()
                self._read = self._written = 0
            return piece
