"""An order's state in memory, and what a row makes of it by merge mode (modes page).

| stored | uploaded | SAVE | UPDATE | APPEND |
|---|---|---|---|---|
| 1 | nothing | null | 1 | 1 |
| 1,2 | 1,3 | 1,3 | 1,3 | 1,2,3 |

A blank cell and a column that is not there are the same: nothing was uploaded. A scalar is replaced in APPEND too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from apps.metrica.identifiers import md5_of
from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import IDENTIFIER_KINDS, MergeMode, OrderType
from apps.metrica.wire.goals import format_goals, parse_goals
from apps.metrica.wire.simple_orders import SimpleOrder
from apps.sandbox.models.crm import order_key, time_ordered_id

# Fields of SandboxOrder in the order of OrderState.row(): those that stay as first written, and those that change.
FROZEN_COLUMNS = ("id", "counter", "order_id", "key", "create_date_time", "date_only")
CHANGING_COLUMNS = (
    "client_uniq_id",
    *IDENTIFIER_KINDS,
    "order_status",
    "type",
    "unknown_status",
    "revenue",
    "cost",
    "currency",
    "goals",
    "visit",
    "bound_at",
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
    visit: int | None = None
    bound_at: datetime | None = None
    updated_at: datetime | None = None
    visit_started_at: datetime | None = None
    keys: frozenset[str] = frozenset()  # under which a visit can be found, as in SandboxVisitKey

    @classmethod
    def new(cls, row: SimpleOrder) -> Self:
        """An order not seen before; `merge` gives it its changeable fields."""
        return cls(
            id=time_ordered_id(),
            order_id=row.id or None,
            create_date_time=row.create_date_time,
            date_only=row.date_only,
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
            self.visit,
            self.bound_at,
            self.updated_at,
        )

    def merge(self, row: SimpleOrder, mode: MergeMode, keys: frozenset[str]) -> None:
        """Takes over what `row` changes. `create_date_time` never changes after the first upload (uploadSimpleOrders).

        A status that is blank afterwards is PAID, the simple format's default. `keys`: the row's own, `row_keys(row)`.
        """
        replaces_all = mode is MergeMode.SAVE
        for name in _SCALARS:
            value = getattr(row, name)
            if replaces_all or value not in ("", None):
                setattr(self, name, value)
        for name in IDENTIFIER_KINDS:
            values = getattr(row, name)
            if replaces_all or values:
                held = getattr(self, name) if mode is MergeMode.APPEND else ""
                setattr(self, name, _united(held, values))
        if replaces_all or row.goals:
            held_goals = self.extra_goals if mode is MergeMode.APPEND else ()
            self.goals = format_goals(_united_goals(held_goals, row.goals))
        self.order_status = self.order_status or OrderType.PAID.value
        self.keys = keys if replaces_all else self.own_keys()

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


def _united(held: str, values: Sequence[str]) -> str:
    if held:
        return ",".join(dict.fromkeys([*held.split(","), *values]))
    return ",".join(values) if len(values) != 1 else values[0]


def _united_goals(held: Sequence[GoalPrice], uploaded: Sequence[GoalPrice]) -> list[GoalPrice]:
    """Each goal once; the uploaded price replaces the held one."""
    goals = {goal.goal_action_id: goal for goal in held}
    for goal in uploaded:
        if goal.price is not None or goal.goal_action_id not in goals:
            goals[goal.goal_action_id] = goal
    return list(goals.values())
