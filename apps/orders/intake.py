"""The one door (R1): rows come in by REST, CSV, admin or gateway and become orders, clients and status changes.

Each chunk is one transaction that holds an order's state and its change together (R2); after a crash a chunk is there
whole or not at all, and the caller learns of each row only when it is committed.
"""

import hashlib
import random
import time
from collections.abc import Generator, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit import trace
from apps.audit.services import record
from apps.counters.models import Counter
from apps.orders.applying import Circumstances
from apps.orders.chunks import Chunk
from apps.orders.holds import HoldJudge
from apps.orders.results import IntakeReport, RowResult
from apps.orders.rows import LINE_KEY, OrderRow, RowError, RowReader

CHUNK_SIZE: Final = 2000
_TRIES: Final = 6


def accept_all(*, counter: Counter, rows: Iterable[Any], source: str, **options: Any) -> IntakeReport:
    """`accept`, gathered: for as many rows as fit into memory."""
    return IntakeReport.of(accept(counter=counter, rows=rows, source=source, **options))


def accept(
    *,
    counter: Counter,
    rows: Iterable[Any],
    source: str,
    actor_label: str = "",
    now: datetime | None = None,
    chunk_size: int = CHUNK_SIZE,
    atomic: bool = False,
    dry_run: bool = False,
) -> Iterator[RowResult]:
    """Take rows in, any number of them, and tell for each what became of it, in their order.

    `rows`: mappings with the fields of an order, raw; `_line` is passed through to the result. A generator: nothing
    happens before it is read, and what it gave is committed. `source`: of orders.models.Source. `now`: aware, the time
    of receipt. `atomic`: one bad row keeps all out (then the others are rejected with the code `not_taken`).
    `dry_run`: the same checks and results, and nothing is kept; chunks do not see each other then.
    """
    counter = Counter.objects.select_related("account").get(pk=counter.pk)
    if not atomic:
        yield from _accept_chunks(counter, rows, source, actor_label, now, chunk_size, dry_run=dry_run)
        return
    given = list(rows)
    with transaction.atomic():
        results = list(_accept_chunks(counter, given, source, actor_label, now, chunk_size, dry_run=dry_run))
        if failed := any(result.result == "rejected" for result in results):
            transaction.set_rollback(True)
    yield from (_not_taken(result) for result in results) if failed else results


def _accept_chunks(
    counter: Counter,
    rows: Iterable[Any],
    source: str,
    actor_label: str,
    now: datetime | None,
    chunk_size: int,
    *,
    dry_run: bool,
) -> Generator[RowResult, None, None]:
    current = trace.current()
    counts = dict.fromkeys(("created", "updated", "unchanged", "rejected"), 0)
    digest = hashlib.sha256()
    reader = RowReader(zone=counter.zone, now=now or timezone.now())
    remaining = iter(rows)
    index = 0
    try:
        while raw := list(islice(remaining, chunk_size)):
            moment = now or timezone.now()
            circumstances = Circumstances(
                counter=counter,
                now=moment,
                source=source,
                received_by=(actor_label or current.actor.label)[:255],
                request_id=current.request_id[:64],
                judge=HoldJudge(counter=counter, now=moment),
            )
            read = [reader.read(one) for one in raw]
            for result, one in zip(
                _committed(read, start=index, circumstances=circumstances, dry_run=dry_run), raw, strict=True
            ):
                _name(result, one)
                counts[result.result] += 1
                if result.change is not None:
                    digest.update(result.change.bytes)
                yield result
            index += len(raw)
    finally:
        if index and not dry_run and (counts["created"] or counts["updated"]):
            record(
                action="orders.accepted",
                agency=counter.agency_id,
                obj=counter,
                details={**counts, "source": source, "changes_sha256": digest.hexdigest()},
            )


def _committed(
    read: list[OrderRow | list[RowError]], *, start: int, circumstances: Circumstances, dry_run: bool
) -> list[RowResult]:
    """The chunk's results, once it is committed. What collides with another writer is tried again."""
    nested = connection.in_atomic_block
    for attempt in range(1, _TRIES + 1):
        try:
            with transaction.atomic():
                results = Chunk(read=read, start=start, circumstances=circumstances).apply()
                if dry_run:
                    transaction.set_rollback(True)
                return results
        except (IntegrityError, OperationalError) as error:
            if attempt == _TRIES or not _collided(error, nested=nested):
                raise
            for row in read:
                if isinstance(row, OrderRow):
                    row.forget_results()
            time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - only spreads the tries
    raise AssertionError("unreachable")


def _collided(error: Exception, *, nested: bool) -> bool:
    """True if another writer made the same row, a deadlock was broken, or SQLite was locked."""
    state = getattr(error.__cause__, "sqlstate", None)
    if state == "23505" or "UNIQUE constraint failed" in str(error):
        return True
    # These end the whole transaction, so inside somebody else's nothing can be tried again.
    return not nested and (state in ("40001", "40P01") or "database is locked" in str(error))


def _name(result: RowResult, raw: Any) -> None:
    if not isinstance(raw, dict):
        return
    result.line = raw.get(LINE_KEY)
    if result.id is None and isinstance(raw.get("id"), (str, int)) and raw["id"] != "":
        result.id = str(raw["id"])[:255]


def _not_taken(result: RowResult) -> RowResult:
    if result.result != "rejected":
        message = _("All or nothing was asked for, and another row is bad. Correct that one and send all again.")
        result.result, result.change, result.hold = "rejected", None, None
        result.errors = [RowError("", "not_taken", message)]
    return result
