"""Clients that come by themselves, without an order: read and kept by the same code as where orders bring them (R1).

Each chunk is one transaction. What a client now makes possible is done in it: changes that were held for want of an
identifier are free again (R8), and in detailed mode the client is due at Metrica.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.services import record
from apps.clients import contacts
from apps.clients.services import ClientBook, ClientRecord
from apps.counters.attributes import Declared
from apps.counters.models import Counter
from apps.orders import holds
from apps.orders.client_rows import ClientReader
from apps.orders.events import announce_accepted
from apps.orders.holds import HoldJudge, take_turn
from apps.orders.intake import CHUNK_SIZE, committed
from apps.orders.models import Delivery, HoldReason, StatusChange
from apps.orders.results import Outcome
from apps.orders.rows import OrderRow, RowError

_FOR_WANT_OF_A_CLIENT: Final = (HoldReason.NO_IDENTIFIERS, HoldReason.CLIENT_REFUSED)
_NOT_TAKEN: Final = RowError(
    "", "not_taken", _("All or nothing was asked for, and another row is bad. Correct that one and send all again.")
)


@dataclass(slots=True)
class ClientResult:
    """What became of one row. `uniq_id`: as it was given, None where it could not be read."""

    index: int
    uniq_id: str | None
    result: Outcome
    errors: Sequence[RowError] = ()
    warnings: Sequence[RowError] = ()


@dataclass(slots=True)
class ClientReport:
    """The results of a call with their counts. `released`: how many held changes are free again by them."""

    results: list[ClientResult] = field(default_factory=list)
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    released: int = 0

    def add(self, results: Sequence[ClientResult], released: int) -> None:
        for one in results:
            setattr(self, one.result, getattr(self, one.result) + 1)
        self.results += results
        self.released += released


def accept_clients(
    *, counter: Counter, rows: Sequence[Any], source: str, atomic: bool = False, chunk_size: int = CHUNK_SIZE
) -> ClientReport:
    """Take clients in and tell for each what became of it, in their order.

    `rows`: mappings with `uniq_id` and any of `name`, the five kinds of identifiers, `attributes`; raw. Identifiers are
    added to those known; an attribute is set, or taken away by null; a name that is left out stays. `source`: of
    orders.models.Source. `atomic`: one bad row keeps all out (the others are then rejected with the code `not_taken`).
    A fixed number of statements for each chunk of rows.
    """
    reader = ClientReader(
        zone=counter.zone,
        now=timezone.now(),
        declared=Declared.of(counter) if counter.is_detailed else None,
    )
    read = [reader.read(raw) for raw in rows]
    results = [_started(index, one, raw) for index, (one, raw) in enumerate(zip(read, rows, strict=True))]
    report = ClientReport()
    if atomic and any(result.result == "rejected" for result in results):
        for result in results:
            if result.result != "rejected":
                result.result, result.errors = "rejected", [_NOT_TAKEN]
        report.add(results, 0)
        return report
    size = max(len(read), 1) if atomic else chunk_size
    for start in range(0, len(read), size):
        part, told = read[start : start + size], results[start : start + size]
        released = committed(lambda part=part, told=told: _take(counter, part, told, source))  # type: ignore[misc]
        report.add(told, released)
    return report


def _started(index: int, read: OrderRow | list[RowError], raw: Any) -> ClientResult:
    if isinstance(read, OrderRow):
        return ClientResult(index, read.client_uniq_id, "unchanged", warnings=read.warnings)
    given = raw.get("uniq_id") if isinstance(raw, dict) else None
    named = given[:255] if isinstance(given, str) and given else None
    return ClientResult(index, named, "rejected", errors=read)


def _take(
    counter: Counter, read: Sequence[OrderRow | list[RowError]], results: Sequence[ClientResult], source: str
) -> int:
    """One chunk, within its transaction. Returns how many held changes it freed."""
    take_turn(counter.pk)
    counter = Counter.objects.select_related("account").get(pk=counter.pk)
    now = timezone.now()
    rows = [(row, result) for row, result in zip(read, results, strict=True) if isinstance(row, OrderRow)]
    book = ClientBook(counter=counter, now=now)
    book.load(uniq_ids={str(row.client_uniq_id) for row, _result in rows})
    learned: list[tuple[ClientRecord, str, str]] = []
    seen: set[ClientRecord] = set()
    for row, result in rows:
        one = book.named(str(row.client_uniq_id))
        is_new, was_changed = one.pk is None and one not in seen, one.changed
        seen.add(one)
        one.changed = False
        new = one.learn(name=row.client_name, identifiers=row.identifiers, attributes=row.client_attributes)
        learned += [(one, kind, value) for kind, value in new]
        result.result = "created" if is_new else "updated" if one.changed else "unchanged"
        one.changed = one.changed or was_changed
    freed = book.save()
    told = [(kind, value, contacts.NO_ORDER, one.pk) for one, kind, value in learned]
    contacts.note(counter_id=counter.pk, told=told, at=now)
    released = _release(counter, freed)
    if book.changed:
        if counter.is_detailed:
            announce_accepted(counter.pk)
        _record(counter, results, source=source, released=released)
    return released


def _release(counter: Counter, client_keys: Sequence[int]) -> int:
    """Changes that waited for one of these clients to be known by something (R8)."""
    if not client_keys:
        return 0
    held = StatusChange.objects.filter(
        counter=counter,
        delivery=Delivery.HELD,
        hold_reason__in=_FOR_WANT_OF_A_CLIENT,
        order__client__pk__among=client_keys,
    )
    with transaction.atomic():
        return holds.reassess(held, judge=HoldJudge(counter=counter, now=timezone.now()), counter=counter)


def _record(counter: Counter, results: Sequence[ClientResult], *, source: str, released: int) -> None:
    """One entry for all of them (R12): their number and a digest of who they are."""
    counts = {name: sum(one.result == name for one in results) for name in ("created", "updated", "unchanged")}
    digest = hashlib.sha256()
    for one in results:
        if one.result in ("created", "updated"):
            digest.update(f"{one.uniq_id}\n".encode())
    record(
        action="clients.accepted",
        agency=counter.agency_id,
        obj=counter,
        details={
            **counts,
            "rejected": sum(one.result == "rejected" for one in results),
            "returned": released,
            "source": source,
            "clients_sha256": digest.hexdigest(),
        },
    )
