"""Rows of the detailed format: an order without identifiers but with its client, and the client with all of them (R5,
R9)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, Self

from django.db.models import Case, F, Value, When
from django.db.models.expressions import Combinable

from apps.agencies.bulk import update_rows
from apps.counters.attributes import Declared
from apps.counters.models import AttributeEntity, Counter
from apps.counters.sealed_fields import parsed
from apps.goals.resolve import Resolver
from apps.metrica.vocabulary import IDENTIFIER_KINDS, OrderType
from apps.metrica.wire.contacts import Contact
from apps.metrica.wire.orders import DetailedOrder
from apps.orders.models import Order
from apps.uploads.rows import (
    Reading,
    RowMaker,
    as_text,
    aware,
    columns,
    goals_cell,
    hashed,
    second_of,
)


class DetailedRow(NamedTuple):
    """A ChangeRow, and what else the detailed format and the order's turn need. See `columns` there."""

    id: str
    order: int
    order_status: str
    revenue: str | None
    cost: str | None
    currency: str
    goals: str
    order_id: str
    create_date_time: int | datetime
    create_date_only: bool
    identifiers: str
    client_uniq_id: str | None
    client_identifiers: str | None
    status_date_time: int | datetime
    finish_date_time: int | datetime | None
    products: str
    attributes: str
    client: int | None
    client_revision: int
    settled_revision: int | None
    client_delivered: int  # 1: Metrica has had the client
    newest_revision: int | None  # of the client, as the CRM has given it by now


def _columns() -> list[Combinable]:
    return [
        *columns(),
        second_of("status_date_time"),
        second_of("order__finish_date_time"),
        as_text("products"),
        as_text("attributes"),
        F("order__client_id"),
        F("order__client_revision"),
        F("order__client__settled_revision"),
        Case(When(order__client__delivered_at__isnull=False, then=Value(1)), default=Value(0)),
        F("order__client__revision"),
    ]


DETAILED = Reading(_columns, DetailedRow._make)


class DetailedMaker(RowMaker):
    """Makes rows of the detailed format. An order's first payment is its end from then on."""

    def __init__(self, *, counter: Counter, resolver: Resolver, declared: Declared) -> None:
        super().__init__(counter=counter, resolver=resolver)
        self.attributes = declared.names(AttributeEntity.ORDER)
        self._declared = declared

    @classmethod
    def of(cls, counter: Counter, resolver: Resolver) -> Self:
        """One query."""
        return cls(counter=counter, resolver=resolver, declared=Declared.of(counter))

    def noted(self, rows: Sequence[Any]) -> set[int]:
        return {order for order, _end in self._first_paid(rows)}

    def note(self, rows: Sequence[Any]) -> None:
        """Orders that get their first status of type PAID with this file keep that moment, whatever comes later."""
        update_rows(Order, ("id", "finish_date_time"), self._first_paid(rows))

    def _first_paid(self, rows: Sequence[Any]) -> list[tuple[int, datetime]]:
        return [(row.order, end) for row in rows if row.finish_date_time is None and (end := self._end(row))]

    def make(self, row: Any) -> DetailedOrder:
        meaning = self.meaning(row.order_status)
        return DetailedOrder(
            id=row.order_id,
            client_uniq_id=row.client_uniq_id or "",
            create_date_time=aware(row.create_date_time, self._zone),
            create_date_only=row.create_date_only,
            update_date_time=aware(row.status_date_time, self._zone),
            finish_date_time=self._end(row),
            order_status=meaning.wire_status,
            revenue=None if row.revenue is None else Decimal(row.revenue),
            cost=None if row.cost is None else Decimal(row.cost),
            currency=row.currency or self._currency,
            products=parsed(row.products) if row.products != "{}" else {},
            goals=goals_cell(meaning, row.goals) if row.goals != "[]" else (),
            attributes=self._attributes(row.attributes) if row.attributes != "{}" else {},
        )

    def _end(self, row: Any) -> datetime | None:
        if row.finish_date_time is not None:
            return aware(row.finish_date_time, self._zone)
        return (
            aware(row.status_date_time, self._zone) if self.meaning(row.order_status).type is OrderType.PAID else None
        )

    def _attributes(self, text: str) -> Mapping[str, Sequence[str]]:
        return self._declared.sayable(AttributeEntity.ORDER, parsed(text)) if self.attributes else {}


class ContactRow(NamedTuple):
    """A client with all that its row needs."""

    id: int
    uniq_id: str
    name: str
    identifiers: Mapping[str, Sequence[str]]
    attributes: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


CONTACT_COLUMNS = ("pk", "uniq_id", "name", "identifiers", "attributes", "created_at", "updated_at")


class ContactMaker:
    """Makes rows of clients for one file."""

    def __init__(self, *, counter: Counter, declared: Declared) -> None:
        self.attributes = declared.names(AttributeEntity.CONTACT)
        self._declared = declared
        self._hash = counter.hash_identifiers

    def make(self, row: ContactRow) -> Contact:
        found: Sequence[Sequence[str]] = [row.identifiers.get(kind) or () for kind in IDENTIFIER_KINDS]
        if self._hash:
            found = hashed(found)
        client_ids, emails, phones, emails_md5, phones_md5 = found
        return Contact(
            uniq_id=row.uniq_id,
            name=row.name,
            create_date_time=row.created_at,
            update_date_time=row.updated_at,
            client_ids=client_ids,
            emails=emails,
            phones=phones,
            emails_md5=emails_md5,
            phones_md5=phones_md5,
            attributes=self._declared.sayable(AttributeEntity.CONTACT, row.attributes) if self.attributes else {},
        )

    def mapping(self) -> dict[str, Any]:
        return {}
