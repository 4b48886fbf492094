"""In which order files went since a backup, and which of them were divided (R4, R6)."""

import itertools
from uuid import UUID

from apps.uploads.course import course_of
from apps.uploads.models import UploadFormat, UploadKind
from apps.uploads.orphans import Orphan

_tails = itertools.count(1)


def kept(at: float, *rows: int, tail: int | None = None) -> Orphan:
    """A file begun after `at` seconds, with these rows, each told by its number. `tail`: tells keys of one moment."""
    key = UUID(int=(int((1_790_000_000 + at) * 1000) << 80) + (next(_tails) if tail is None else tail))
    orphan = Orphan(f"{key}.csv.gz", key, UploadFormat.CSV, UploadKind.SIMPLE_ORDERS)
    orphan.rows, orphan.contents = len(rows), sum(2**row for row in rows)
    return orphan


def turns(*orphans: Orphan) -> list[Orphan]:
    return [turn.item for turn in course_of([], sorted(orphans, key=lambda one: one.pk)).turns]  # type: ignore[misc]


def test_parts_go_in_the_place_of_the_refused_file_the_smallest_first() -> None:
    whole, later = kept(0, *range(8)), kept(60, 1, 2)
    left, right = kept(5, *range(4), tail=2), kept(5, *range(4, 8), tail=1)
    first, second = kept(9, 4, 5), kept(9, 6, 7)
    assert turns(whole, left, right, first, second, later) == [first, second, left, later]


def test_rows_that_metrica_named_and_the_rest() -> None:
    whole, alone, rest = kept(0, 1, 2, 3, 4), kept(3, 3), kept(3, 1, 2, 4)
    assert turns(whole, alone, rest) == [alone, rest]


def test_of_several_files_with_the_same_rows_the_last_one_was_divided() -> None:
    """The first one was given up when its job failed; what became of it is told by other means."""
    given_up, whole, left, right = kept(0, 1, 2), kept(60, 1, 2), kept(63, 1), kept(63, 2)
    assert turns(given_up, whole, left, right) == [given_up, left, right]


def test_files_that_were_begun_at_different_times_are_no_parts() -> None:
    """The states of two orders that went together went once more later, each when its time had come."""
    together, one, another = kept(0, 1, 2), kept(60, 1), kept(120, 2)
    assert turns(together, one, another) == [together, one, another]


def test_other_rows_are_no_parts_however_many_they_are() -> None:
    whole, left, right = kept(0, 1, 2), kept(5, 1), kept(5, 3)
    assert turns(whole, left, right) == [whole, left, right]


def test_each_turn_ends_where_the_next_file_is_begun_that_is_no_part() -> None:
    whole, left, right, later = kept(0, 1, 2), kept(5, 1), kept(5, 2), kept(60, 4)
    found = course_of([], [whole, left, right, later]).turns
    assert [(turn.since, turn.until) for turn in found] == [
        (left.made_at, later.made_at),
        (right.made_at, later.made_at),
        (later.made_at, None),
    ]
