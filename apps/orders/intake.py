"""The one door (R1): rows come in by REST, CSV, admin or gateway and become orders, clients and status changes.

Each chunk is one transaction that holds an order's state and its change together (R2); after a crash a chunk is there
whole or not at all, and the caller learns of each row only when it is committed.
"""

import hashlib
import random
import time
from collections import Counter as Counting
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import Any, Final, TypeVar

from django.db import IntegrityError, OperationalError, connection, reset_queries, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies import key_uses
from apps.audit import trace
from apps.audit.services import record
from apps.counters.attributes import Declared
from apps.counters.models import Counter
from apps.goals.resolve import Resolver
from apps.orders.chunks import Chunk
from apps.orders.holds import HoldJudge, take_turn
from apps.orders.merging import Merge
from apps.orders.results import IntakeReport, RowResult
from apps.orders.rows import LINE_KEY, OrderRow, RowError, RowReader

CHUNK_SIZE: Final = 2000
_TRIES: Final = 6
T = TypeVar("T")
Beside = Callable[[Sequence[RowResult]], None]
_NOT_TAKEN: Final = RowError(
    "", "not_taken", _("All or nothing was asked for, and another row is bad. Correct that one and send all again.")
)


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
    beside: Beside | None = None,
    merge: Merge = Merge.GIVEN,
) -> Iterator[RowResult]:
    """Take rows in, any number of them, and tell for each what became of it, in their order.

    `rows`: mappings with the fields of an order, raw; `_line` is passed through to the result. A generator: nothing
    happens before it is read, and what it gave is committed. `source`: of orders.models.Source. `now`: aware, the time
    of receipt. `atomic`: one bad row keeps all out (then the others are rejected with the code `not_taken`).
    `dry_run`: the same checks and results, and nothing is kept; chunks do not see each other then. `beside`: called
    with a chunk's results in its transaction, to write what must be there together with them or not at all; called once
    more where the chunk is tried anew. `merge`: what the rows make of what is there already.

    Unknown fields are ignored, and told as a warning at the first row of the call that has them.
    """

    results = _taken(
        counter=counter,
        rows=rows,
        source=source,
        actor_label=actor_label,
        now=now,
        chunk_size=chunk_size,
        atomic=atomic,
        dry_run=dry_run,
        beside=beside,
        merge=merge,
    )
    yield from results if dry_run else counted(results)


def counted(results: Iterator[RowResult]) -> Iterator[RowResult]:
    """The results as they come; how many rows an API key brought is noted."""
    accepted = refused = 0
    try:
        for result in results:
            if result.result == "rejected":
                refused += 1
            else:
                accepted += 1
            yield result
    finally:
        key_uses.note_rows(trace.current().actor, accepted=accepted, refused=refused)


def _taken(
    *, counter: Counter, rows: Iterable[Any], chunk_size: int, atomic: bool, merge: Merge, **options: Any
) -> Iterator[RowResult]:
    def call() -> _Call:
        reader = reader_for(counter, now=options["now"], merge=merge)
        return _Call(reader=reader, counter=counter, **options)

    if not atomic:
        yield from call().run(rows, chunk_size)
        return
    kept = list(rows)

    def all_or_nothing() -> tuple[list[RowResult], bool]:
        results = list(call().run(kept, chunk_size))
        failed = any(result.result == "rejected" for result in results)
        if failed:
            transaction.set_rollback(True)
        return results, failed

    # A deadlock ends all of it, so all of it is tried again.
    results, failed = committed(all_or_nothing)
    yield from map(_not_taken, results) if failed else results


def reader_for(counter: Counter, *, now: datetime | None = None, merge: Merge = Merge.GIVEN) -> RowReader:
    """What reads rows for this counter: it says of each row whether `accept` will take it, and if not, why (but for an
    order that is new and has no creation time). One query in detailed mode, none in simple mode."""
    declared = Declared.of(counter) if counter.is_detailed else None
    return RowReader(zone=counter.zone, now=now or timezone.now(), declared=declared, merge=merge)


@dataclass(frozen=True, slots=True)
class _Tally:
    """What a call has committed so far: its counts, and the digest of its changes' ids."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def with_results(self, results: Iterable[RowResult]) -> "_Tally":
        counts = Counting(result.result for result in results)
        digest = self.digest.copy()
        for result in results:
            if result.change is not None:
                digest.update(result.change.bytes)
        return _Tally(
            self.created + counts["created"],
            self.updated + counts["updated"],
            self.unchanged + counts["unchanged"],
            self.rejected + counts["rejected"],
            digest,
        )


class _Call:
    """One call of `accept`: what is the same for all of its chunks, and the trace that they leave together (R12)."""

    def __init__(
        self,
        *,
        reader: RowReader,
        counter: Counter,
        source: str,
        actor_label: str,
        now: datetime | None,
        dry_run: bool,
        beside: Beside | None,
    ) -> None:
        current = trace.current()
        self._counter = counter
        self._came = (source, (actor_label or current.actor.label)[:255], current.request_id[:64])
        self._now = now
        self._dry_run = dry_run
        self._beside = beside
        self._reader = reader
        self._resolver: Resolver | None = None
        self._tally = _Tally()
        self._recorded = dry_run

    def run(self, rows: Iterable[Any], chunk_size: int) -> Iterator[RowResult]:
        remaining = iter(rows)
        index = 0
        try:
            raw = list(islice(remaining, chunk_size))
            while raw:
                # One row ahead, so that the last chunk is known as such and commits the trace as well.
                ahead = list(islice(remaining, 1))
                yield from self._take(raw, index=index, is_last=not ahead)
                index += len(raw)
                if ahead:
                    reset_queries()  # while developing, Django would keep the text of every query
                raw = list(islice(chain(ahead, remaining), chunk_size)) if ahead else []
        finally:
            # A call that breaks off leaves the trace of what it has committed.
            if not self._recorded and not (connection.in_atomic_block and connection.needs_rollback):
                self._record(self._tally)

    def _take(self, raw: Sequence[Any], *, index: int, is_last: bool) -> list[RowResult]:
        read = [self._reader.read(one) for one in raw]

        def work() -> tuple[list[RowResult], _Tally]:
            results = self._apply(read, index)
            if self._beside is not None:
                self._beside(results)
            tally = self._tally.with_results(results)
            if self._dry_run:
                transaction.set_rollback(True)
            elif is_last:
                self._record(tally)
            return results, tally

        results, self._tally = committed(work)
        self._recorded = self._recorded or is_last
        for result, one in zip(results, raw, strict=True):
            _name(result, one)
        return results

    def _apply(self, read: Sequence[OrderRow | list[RowError]], start: int) -> list[RowResult]:
        """Inside the chunk's transaction. The counter is read anew: a person may have changed it meanwhile."""
        take_turn(self._counter.pk)
        revision = self._counter.revision
        self._counter = counter = Counter.objects.select_related("account").get(pk=self._counter.pk)
        if counter.revision != revision:
            self._resolver = None
        chunk = Chunk(read=read, start=start, counter=counter, judges=self._judge, came=self._came, now=self._now)
        return chunk.apply()

    def _judge(self, now: datetime) -> HoldJudge:
        if self._resolver is None:
            self._resolver = Resolver.of_revision(self._counter)
        return HoldJudge(counter=self._counter, now=now, resolver=self._resolver)

    def _record(self, tally: _Tally) -> None:
        if tally.created or tally.updated:
            record(
                action="orders.accepted",
                agency=self._counter.agency_id,
                obj=self._counter,
                details={
                    "created": tally.created,
                    "updated": tally.updated,
                    "unchanged": tally.unchanged,
                    "rejected": tally.rejected,
                    "source": self._came[0],
                    "changes_sha256": tally.digest.hexdigest(),
                },
            )


def committed(work: Callable[[], T]) -> T:
    """What `work` gives, once it is committed. What collides with another writer is tried again."""
    nested = connection.in_atomic_block
    for attempt in range(1, _TRIES + 1):
        try:
            with transaction.atomic():
                return work()
        except (IntegrityError, OperationalError) as error:
            if attempt == _TRIES or not _collided(error, nested=nested):
                raise
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
    if result.id is None and isinstance(given := raw.get("id"), str) and given:
        result.id = given[:255]


def _not_taken(result: RowResult) -> RowResult:
    if result.result != "rejected":
        result.result, result.change, result.hold = "rejected", None, None
        result.errors = [_NOT_TAKEN]
    return result
