"""One chunk of rows, in one transaction: a fixed number of statements, whatever the number of rows."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from apps.agencies.bulk import find_keys, insert_rows, reserve_keys, update_rows
from apps.clients import contacts
from apps.clients.services import ClientBook, own_client_id
from apps.counters.models import Counter
from apps.orders import delivery, holds
from apps.orders.applying import Applier, Change
from apps.orders.events import announce_accepted, changes_settled, creations_moved
from apps.orders.holds import HoldJudge
from apps.orders.models import Delivery, HoldReason, Order, StatusChange
from apps.orders.results import RowResult
from apps.orders.rows import OrderRow, RowError
from apps.orders.standing import Point, Standing, State

_ORDER_READ = (
    *("pk", "order_id", "create_date_time", "create_date_only", "identifiers", "client_id"),
    *("changes_count", "current_change_id", "client_revision", "forgotten_at", "updated_at"),
)
_POINT_READ = (
    *("order_id", "status_date_time", "seq", "id"),
    *("order_status", "revenue", "cost", "currency", "goals", "products", "attributes"),
)
_ORDER_MOVED = (
    *("id", "client_id", "create_date_time", "create_date_only", "identifiers", "order_status"),
    *("status_date_time", "current_change_id", "changes_count", "client_revision", "updated_at"),
)
_ORDER_NEW = (*_ORDER_MOVED, "order_id")
_CHANGE_NEW = (
    *("id", "order_id", "seq", "status_date_time"),
    *("order_status", "revenue", "cost", "currency", "goals", "products", "attributes"),
    *("changed", "delivery", "hold_reason"),
)
# Reasons whose cause lies in the order itself, so that a row can take it away.
_OF_THE_ORDER = (
    *(HoldReason.NO_IDENTIFIERS, HoldReason.FUTURE_DATE, HoldReason.UPDATE_WINDOW_CLOSED),
    *(HoldReason.CLIENT_REFUSED, HoldReason.CLIENT_FULL),
)

Judges = Callable[[datetime], HoldJudge]


class Chunk:
    """Rows that were read, and the orders they speak of.

    `start`: the index of the first row in its call. `now`: aware; None takes the moment at which the orders are ours.
    `came`: how the rows came, as (source, by whom, request id).
    """

    def __init__(
        self,
        *,
        read: Sequence[OrderRow | list[RowError]],
        start: int,
        counter: Counter,
        judges: Judges,
        came: tuple[str, str, str],
        now: datetime | None,
    ) -> None:
        self._read = read
        self._start = start
        self._counter = counter
        self._judges = judges
        self._came = came
        self._now = now
        self._standings: dict[str, Standing] = {}
        self._changes: list[Change] = []
        self._created_before: dict[Standing, datetime] = {}

    def apply(self) -> list[RowResult]:
        """Write everything and tell each row's result. Belongs inside a transaction."""
        rows = [row for row in self._read if isinstance(row, OrderRow)]
        if rows:
            self._load(rows)
        now = self._now = self._now or timezone.now()
        clients = ClientBook(counter=self._counter, now=now)
        self._load_clients(clients, rows)
        self._load_history(rows, now)
        self._load_frozen(rows)
        applier = Applier(counter=self._counter, clients=clients, now=now)
        results = [self._result(applier, row, index) for index, row in enumerate(self._read, start=self._start)]
        self._write(clients, now)
        return results

    def _load(self, rows: Iterable[OrderRow]) -> None:
        """The orders that exist, locked in one order by all writers, each with its current state. Three queries."""
        ids = {row.order_id for row in rows}
        keys = find_keys(Order, "order_id", ids, counter_id=self._counter.pk)
        found = (
            Order.objects.select_for_update().filter(pk__among=keys).order_by("pk") if keys else Order.objects.none()
        )
        current: dict[UUID, Standing] = {}
        for row in found.values_list(*_ORDER_READ):
            key, order_id, created, day_only, identifiers, client, count, change, revision, forgotten, updated = row
            standing = self._standings[order_id] = Standing(
                order_id=order_id,
                pk=key,
                created=created,
                created_date_only=day_only,
                identifiers=identifiers,
                client_key=client,
                client_revision=revision,
                changes_count=count,
                whole=count <= 1,
                had_identifiers=any(identifiers.values()),
                forgotten=forgotten is not None and forgotten > updated,
            )
            current[change] = standing
        if current:
            for _order, point in _points(Q(pk__among=list(current))):
                standing = current[point.id]
                standing.current, standing.history = point, [point]
        for order_id in ids - self._standings.keys():
            self._standings[order_id] = Standing(order_id)

    def _load_clients(self, clients: ClientBook, rows: Iterable[OrderRow]) -> None:
        """Clients that rows name, and those by which alone an order can be found. In detailed mode also those that a
        row tells something of, and the own client of an order without one. One query, or none."""
        detailed = self._counter.is_detailed
        asking = {
            row.order_id
            for row in rows
            if not all(row.identifiers.values())
            or row.client_attributes is not None
            or (row.client_given and row.client_uniq_id is None)
            or (detailed and row.identifiers)
        }
        keys = {
            standing.client_key
            for standing in self._standings.values()
            if standing.client_key is not None and (not standing.had_identifiers or standing.order_id in asking)
        }
        named = {row.client_uniq_id for row in rows if row.client_uniq_id is not None}
        if detailed:
            named.update(own_client_id(row.order_id) for row in rows if row.client_uniq_id is None)
        clients.load(uniq_ids=named, keys=keys)
        for standing in self._standings.values():
            if standing.client_key is not None:
                standing.client = clients.of_key(standing.client_key)
            standing.was_identified = standing.is_identified()

    def _load_history(self, rows: Iterable[OrderRow], now: datetime) -> None:
        """Whole timelines of the orders for which a row may belong before the current state. One query, or none."""
        wanted = {
            standing.pk: standing
            for row in rows
            if (standing := self._standings[row.order_id]).needs_history(row, now=now)
        }
        if wanted:
            for standing in wanted.values():
                standing.history, standing.whole = [], True
            for order, point in _points(Q(order__pk__among=list(wanted))):
                wanted[order].history.append(point)

    def _load_frozen(self, rows: Iterable[OrderRow]) -> None:
        """Whose creation time a row would move although something of the order was sent (R9). One query, or none.

        The changes are locked: one that waits now cannot be claimed for a file before the correction is committed.
        """
        zone = self._counter.zone
        asked = {
            standing.pk: standing
            for row in rows
            if (standing := self._standings[row.order_id]).moves_creation(row, zone)
        }
        if asked:
            self._created_before = {one: one.created for one in asked.values() if one.created is not None}
            changes = StatusChange.objects.select_for_update().filter(order__pk__among=list(asked)).order_by("pk")
            for order, state, upload in changes.values_list("order_id", "delivery", "upload_id"):
                if state in (Delivery.SENDING, Delivery.DELIVERED) or upload is not None:
                    asked[order].frozen = True

    def _result(self, applier: Applier, row: OrderRow | list[RowError], index: int) -> RowResult:
        if not isinstance(row, OrderRow):
            return RowResult(index, None, "rejected", errors=row)
        result, change = applier.apply(row, index=index, standing=self._standings[row.order_id])
        if change is not None:
            self._changes.append(change)
        return result

    def _write(self, clients: ClientBook, now: datetime) -> None:
        newly_known = clients.save()
        used = [standing for standing in self._standings.values() if standing.dirty]
        if clients.changed and self._counter.is_detailed:
            announce_accepted(self._counter.pk, self._counter)
        if not used and not newly_known:
            self._note_contacts(now)
            return
        judge = self._judges(now)
        self._judge(judge)
        for standing in used:
            standing.note_client(detailed=self._counter.is_detailed)
        mended = [one.pk for one in used if one.pk is not None and one.may_free_held()]
        lost = [one.pk for one in used if one.pk is not None and one.is_lost()]
        self._write_orders(used, now)
        self._note_contacts(now)
        self._write_changes(now)
        self._tell_moved()
        self._tell_held()
        if newly_known or mended:
            self._release(judge, mended, newly_known)
        if lost:
            self._hold(lost)
        if any(change.result.hold is None for change in self._changes):
            announce_accepted(self._counter.pk, self._counter)

    def _judge(self, judge: HoldJudge) -> None:
        """With what is known of the orders after all rows: a later one may have brought what an earlier one lacked."""
        for change in self._changes:
            standing = change.standing
            assert standing.created is not None, "every order has one"
            reason = judge.reason(
                order_status=change.state.order_status,
                has_identifiers=standing.is_identified(),
                happened=change.at,
                created=standing.created,
                created_date_only=standing.created_date_only,
                is_first=change.seq == 1,
            )
            change.result.hold = reason or None

    def _write_orders(self, used: Iterable[Standing], now: datetime) -> None:
        new = sorted((one for one in used if one.pk is None), key=lambda standing: standing.order_id)
        old = sorted((one for one in used if one.pk is not None), key=lambda standing: standing.pk or 0)
        update_rows(Order, _ORDER_MOVED, [_moved(standing, now) for standing in old])
        if new:
            for standing, key in zip(new, reserve_keys(Order, len(new)), strict=True):
                standing.pk = key
            insert_rows(
                Order,
                _ORDER_NEW,
                [(*_moved(standing, now), standing.order_id) for standing in new],
                same={"counter_id": self._counter.pk, "resend_due": False, "created_at": now},
            )

    def _note_contacts(self, now: datetime) -> None:
        """After the clients and orders are saved: by what they can be found from now on. One statement, or none."""
        told = [
            (kind, value, standing.pk, client.pk if client is not None else None)
            for standing in self._standings.values()
            for client, kind, value in standing.told
        ]
        contacts.note(counter_id=self._counter.pk, told=told, at=now)

    def _write_changes(self, now: datetime) -> None:
        source, by, request_id = self._came
        waiting, held = Delivery.WAITING.value, Delivery.HELD.value
        insert_rows(
            StatusChange,
            _CHANGE_NEW,
            [
                (
                    change.id,
                    change.standing.pk,
                    change.seq,
                    change.at,
                    *change.state,
                    change.changed,
                    held if change.result.hold else waiting,
                    change.result.hold or "",
                )
                for change in self._changes
            ],
            same={
                "counter_id": self._counter.pk,
                "received_at": now,
                "source": source,
                "received_by": by,
                "request_id": request_id,
                "forced": False,
                "reject_code": "",
                "reject_message": "",
            },
        )

    def _tell_moved(self) -> None:
        left = {created for standing, created in self._created_before.items() if standing.corrected}
        if left:
            creations_moved.send(sender=None, counter_id=self._counter.pk, left=left)

    def _tell_held(self) -> None:
        held: dict[str, list[UUID]] = defaultdict(list)
        for change in self._changes:
            if change.result.hold:
                held[change.result.hold].append(change.id)
        for reason, change_ids in held.items():
            told = {"counter_id": self._counter.pk, "change_ids": change_ids, "code": reason}
            changes_settled.send(sender=None, delivery=Delivery.HELD, **told)

    def _release(self, judge: HoldJudge, orders: Sequence[int], clients: Sequence[int]) -> None:
        """Changes held for want of an identifier, or for a wrong creation time, are looked at again (R8)."""
        held = StatusChange.objects.filter(counter=self._counter, delivery=Delivery.HELD, hold_reason__in=_OF_THE_ORDER)
        if orders:
            holds.reassess(held.filter(order__pk__among=orders), judge=judge, counter=self._counter)
        if clients:
            holds.reassess(held.filter(order__client__pk__among=clients), judge=judge, counter=self._counter)

    def _hold(self, orders: Sequence[int]) -> None:
        """What waits of orders that nobody can be found by any more does not wait in silence (R8)."""
        waiting = StatusChange.objects.filter(order__pk__among=orders, delivery=Delivery.WAITING).order_by()
        change_ids = list(waiting.values_list("pk", flat=True))
        delivery.hold(change_ids=change_ids, reason=HoldReason.NO_IDENTIFIERS)


def _points(which: Q) -> Iterable[tuple[int, Point]]:
    """(order, point) of these changes in timeline order. One query."""
    changes = StatusChange.objects.filter(which).order_by("order_id", "status_date_time", "seq")
    for order, at, seq, key, *state in changes.values_list(*_POINT_READ):
        yield order, Point(at, seq, key, State(*state))


def _moved(standing: Standing, now: datetime) -> tuple[Any, ...]:
    """Values of _ORDER_MOVED."""
    current = standing.current
    assert current is not None, "every order has one"
    return (
        standing.pk,
        standing.client.pk if standing.client is not None else None,
        standing.created,
        standing.created_date_only,
        standing.identifiers,
        current.state.order_status,
        current.at,
        current.id,
        standing.changes_count,
        standing.client_revision,
        now,
    )
