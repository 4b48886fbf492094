"""In which order files went out since a backup, told from the kept files alone.

A counter's files go one after the other, and the next one is begun when the one before it has ended, with all parts
into which it was divided; of what is open at once, what Metrica may have goes first, then the smallest (see runner).

The parts of a refused file together hold exactly its rows, and were begun in one moment. So a file whose rows are
those of such a group was refused, and the group's files went in its place; each of them may have been refused in turn.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from apps.uploads import files
from apps.uploads.models import Upload, UploadFormat, UploadKind
from apps.uploads.orphans import CONTENTS, Orphan, contents_of, made_at
from apps.uploads.splitter import MAX_NAMED

_ONE_MOMENT: Final = timedelta(seconds=1)

Item = Upload | Orphan
_Place = tuple[bool, int, int, UUID]


@dataclass(frozen=True, slots=True)
class Turn:
    """A file that may have gone whole, at the earliest `since`; `until`: when the next one was begun that is no part of
    any, None where none was (both aware)."""

    item: Item
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Course:
    """`turns`: in their order, without what has its upload back already. `divided`: uploads that the backup knows as
    open and that were refused since."""

    turns: list[Turn]
    divided: list[Upload]


def course_of(uploads: Sequence[Upload], orphans: Sequence[Orphan]) -> Course:
    """`uploads`: what the backup knows as open; `orphans`: what was made later, by its keys. Reads the uploads' files
    where parts were made at all."""
    parts_of = _families(uploads, orphans)
    parts = {part.pk for family in parts_of.values() for part in family}
    whole = [orphan for orphan in orphans if orphan.pk not in parts]
    turns: list[Turn] = []
    rounds: list[Sequence[Item]] = [uploads, *([orphan] for orphan in whole)]
    for until, begun in zip([*(orphan.made_at for orphan in whole), None], rounds, strict=True):
        waiting: list[tuple[_Place, Item]] = [(_place(item), item) for item in begun]
        heapq.heapify(waiting)
        while waiting:
            (_first, wave, _rows, key), item = heapq.heappop(waiting)
            if key not in parts_of and not (isinstance(item, Orphan) and item.settled):
                turns.append(Turn(item, made_at(key), until))
            for part in parts_of.get(key, ()):
                heapq.heappush(waiting, ((True, wave, part.rows, part.pk), part))
    return Course(turns, [upload for upload in uploads if upload.pk in parts_of])


def _place(item: Item) -> _Place:
    """Among what is open at once: what was sent already, then by wave and size."""
    if isinstance(item, Orphan):
        return True, 0, item.rows, item.pk
    return not item.attempts, item.wave, item.rows, item.pk


def _families(uploads: Sequence[Upload], orphans: Sequence[Orphan]) -> dict[UUID, list[Orphan]]:
    """{key of a divided file: its parts}. Of several files with the same rows the last one before the parts is it: an
    earlier one was given up, or the rows were to go once more."""
    groups = list(_begun_together(orphans))
    if not groups:
        return {}
    wholes: dict[tuple[str, str, int, int], list[UUID]] = defaultdict(list)
    for one in uploads:
        if (contents := _contents(one)) is not None:
            wholes[(one.kind, one.format, one.rows, contents)].append(one.pk)
    for orphan in orphans:
        wholes[(orphan.kind, orphan.format, orphan.rows, orphan.contents)].append(orphan.pk)
    families: dict[UUID, list[Orphan]] = {}
    parts: set[UUID] = set()
    for group in groups:
        rows, contents = sum(one.rows for one in group), _sum(group)
        earlier = [key for key in wholes.get((group[0].kind, group[0].format, rows, contents), ()) if key < group[0].pk]
        if earlier and max(earlier) not in families and parts.isdisjoint(one.pk for one in group):
            families[max(earlier)] = group
            parts.update(one.pk for one in group)
    return families


def _begun_together(orphans: Sequence[Orphan]) -> Iterator[list[Orphan]]:
    """Two or more files in a row, of one kind, that were begun in one moment; those that began first come first."""
    for start, first in enumerate(orphans):
        for end in range(start + 1, min(start + MAX_NAMED + 1, len(orphans))):
            last = orphans[end]
            if last.made_at - first.made_at > _ONE_MOMENT or (last.kind, last.format) != (first.kind, first.format):
                break
            yield list(orphans[start : end + 1])


def _sum(group: Sequence[Orphan]) -> int:
    return sum(one.contents for one in group) % CONTENTS


def _contents(upload: Upload) -> int | None:
    try:
        with files.plain(upload) as file:
            return contents_of(file, UploadKind(upload.kind), UploadFormat(upload.format))[1]
    except files.FileUnusable:
        return None
