"""An order's state in memory, and what a row makes of it by merge mode (see merging.py)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from apps.metrica.identifiers import md5_of
from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import IDENTIFIER_KINDS, MergeMode, OrderType
from apps.metrica.wire.goals import parse_goals
from apps.metrica.wire.orders import DetailedOrder
from apps.metrica.wire.simple_orders import SimpleOrder
from apps.sandbox import merging
from apps.sandbox.models.crm import order_key, time_ordered_id
from apps.sandbox.models.customers import customer_key

# Fields of SandboxOrder in the order of OrderState.row(): those that stay as first written, and those that change.
FROZEN_COLUMNS = ("id", "counter", "order_id", "key", "create_date_time", "date_only")
CHANGING_COLUMNS = (
    "client_uniq_id",
    "customer_key",
    *IDENTIFIER_KINDS,
    "order_status",
    "type",
    "unknown_status",
    "revenue",
    "cost",
    "currency",
    "goals",
    "products",
    "visit",
    "bound_at",
    "update_date_time",
    "finish_date_time",
    "first_paid_at",
    "attribute_values",
    "updated_at",
)
_SCALARS = ("client_uniq_id", "order_status", "revenue", "cost", "currency")


@dataclass(slots=True)
class OrderState:
    """SandboxOrder's fields, as they stand after the rows applied so far; lists as comma-separated text."""

    id: UUID
    order_id: str | None
    create_date_time: datetime
    date_only: bool
    client_uniq_id: str = ""
    customer_key: str | None = None
    client_ids: str = ""
    emails: str = ""
    phones: str = ""
    emails_md5: str = ""
    phones_md5: str = ""
    order_status: str = ""
    type: str = OrderType.PAID.value
    unknown_status: bool = False
    revenue: Decimal | None = None
    cost: Decimal | None = None
    currency: str = ""
    goals: str = ""
    products: dict[str, int] | None = None
    visit: int | None = None
    bound_at: datetime | None = None
    update_date_time: datetime | None = None
    finish_date_time: datetime | None = None
    first_paid_at: datetime | None = None
    attribute_values: merging.Attributes | None = None
    updated_at: datetime | None = None
    visit_started_at: datetime | None = None
    keys: frozenset[str] = frozenset()  # under which a visit can be found, as in SandboxVisitKey
    is_new: bool = False

    @classmethod
    def new(cls, row: SimpleOrder | DetailedOrder) -> Self:
        """An order not seen before; `merge` gives it its changeable fields."""
        return cls(
            id=time_ordered_id(),
            order_id=row.id or None,
            create_date_time=row.create_date_time,
            date_only=is_date_only(row),
            is_new=True,
        )

    def row(self, counter_id: int) -> tuple[Any, ...]:
        """The values of FROZEN_COLUMNS and CHANGING_COLUMNS."""
        return (
            self.id,
            counter_id,
            self.order_id,
            self.order_id and order_key(counter_id=counter_id, order_id=self.order_id),
            self.create_date_time,
            self.date_only,
            self.client_uniq_id,
            self.customer_key,
            self.client_ids,
            self.emails,
            self.phones,
            self.emails_md5,
            self.phones_md5,
            self.order_status,
            self.type,
            self.unknown_status,
            self.revenue,
            self.cost,
            self.currency,
            self.goals,
            self.products,
            self.visit,
            self.bound_at,
            self.update_date_time,
            self.finish_date_time,
            self.first_paid_at,
            self.attribute_values,
            self.updated_at,
        )

    def merge(self, row: SimpleOrder, mode: MergeMode, keys: frozenset[str]) -> bool:
        """Takes over what `row` changes, and says whether the identifiers are others now.

        `create_date_time` never changes after the first upload (uploadSimpleOrders page). A status that is blank
        afterwards is PAID, the simple format's default. `keys`: the row's own, `row_keys(row)`. What only the detailed
        format can say is left out here, so SAVE clears it.
        """
        before, customer = self.keys, self.client_uniq_id
        self._merge_shared(row, mode)
        for name in IDENTIFIER_KINDS:
            setattr(self, name, merging.joined(getattr(self, name), getattr(row, name), mode))
        if mode is MergeMode.SAVE:
            self.products = self.finish_date_time = self.attribute_values = None
        if self.client_uniq_id != customer:
            self.customer_key = None
        self.order_status = self.order_status or OrderType.PAID.value
        self.keys = keys if mode is MergeMode.SAVE else self.own_keys()
        return self.keys != before

    def merge_detailed(
        self,
        row: DetailedOrder,
        mode: MergeMode,
        *,
        counter_id: int,
        multivalued: Collection[str],
        customers: Mapping[str, frozenset[str]],
    ) -> bool:
        """As `merge`, for a row of the detailed format: its customer holds the identifiers, so SAVE clears those that
        the simple format gave to the order itself. `customers`: identifiers by customer_key."""
        before = (self.customer_key, self.own_keys())
        self._merge_shared(row, mode)
        self.finish_date_time = merging.scalar(self.finish_date_time, row.finish_date_time, mode)
        self.products = merging.products(self.products, row.products, mode)
        self.attribute_values = merging.attributes(self.attribute_values, row.attributes, mode, multivalued=multivalued)
        if mode is MergeMode.SAVE:
            for name in IDENTIFIER_KINDS:
                setattr(self, name, "")
        self.customer_key = customer_key(counter_id=counter_id, uniq_id=self.client_uniq_id)
        own = self.own_keys()
        self.keys = own | customers.get(self.customer_key, frozenset())
        return (self.customer_key, own) != before

    def _merge_shared(self, row: SimpleOrder | DetailedOrder, mode: MergeMode) -> None:
        for name in _SCALARS:
            setattr(self, name, merging.scalar(getattr(self, name), getattr(row, name), mode))
        self.goals = merging.goals(self.goals, row.goals, mode)

    @property
    def extra_goals(self) -> Sequence[GoalPrice]:
        return parse_goals(self.goals) if self.goals else ()

    def own_keys(self) -> frozenset[str]:
        return identifier_keys(
            client_ids=_parts(self.client_ids),
            emails=_parts(self.emails),
            phones=_parts(self.phones),
            emails_md5=_parts(self.emails_md5),
            phones_md5=_parts(self.phones_md5),
        )


def is_date_only(row: SimpleOrder | DetailedOrder) -> bool:
    """Whether the creation time is a date without time."""
    return row.date_only if isinstance(row, SimpleOrder) else row.create_date_only


def row_keys(row: SimpleOrder) -> frozenset[str]:
    return identifier_keys(
        client_ids=row.client_ids,
        emails=row.emails,
        phones=row.phones,
        emails_md5=row.emails_md5,
        phones_md5=row.phones_md5,
    )


def identifier_keys(
    *,
    client_ids: Iterable[str] = (),
    emails: Iterable[str] = (),
    phones: Iterable[str] = (),
    emails_md5: Iterable[str] = (),
    phones_md5: Iterable[str] = (),
) -> frozenset[str]:
    """Normalised identifiers as keys; a plain e-mail or phone and its MD5 are one key (hashing page)."""
    keys = {f"c:{value}" for value in client_ids}
    keys.update(f"e:{md5_of(value)}" for value in emails)
    keys.update(f"p:{md5_of(value)}" for value in phones)
    keys.update(f"e:{value.lower()}" for value in emails_md5)
    keys.update(f"p:{value.lower()}" for value in phones_md5)
    return frozenset(keys)


def _parts(text: str) -> list[str]:
    return text.split(",") if text else []
