"""Keeps the checked rows of a file on disk until all of it is known to be good, in flat memory.

Rows with one order id always land in one bucket, so that each bucket alone can put duplicates in random order.
"""

import pickle
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from operator import attrgetter
from random import Random
from types import TracebackType
from typing import Any, Self

from apps.metrica.rules import GoalPrice
from apps.metrica.wire.simple_orders import SimpleOrder

Row = tuple[int, SimpleOrder]  # (line of the file, order)

_BUCKET_BYTES = 2**20
_MAX_BUCKETS = 512
_BLOCK_ROWS = 64


class RowSpill:
    """A context manager: `add` rows, then iterate `buckets` once or more."""

    def __init__(self, *, file_size: int) -> None:
        """`file_size` in bytes decides how many buckets there are."""
        count = min(_MAX_BUCKETS, 1 + file_size // _BUCKET_BYTES)
        self._memory: list[list[Row]] = [[] for _ in range(count)]
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

    def add(self, *, line: int, order: SimpleOrder) -> None:
        self.rows += 1
        if self._file is None:
            self._memory[0].append((line, order))
            return
        bucket = zlib.crc32(order.id.encode()) % len(self._memory) if order.id else line % len(self._memory)
        held = self._memory[bucket]
        held.append((line, order))
        if len(held) >= _BLOCK_ROWS:
            self._blocks[bucket].append(self._file.tell())
            pickle.dump([_packed(row) for row in held], self._file, protocol=5)
            held.clear()

    def buckets(self) -> Iterator[list[Row]]:
        """Each bucket's rows in the order of the file."""
        for offsets, held in zip(self._blocks, self._memory, strict=True):
            rows: list[Row] = []
            for offset in offsets:
                assert self._file is not None
                self._file.seek(offset)
                rows += map(_unpacked, pickle.load(self._file))  # noqa: S301 - written above, by this process
            rows += held
            if rows:
                yield rows


# Plain tuples are pickled several times faster than objects with slots.
_names = tuple(field.name for field in fields(SimpleOrder) if field.name != "goals")
_cells = attrgetter(*_names)


def _packed(row: Row) -> tuple[Any, ...]:
    line, order = row
    return line, _cells(order), [(goal.goal_action_id, goal.price) for goal in order.goals]


def _unpacked(packed: tuple[Any, ...]) -> Row:
    line, cells, goals = packed
    order = SimpleOrder(**dict(zip(_names, cells, strict=True)), goals=tuple(GoalPrice(*goal) for goal in goals))
    return line, order


def shuffle_duplicates(*, rows: list[Row], rng: Random) -> None:
    """Puts rows that share an order id in random order among their own places (modes page: "applied in random order").

    Rows without an id are each an order of their own and stay where they are.
    """
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, (_line, order) in enumerate(rows):
        if order.id:
            places[order.id].append(place)
    for own in places.values():
        if len(own) > 1:
            mixed = [rows[place] for place in own]
            rng.shuffle(mixed)
            for place, row in zip(own, mixed, strict=True):
                rows[place] = row
