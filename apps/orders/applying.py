"""Applies rows, one after the other, to the orders of a chunk: what is new becomes a status change."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.agencies.ids import uuid7
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.metrica import rules
from apps.orders.holds import HoldJudge
from apps.orders.models import Delivery, StatusChange
from apps.orders.results import RowResult
from apps.orders.rows import OrderRow, RowError, start_of
from apps.orders.standing import Point, Standing, State, differences


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is the same for all rows of a call. `now` is aware."""

    counter: Counter
    now: datetime
    source: str
    received_by: str
    request_id: str
    judge: HoldJudge


@dataclass(slots=True)
class Applied:
    """What a row came to. `change` is not saved yet; its order's primary key is filled in when it is."""

    result: RowResult
    change: StatusChange | None = None


def apply_row(
    row: OrderRow, *, index: int, standing: Standing, client: Client | None, circumstances: Circumstances
) -> Applied:
    """Bring the order in memory to what the row says."""
    order, now = standing.order, circumstances.now
    first = standing.current is None
    result = RowResult(index=index, id=row.order_id, result="unchanged", warnings=row.warnings)
    if first and row.created is None:
        message = _("This field is required for an order that is not known yet.")
        result.result, result.errors = "rejected", [RowError("create_date_time", "required", message)]
        return Applied(result)
    corrected = _take_creation(row, standing=standing, result=result)
    zone = circumstances.counter.zone
    if row.happened is not None:
        at = row.happened
    elif standing.current is None:
        at = start_of(row.created, zone) if row.created else now
    else:
        at = max(now, standing.current.at)
    late = standing.current is not None and at < standing.current.at
    base = _base(standing, at=at, late=late)
    state = standing.next_state(row, base, currency=circumstances.counter.currency)
    changed = differences(state, base)
    if changed and base is not None and any(point.at == at and point.state == state for point in standing.history):
        changed = []  # this very moment is in the timeline already
    identifiers = standing.identifiers_with(row, late=late)
    if identifiers != order.identifiers:
        order.identifiers = identifiers
        changed.append("identifiers")
    if _take_client(row, standing=standing, client=client, late=late):
        changed.append("client")
    _warn_of_window(result, standing=standing, now=now)
    if base is not None and not changed:
        if corrected:
            standing.dirty, order.updated_at = True, now
            result.result = "updated"
        return Applied(result)
    change = _new_change(standing, at=at, state=state, changed=changed, client=client, circumstances=circumstances)
    result.result = "created" if first else "updated"
    result.change, result.hold = change.pk, change.hold_reason or None
    return Applied(result, change)


def _base(standing: Standing, *, at: datetime, late: bool) -> State | None:
    if standing.current is None:
        return None
    return standing.state_at(at) if late else standing.current.state


def _new_change(
    standing: Standing,
    *,
    at: datetime,
    state: State,
    changed: list[str],
    client: Client | None,
    circumstances: Circumstances,
) -> StatusChange:
    order, now = standing.order, circumstances.now
    order.changes_count += 1
    reason = circumstances.judge.reason(
        order_status=state.order_status,
        has_identifiers=bool(order.identifiers) or bool(client is not None and any(client.identifiers.values())),
        happened=at,
        created=order.create_date_time,
        created_date_only=order.create_date_only,
        is_first=order.changes_count == 1,
    )
    change = StatusChange(
        id=uuid7(),
        counter_id=circumstances.counter.pk,
        order_id=order.pk,
        seq=order.changes_count,
        order_status=state.order_status,
        status_date_time=at,
        received_at=now,
        source=circumstances.source,
        received_by=circumstances.received_by,
        request_id=circumstances.request_id,
        revenue=state.revenue,
        cost=state.cost,
        currency=state.currency,
        goals=state.goals,
        products=state.products,
        attributes=state.attributes,
        changed=changed,
        delivery=Delivery.HELD if reason else Delivery.WAITING,
        hold_reason=reason,
    )
    order.updated_at = now
    standing.dirty = True
    if standing.add(Point(at, change.seq, state)):
        order.order_status, order.status_date_time = state.order_status, at
        order.current_change_id = _key(change)
    return change


def _key(change: StatusChange) -> UUID:
    return change.pk


def _take_creation(row: OrderRow, *, standing: Standing, result: RowResult) -> bool:
    """The creation time: taken while nothing was sent, frozen from then on (R9). True if a known one was corrected."""
    order, created = standing.order, row.created
    if created is None:
        return False
    if standing.current is None:
        order.create_date_time, order.create_date_only = created.at, created.date_only
        return False
    if created.at == order.create_date_time and created.date_only == order.create_date_only:
        return False
    if standing.frozen:
        message = _(
            "Metrica knows this order already, and its creation time cannot change any more; the old one stays."
        )
        result.warnings.append(RowError("create_date_time", "create_date_time_frozen", message))
        return False
    order.create_date_time, order.create_date_only = created.at, created.date_only
    return True


def _take_client(row: OrderRow, *, standing: Standing, client: Client | None, late: bool) -> bool:
    """The order's client as the row says; a late row names one only where none is known. True if it changed."""
    order = standing.order
    wanted = client.pk if client is not None else None
    if not row.client_given or wanted == order.client_id or (late and order.client_id is not None):
        return False
    order.client = client
    return True


def _warn_of_window(result: RowResult, *, standing: Standing, now: datetime) -> None:
    order = standing.order
    if standing.is_new and order.changes_count == 0 and order.create_date_time < now - rules.BINDING_WINDOW:
        message = _("Metrica binds an order to a visit for 21 days only; this one is older and will stay unbound.")
        result.warnings.append(RowError("create_date_time", "outside_binding_window", message))
