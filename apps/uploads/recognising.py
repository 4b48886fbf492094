"""Which kept file is which upload of Metrica's list: told by size, order and time.

The list says of an upload when it came, its format and how many rows it had. Files went in their order, so whichever
uploads are theirs came in that order; a file came neither before it was begun nor after the next one was. Of all ways
to pair them so, those count that explain most uploads, and that pass over as few files of several rows as can be: such
a file that was refused would have been divided, while a single row may well have been refused. What all these ways
agree on is known. The rest is sent again: the same row twice changes nothing under SAVE, while to take a refused row
for delivered would lose it.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from django.conf import settings

from apps.uploads.course import Turn
from apps.uploads.reconciler import CLOCK_SKEW, Arrival, fits

_MOST_PAIRS: Final = 1_000_000
"""Looked at together; where there are more, the earlier and the later half are told apart by their times alone."""

_Scores = list[list[int]]


def recognised(turns: Sequence[Turn], arrivals: Sequence[Arrival]) -> dict[int, Arrival]:
    """{place in `turns`: its upload}. Both in their order."""
    if len(turns) > 1 and len(turns) * len(arrivals) > _MOST_PAIRS:
        middle = len(turns) // 2
        begins = turns[middle].since
        place = next((n for n, one in enumerate(arrivals) if one.at is not None and one.at >= begins), len(arrivals))
        later = recognised(turns[middle:], arrivals[place:])
        return recognised(turns[:middle], arrivals[:place]) | {middle + n: one for n, one in later.items()}
    best = _scores(turns, arrivals)
    early, late = (_pairs(turns, arrivals, best, passing_over_first=first) for first in (False, True))
    return {turn: arrivals[place] for turn, place in early.items() if late.get(turn) == place}


def _scores(turns: Sequence[Turn], arrivals: Sequence[Arrival]) -> _Scores:
    """What the best way comes to from each turn and each upload on: a pair counts for more than all files passed
    over."""
    best = [[0] * (len(arrivals) + 1) for _turn in range(len(turns) + 1)]
    for turn in range(len(turns) - 1, -1, -1):
        for place in range(len(arrivals) - 1, -1, -1):
            best[turn][place] = max(way(turns, arrivals, best, turn, place) for way in (_nobodys, _not_gone, _pair))
    return best


def _nobodys(turns: Sequence[Turn], _arrivals: Sequence[Arrival], best: _Scores, turn: int, place: int) -> int:
    return best[turn][place + 1]


def _not_gone(turns: Sequence[Turn], _arrivals: Sequence[Arrival], best: _Scores, turn: int, place: int) -> int:
    """Behind the last file that came, others may simply not have been sent yet."""
    after = best[turn + 1][place]
    return after - (1 if after and turns[turn].item.rows > 1 else 0)


def _pair(turns: Sequence[Turn], arrivals: Sequence[Arrival], best: _Scores, turn: int, place: int) -> int:
    if not may_be(turns[turn], arrivals[place]):
        return -1
    return len(turns) + 1 + best[turn + 1][place + 1]


_Way = Callable[[Sequence[Turn], Sequence[Arrival], _Scores, int, int], int]


def _pairs(
    turns: Sequence[Turn], arrivals: Sequence[Arrival], best: _Scores, *, passing_over_first: bool
) -> dict[int, int]:
    """Of the best ways the outermost: every other lies between these two, so what both have, all have."""
    ways: list[_Way] = [_not_gone, _pair, _nobodys] if passing_over_first else [_nobodys, _pair, _not_gone]
    found: dict[int, int] = {}
    turn = place = 0
    while turn < len(turns) and place < len(arrivals):
        way = next(way for way in ways if way(turns, arrivals, best, turn, place) == best[turn][place])
        if way is _pair:
            found[turn] = place
        turn, place = turn + (way is not _nobodys), place + (way is not _not_gone)
    return found


def may_be(turn: Turn, arrival: Arrival) -> bool:
    """Whether this upload can be that file, by its size and its time."""
    if not fits(arrival.uploading, rows=turn.item.rows, file_format=turn.item.format):
        return False
    if arrival.at is None:
        return True
    # Files are begun on the clocks of their machines, and the list may be behind.
    late = CLOCK_SKEW + timedelta(seconds=settings.UPLOAD_UNKNOWN_SECONDS)
    return turn.since - CLOCK_SKEW <= arrival.at and (turn.until is None or arrival.at <= turn.until + late)
