"""Which changes are due now, and which of them may go into the present wave: at most one of each order (R4)."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from apps.clients.models import Client
from apps.counters.models import Counter, DeliveryPolicy, Mode
from apps.orders.models import Delivery, Order, StatusChange
from apps.uploads.models import Upload
from apps.uploads.rows import SECOND_OF, SIMPLE, ChangeRow, Reading

CHUNK = 5_000
"""Changes read and claimed together: large enough to be fast, small enough for flat memory and short transactions."""


@dataclass(frozen=True, slots=True)
class Due:
    """A chunk of the wave. `rows`: one change an order; `passed_over`: changes that the counter's policy skips for
    good; `cursor`: the last order (primary key) that was looked at."""

    rows: list[ChangeRow]
    passed_over: list[str]
    cursor: int


def due_changes(
    *, counter: Counter, only_orders: Sequence[int] | None, cursor: int, reading: Reading = SIMPLE
) -> Iterator[Due]:
    """The wave's changes after the order `cursor`, by order: the earliest that waits, or the newest alone where the
    counter wants the latest state only. One or two queries a chunk; later chunks see what was accepted meanwhile."""
    latest_only = counter.delivery == DeliveryPolicy.LATEST_ONLY
    in_time = ("-status_date_time", "-seq") if latest_only else ("status_date_time", "seq")
    waiting = _waiting(counter).order_by("order_id", *in_time)
    rows_of = waiting.values_list(*reading.columns())
    for page, end in _pages(rows_of, only_orders=only_orders, cursor=cursor):
        rows: list[ChangeRow] = []
        skipped: list[str] = []
        last = 0
        for values in page:
            if values[1] == last:
                skipped.append(values[0])
            else:
                last = values[1]
                rows.append(reading.make(values))
        if not latest_only:
            yield Due(rows, [], end)
            continue
        outdated = _older_than_delivered([row.id for row in rows])
        yield Due([row for row in rows if row.id not in outdated], [*skipped, *outdated], end)


def with_present_creation(rows: list[ChangeRow]) -> list[ChangeRow]:
    """The rows, just claimed, with the creation times that their orders have now: one may have been corrected since its
    row was read, and none can be once it is claimed (R9). One query; belongs inside the transaction of the claim."""
    moved = _creations_moved(rows) if rows else {}
    if not moved:
        return rows
    return [
        row._replace(create_date_time=now[0], create_date_only=now[1]) if (now := moved.get(row.order)) else row
        for row in rows
    ]


def due_resends(
    *, counter: Counter, only_orders: Sequence[int] | None, reading: Reading = SIMPLE
) -> Iterator[list[ChangeRow]]:
    """Orders whose state is to be sent once more and of which nothing else waits or is under way: their newest
    delivered change. Two queries a chunk."""
    newest = StatusChange.objects.filter(order=OuterRef("pk"), delivery=Delivery.DELIVERED)
    newest = newest.order_by("-status_date_time", "-seq")
    on_its_way = StatusChange.objects.filter(order=OuterRef("pk"), delivery__in=[Delivery.WAITING, Delivery.SENDING])
    orders = (
        Order.objects.filter(~Exists(on_its_way), counter=counter, resend_due=True)
        .exclude(resends__upload__in=Upload.objects.unsettled())
        .annotate(newest=Subquery(newest.values("id")[:1]))
        .filter(newest__isnull=False)
        .order_by("pk")
    )
    if only_orders is not None:
        orders = orders.filter(pk__in=only_orders)
    cursor = 0
    while found := list(orders.filter(pk__gt=cursor).values_list("pk", "newest")[:CHUNK]):
        changes = StatusChange.objects.filter(pk__in=[change for _order, change in found])
        yield [reading.make(values) for values in changes.order_by("order_id").values_list(*reading.columns())]
        cursor = found[-1][0]


def due_clients(*, counter: Counter, only_orders: Sequence[int] | None) -> Iterator[list[int]]:
    """Clients (primary keys) of whom Metrica lacks the present state: all there are, or those of these orders. One
    query a chunk. A chunk's clients are to be taken, or refused, before the next one is asked for."""
    clients = Client.objects.due().filter(counter=counter).order_by("pk")
    if only_orders is not None:
        clients = clients.filter(pk__in=Order.objects.filter(pk__in=only_orders, counter=counter).values("client_id"))
    cursor = 0
    while found := list(clients.filter(pk__gt=cursor).values_list("pk", flat=True)[:CHUNK]):
        yield found
        cursor = found[-1]


def rows_waiting(*, counter: Counter, only_orders: Sequence[int] | None, limit: int) -> int:
    """How many rows the counter's next file of orders may have, at most `limit`. Two cheap queries."""
    waiting, flagged = _of(counter, only_orders)
    found = waiting.order_by().values_list("order_id", flat=True)[:limit]
    return min(limit, len(found) + len(flagged.values_list("pk", flat=True)[:limit]))


def something_due(*, counter: Counter, only_orders: Sequence[int] | None = None) -> bool:
    """True if an upload of the counter would have anything to do. At most four cheap queries."""
    waiting, flagged = _of(counter, only_orders)
    return (
        waiting.exists()
        or flagged.exists()
        or Upload.objects.unsettled().filter(job__counter=counter).exists()
        or (counter.is_detailed and next(due_clients(counter=counter, only_orders=only_orders), None) is not None)
    )


def those_with_something_due(counter_ids: Collection[int]) -> set[int]:
    """Of these counters (primary keys) those whose upload would have anything to do. One query."""
    if not counter_ids:
        return set()
    of_counter = {"counter": OuterRef("pk")}
    waiting = StatusChange.objects.filter(delivery=Delivery.WAITING, **of_counter)
    flagged = Order.objects.filter(resend_due=True, **of_counter)
    unsettled = Upload.objects.unsettled().filter(job__counter=OuterRef("pk"))
    clients = Client.objects.due().filter(**of_counter)
    something = Exists(waiting) | Exists(flagged) | Exists(unsettled) | (Q(mode=Mode.DETAILED) & Exists(clients))
    return set(Counter.objects.filter(something, pk__in=counter_ids).values_list("pk", flat=True))


def _of(counter: Counter, only_orders: Sequence[int] | None) -> tuple[QuerySet[StatusChange], QuerySet[Order]]:
    """Changes that wait, and orders whose state is to be sent once more."""
    waiting = StatusChange.objects.filter(counter=counter, delivery=Delivery.WAITING)
    flagged = Order.objects.filter(counter=counter, resend_due=True)
    if only_orders is not None:
        waiting, flagged = waiting.filter(order_id__in=only_orders), flagged.filter(pk__in=only_orders)
    return waiting, flagged


def _waiting(counter: Counter) -> QuerySet[StatusChange]:
    waiting = StatusChange.objects.filter(counter=counter, delivery=Delivery.WAITING)
    # Files that an earlier job left undecided still hold their orders back.
    undecided = list(Upload.objects.unsettled().filter(job__counter=counter).values_list("pk", flat=True))
    if undecided:
        busy = StatusChange.objects.filter(upload_id__in=undecided, delivery=Delivery.SENDING)
        waiting = waiting.exclude(order_id__in=busy.values("order_id"))
        waiting = waiting.exclude(order__resends__upload_id__in=undecided)
    return waiting


def _pages(
    rows: QuerySet[StatusChange, tuple], *, only_orders: Sequence[int] | None, cursor: int
) -> Iterator[tuple[list[tuple], int]]:
    """Values of a ChangeRow by the chunk, and the order (primary key) that the chunk ends with.

    A chunk may end within the changes of its last order; the rest of that order is then left for another wave.
    """
    if only_orders is not None:
        wanted = sorted(set(only_orders))
        for start in range(bisect_right(wanted, cursor), len(wanted), CHUNK):
            part = wanted[start : start + CHUNK]
            yield _fetched(rows.filter(order_id__in=part)), part[-1]
        return
    while page := _fetched(_after(rows, cursor)[:CHUNK]):
        cursor = page[-1][1]
        yield page, cursor
        if len(page) < CHUNK:
            return


def _after(rows: QuerySet[StatusChange, tuple], cursor: int) -> QuerySet[StatusChange, tuple]:
    # The second condition says the same of the joined table, which PostgreSQL would else read from its start each time;
    # the ORM takes it for the first one.
    return rows.filter(order_id__gt=cursor).extra(where=['"orders_order"."id" > %s'], params=[cursor])


def _fetched(rows: QuerySet[StatusChange, tuple]) -> list[tuple]:
    """The rows as the driver gives them: no column needs Django's conversion, which costs more than the reading."""
    if connection.vendor != "postgresql":
        return list(rows)
    sql, parameters = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


_SECOND = SECOND_OF % {"expressions": "orders_order.create_date_time"}
_CREATIONS_MOVED = f"""
    SELECT orders_order.id, {_SECOND}, orders_order.create_date_only
    FROM orders_order
    JOIN unnest(%s::bigint[], %s::bigint[], %s::boolean[]) AS read (id, at, day_only) ON read.id = orders_order.id
    WHERE orders_order.id BETWEEN %s AND %s
      AND ({_SECOND}, orders_order.create_date_only) <> (read.at, read.day_only)
"""  # noqa: S608, nothing in it comes from outside


def _array(values: Iterable[object]) -> str:
    """PostgreSQL's text of an array; the driver would take as long for each value as the database does."""
    return "{" + ",".join(map(str, values)) + "}"


def _creations_moved(rows: Sequence[ChangeRow]) -> dict[int, tuple[int | datetime, bool]]:
    """Creation time, and whether it is a day alone, by order, of those for whom the rows tell another one."""
    keys = [row.order for row in rows]
    if connection.vendor != "postgresql":
        creations = Order.objects.filter(pk__among=keys).values_list("pk", "create_date_time", "create_date_only")
        present = {order: (at, day_only) for order, at, day_only in creations}
        told = {row.order: (row.create_date_time, row.create_date_only) for row in rows}
        return {order: now for order, now in present.items() if now != told[order]}
    # Only what differs comes back: to read all of them again would cost a tenth of the planner's time.
    with connection.cursor() as cursor:
        as_read = (keys, (row.create_date_time for row in rows), (row.create_date_only for row in rows))
        cursor.execute(_CREATIONS_MOVED, [*map(_array, as_read), min(keys), max(keys)])
        return {order: (at, day_only) for order, at, day_only in cursor.fetchall()}


def _older_than_delivered(change_ids: Sequence[str]) -> set[str]:
    """Those of the changes that are not their order's present state while a later one has been delivered already."""
    later = StatusChange.objects.filter(order=OuterRef("order"), delivery=Delivery.DELIVERED).filter(
        Q(status_date_time__gt=OuterRef("status_date_time"))
        | Q(status_date_time=OuterRef("status_date_time"), seq__gt=OuterRef("seq"))
    )
    candidates = StatusChange.objects.filter(pk__in=change_ids).exclude(order__current_change_id=F("pk"))
    outdated = set(candidates.filter(Exists(later)).values_list("pk", flat=True))
    return {change_id for change_id in change_ids if UUID(change_id) in outdated}
