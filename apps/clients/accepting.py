"""Clients that come in by themselves, by the thousand: what a CRM says of them, without an order that says it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from apps.clients import contacts, uniting
from apps.clients.services import ClientBook, ClientRecord
from apps.counters.models import Counter

How = Literal["learn", "replace", "change", "add"]
"""What a row makes of a client who is known. `learn`: as where an order brings it, identifiers are added to those known
and the rest that is given is changed. As Metrica's files (page: modes): it replaces all that was known; changes what it
gives; or changes what it gives and adds to lists."""


@dataclass(slots=True)
class ClientRow:
    """A client as told, in canonical form. `name` None: not given. `identifiers`: the kinds that were given, an empty
    list clears; `attributes`: those that were given, None takes one away."""

    uniq_id: str
    name: str | None = None
    identifiers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Accepted:
    """What became of the rows. `learnt`: keys of clients whose held orders may be free now; `lost`: of those by whom
    nobody can be found any more."""

    results: list[Literal["created", "updated", "unchanged"]]
    learnt: list[int]
    lost: list[int]
    changed: int


def accept_clients(*, counter: Counter, rows: Sequence[ClientRow], how: How, now: datetime) -> Accepted:
    """Take in a chunk of clients, in the order of the rows. A fixed number of statements; belongs inside a transaction.

    Whoever calls it looks after the clients' orders: `orders.clients_in` does.
    """
    book = ClientBook(counter=counter, now=now)
    book.load(uniq_ids={row.uniq_id for row in rows})
    told: list[tuple[ClientRecord, str, str]] = []
    gone: list[tuple[ClientRecord, str, str]] = []
    results: list[Literal["created", "updated", "unchanged"]] = []
    records: dict[int, ClientRecord] = {}
    seen: set[int] = set()
    for row in rows:
        record = book.named(row.uniq_id)
        records[id(record)] = record
        before = (record.name, record.identifiers, record.attributes)
        record.name, record.identifiers, record.attributes = _after(record, row, how)
        told += _beyond(record, record.identifiers, before[1])
        gone += _beyond(record, before[1], record.identifiers)
        new = record.pk is None and id(record) not in seen
        changed = (record.name, record.identifiers, record.attributes) != before
        record.changed = record.changed or changed
        results.append("created" if new else "updated" if changed else "unchanged")
        seen.add(id(record))
    learnt = book.save()
    contacts.take_back(counter_id=counter.pk, gone=[(kind, value, record.pk) for record, kind, value in gone])
    contacts.note(
        counter_id=counter.pk,
        told=[(kind, value, contacts.NO_ORDER, record.pk) for record, kind, value in told],
        at=now,
    )
    lost = [one.pk for one in records.values() if one.pk is not None and one.was_known and not one.identifiers]
    return Accepted(results, learnt, lost, book.changed)


def _beyond(
    record: ClientRecord, ones: Mapping[str, Sequence[str]], others: Mapping[str, Sequence[str]]
) -> list[tuple[ClientRecord, str, str]]:
    return [
        (record, kind, value) for kind, values in ones.items() for value in values if value not in others.get(kind, ())
    ]


def _after(record: ClientRecord, row: ClientRow, how: How) -> tuple[str, dict[str, list[str]], dict[str, Any]]:
    """Name, identifiers and attributes of the client after the row. A kind that is not given stays, in every mode:
    whoever replaces gives all of them, and one whose values cannot be read takes nothing away."""
    given = {kind: list(values) for kind, values in row.identifiers.items()}
    if how in ("learn", "add"):
        given = {kind: uniting.identifiers(values, record.identifiers.get(kind, ())) for kind, values in given.items()}
    held = {} if how == "replace" else record.attributes
    name = row.name if row.name is not None or how != "replace" else ""
    return (
        record.name if name is None else name,
        {kind: values for kind, values in {**record.identifiers, **given}.items() if values},
        uniting.attributes(row.attributes, held, united=how == "add"),
    )
