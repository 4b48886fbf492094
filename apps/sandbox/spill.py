"""Keeps the checked rows of a file on disk until all of it is known to be good, in flat memory.

Rows with one id always land in one bucket, so that each bucket alone can put duplicates in random order.
"""

import pickle
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import fields
from operator import attrgetter
from random import Random
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from apps.metrica.rules import GoalPrice

R = TypeVar("R")
Row = tuple[int, R]  # (line of the file, record)

_BUCKET_BYTES = 2**20
_MAX_BUCKETS = 512
_BLOCK_ROWS = 64


class RowSpill(Generic[R]):
    """A context manager: `add` rows, then iterate `buckets` once or more."""

    def __init__(self, *, record: type[R], key: str, file_size: int) -> None:
        """`record` is the rows' dataclass, `key` its field by which rows are of one thing, "" for a thing of its own;
        `file_size` in bytes decides how many buckets there are."""
        count = min(_MAX_BUCKETS, 1 + file_size // _BUCKET_BYTES)
        self._packing = _Packing(record)
        self._key: Callable[[R], str] = attrgetter(key)
        self._memory: list[list[Row[R]]] = [[] for _ in range(count)]
        self._blocks: list[list[int]] = [[] for _ in range(count)]  # offsets in the temporary file
        self._file = tempfile.TemporaryFile() if count > 1 else None  # noqa: SIM115 - closed in __exit__
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, *, line: int, record: R) -> None:
        self.rows += 1
        if self._file is None:
            self._memory[0].append((line, record))
            return
        key = self._key(record)
        bucket = zlib.crc32(key.encode()) % len(self._memory) if key else line % len(self._memory)
        held = self._memory[bucket]
        held.append((line, record))
        if len(held) >= _BLOCK_ROWS:
            self._blocks[bucket].append(self._file.tell())
            pickle.dump([self._packing.pack(row) for row in held], self._file, protocol=5)
            held.clear()

    def buckets(self) -> Iterator[list[Row[R]]]:
        """Each bucket's rows in the order of the file."""
        for offsets, held in zip(self._blocks, self._memory, strict=True):
            rows: list[Row[R]] = []
            for offset in offsets:
                assert self._file is not None
                self._file.seek(offset)
                rows += map(self._packing.unpack, pickle.load(self._file))  # noqa: S301 - written above, by this process
            rows += held
            if rows:
                yield rows


class _Packing(Generic[R]):
    """Plain tuples are pickled several times faster than objects with slots."""

    def __init__(self, record: type[R]) -> None:
        self._record = record
        self._has_goals = any(field.name == "goals" for field in fields(record))  # type: ignore[arg-type]
        self._names = tuple(field.name for field in fields(record) if field.name != "goals")  # type: ignore[arg-type]
        self._cells = attrgetter(*self._names)

    def pack(self, row: Row[R]) -> tuple[Any, ...]:
        line, record = row
        if not self._has_goals:
            return line, self._cells(record), None
        goals = [(goal.goal_action_id, goal.price) for goal in record.goals]  # type: ignore[attr-defined]
        return line, self._cells(record), goals

    def unpack(self, packed: tuple[Any, ...]) -> Row[R]:
        line, cells, goals = packed
        values = dict(zip(self._names, cells, strict=True))
        if self._has_goals:
            values["goals"] = tuple(GoalPrice(*goal) for goal in goals)
        return line, self._record(**values)


def shuffle_duplicates(*, rows: list[Row[R]], key: str, rng: Random) -> None:
    """Puts rows that share a key in random order among their own places (modes page: "applied in random order").

    `key` names the field. Rows without one are each a thing of their own and stay where they are.
    """
    key_of: Callable[[R], str] = attrgetter(key)
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, (_line, record) in enumerate(rows):
        if own_key := key_of(record):
            places[own_key].append(place)
    for own in places.values():
        if len(own) > 1:
            mixed = [rows[place] for place in own]
            rng.shuffle(mixed)
            for place, row in zip(own, mixed, strict=True):
                rows[place] = row
