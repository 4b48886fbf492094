"""Kept files: the exact bytes, checked when they are read, in flat memory."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.storage import default_storage

from apps.uploads import files
from apps.uploads.models import Upload

LINE = b"D-1001,2026-03-04 14:05:00,C-77,1700000000123456789,,,,,PAID,5000,3200,,RUB\r\n"


def kept(pieces: Iterator[bytes] | list[bytes], name: str = "uploads/1/2/file.csv.gz") -> Upload:
    checksum, size = hashlib.sha256(), 0
    with files.Draft() as draft:
        for piece in pieces:
            draft.stream.write(piece)
            checksum.update(piece)
            size += len(piece)
        return Upload(file=draft.keep(name), bytes=size, sha256=checksum.hexdigest(), created_at=datetime.now(UTC))


def test_what_was_written_is_read() -> None:
    upload = kept([LINE, LINE])
    with files.plain(upload) as file:
        assert file.read() == LINE * 2


def test_a_file_under_the_same_name_takes_the_place_of_the_old_one() -> None:
    first = kept([b"old"])
    second = kept([b"new"])
    assert first.file == second.file
    with files.plain(second) as file:
        assert file.read() == b"new"
    assert default_storage.listdir("uploads/1/2")[1] == ["file.csv.gz"]


def test_a_draft_that_is_not_kept_leaves_nothing() -> None:
    with files.Draft() as draft:
        draft.stream.write(LINE)
    assert not default_storage.exists("uploads")


@pytest.mark.parametrize(
    "spoil",
    [lambda data: data[:-5], lambda data: b"no gzip at all", lambda data: data[:20] + b"\0\0\0\0" + data[24:]],
    ids=["cut short", "other data", "bytes changed"],
)
def test_a_damaged_file_is_not_sent(spoil: Any) -> None:
    upload = kept([LINE * 50])
    with default_storage.open(upload.file, "rb") as file:
        data = file.read()
    with default_storage.open(upload.file, "wb") as file:
        file.write(spoil(data))
    with pytest.raises(files.FileUnusable) as caught, files.plain(upload):
        pass
    assert caught.value.code == "file_damaged"


def test_a_file_with_other_contents_is_not_sent() -> None:
    upload = kept([LINE])
    other = kept([LINE * 2])
    assert other.file == upload.file
    with pytest.raises(files.FileUnusable) as caught, files.plain(upload):
        pass
    assert caught.value.code == "file_damaged"


def test_a_file_that_is_gone_is_told() -> None:
    upload = kept([LINE])
    files.forget(upload.file)
    files.forget(upload.file)
    with pytest.raises(files.FileUnusable) as caught, files.plain(upload):
        pass
    assert caught.value.code == "file_missing"


def test_memory_stays_flat_however_long_the_file() -> None:
    tracemalloc.start()
    try:
        upload = kept(LINE * 4000 for _ in range(200))  # 60 MB
        with files.plain(upload) as file:
            while file.read(1024 * 1024):
                pass
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert upload.bytes > 50_000_000
    assert peak < 8_000_000
