"""Reads the next chunk while the present one is worked on, in a thread with a database connection of its own.

PostgreSQL serves both at once on two cores. Where there is little to read, or one connection has all there is (SQLite),
nothing is started.
"""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from django.db import connection, connections

T = TypeVar("T")


def read_ahead(chunks: Iterator[T]) -> Generator[T, None, None]:
    """The same chunks, none of them None, each asked for before the one before it is done with. Close it when done.

    What a chunk shows may be older by the time that one chunk takes; who works with it checks before it writes.
    """
    yield from islice(chunks, 2)
    if connection.vendor != "postgresql":
        yield from chunks
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead") as reader:
        try:
            coming = reader.submit(next, chunks, None)
            while (chunk := coming.result()) is not None:
                coming = reader.submit(next, chunks, None)
                yield chunk
        finally:
            reader.submit(connections.close_all)
