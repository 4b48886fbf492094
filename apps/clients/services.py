"""Every write to clients, by the thousand. A client is who the CRM says it is; none is merged by guess (R5)."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from apps.agencies.bulk import find_keys, insert_rows, reserve_keys, update_rows
from apps.clients import uniting
from apps.clients.models import Client
from apps.counters.models import Counter

Identifiers = Mapping[str, Sequence[str]]

OWN_CLIENT: Final = "goalpost-order-"
MAX_UNIQ_ID: Final = 255


def own_client_id(order_id: str) -> str:
    """The client id of an order that names none. Metrica's detailed format asks for one, and who the order belongs to
    is not guessed (R5): the client is the order's own."""
    plain = f"{OWN_CLIENT}{order_id}"
    return plain if len(plain) <= MAX_UNIQ_ID else OWN_CLIENT + hashlib.sha256(order_id.encode()).hexdigest()


@dataclass(slots=True, eq=False)
class ClientRecord:
    """One client while rows are applied. `identifiers`: normalised, by kind, kinds without any left out.

    `pk` is None until `ClientBook.save` for a new one. `revision` is None where only the key is known.
    """

    pk: int | None
    uniq_id: str
    name: str = ""
    identifiers: dict[str, list[str]] = field(default_factory=dict)
    changed: bool = False
    was_known: bool = True  # had an identifier before
    was_refused: bool = False  # Metrica did not take it
    attributes: dict[str, Any] = field(default_factory=dict)
    revision: int | None = None

    def learn(
        self, *, name: str | None, identifiers: Identifiers, attributes: Mapping[str, Any] | None = None
    ) -> list[tuple[str, str]]:
        """What a row said of the client: its name (None: nothing), identifiers, which are added to those known, and
        attributes, of which each given one is set, and taken away by None. Returns the identifiers that were new to it,
        as (kind, value)."""
        learned: list[tuple[str, str]] = []
        if name is not None and name != self.name:
            self.name = name
            self.changed = True
        if attributes:
            merged = uniting.attributes(attributes, self.attributes)
            if merged != self.attributes:
                self.attributes = merged
                self.changed = True
        for kind, values in identifiers.items():
            known = self.identifiers.get(kind)
            if known is None:
                if values:
                    self.identifiers[kind] = list(values)
                    learned += [(kind, value) for value in values]
            elif new := [value for value in values if value not in known]:
                self.identifiers[kind] = uniting.identifiers(values, known)
                learned += [(kind, value) for value in new]
        if learned:
            self.changed = True
        return learned

    def has_all(self, identifiers: Identifiers) -> bool:
        """True if these identifiers are all the client's too."""
        known = self.identifiers
        return all(value in known.get(kind, ()) for kind, values in identifiers.items() for value in values)


_READ = (
    *("pk", "counter_id", "uniq_id", "name", "identifiers", "attributes", "revision", "reject_code"),
    "merged_into_id",
)


class ClientBook:
    """The clients that one transaction speaks of: read together, changed in memory, written together.

    At most five statements, whatever the number; one more where an id is that of a client merged into another, whose
    place that other takes. `save` raises IntegrityError where another transaction made the same
    client at the same moment: then the whole is to be done again.
    """

    def __init__(self, *, counter: Counter, now: datetime) -> None:
        self._counter = counter
        self._now = now
        self._by_uniq_id: dict[str, ClientRecord] = {}
        self._by_key: dict[int, ClientRecord] = {}
        self.changed = 0  # how many clients `save` wrote

    def load(self, *, uniq_ids: Collection[str], keys: Collection[int] = ()) -> None:
        """Read and lock these clients, by the CRM's id or by primary key. At most two queries, and a third where some
        of them have become others."""
        wanted = set(keys)
        if uniq_ids:
            wanted.update(find_keys(Client, "uniq_id", uniq_ids, counter_id=self._counter.pk))
        if not wanted:
            return
        became = self._read(wanted)
        if became:
            self._read({key for _uniq_id, key in became.values()} - self._by_key.keys())
            for key, (uniq_id, other) in became.items():
                if record := self._by_key.get(other):
                    self._by_uniq_id[uniq_id] = self._by_key[key] = record

    def _read(self, keys: Collection[int]) -> dict[int, tuple[str, int]]:
        """Read and lock. Returns those that were merged: {key: (client id, key of what it became)}. One query."""
        became: dict[int, tuple[str, int]] = {}
        found = Client.objects.select_for_update().filter(pk__among=keys).order_by("pk")
        for key, counter, uniq_id, name, identifiers, attributes, revision, refused, other in found.values_list(*_READ):
            if counter != self._counter.pk:
                continue
            if other is not None:
                became[key] = (uniq_id, other)
                continue
            record = ClientRecord(key, uniq_id, name, identifiers, was_known=any(identifiers.values()))
            record.attributes, record.revision, record.was_refused = attributes, revision, bool(refused)
            self._by_uniq_id[uniq_id] = self._by_key[key] = record
        return became

    def named(self, uniq_id: str) -> ClientRecord:
        """The client of that id, a new one if there is none. `load` must have been asked for the id."""
        record = self._by_uniq_id.get(uniq_id)
        if record is None:
            record = self._by_uniq_id[uniq_id] = ClientRecord(None, uniq_id, changed=True, was_known=False)
        return record

    def of_key(self, key: int) -> ClientRecord:
        """The client with that primary key; of one that was not loaded, the key alone is known."""
        record = self._by_key.get(key)
        if record is None:
            record = self._by_key[key] = ClientRecord(key, "")
        return record

    def save(self) -> list[int]:
        """Write what changed, each change a further revision of its client. Returns the keys of old clients whose
        orders may be free now: those that had no identifier before and have one now, and those that Metrica had
        refused."""
        changed = [record for record in dict.fromkeys(self._by_uniq_id.values()) if record.changed]
        self.changed = len(changed)
        old = [record for record in changed if record.pk is not None]
        new = sorted((record for record in changed if record.pk is None), key=lambda record: record.uniq_id)
        for record in old:
            record.revision = (record.revision or 0) + 1
        update_rows(
            Client,
            ("id", "name", "identifiers", "attributes", "revision", "updated_at"),
            [(one.pk, one.name, one.identifiers, one.attributes, one.revision, self._now) for one in old],
        )
        if new:
            for record, key in zip(new, reserve_keys(Client, len(new)), strict=True):
                record.pk, record.revision = key, 1
            insert_rows(
                Client,
                ("id", "uniq_id", "name", "identifiers", "attributes"),
                [(one.pk, one.uniq_id, one.name, one.identifiers, one.attributes) for one in new],
                same={"counter_id": self._counter.pk, "created_at": self._now, "updated_at": self._now},
            )
        return [
            record.pk
            for record in old
            if record.pk is not None and (record.was_refused or (not record.was_known and record.identifiers))
        ]
