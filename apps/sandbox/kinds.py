"""The three uploads of records: how each is read, checked and applied (pages: uploadSimpleOrders, uploadContacts,
uploadContactJson_1, uploadOrders, uploadOrdersJson_1)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO, ClassVar, Generic, Protocol, TypeVar

from apps.metrica.vocabulary import Delimiter
from apps.metrica.wire.contacts import Contact, read_contacts, read_contacts_json
from apps.metrica.wire.orders import DetailedOrder, read_orders, read_orders_json
from apps.metrica.wire.simple_orders import SimpleOrder, read_simple_orders
from apps.sandbox import checks
from apps.sandbox.applying import SimpleApplier
from apps.sandbox.csv_switches import accepted, renamed, without_columns
from apps.sandbox.customers import CustomerApplier
from apps.sandbox.detailed import DetailedApplier
from apps.sandbox.models import (
    EntityType,
    SandboxAttribute,
    SandboxCounter,
    SandboxUploading,
    UploadFormat,
    UploadKind,
)
from apps.sandbox.problems import RowCheck
from apps.sandbox.reading import ReadRecord, from_csv, from_json
from apps.sandbox.statuses import StatusReader

R = TypeVar("R")


class RowApplier(Protocol):
    def apply(self, rows: Sequence[tuple[int, Any]]) -> None: ...


class UploadOf(ABC, Generic[R]):
    """One upload of records `R` to a counter, by the switches as they stand."""

    record: ClassVar[type]
    key: ClassVar[str]
    list_name: ClassVar[str]

    def __init__(self, *, counter: SandboxCounter, switches: Mapping[str, str], now: datetime) -> None:
        self._counter = counter
        self._switches = switches
        self._now = now

    @abstractmethod
    def read(
        self, file: BinaryIO, *, uploading_format: str, delimiter: Delimiter, columns_mapping: Mapping[str, str]
    ) -> Iterator[ReadRecord[R]]:
        """The records in their order. Raises Unreadable while it is iterated."""

    @abstractmethod
    def checks(self) -> list[RowCheck]:
        """What a record must pass besides being readable."""

    @abstractmethod
    def applier(self, *, counter: SandboxCounter, uploading: SandboxUploading) -> RowApplier:
        """Applies records, inside the upload's transaction; `counter` is locked."""

    def passed(self, *, counter: SandboxCounter) -> None:
        """The upload was applied: what the counter remembers of it."""
        if counter.first_upload_at is None:
            counter.first_upload_at = self._now
            counter.save(update_fields=["first_upload_at"])

    def _ignore_unknown(self) -> bool:
        return self._switches["unknown_column"] == "ignore"

    def _attributes(self, entity_type: EntityType) -> list[SandboxAttribute]:
        return list(SandboxAttribute.objects.filter(counter=self._counter, entity_type=entity_type))

    def _csv(self, file: BinaryIO, delimiter: Delimiter) -> Any:
        """The file as the switches let it be."""
        readable = accepted(file, switches=self._switches)
        if self._switches["duplicate_column"] == "first":
            readable = without_columns(readable, delimiter=delimiter, duplicates=True)
        return readable


class SimpleOrdersUpload(UploadOf[SimpleOrder]):
    record = SimpleOrder
    key = "id"
    list_name = "orders"

    def __init__(self, **known: Any) -> None:
        super().__init__(**known)
        mapped = self._switches["mapped_status_in_simple"] == "known"
        self._statuses = StatusReader(self._counter, switches=self._switches, mapped=mapped)

    def read(
        self, file: BinaryIO, *, uploading_format: str, delimiter: Delimiter, columns_mapping: Mapping[str, str]
    ) -> Iterator[ReadRecord[SimpleOrder]]:
        readable = self._csv(file, delimiter)
        if columns_mapping:
            titles = {title: name for name, title in columns_mapping.items()}
            readable = renamed(readable, delimiter=delimiter, titles=titles)
        if self._switches["simple_attributes"] == "ignore":
            names = {attribute.name for attribute in self._attributes(EntityType.SIMPLE_ORDER)}
            readable = without_columns(readable, delimiter=delimiter, names=names)
        return from_csv(
            lambda: read_simple_orders(
                readable, zone=self._counter.zone, delimiter=delimiter, ignore_unknown_columns=self._ignore_unknown()
            )
        )

    def checks(self) -> list[RowCheck]:
        found: list[RowCheck] = [checks.order_lengths]
        if self._switches["simple_id"] == "required":
            found.append(checks.order_id_given)
        return found + _order_checks(self._switches, self._statuses, self._now)

    def applier(self, *, counter: SandboxCounter, uploading: SandboxUploading) -> SimpleApplier:
        return SimpleApplier(counter=counter, uploading=uploading, statuses=self._statuses, switches=self._switches)


class ContactsUpload(UploadOf[Contact]):
    record = Contact
    key = "uniq_id"
    list_name = "contacts"

    def __init__(self, **known: Any) -> None:
        super().__init__(**known)
        self._own = self._attributes(EntityType.CONTACT)

    def read(
        self, file: BinaryIO, *, uploading_format: str, delimiter: Delimiter, columns_mapping: Mapping[str, str]
    ) -> Iterator[ReadRecord[Contact]]:
        known = {attribute.name: attribute.multivalued for attribute in self._own}
        zone, ignore_unknown = self._counter.zone, self._ignore_unknown()
        if uploading_format == UploadFormat.JSON:
            return from_json(
                lambda: read_contacts_json(file, zone=zone, attributes=known, ignore_unknown_fields=ignore_unknown)
            )
        return from_csv(
            lambda: read_contacts(
                self._csv(file, delimiter),
                zone=zone,
                delimiter=delimiter,
                attributes=known,
                columns_mapping=columns_mapping,
                ignore_unknown_columns=ignore_unknown,
            )
        )

    def checks(self) -> list[RowCheck]:
        found: list[RowCheck] = [checks.contact_lengths]
        if (most := self._switches["identifiers_per_contact"]) != "any":
            found.append(checks.identifiers_check(int(most)))
        if self._switches["attribute_type"] == "refuse":
            found.append(checks.fitting_attributes(self._own, zone=self._counter.zone))
        return found

    def applier(self, *, counter: SandboxCounter, uploading: SandboxUploading) -> CustomerApplier:
        rematch = None
        if self._switches["later_contacts"] == "rematch":
            # The very upload may be the first one of customers, and by then its time bounds the visits.
            self._remember(counter)
            statuses = StatusReader(counter, switches=self._switches)
            rematch = DetailedApplier(
                counter=counter, uploading=uploading, statuses=statuses, switches=self._switches
            ).rematch
        return CustomerApplier(
            counter=counter,
            uploading=uploading,
            switches=self._switches,
            multivalued=_multivalued(self._own),
            rematch=rematch,
        )

    def passed(self, *, counter: SandboxCounter) -> None:
        super().passed(counter=counter)
        self._remember(counter)

    def _remember(self, counter: SandboxCounter) -> None:
        if counter.first_contacts_at is None:
            counter.first_contacts_at = self._now
            counter.save(update_fields=["first_contacts_at"])


class OrdersUpload(UploadOf[DetailedOrder]):
    record = DetailedOrder
    key = "id"
    list_name = "orders"

    def __init__(self, **known: Any) -> None:
        super().__init__(**known)
        self._own = self._attributes(EntityType.ORDER)
        self._statuses = StatusReader(self._counter, switches=self._switches)

    def read(
        self, file: BinaryIO, *, uploading_format: str, delimiter: Delimiter, columns_mapping: Mapping[str, str]
    ) -> Iterator[ReadRecord[DetailedOrder]]:
        known = {attribute.name: attribute.multivalued for attribute in self._own}
        zone, ignore_unknown = self._counter.zone, self._ignore_unknown()
        if uploading_format == UploadFormat.JSON:
            return from_json(
                lambda: read_orders_json(file, zone=zone, attributes=known, ignore_unknown_fields=ignore_unknown)
            )
        return from_csv(
            lambda: read_orders(
                self._csv(file, delimiter),
                zone=zone,
                delimiter=delimiter,
                attributes=known,
                columns_mapping=columns_mapping,
                ignore_unknown_columns=ignore_unknown,
            )
        )

    def checks(self) -> list[RowCheck]:
        found: list[RowCheck] = [checks.order_lengths, checks.detailed_lengths]
        if self._switches["attribute_type"] == "refuse":
            found.append(checks.fitting_attributes(self._own, zone=self._counter.zone))
        return found + _order_checks(self._switches, self._statuses, self._now)

    def applier(self, *, counter: SandboxCounter, uploading: SandboxUploading) -> DetailedApplier:
        return DetailedApplier(
            counter=counter,
            uploading=uploading,
            statuses=self._statuses,
            switches=self._switches,
            multivalued=_multivalued(self._own),
        )


KINDS: dict[str, type[UploadOf[Any]]] = {
    UploadKind.SIMPLE_ORDERS: SimpleOrdersUpload,
    UploadKind.CONTACTS: ContactsUpload,
    UploadKind.ORDERS: OrdersUpload,
}


def _order_checks(switches: Mapping[str, str], statuses: StatusReader, now: datetime) -> list[RowCheck]:
    found: list[RowCheck] = []
    if switches["unknown_status"] == "refuse":
        found.append(checks.status_check(statuses))
    if switches["future_order"] == "refuse":
        found.append(checks.not_in_the_future(now))
    return found


def _multivalued(attributes: Sequence[SandboxAttribute]) -> frozenset[str]:
    return frozenset(attribute.name for attribute in attributes if attribute.multivalued)
