"""Which kept file is which upload of Metrica's list: nothing is taken for what it is not (R6, R7)."""

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrica.client import Uploading
from apps.uploads import recognising
from apps.uploads.course import Turn
from apps.uploads.models import Upload
from apps.uploads.recognising import recognised
from apps.uploads.reconciler import Arrival

BEGAN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def turn(rows: int, *, minutes: float = 0, until: float | None = None) -> Turn:
    upload = Upload(rows=rows, format="csv")
    end = None if until is None else BEGAN + timedelta(minutes=until)
    return Turn(upload, BEGAN + timedelta(minutes=minutes), end)


def came(name: int, rows: int, *, minutes: float | None = None) -> Arrival:
    uploading = Uploading(
        uploading_id=str(name),
        datetime="",
        status="PASSED",
        elements_count=rows,
        entity_type="SYSTEM",
        uploading_format="CSV",
        uploading_source="API",
        raw={},
    )
    return Arrival(uploading, None if minutes is None else BEGAN + timedelta(minutes=minutes))


def names(found: dict[int, Arrival]) -> dict[int, str]:
    return {place: arrival.uploading.uploading_id for place, arrival in found.items()}


@given(
    files=st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=12),
    unsent=st.lists(st.integers(1, 4), max_size=3),
)
def test_what_is_recognised_is_what_it_is(files: list[tuple[int, bool]], unsent: list[int]) -> None:
    """Single rows may have been refused, and the last files may not have gone; times tell nothing."""
    turns, arrivals = [], []
    for place, (rows, passed) in enumerate(files):
        turns.append(turn(rows))
        if passed or rows > 1:
            arrivals.append(came(place, rows))
    turns += [turn(rows) for rows in unsent]
    assert all(str(place) == name for place, name in names(recognised(turns, arrivals)).items())
    if len(turns) == len(arrivals):
        assert len(recognised(turns, arrivals)) == len(turns)


@given(passed=st.lists(st.booleans(), min_size=1, max_size=30))
def test_a_refused_row_among_many_is_told_by_the_time(passed: list[bool]) -> None:
    """A shop that sends a row every five minutes."""
    turns = [turn(1, minutes=5 * n, until=5 * n + 5) for n in range(len(passed))]
    arrivals = [came(n, 1, minutes=5 * n + 3) for n, one in enumerate(passed) if one]
    assert names(recognised(turns, arrivals)) == {n: str(n) for n, one in enumerate(passed) if one}
    with mock.patch.object(recognising, "_MOST_PAIRS", 9):
        assert names(recognised(turns, arrivals)) == {n: str(n) for n, one in enumerate(passed) if one}


@pytest.mark.parametrize(
    ("files", "uploads", "expected"),
    [
        ([1, 1], [1], {}),  # either may have been refused
        ([1, 1, 2], [1, 2], {2: "1"}),
        ([4, 4], [4], {0: "0"}),  # the second had not gone yet
        ([4, 2, 4], [4, 2], {0: "0", 1: "1"}),
        ([3, 5, 2], [3, 7, 5, 2], {0: "0", 1: "2", 2: "3"}),  # another's came in between
        ([2], [2, 2], {}),  # one of them is another's
        ([1, 3, 1], [3], {1: "0"}),
    ],
)
def test_by_order_and_size_alone(files: list[int], uploads: list[int], expected: dict[int, str]) -> None:
    arrivals = [came(n, rows) for n, rows in enumerate(uploads)]
    assert names(recognised([turn(rows) for rows in files], arrivals)) == expected


def test_nothing_came_before_it_was_begun_nor_long_after_the_next_one_was() -> None:
    turns = [turn(3, minutes=10, until=30), turn(5, minutes=30)]
    for minutes, known in ((5, False), (20, True), (45, False)):
        assert bool(recognised(turns, [came(0, 3, minutes=minutes)])) is known
