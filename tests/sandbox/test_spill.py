"""Checked rows on disk: nothing lost, one id in one bucket, memory bounded by the buckets."""

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrica.rules import GoalPrice
from apps.metrica.wire.simple_orders import SimpleOrder
from apps.sandbox.spill import Row, RowSpill, shuffle_duplicates


def order(order_id: str) -> SimpleOrder:
    return SimpleOrder(
        id=order_id,
        create_date_time=datetime(2026, 3, 4, tzinfo=UTC),
        date_only=False,
        order_status="PAID",
        client_ids=("17", "18"),
        goals=(GoalPrice("deal_won", None),),
    )


@pytest.mark.parametrize("file_size", [0, 64 * 2**20, 2**30])
def test_every_row_comes_back_once_and_an_id_stays_in_one_bucket(file_size: int) -> None:
    rows = [(line, order(f"D-{line % 700}" if line % 10 else "")) for line in range(2, 3000)]
    seen: dict[str, int] = {}
    back: list[Row] = []
    with RowSpill(record=SimpleOrder, key="id", file_size=file_size) as spill:
        for line, row in rows:
            spill.add(line=line, record=row)
        assert spill.rows == len(rows)
        for number, bucket in enumerate(spill.buckets()):
            assert [line for line, _row in bucket] == sorted(line for line, _row in bucket)
            for _line, row in bucket:
                assert not row.id or seen.setdefault(row.id, number) == number
            back += bucket
    assert sorted(back, key=lambda row: row[0]) == rows


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=20), st.randoms())
def test_shuffling_keeps_the_places_of_each_id(ids: list[str], rng: Random) -> None:
    rows = [(line, order(order_id)) for line, order_id in enumerate(ids)]
    mixed = list(rows)
    shuffle_duplicates(rows=mixed, key="id", rng=rng)
    assert [row.id for _line, row in mixed] == ids
    assert sorted(line for line, _row in mixed) == list(range(len(ids)))
    assert [row for row in mixed if not row[1].id] == [row for row in rows if not row[1].id]
