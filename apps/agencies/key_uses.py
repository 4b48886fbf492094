"""How much each API key is used: counted in memory, written once a minute by each process that has something to write.

So a request costs no write of its own, and processes meet at a row of the day for a moment a minute. What a process
counted in its last minute is written when it ends; one that is killed loses that.
"""

import atexit
import os
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import date

import structlog
from django.db import DatabaseError, IntegrityError, close_old_connections, connection, transaction
from django.db.models import F
from django.utils import timezone

from apps.agencies.actor import Actor
from apps.agencies.models import ApiKey, ApiKeyDay

WRITE_EVERY = 60.0
FIELDS = ("requests", "rows_accepted", "rows_refused", "turned_away")

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Tally:
    requests: int = 0
    rows_accepted: int = 0
    rows_refused: int = 0
    turned_away: int = 0


_counted: defaultdict[tuple[int, date], Tally] = defaultdict(Tally)
_guard = threading.Lock()
_since: float | None = None  # when the oldest of `_counted` was counted, of a clock that never goes back


def note(
    key_id: int, *, requests: int = 0, rows_accepted: int = 0, rows_refused: int = 0, turned_away: int = 0
) -> None:
    """Count; nothing is written yet."""
    global _since
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    with _guard:
        _add(key_id, today, Tally(requests, rows_accepted, rows_refused, turned_away))
        if _since is None:
            _since = time.monotonic()


def note_rows(actor: Actor, *, accepted: int, refused: int) -> None:
    """Rows that somebody brought; counted where it was a key."""
    if actor.kind == "key" and actor.id.isdigit() and (accepted or refused):
        note(int(actor.id), rows_accepted=accepted, rows_refused=refused)


def write_if_due() -> None:
    """Write where a minute has passed since the first that is not written. Not inside a transaction: it would hold the
    rows for as long as that takes."""
    if _since is not None and time.monotonic() - _since >= WRITE_EVERY and not connection.in_atomic_block:
        write()


def write() -> None:
    """Write all that was counted. What cannot be written now is kept for the next time."""
    global _since
    with _guard:
        taken = dict(_counted)
        _counted.clear()
        _since = None
    try:
        _write(taken)
    except DatabaseError as error:
        _log.warning("uses of API keys could not be written yet", why=type(error).__name__)
        with _guard:
            for (key_id, day), tally in taken.items():
                _add(key_id, day, tally)
            _since = time.monotonic()


def forget() -> None:
    """Of a process that begins: what its parent counted is written by that."""
    global _since, _guard
    _guard = threading.Lock()
    _counted.clear()
    _since = None


def keep_written() -> None:
    """Of a web process: write in time though no further request comes, and at its end."""
    atexit.register(write)
    _start_clock()
    os.register_at_fork(after_in_child=_start_clock)


def _start_clock() -> None:
    threading.Thread(target=_clock, name="api-key-uses", daemon=True).start()


def _clock() -> None:
    while True:
        time.sleep(WRITE_EVERY / 2)
        if _since is not None and time.monotonic() - _since >= WRITE_EVERY:
            close_old_connections()
            try:
                write()
            finally:
                connection.close()


def _add(key_id: int, day: date, more: Tally) -> None:
    kept = _counted[key_id, day]
    for name in FIELDS:
        setattr(kept, name, getattr(kept, name) + getattr(more, name))


def _write(taken: Mapping[tuple[int, date], Tally]) -> None:
    """All or nothing, the rows in one order: two processes never wait for each other crosswise."""
    with transaction.atomic():
        there = set(ApiKey.objects.filter(pk__in={key_id for key_id, _day in taken}).values_list("pk", flat=True))
        for (key_id, day), tally in sorted(taken.items(), key=lambda item: item[0]):
            if key_id in there:
                _add_to_row(key_id, day, dict(zip(FIELDS, astuple(tally), strict=True)))


def _add_to_row(key_id: int, day: date, numbers: Mapping[str, int]) -> None:
    row = ApiKeyDay.objects.filter(key_id=key_id, day=day)
    more = {name: F(name) + number for name, number in numbers.items() if number}
    if not more or row.update(**more):
        return
    try:
        with transaction.atomic():
            ApiKeyDay.objects.create(key_id=key_id, day=day, **numbers)
    except IntegrityError:  # another process was a moment earlier
        row.update(**more)
    else:
        ApiKeyDay.objects.filter(key_id=key_id, day__lt=day - ApiKeyDay.KEPT).delete()


os.register_at_fork(after_in_child=forget)
