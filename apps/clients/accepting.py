"""Clients that come in by themselves, by the thousand: what a CRM says of them, without an order that says it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from apps.clients import contacts
from apps.clients.services import MAX_OF_A_KIND, ClientBook, ClientRecord
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
    results: list[Literal["created", "updated", "unchanged"]] = []
    records: dict[int, ClientRecord] = {}
    seen: set[int] = set()
    for row in rows:
        record = book.named(row.uniq_id)
        records[id(record)] = record
        before = (record.name, record.identifiers, record.attributes)
        record.name, record.identifiers, record.attributes = _after(record, row, how)
        told += [
            (record, kind, value)
            for kind, values in record.identifiers.items()
            for value in values
            if value not in before[1].get(kind, ())
        ]
        new = record.pk is None and id(record) not in seen
        changed = (record.name, record.identifiers, record.attributes) != before
        record.changed = record.changed or changed
        results.append("created" if new else "updated" if changed else "unchanged")
        seen.add(id(record))
    learnt = book.save()
    contacts.note(
        counter_id=counter.pk,
        told=[(kind, value, contacts.NO_ORDER, record.pk) for record, kind, value in told],
        at=now,
    )
    lost = [one.pk for one in records.values() if one.pk is not None and one.was_known and not one.identifiers]
    return Accepted(results, learnt, lost, book.changed)


def _after(record: ClientRecord, row: ClientRow, how: How) -> tuple[str, dict[str, list[str]], dict[str, Any]]:
    """Name, identifiers and attributes of the client after the row."""
    given = {kind: list(values) for kind, values in row.identifiers.items()}
    if how == "replace":
        identifiers = given
        name, attributes = row.name or "", dict(row.attributes)
    else:
        name = record.name if row.name is None else row.name
        attributes = {**record.attributes, **row.attributes}
        if how in ("learn", "add"):
            for kind, values in given.items():
                given[kind] = list(dict.fromkeys([*record.identifiers.get(kind, ()), *values]))[-MAX_OF_A_KIND:]
        if how == "add":
            for key, value in row.attributes.items():
                known = record.attributes.get(key)
                if isinstance(value, list) and isinstance(known, list):
                    attributes[key] = list(dict.fromkeys([*known, *value]))
        identifiers = {**record.identifiers, **given}
    return (
        name,
        {kind: values for kind, values in identifiers.items() if values},
        {key: value for key, value in attributes.items() if value is not None},
    )
