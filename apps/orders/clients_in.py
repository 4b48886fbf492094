"""The door for clients without orders: beside `intake`, and with the same reading of what a CRM writes (R1).

Each chunk is one transaction. What changes of a client concerns its orders too: what was held for want of an identifier
goes, and what waits and can be bound to nobody any more is held (R8); in detailed mode the client is due at Metrica.
"""

import hashlib
from collections import Counter as Counting
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import Any, Final

from django.db import connection, reset_queries
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.services import record
from apps.clients.accepting import Accepted, ClientRow, How, accept_clients
from apps.counters.models import Counter
from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.orders import delivery, holds
from apps.orders.client_rows import ClientReader, ReadClient, reader_of_clients
from apps.orders.events import announce_accepted
from apps.orders.holds import HoldJudge, take_turn
from apps.orders.intake import CHUNK_SIZE, committed, counted
from apps.orders.models import Delivery, HoldReason, StatusChange
from apps.orders.results import RowResult
from apps.orders.rows import LINE_KEY, RowError

_FOR_WANT_OF_A_CLIENT: Final = (HoldReason.NO_IDENTIFIERS, HoldReason.CLIENT_REFUSED)
_NOT_TAKEN: Final = RowError(
    "", "not_taken", _("All or nothing was asked for, and another row is bad. Correct that one and send all again.")
)
_COUNTED: Final = ("created", "updated", "unchanged", "rejected")


@dataclass(slots=True)
class ClientReport:
    """The results of a call with their counts; a result's `id` is the client's uniq_id. `released`: how many held
    changes are free again by them."""

    results: list[RowResult] = field(default_factory=list)
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    released: int = 0


def accept(
    *,
    counter: Counter,
    rows: Iterable[Any],
    source: str,
    how: How = "learn",
    now: datetime | None = None,
    chunk_size: int = CHUNK_SIZE,
) -> Iterator[RowResult]:
    """Take clients in, any number of them, and tell for each what became of it, in their order.

    `rows`: mappings with `uniq_id` and any of `name`, the five kinds of identifiers, `attributes`; raw. A generator, as
    `intake.accept` is. `source`: of orders.models.Source. `how`: what a row makes of a client who is known.
    """
    yield from counted(_Call(counter=counter, source=source, how=how, now=now).run(rows, chunk_size))


def accept_all(
    *, counter: Counter, rows: Sequence[Any], source: str, how: How = "learn", atomic: bool = False
) -> ClientReport:
    """`accept`, gathered: for as many rows as fit into memory. `atomic`: one bad row keeps all out (the others are then
    rejected with the code `not_taken`)."""
    if atomic:
        reader = reader_of_clients(counter)
        read = [reader.read_client(row) for row in rows]
        if any(one.row is None for one in read):
            return _nothing_taken(read)
    call = _Call(counter=counter, source=source, how=how, now=None)
    results = list(counted(call.run(rows, max(len(rows), 1) if atomic else CHUNK_SIZE)))
    counts = {name: call.totals[name] for name in _COUNTED}
    return ClientReport(results, released=call.released, **counts)


class _Call:
    """One call: its counts, and the one trace that it leaves (R12)."""

    def __init__(self, *, counter: Counter, source: str, how: How, now: datetime | None) -> None:
        self._counter, self._source, self._how, self._now = counter, source, how, now
        self.totals: Counting[str] = Counting()
        self.released = 0
        self._digest = hashlib.sha256()
        self._recorded = False

    def run(self, rows: Iterable[Any], chunk_size: int) -> Iterator[RowResult]:
        reader: ClientReader = reader_of_clients(self._counter, now=self._now)
        remaining, index = iter(rows), 0
        try:
            raw = list(islice(remaining, chunk_size))
            while raw:
                # One row ahead, so that the last chunk is known as such and commits the trace as well.
                ahead = list(islice(remaining, 1))
                read = [reader.read_client(one) for one in raw]
                yield from self._take(read, raw, index, is_last=not ahead)
                index += len(raw)
                reset_queries()
                raw = list(islice(chain(ahead, remaining), chunk_size)) if ahead else []
        finally:
            # A call that breaks off leaves the trace of what it has committed.
            if not self._recorded and not (connection.in_atomic_block and connection.needs_rollback):
                self._record(self.totals, self.released, self._digest)

    def _take(self, read: Sequence[ReadClient], raw: Sequence[Any], index: int, *, is_last: bool) -> list[RowResult]:
        def work() -> tuple[list[RowResult], int, Any]:
            good = [one.row for one in read if one.row is not None]
            done, freed = _taken(self._counter, good, self._how, self._now)
            outcomes = iter(done.results)
            results = []
            digest = self._digest.copy()
            for number, one in enumerate(read, start=index):
                outcome = next(outcomes) if one.row is not None else "rejected"
                results.append(RowResult(number, one.uniq_id, outcome, errors=one.errors, warnings=one.warnings))
                if outcome in ("created", "updated"):
                    digest.update(f"{one.uniq_id}\n".encode())
            if is_last:
                counts = self.totals + Counting(result.result for result in results)
                self._record(counts, self.released + freed, digest)
            return results, freed, digest

        results, freed, self._digest = committed(work)
        self._recorded = is_last
        self.released += freed
        for result, given in zip(results, raw, strict=True):
            self.totals[result.result] += 1
            result.line = given.get(LINE_KEY) if isinstance(given, dict) else None
        return results

    def _record(self, totals: Counting[str], released: int, digest: Any) -> None:
        """One entry for all of them: their number and a digest of who they are."""
        if not (totals["created"] or totals["updated"]):
            return
        record(
            action="clients.accepted",
            agency=self._counter.agency_id,
            obj=self._counter,
            details={
                **{name: totals[name] for name in _COUNTED},
                "returned": released,
                "source": self._source,
                "clients_sha256": digest.hexdigest(),
            },
        )


def _taken(counter: Counter, rows: Sequence[ClientRow], how: How, now: datetime | None) -> tuple[Accepted, int]:
    """Inside the chunk's transaction; and how many held changes it freed. The counter is read anew: a person may have
    changed it meanwhile."""
    take_turn(counter.pk)
    counter = Counter.objects.select_related("account").get(pk=counter.pk)
    moment = now or timezone.now()
    done, released = accept_clients(counter=counter, rows=rows, how=how, now=moment), 0
    if done.learnt:
        held = StatusChange.objects.filter(
            counter=counter,
            delivery=Delivery.HELD,
            hold_reason__in=_FOR_WANT_OF_A_CLIENT,
            order__client__pk__among=done.learnt,
        )
        released = holds.reassess(held, judge=HoldJudge(counter=counter, now=moment), counter=counter)
    if done.lost:
        nobody = ~Q(order__identifiers__has_any_keys=IDENTIFIER_KINDS) & Q(order__client__pk__among=done.lost)
        waiting = StatusChange.objects.filter(nobody, counter=counter, delivery=Delivery.WAITING).order_by()
        delivery.hold(change_ids=list(waiting.values_list("pk", flat=True)), reason=HoldReason.NO_IDENTIFIERS)
    if done.changed and counter.is_detailed:
        announce_accepted(counter.pk)
    return done, released


def _nothing_taken(read: Sequence[ReadClient]) -> ClientReport:
    results = [
        RowResult(index, one.uniq_id, "rejected", errors=one.errors or [_NOT_TAKEN], warnings=one.warnings)
        for index, one in enumerate(read)
    ]
    return ClientReport(results, rejected=len(results))
