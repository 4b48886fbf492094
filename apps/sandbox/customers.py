"""Applies checked rows to the counter's customers, in chunks (pages: uploadContacts, contacts-data, modes)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

from apps.metrica.vocabulary import IDENTIFIER_KINDS, MergeMode
from apps.metrica.wire.contacts import Contact
from apps.sandbox import merging
from apps.sandbox.bulk import write_rows
from apps.sandbox.models import (
    CustomerNote,
    SandboxCounter,
    SandboxCustomer,
    SandboxCustomerEvent,
    SandboxUploading,
)
from apps.sandbox.models.crm import time_ordered_id
from apps.sandbox.models.customers import customer_key

_KEYS_PER_QUERY = 900
_SCALARS = ("name", "birth_date")
_COMMON_COLUMNS = (
    "name",
    "birth_date",
    *IDENTIFIER_KINDS,
    "attribute_values",
)
_FROZEN_COLUMNS = ("id", "counter", "uniq_id", "key")
_CHANGING_COLUMNS = (*_COMMON_COLUMNS, "create_date_time", "update_date_time", "updated_at")
_EVENT_COLUMNS = ("customer", "uploading", "line", *_COMMON_COLUMNS, "notes")
_STATE_COLUMNS = ("id", "uniq_id", *_COMMON_COLUMNS, "create_date_time", "update_date_time")


@dataclass(slots=True)
class CustomerState:
    """SandboxCustomer's fields, as they stand after the rows applied so far."""

    id: UUID
    uniq_id: str
    name: str = ""
    birth_date: date | None = None
    client_ids: str = ""
    emails: str = ""
    phones: str = ""
    emails_md5: str = ""
    phones_md5: str = ""
    attribute_values: merging.Attributes | None = None
    create_date_time: datetime | None = None
    update_date_time: datetime | None = None

    @classmethod
    def new(cls, row: Contact) -> Self:
        return cls(id=time_ordered_id(), uniq_id=row.uniq_id)

    def merge(
        self, row: Contact, mode: MergeMode, *, multivalued: Collection[str], created_changes: bool, now: datetime
    ) -> None:
        """Takes over what `row` changes. A creation time that is known stays, unless `created_changes`."""
        for name in _SCALARS:
            setattr(self, name, merging.scalar(getattr(self, name), getattr(row, name), mode))
        for name in IDENTIFIER_KINDS:
            setattr(self, name, merging.joined(getattr(self, name), getattr(row, name), mode))
        self.attribute_values = merging.attributes(self.attribute_values, row.attributes, mode, multivalued=multivalued)
        if created_changes:
            self.create_date_time = merging.scalar(self.create_date_time, row.create_date_time, mode)
        else:
            self.create_date_time = self.create_date_time or row.create_date_time
        self.update_date_time = row.update_date_time or now

    def common(self) -> tuple[Any, ...]:
        """The values of _COMMON_COLUMNS."""
        return (
            self.name,
            self.birth_date,
            self.client_ids,
            self.emails,
            self.phones,
            self.emails_md5,
            self.phones_md5,
            self.attribute_values,
        )

    @property
    def is_findable(self) -> bool:
        return any(getattr(self, name) for name in IDENTIFIER_KINDS)


class CustomerApplier:
    """Applies the rows of one upload. Call it inside the upload's transaction."""

    def __init__(
        self,
        *,
        counter: SandboxCounter,
        uploading: SandboxUploading,
        switches: Mapping[str, str],
        multivalued: Collection[str] = (),
        rematch: Callable[[Mapping[str, int]], None] | None = None,
    ) -> None:
        """`multivalued`: the attributes of customers that are lists. `rematch` is told of every chunk's customers,
        customer_key → line."""
        self._counter = counter
        self._uploading = uploading
        self._now: datetime = uploading.received_at
        self._mode = MergeMode(uploading.merge_mode)
        self._multivalued = multivalued
        self._created_changes = switches["contact_created"] == "changed"
        self._rematch = rematch

    def apply(self, rows: Sequence[tuple[int, Contact]]) -> None:
        """Applies `rows` in their order and writes the result: a handful of statements, whatever the number of rows."""
        customers = self._load([row.uniq_id for _line, row in rows])
        events: list[tuple[Any, ...]] = []
        lines: dict[str, int] = {}
        for line, row in rows:
            state = customers.get(row.uniq_id)
            if state is None:
                state = customers[row.uniq_id] = CustomerState.new(row)
            state.merge(
                row,
                self._mode,
                multivalued=self._multivalued,
                created_changes=self._created_changes,
                now=self._now,
            )
            lines[self._key(row.uniq_id)] = line
            events.append((state.id, self._uploading.pk, line, *state.common(), ",".join(_notes(state, row))))
        self._write(customers, events)
        if self._rematch is not None:
            self._rematch(lines)

    def _load(self, uniq_ids: Sequence[str]) -> dict[str, CustomerState]:
        customers: dict[str, CustomerState] = {}
        keys = [self._key(uniq_id) for uniq_id in uniq_ids]
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            stored = SandboxCustomer.objects.filter(key__in=keys[start : start + _KEYS_PER_QUERY])
            for values in stored.values_list(*_STATE_COLUMNS).iterator():
                state = CustomerState(**dict(zip(_STATE_COLUMNS, values, strict=True)))
                customers[state.uniq_id] = state
        return customers

    def _write(self, customers: Mapping[str, CustomerState], events: Sequence[tuple[Any, ...]]) -> None:
        write_rows(
            model=SandboxCustomer,
            columns=_FROZEN_COLUMNS + _CHANGING_COLUMNS,
            rows=(
                (
                    state.id,
                    self._counter.pk,
                    state.uniq_id,
                    self._key(state.uniq_id),
                    *state.common(),
                    state.create_date_time,
                    state.update_date_time,
                    self._now,
                )
                for state in customers.values()
            ),
            conflict=("id",),
            update=_CHANGING_COLUMNS,
        )
        write_rows(model=SandboxCustomerEvent, columns=_EVENT_COLUMNS, rows=events)

    def _key(self, uniq_id: str) -> str:
        return customer_key(counter_id=self._counter.pk, uniq_id=uniq_id)


def _notes(state: CustomerState, row: Contact) -> list[str]:
    notes: list[str] = []
    if not state.is_findable:
        notes.append(CustomerNote.NO_IDENTIFIERS)
    if row.create_date_time is not None and row.create_date_time != state.create_date_time:
        notes.append(CustomerNote.CREATED_KEPT)
    return notes
