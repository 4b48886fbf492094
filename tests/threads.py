"""Threads that meet each other in the database, each with a connection of its own."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time, so nothing can wait here"
)


class Thread(threading.Thread):
    """Runs with a connection of its own, and gives back what it came to."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._result: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error
        finally:
            connections.close_all()

    def result(self) -> Any:
        self.join(60)
        assert not self.is_alive(), "it still waits"
        if self._error is not None:
            raise self._error
        return self._result


def wait_for_a_lock(number: int) -> None:
    """Until so many other connections wait for a lock."""
    for _attempt in range(200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction it would stay the same
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid != pg_backend_pid() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0] >= number:
                return
        threading.Event().wait(0.05)
    raise AssertionError("nobody waits")
