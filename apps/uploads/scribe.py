"""Writes a file in a thread of its own, while the planner waits for the database: each keeps one core busy.

The thread touches no database. What it is given it writes in that order.
"""

import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from apps.uploads.formats import UNWRITABLE, Writer

_CHUNKS_AHEAD = 2
_TOGETHER = 1000


@dataclass(frozen=True, slots=True)
class Unwritable:
    """A row that no file can hold, and why."""

    row: Any
    why: str


def by_cause(unwritable: Iterable[Unwritable]) -> Iterator[tuple[str, list[Any]]]:
    """(why, ids of the rows), at most a thousand together: whoever notes them needs a statement for each of these, not
    for each row."""
    causes: dict[str, list[Any]] = defaultdict(list)
    for one in unwritable:
        causes[one.why].append(one.row.id)
    for why, ids in causes.items():
        for start in range(0, len(ids), _TOGETHER):
            yield why, ids[start : start + _TOGETHER]


class Scribe:
    """Takes rows by the chunk. Use it as a context manager; after `finish` the file is complete."""

    def __init__(self, *, writer: Writer, make: Callable[[Any], Any]) -> None:
        self.unwritable: list[Unwritable] = []
        self._writer = writer
        self._make = make
        self._chunks: queue.Queue[Sequence[Any] | None] = queue.Queue(maxsize=_CHUNKS_AHEAD)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="scribe", daemon=True)
        self._thread.start()

    def write(self, rows: Sequence[Any]) -> None:
        """Hand a chunk over; waits while two are still to be written. Raises what the thread raised."""
        if self._error is not None:
            raise self._error
        if rows:
            self._chunks.put(rows)

    def finish(self) -> None:
        """Wait until all is written. Raises what the thread raised."""
        if self._thread.is_alive():
            self._chunks.put(None)
            self._thread.join()
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self._chunks.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (rows := self._chunks.get()) is not None:
            if self._error is not None:
                continue  # the planner is told at its next chunk; until then nobody may wait for a place in the queue
            try:
                self._write(rows)
            except BaseException as error:
                self._error = error

    def _write(self, rows: Sequence[Any]) -> None:
        while rows:
            before = self._writer.rows
            try:
                self._writer.write_many(map(self._make, rows))
                return
            except UNWRITABLE as error:
                written = self._writer.rows - before
                self.unwritable.append(Unwritable(rows[written], str(error)))
                rows = rows[written + 1 :]
