"""The door for clients without orders: beside `intake`, and with the same reading of what a CRM writes (R1).

What changes of a client concerns its orders too: what was held for want of an identifier goes, and what waits and can
be bound to nobody any more is held (R8).
"""

from collections import Counter as Counting
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.db import connection, reset_queries
from django.db.models import Q
from django.utils import timezone

from apps.audit.services import record
from apps.clients.accepting import Accepted, ClientRow, How, accept_clients
from apps.counters.models import Counter
from apps.orders import delivery, holds
from apps.orders.events import announce_accepted
from apps.orders.holds import HoldJudge, take_turn
from apps.orders.intake import committed, reader_for
from apps.orders.models import Delivery, HoldReason, StatusChange
from apps.orders.results import RowResult
from apps.orders.rows import LINE_KEY, RowError, RowReader

CHUNK_SIZE: Final = 2000
_FIELDS: Final = {
    "client_uniq_id": "uniq_id",
    "client_name": "name",
    "client_attributes": "attributes",
    "id": "uniq_id",
}


@dataclass(frozen=True, slots=True)
class ReadClient:
    """A row that was read: the client, or what keeps it out; and what is worth knowing of it."""

    row: ClientRow | None
    errors: Sequence[RowError] = ()
    warnings: Sequence[RowError] = ()


class ClientReader:
    """Reads the rows of one call, as `intake` reads what an order says of its client. One query in detailed mode.

    A row: uniq_id, and where given name, the kinds of identifiers, attributes.
    """

    def __init__(self, counter: Counter, *, now: datetime | None = None) -> None:
        self._reader: RowReader = reader_for(counter, now=now)

    def read(self, raw: Mapping[str, Any]) -> ReadClient:
        of_an_order = {kind: raw[kind] for kind in raw if kind not in _NOT_OF_AN_ORDER}
        of_an_order |= {"id": raw.get("uniq_id"), "client_uniq_id": raw.get("uniq_id"), "order_status": "-"}
        if "name" in raw:
            of_an_order["client_name"] = raw["name"]
        if raw.get("attributes"):
            of_an_order["client_attributes"] = raw["attributes"]
        read = self._reader.read(of_an_order)
        if isinstance(read, list):
            named = {(_named(error.field), error.code): error.message for error in read}
            return ReadClient(None, [RowError(field, code, text) for (field, code), text in named.items()])
        client = ClientRow(
            uniq_id=read.order_id,
            name=read.client_name,
            identifiers=read.identifiers,
            attributes=read.client_attributes or {},
        )
        return ReadClient(client, (), [RowError(_named(one.field), one.code, one.message) for one in read.warnings])


_NOT_OF_AN_ORDER = frozenset({"uniq_id", "name", "attributes"})


def accept(
    *,
    counter: Counter,
    rows: Iterable[Mapping[str, Any]],
    source: str,
    how: How = "change",
    now: datetime | None = None,
    chunk_size: int = CHUNK_SIZE,
) -> Iterator[RowResult]:
    """Take clients in, any number of them, and tell for each what became of it, in their order.

    A generator, as `intake.accept` is: each chunk is one transaction. `source`: of orders.models.Source.
    """
    reader = ClientReader(counter, now=now)
    remaining, index, totals = iter(rows), 0, Counting[str]()
    try:
        while raw := list(islice(remaining, chunk_size)):
            read = [reader.read(one) for one in raw]

            def work(read: Sequence[ReadClient] = read) -> Accepted:
                return _take(counter, [one.row for one in read if one.row is not None], how, now)

            outcomes = iter(committed(work).results)
            for number, (one, given) in enumerate(zip(read, raw, strict=True)):
                uniq_id = one.row.uniq_id if one.row is not None else None
                outcome = next(outcomes) if one.row is not None else "rejected"
                totals[outcome] += 1
                yield RowResult(
                    index + number,
                    uniq_id,
                    outcome,
                    errors=one.errors,
                    warnings=one.warnings,
                    line=given.get(LINE_KEY),
                )
            index += len(raw)
            reset_queries()
    finally:
        if (totals["created"] or totals["updated"]) and not (connection.in_atomic_block and connection.needs_rollback):
            record(
                action="clients.accepted",
                agency=counter.agency_id,
                obj=counter,
                details={**{name: totals[name] for name in _COUNTED}, "source": source},
            )


_COUNTED = ("created", "updated", "unchanged", "rejected")


def _take(counter: Counter, rows: Sequence[ClientRow], how: How, now: datetime | None) -> Accepted:
    """Inside the chunk's transaction. The counter is read anew: a person may have changed it meanwhile."""
    take_turn(counter.pk)
    counter = Counter.objects.select_related("account").get(pk=counter.pk)
    moment = now or timezone.now()
    done = accept_clients(counter=counter, rows=rows, how=how, now=moment)
    if done.learnt:
        held = StatusChange.objects.filter(
            counter=counter,
            delivery=Delivery.HELD,
            hold_reason__in=[HoldReason.NO_IDENTIFIERS, HoldReason.CLIENT_REFUSED],
            order__client__pk__among=done.learnt,
        )
        holds.reassess(held, judge=HoldJudge(counter=counter, now=moment), counter=counter)
    if done.lost:
        nobody = Q(order__identifiers={}, order__client__pk__among=done.lost)
        waiting = StatusChange.objects.filter(nobody, counter=counter, delivery=Delivery.WAITING).order_by()
        delivery.hold(change_ids=list(waiting.values_list("pk", flat=True)), reason=HoldReason.NO_IDENTIFIERS)
    if done.changed and counter.is_detailed:
        announce_accepted(counter.pk)
    return done


def _named(field: str) -> str:
    """What the row of a client calls it."""
    name, dot, rest = field.partition(".")
    return f"{_FIELDS.get(name, name)}{dot}{rest}"
