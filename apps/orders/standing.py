"""An order in memory while rows are applied to it: where it stands, and its timeline as far as needed (R3, R4)."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.orders.models import Order, StatusChange
from apps.orders.rows import OrderRow

STATE_FIELDS = ("revenue", "cost", "currency", "goals", "products", "attributes")


class State(NamedTuple):
    """What an order's change says of it; two equal ones are the same state."""

    order_status: str
    revenue: Decimal | None
    cost: Decimal | None
    currency: str
    goals: list[dict[str, Any]]
    products: dict[str, int]
    attributes: dict[str, Any]


class Point(NamedTuple):
    """A state and its place in the timeline."""

    at: datetime
    seq: int
    state: State


def state_of(change: StatusChange) -> State:
    return State(
        change.order_status,
        change.revenue,
        change.cost,
        change.currency,
        change.goals,
        change.products,
        change.attributes,
    )


@dataclass(slots=True)
class Standing:
    """One order of the chunk. `history`: known moments in timeline order; all of them where `whole`."""

    order: Order
    is_new: bool
    current: Point | None = None
    history: list[Point] = field(default_factory=list)
    whole: bool = True
    client_uniq_id: str | None = None
    client_changed: bool = False
    had_identifiers: bool = False
    dirty: bool = False
    frozen: bool | None = None  # something of it was sent; None: not asked yet

    def needs_history(self, row: OrderRow) -> bool:
        """True where the row may belong before, or beside, what is known of the timeline."""
        return (
            not self.whole
            and self.current is not None
            and row.happened is not None
            and (row.happened <= self.current.at)
        )

    def next_state(self, row: OrderRow, base: State | None, *, currency: str) -> State:
        """The state that the row makes out of `base`: what it leaves out stays, what it clears is gone."""
        given = row.state
        if base is None:
            base = State("", None, None, currency, [], {}, {})
        if not given:
            return base._replace(order_status=row.order_status)
        return State(
            row.order_status,
            given.get("revenue", base.revenue),
            given.get("cost", base.cost),
            (given["currency"] or currency) if "currency" in given else base.currency,
            (given["goals"] or []) if "goals" in given else base.goals,
            (given["products"] or {}) if "products" in given else base.products,
            (given["attributes"] or {}) if "attributes" in given else base.attributes,
        )

    def state_at(self, at: datetime) -> State | None:
        """The state that was true at `at`: of the last moment not after it, else of the first one there is."""
        before = [moment for moment in self.history if moment.at <= at]
        if before:
            return before[-1].state
        return self.history[0].state if self.history else None

    def add(self, moment: Point) -> bool:
        """Put a new moment into the timeline; True if it is the current one now."""
        position = len(self.history)
        while position and self.history[position - 1].at > moment.at:
            position -= 1
        self.history.insert(position, moment)
        if self.current is None or moment.at >= self.current.at:
            self.current = moment
            return True
        return False

    def identifiers_with(self, row: OrderRow, *, late: bool) -> dict[str, list[str]]:
        """The order's own identifiers after the row. A late row adds kinds that are missing and replaces none."""
        own = self.order.identifiers
        if not row.identifiers:
            return own
        result = dict(own)
        for kind in IDENTIFIER_KINDS:
            values = row.identifiers.get(kind)
            if values is None or (late and result.get(kind)):
                continue
            if values:
                result[kind] = values
            else:
                result.pop(kind, None)
        return result


def differences(new: State, old: State | None) -> list[str]:
    """Names of the fields in which the states differ; of a first state, those that say something."""
    if old is None:
        return [name for name, value in zip(State._fields, new, strict=True) if value]
    return [name for name, one, other in zip(State._fields, new, old, strict=True) if one != other]
