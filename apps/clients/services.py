"""Every write to clients, by the thousand. A client is who the CRM says it is; none is merged by guess (R5)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from apps.agencies.bulk import insert_many
from apps.clients.models import Client
from apps.counters.models import Counter

Identifiers = Mapping[str, list[str]]
BATCH = 200


@dataclass(slots=True)
class ClientFacts:
    """What rows said of one client: its latest name (None: nothing said) and all identifiers, normalised, by kind."""

    name: str | None = None
    identifiers: dict[str, list[str]] = field(default_factory=dict)

    def add(self, *, name: str | None, identifiers: Identifiers) -> None:
        if name is not None:
            self.name = name
        for kind, values in identifiers.items():
            if values:
                self.identifiers[kind] = united(self.identifiers.get(kind), values)


def united(known: list[str] | None, more: list[str]) -> list[str]:
    """Both lists in their order, each value once."""
    return list(dict.fromkeys([*known, *more])) if known else list(more)


@dataclass(frozen=True, slots=True)
class Upserted:
    """Clients by uniq_id, and the primary keys of those that had no identifier before and have one now."""

    clients: dict[str, Client]
    newly_known: set[int]


def upsert(*, counter: Counter, facts: Mapping[str, ClientFacts], now: datetime) -> Upserted:
    """Make the clients that are missing and add to the others what is new. Belongs inside the caller's transaction.

    At most three statements, whatever the number; raises IntegrityError where another transaction made the same client
    at the same moment (then do the whole again).
    """
    if not facts:
        return Upserted({}, set())
    known = Client.objects.select_for_update().filter(counter=counter, uniq_id__in=list(facts)).order_by("uniq_id")
    clients = {client.uniq_id: client for client in known}
    newly_known: set[int] = set()
    changed = []
    for uniq_id, client in clients.items():
        said = facts[uniq_id]
        identifiers = dict(client.identifiers)
        for kind, values in said.identifiers.items():
            identifiers[kind] = united(identifiers.get(kind), values)
        name = client.name if said.name is None else said.name
        if identifiers != client.identifiers or name != client.name:
            if said.identifiers and not any(client.identifiers.values()):
                newly_known.add(client.pk)
            client.identifiers, client.name, client.updated_at = identifiers, name, now
            changed.append(client)
    if changed:
        Client.objects.bulk_update(changed, ["identifiers", "name", "updated_at"], batch_size=BATCH)
    missing = [
        Client(
            counter_id=counter.pk,
            uniq_id=uniq_id,
            name=said.name or "",
            identifiers=said.identifiers,
            created_at=now,
            updated_at=now,
        )
        for uniq_id, said in sorted(facts.items())
        if uniq_id not in clients
    ]
    insert_many(missing)
    clients.update({client.uniq_id: client for client in missing})
    return Upserted(clients, newly_known)
