"""An order in memory while rows are applied to it: where it stands, and its timeline as far as needed (R3, R4)."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.clients import uniting
from apps.clients.services import ClientRecord
from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.orders.holds import CLOCK_SKEW
from apps.orders.merging import Merge, merged
from apps.orders.rows import OrderRow, day_of


class State(NamedTuple):
    """What an order's change says of it; two equal ones are the same state."""

    order_status: str
    revenue: Decimal | None
    cost: Decimal | None
    currency: str
    goals: list[dict[str, Any]]
    products: dict[str, int]
    attributes: dict[str, Any]


STATE_FIELDS: Final = State._fields


class Point(NamedTuple):
    """A state and its place in the timeline: `at` (aware), then `seq`."""

    at: datetime
    seq: int
    id: UUID
    state: State


@dataclass(slots=True, eq=False)
class Standing:
    """One order of the chunk. `history`: its known points in timeline order; all of them where `whole`.

    `pk` is None for an order that is not there yet, `current` for one that has no state yet. `created`: aware.
    """

    order_id: str
    pk: int | None = None
    created: datetime | None = None
    created_date_only: bool = False
    identifiers: dict[str, list[str]] = field(default_factory=dict)
    client_key: int | None = None  # of the client that the order had when it was read
    client: ClientRecord | None = None
    client_revision: int = 0  # of the order, see models
    changes_count: int = 0
    current: Point | None = None
    history: list[Point] = field(default_factory=list)
    whole: bool = True
    had_identifiers: bool = False
    was_identified: bool = False  # by its own identifiers or its client's, when it was read
    frozen: bool = False  # something of it was sent
    forgotten: bool = False  # its identifiers were kept for long enough, and nothing new came since
    corrected: bool = False  # a row gave it another creation time
    other_client: bool = False  # in detailed mode: than when it was read
    dirty: bool = False
    # Identifiers that a row told and that were new, each with whose they are: (client, kind, value).
    told: list[tuple[ClientRecord | None, str, str]] = field(default_factory=list)

    def needs_history(self, row: OrderRow, *, now: datetime) -> bool:
        """True where the row may belong before, or beside, what is known of the timeline."""
        current = self.current
        if self.whole or current is None:
            return False
        if row.happened is None:
            return current.at > now + CLOCK_SKEW
        if row.happened == current.at and row.happened_until is None:
            return next_state(row, current.state, currency="") != current.state
        return row.happened <= current.at

    def place(self, row: OrderRow, *, now: datetime, zone: ZoneInfo | None) -> datetime:
        """When the row's state happened, as far as the timeline knows.

        Without a time of its own, the first state takes the creation's and a later one the time of receipt; that is
        never before what has happened already, though a CRM's clock may go a little ahead. A day without a time is put
        at the end of what is known of that day, so days and times of one order can be mixed.
        """
        current = self.current
        if row.happened is None:
            if current is None:
                assert self.created is not None, "the creation time is taken first"
                return day_of(self.created, zone) if self.created_date_only else self.created
            return max(now, current.at) if current.at <= now + CLOCK_SKEW else now
        if row.happened_until is not None:
            known = bisect_right(self.history, row.happened_until, key=_at)
            if known:
                return max(self.history[known - 1].at, row.happened)
        return row.happened

    def has_seen(self, row: OrderRow, at: datetime, state: State) -> bool:
        """True if the row repeats what the timeline says of its moment: a state of that very moment, or the one that
        was true as it began; where only a day is given, a state of that day.

        A CRM that sends its history again is not heard twice. The price: a state that comes back within one second, or
        on one day of a CRM that gives days only, is taken for such a repetition. A row without any time repeats
        nothing: it follows what came before it.
        """
        if row.happened is None:
            return False
        if row.happened_until is not None:
            first = bisect_left(self.history, row.happened, key=_at)
            last = bisect_right(self.history, row.happened_until, key=_at)
        else:
            first = max(bisect_left(self.history, at, key=_at) - 1, 0)
            last = bisect_right(self.history, at, key=_at)
        return any(point.state == state for point in self.history[first:last])

    def state_at(self, at: datetime) -> State | None:
        """The state that was true at `at`: of the last moment not after it, else of the first one there is."""
        if not self.history:
            return None
        return self.history[max(bisect_right(self.history, at, key=_at), 1) - 1].state

    def add(self, point: Point) -> None:
        """Put a new point into the timeline, after those of its moment."""
        self.history.insert(bisect_right(self.history, point.at, key=_at), point)
        if self.current is None or point.at >= self.current.at:
            self.current = point
        self.changes_count = point.seq
        self.forgotten = False
        self.dirty = True

    def identifiers_with(self, row: OrderRow, *, late: bool) -> dict[str, list[str]]:
        """The order's own identifiers after the row. A late row adds kinds that are missing and replaces none."""
        own = self.identifiers
        if not row.identifiers:
            return own
        result = dict(own)
        for kind in IDENTIFIER_KINDS:
            values = row.identifiers.get(kind)
            if values is None or (late and result.get(kind)):
                continue
            if values:
                result[kind] = (
                    uniting.identifiers(values, result.get(kind, ())) if row.merge is Merge.UNITED else values
                )
            else:
                result.pop(kind, None)
        return result

    def learn_client(self, client: ClientRecord, **facts: Any) -> None:
        """Let the client learn what a row of this order said, and note what was new to it."""
        for kind, value in client.learn(**facts):
            self.told.append((client, kind, value))

    def note_own(self, known: Mapping[str, Sequence[str]]) -> None:
        """Note identifiers of the order, besides those it was `known` by, that its client does not have."""
        of_client = self.client.identifiers if self.client is not None else {}
        for kind, values in self.identifiers.items():
            for value in values:
                if value not in known.get(kind, ()) and value not in of_client.get(kind, ()):
                    self.told.append((None, kind, value))

    def moves_creation(self, row: OrderRow, zone: ZoneInfo | None) -> bool:
        """True if the row gives a known order another creation time. The bare day of a known time is no other."""
        created = row.created
        if created is None or self.created is None or self.current is None:
            return False
        if created.at == self.created and created.date_only == self.created_date_only:
            return False
        if created.date_only and not self.created_date_only:
            return day_of(created.at, zone) != day_of(self.created, zone)
        return True

    def is_identified(self) -> bool:
        """True if Metrica has something to find the visitor by: the order's own or its client's."""
        return bool(self.identifiers) or (self.client is not None and bool(self.client.identifiers))

    def may_free_held(self) -> bool:
        """True if the rows brought what held changes of the order may have lacked."""
        return self.corrected or self.other_client or (not self.was_identified and self.is_identified())

    def note_client(self, *, detailed: bool) -> None:
        """After the clients are saved: which revision of its client the order needs at Metrica before itself, or 0
        where it has yet to be made ready for the detailed mode (no client, identifiers that the client lacks, or a
        known order not looked at yet: its payment may have gone out in simple mode)."""
        client = self.client
        if not detailed or client is None:
            self.client_revision = 0
            return
        self.other_client = client.pk != self.client_key
        if client.revision is not None and (self.pk is None or self.client_revision):
            self.client_revision = client.revision if client.has_all(self.identifiers) else 0

    def is_lost(self) -> bool:
        """True if the rows took away the last thing to find the visitor by."""
        return self.was_identified and not self.is_identified()


def next_state(row: OrderRow, base: State | None, *, currency: str) -> State:
    """The state that the row makes out of `base`: what it leaves out stays, what it clears is gone.

    `currency`: the counter's, for a row that clears it or a first one that leaves it out.
    """
    given: Mapping[str, Any] = row.state
    if base is None:
        base = State("", None, None, currency, [], {}, {})
    if not given:
        return base if base.order_status == row.order_status else base._replace(order_status=row.order_status)
    if row.merge is not Merge.GIVEN:
        given = merged(given, base._asdict(), row.merge)
    return State(
        row.order_status,
        given.get("revenue", base.revenue),
        given.get("cost", base.cost),
        (given["currency"] or currency) if "currency" in given else base.currency,
        (given["goals"] or []) if "goals" in given else base.goals,
        (given["products"] or {}) if "products" in given else base.products,
        (given["attributes"] or {}) if "attributes" in given else base.attributes,
    )


def differences(row: OrderRow, new: State, old: State | None) -> list[str]:
    """Names of the fields in which the states differ; of a first state, those that the row gave."""
    if old is None:
        return ["order_status", *(name for name in STATE_FIELDS if row.state.get(name))]
    if new is old:
        return []
    return [name for name, one, other in zip(STATE_FIELDS, new, old, strict=True) if one != other]


def _at(point: Point) -> datetime:
    return point.at
