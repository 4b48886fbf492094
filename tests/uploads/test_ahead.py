"""Reading ahead changes nothing but the time: same chunks, same order, same errors, and nothing left behind."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from django.db import connection

from apps.metrica.wire.simple_orders import read_simple_orders
from apps.uploads import files, making, selection
from apps.uploads.ahead import read_ahead
from tests.uploads.conftest import Shop


def asked() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])


def counted(number: int) -> Iterator[int]:
    for each in range(number):
        yield each + asked() - 1


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.mark.parametrize("number", [0, 1, 2, 3, 10])
def test_all_chunks_come_in_their_order(transactional_db: None, number: int) -> None:
    assert list(read_ahead(counted(number))) == list(range(number))
    assert not readers()


def test_an_error_comes_where_it_belongs(transactional_db: None) -> None:
    def broken() -> Iterator[int]:
        yield from counted(4)
        raise RuntimeError("the fifth")

    seen: list[int] = []
    with pytest.raises(RuntimeError, match="the fifth"):
        seen.extend(read_ahead(broken()))
    assert seen == [0, 1, 2, 3]
    assert not readers()


def test_whoever_stops_early_leaves_no_reader_behind(transactional_db: None) -> None:
    with closing(read_ahead(counted(100))) as chunks:
        for number in chunks:
            if number == 4:
                break
    assert not readers()


def test_many_small_chunks_are_one_file_with_every_order_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "CHUNK", 3)
    for number in range(20):
        shop.push(f"M-{number:02}", "a1", "a2")
    shop.upload()
    for upload in shop.uploads():
        with files.plain(upload) as file:
            rows = [row.order.id for row in read_simple_orders(file, zone=shop.counter.zone) if row.order]
        assert rows == [f"M-{number:02}" for number in range(20)]
    assert [shop.arrived(f"M-{number:02}") for number in range(20)] == [["a1", "a2"]] * 20


def test_a_creation_time_corrected_after_its_chunk_was_read_is_the_one_that_goes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R9: Metrica would freeze the old one."""
    shop.push("C-1", "a1")
    shop.push("C-2", "a1")
    corrected = (shop.began - timedelta(hours=3)).replace(microsecond=0)

    def late(chunks: Iterator[selection.Due]) -> Iterator[selection.Due]:
        for due in chunks:
            row = {"id": "C-1", "create_date_time": corrected.isoformat(), "order_status": "a1"}
            shop.take([row])
            yield due

    monkeypatch.setattr("apps.uploads.planner.read_ahead", late)
    shop.upload()
    assert shop.order("C-1").create_date_time == corrected
    [upload] = shop.uploads()
    with files.plain(upload) as file:
        sent = [row.order.create_date_time for row in read_simple_orders(file, zone=shop.counter.zone) if row.order]
    assert sent == [corrected, shop.began.replace(microsecond=0)]


def test_a_full_file_ends_between_chunks_and_the_next_one_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "CHUNK", 2)
    monkeypatch.setattr(making, "ROWS_PER_FILE", 6)
    for number in range(20):
        shop.push(f"F-{number:02}", "a1")
    job = shop.upload()
    assert [upload.rows for upload in shop.uploads()] == [6, 6, 6, 2]
    assert job.delivered == 20
    assert not readers()
