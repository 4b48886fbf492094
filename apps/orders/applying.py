"""Applies rows, one after the other, to the orders of a chunk: what is new becomes a status change."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from apps.agencies.ids import uuid7
from apps.clients.services import ClientBook, ClientRecord, own_client_id
from apps.counters.models import Counter
from apps.metrica import rules
from apps.orders.results import RowResult
from apps.orders.rows import OrderRow, RowError
from apps.orders.standing import Point, Standing, State, differences, next_state

CREATION_REQUIRED = RowError(
    "create_date_time", "required", _("This field is required for an order that is not known yet.")
)
CREATION_FROZEN = RowError(
    "create_date_time",
    "create_date_time_frozen",
    _("Metrica knows this order already, and its creation time cannot change any more; the old one stays."),
)
OUTSIDE_WINDOW = RowError(
    "create_date_time",
    "outside_binding_window",
    _("Metrica binds an order to a visit for 21 days only; this one is older and will stay unbound."),
)

NO_CLIENT = RowError(
    "client_attributes",
    "no_client",
    _("The order has no client whose attributes these could be; name one in client_uniq_id."),
)


@dataclass(slots=True)
class Change:
    """A status change to be written. Why it may be held is judged when all rows of the chunk have been applied."""

    id: UUID
    standing: Standing
    seq: int
    at: datetime
    state: State
    changed: list[str]
    result: RowResult


class Applier:
    """Applies the rows of one chunk. `now`: aware, the time of receipt."""

    def __init__(self, *, counter: Counter, clients: ClientBook, now: datetime) -> None:
        self._currency = counter.currency
        self._detailed = counter.is_detailed
        self._zone: ZoneInfo | None = counter.zone
        self._clients = clients
        self._now = now
        self._binding_ends: datetime = now - rules.BINDING_WINDOW

    def apply(self, row: OrderRow, *, index: int, standing: Standing) -> tuple[RowResult, Change | None]:
        """Bring the order in memory to what the row says. A row that cannot be taken leaves no mark."""
        first = standing.current is None
        result = RowResult(index, row.order_id, "unchanged", warnings=row.warnings)
        if first and row.created is None:
            result.result, result.errors = "rejected", [CREATION_REQUIRED]
            return result, None
        corrected = self._take_creation(row, standing, result)
        at = standing.place(row, now=self._now, zone=self._zone)
        late = standing.current is not None and at < standing.current.at
        state, changed = self._next(row, standing, at=at, late=late)
        if standing.forgotten and not changed and not corrected and not self._names_another(row, standing):
            return result, None  # who it was has been kept for long enough: the same once more brings nobody back
        known, client = standing.identifiers, standing.client
        identifiers = standing.identifiers_with(row, late=late)
        if identifiers is not known and identifiers != known:
            standing.identifiers = identifiers
            changed.append("identifiers")
        if row.client_given and self._take_client(row, standing, late=late):
            changed.append("client")
        if row.client_uniq_id is None:
            if self._detailed and changed and standing.client is None:
                standing.client = self._clients.named(own_client_id(row.order_id))
                standing.learn_client(standing.client, name=None, identifiers=standing.identifiers)
            self._tell_client(row, standing, result)
        if standing.client is not client:
            standing.note_own({})
        elif standing.identifiers is not known:
            standing.note_own(known)
        if not changed:
            if corrected:
                standing.dirty = True
                result.result = "updated"
            return result, None
        change = Change(uuid7(), standing, standing.changes_count + 1, at, state, changed, result)
        standing.add(Point(at, change.seq, change.id, state))
        result.result, result.change = ("created" if first else "updated"), change.id
        return result, change

    def _next(self, row: OrderRow, standing: Standing, *, at: datetime, late: bool) -> tuple[State, list[str]]:
        """The state that the row makes, and the names of what is new in it."""
        if standing.current is None:
            state = next_state(row, None, currency=self._currency)
            return state, differences(row, state, None)
        base = standing.state_at(at) if late else standing.current.state
        state = next_state(row, base, currency=self._currency)
        changed = differences(row, state, base)
        if changed and standing.has_seen(row, at, state):
            changed = []
        return state, changed

    def _take_creation(self, row: OrderRow, standing: Standing, result: RowResult) -> bool:
        """The creation time: taken while nothing was sent, frozen from then on (R9). True if a known one was moved."""
        created = row.created
        if created is None:
            return False
        if standing.current is None:
            standing.created, standing.created_date_only = created.at, created.date_only
            if created.at < self._binding_ends:
                result.warnings = [*row.warnings, OUTSIDE_WINDOW]
            return False
        if not standing.moves_creation(row, self._zone):
            return False
        if standing.frozen:
            result.warnings = [*row.warnings, CREATION_FROZEN]
            return False
        standing.created, standing.created_date_only = created.at, created.date_only
        standing.corrected = True
        return True

    def _names_another(self, row: OrderRow, standing: Standing) -> bool:
        """True if the row says that the order is somebody else's."""
        return row.client_uniq_id is not None and self._clients.named(row.client_uniq_id) is not standing.client

    def _take_client(self, row: OrderRow, standing: Standing, *, late: bool) -> bool:
        """The order's client as the row says, and what the row says of the client. True if the order has another one.

        A late row names a client only where none is known, and never takes one away.
        """
        client: ClientRecord | None = None
        if row.client_uniq_id is not None:
            client = self._clients.named(row.client_uniq_id)
            standing.learn_client(
                client,
                name=None if late and client.name else row.client_name,
                identifiers=row.identifiers,
                attributes=row.client_attributes,
            )
        elif standing.client is not None and standing.client.uniq_id == own_client_id(standing.order_id):
            return False  # an order's own client stands for none
        if client is standing.client or (late and standing.client is not None):
            return False
        standing.client = client
        return True

    def _tell_client(self, row: OrderRow, standing: Standing, result: RowResult) -> None:
        """What a row says of the order's client without naming it. In detailed mode orders carry no identifiers, so
        what one has of its own Metrica must learn of its client."""
        client = standing.client
        if client is None:
            if row.client_attributes:
                result.warnings = [*result.warnings, NO_CLIENT]
        elif client.revision is not None or client.pk is None:
            is_own = client.uniq_id == own_client_id(row.order_id)
            standing.learn_client(
                client,
                name=row.client_name if is_own else None,
                identifiers=row.identifiers if self._detailed else {},
                attributes=row.client_attributes,
            )
