"""One chunk of rows, in one transaction: a fixed number of statements, whatever the number of rows."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import Q

from apps.agencies.bulk import insert_many
from apps.clients.models import Client
from apps.clients.services import ClientFacts, upsert
from apps.orders import holds
from apps.orders.applying import Applied, Circumstances, apply_row
from apps.orders.events import announce_accepted
from apps.orders.models import Delivery, HoldReason, Order, StatusChange
from apps.orders.results import RowResult
from apps.orders.rows import OrderRow, RowError
from apps.orders.standing import Point, Standing, state_of

UPDATED_FIELDS = (
    *("order_status", "status_date_time", "current_change", "changes_count", "identifiers", "client", "updated_at"),
    *("create_date_time", "create_date_only"),
)
UPDATE_BATCH = 200


@dataclass(slots=True)
class Chunk:
    """Rows that were read, and the orders they speak of. `start`: the index of the first row in its call."""

    read: list[OrderRow | list[RowError]]
    start: int
    circumstances: Circumstances
    _standings: dict[str, Standing] = field(default_factory=dict)
    _clients: dict[str, Client] = field(default_factory=dict)
    _newly_known_clients: set[int] = field(default_factory=set)
    _changes: list[tuple[StatusChange, Standing]] = field(default_factory=list)

    def apply(self) -> list[RowResult]:
        """Write everything and tell each row's result. Belongs inside a transaction."""
        rows = [row for row in self.read if isinstance(row, OrderRow)]
        if rows:
            self._load_clients(rows)
            self._load_standings(rows)
        results = list(self._results())
        self._write()
        return results

    def _load_clients(self, rows: list[OrderRow]) -> None:
        facts: dict[str, ClientFacts] = defaultdict(ClientFacts)
        for row in rows:
            if row.client_uniq_id is not None:
                facts[row.client_uniq_id].add(name=row.client_name, identifiers=row.identifiers)
        upserted = upsert(counter=self.circumstances.counter, facts=facts, now=self.circumstances.now)
        self._clients, self._newly_known_clients = upserted.clients, upserted.newly_known

    def _load_standings(self, rows: list[OrderRow]) -> None:
        """The orders that exist, locked in one order for all writers, with as much of their timelines as is needed."""
        counter, now = self.circumstances.counter, self.circumstances.now
        by_id = {row.order_id for row in rows}
        known = (
            Order.objects.select_for_update(of=("self",))
            .select_related("current_change", "client")
            .filter(counter=counter, order_id__in=by_id)
            .order_by("pk")
        )
        for order in known:
            self._standings[order.order_id] = _standing_of(order)
        for order_id in by_id - self._standings.keys():
            order = Order(counter_id=counter.pk, order_id=order_id, created_at=now, updated_at=now)
            self._standings[order_id] = Standing(order=order, is_new=True)
        self._load_history(rows)
        self._load_frozen(rows)

    def _load_history(self, rows: list[OrderRow]) -> None:
        wanted = {
            standing.order.pk: standing
            for row in rows
            if (standing := self._standings[row.order_id]).needs_history(row)
        }
        if not wanted:
            return
        for standing in wanted.values():
            standing.history, standing.whole = [], True
        for change in StatusChange.objects.filter(order__in=wanted).in_timeline_order():
            point = Point(change.status_date_time, change.seq, state_of(change))
            wanted[change.order_id].history.append(point)

    def _load_frozen(self, rows: list[OrderRow]) -> None:
        """Whose creation time a row would move, although something of the order was sent (R9)."""
        asked = {}
        for row in rows:
            standing = self._standings[row.order_id]
            order = standing.order
            if not standing.is_new and row.created is not None and row.created.at != order.create_date_time:
                asked[order.pk] = standing
        if asked:
            sent = StatusChange.objects.filter(order__in=asked).filter(
                Q(delivery__in=[Delivery.SENDING, Delivery.DELIVERED]) | Q(upload_id__isnull=False)
            )
            for order_id in set(sent.order_by().values_list("order_id", flat=True)):
                asked[order_id].frozen = True

    def _results(self) -> Iterator[RowResult]:
        for index, row in enumerate(self.read, start=self.start):
            if not isinstance(row, OrderRow):
                yield RowResult(index=index, id=None, result="rejected", errors=row)
                continue
            applied = self._applied(row, index)
            if applied.change is not None:
                self._changes.append((applied.change, self._standings[row.order_id]))
            yield applied.result

    def _applied(self, row: OrderRow, index: int) -> Applied:
        standing = self._standings[row.order_id]
        client = self._clients.get(row.client_uniq_id) if row.client_uniq_id is not None else None
        if client is None and not row.client_given and standing.order.client_id is not None:
            client = self._known_client(standing)
        return apply_row(row, index=index, standing=standing, client=client, circumstances=self.circumstances)

    def _known_client(self, standing: Standing) -> Client | None:
        """The order's client, as this chunk has it by now."""
        of_order = standing.order.client
        return self._clients.get(of_order.uniq_id, of_order) if of_order is not None else None

    def _write(self) -> None:
        if not self._changes and not any(standing.dirty for standing in self._standings.values()):
            return
        used = [standing for standing in self._standings.values() if standing.dirty]
        new = sorted((one.order for one in used if one.is_new), key=lambda order: order.order_id)
        insert_many(new)
        known = [one.order for one in used if not one.is_new]
        if known:
            Order.objects.bulk_update(known, UPDATED_FIELDS, batch_size=UPDATE_BATCH)
        for change, standing in self._changes:
            change.order_id = standing.order.pk
        insert_many([change for change, _standing in self._changes])
        self._release_identified(used)
        if any(change.delivery == Delivery.WAITING for change, _standing in self._changes):
            announce_accepted(self.circumstances.counter.pk)

    def _release_identified(self, used: list[Standing]) -> None:
        """Orders that had nobody to be found by and now have are looked at again (R8)."""
        orders = [
            one.order.pk
            for one in used
            if not one.is_new and not one.had_identifiers and any(one.order.identifiers.values())
        ]
        if not orders and not self._newly_known_clients:
            return
        held = StatusChange.objects.filter(
            Q(order__in=orders) | Q(order__client__in=self._newly_known_clients),
            counter=self.circumstances.counter,
            delivery=Delivery.HELD,
            hold_reason=HoldReason.NO_IDENTIFIERS,
        )
        holds.reassess(held, judge=self.circumstances.judge, counter=self.circumstances.counter)


def _standing_of(order: Order) -> Standing:
    standing = Standing(order=order, is_new=False, whole=False, had_identifiers=any(order.identifiers.values()))
    change = order.current_change
    if change is not None:
        standing.current = Point(change.status_date_time, change.seq, state_of(change))
        standing.history = [standing.current]
        standing.whole = order.changes_count <= 1
    return standing
