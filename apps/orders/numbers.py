"""How much of each counter waits, is held or was rejected, read from the partial indexes.

`work_of` is for a page about one counter and never counts to the end: a number of `LIMIT` means "so many or more".
`whole_work_of` counts everything, for whoever keeps the numbers of all counters in the background.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, DateTimeField, IntegerField, Min, OuterRef, QuerySet, Subquery
from django.db.models import Sum as Total

from apps.clients.models import Client
from apps.counters.models import Counter
from apps.goals.resolve import Resolver
from apps.metrica.vocabulary import OrderType
from apps.orders.models import Delivery, HoldReason, Order, StatusChange

LIMIT = 1000
OF_REQUEST = 10_000
"""So many held changes of one request are looked at: an import may bring a million."""
CLOSING_DAYS = 3


class CappedCount(Subquery):
    """How many rows a (sliced) query has."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) capped)"
    output_field = IntegerField()


class CappedEarliest(Subquery):
    """The earliest `received_at` among the rows of a (sliced) query."""

    template = "(SELECT MIN(received_at) FROM (%(subquery)s) capped)"
    output_field = DateTimeField()


@dataclass(slots=True)
class Work:
    """One counter's. `rejected`: only what needs a person. `oldest`: when the longest-waiting change came in; at
    `LIMIT` waiting ones, it may be older."""

    waiting: int = 0
    oldest: datetime | None = None
    held: int = 0
    rejected: int = 0
    held_by_reason: dict[str, int] = field(default_factory=dict)
    closing: int = 0  # orders; counted by `whole_work_of` alone


def work_of(counters: Collection[int]) -> dict[int, Work]:
    """What the counters (primary keys) have to do. Two queries, the second only where something is held."""
    rejected = _of_counter(delivery=Delivery.REJECTED).needing_a_person()
    waiting = _of_counter(delivery=Delivery.WAITING)
    rows = Counter.objects.filter(pk__in=counters).values_list(
        "pk",
        CappedCount(waiting.values("pk")[:LIMIT]),
        CappedEarliest(waiting.values("received_at")[:LIMIT]),
        CappedCount(_of_counter(delivery=Delivery.HELD).values("pk")[:LIMIT]),
        CappedCount(rejected.values("pk")[:LIMIT]),
    )
    found = {
        pk: Work(waiting=n, oldest=oldest, held=held, rejected=bad) for pk, n, oldest, held, bad in rows.order_by()
    }
    for pk, reasons in held_by_reason([pk for pk, work in found.items() if work.held]).items():
        found[pk].held_by_reason = reasons
    return found


def held_by_reason(counters: Collection[int]) -> dict[int, dict[str, int]]:
    """{counter: {reason: number}} of what is held, reasons without anything left out. One query; none for none."""
    if not counters:
        return {}
    counts = {
        f"n_{reason.value}": CappedCount(_of_counter(delivery=Delivery.HELD, hold_reason=reason).values("pk")[:LIMIT])
        for reason in HoldReason
    }
    rows: QuerySet[Counter, Any] = Counter.objects.filter(pk__in=counters).order_by().values("pk", **counts)
    return {row["pk"]: {key[2:]: n for key, n in row.items() if key != "pk" and n} for row in rows}


def held_of_request(request_id: str, counters: Collection[int]) -> tuple[dict[int, dict[str, int]], bool]:
    """What is held of what one request brought, as `held_by_reason`; and whether there may be more of it than was
    looked at. One query."""
    rows = StatusChange.objects.filter(delivery=Delivery.HELD, request_id=request_id, counter__pk__among=counters)
    some = StatusChange.objects.filter(pk__in=rows.order_by().values("pk")[:OF_REQUEST]).order_by()
    found: dict[int, dict[str, int]] = {}
    for counter, reason, number in some.values_list("counter", "hold_reason").annotate(n=Count("pk")):
        found.setdefault(counter, {})[reason] = number
    return found, sum(sum(reasons.values()) for reasons in found.values()) >= OF_REQUEST


def whole_work_of(counters: Collection[int]) -> dict[int, Work]:
    """The same, counted to the end; and how many orders Metrica never got will be too old to be matched within
    CLOSING_DAYS. Four queries, whose cost is what there is to do."""
    found = {pk: Work() for pk in counters}
    changes = StatusChange.objects.filter(counter__in=list(found)).order_by()
    waiting = changes.filter(delivery=Delivery.WAITING).values_list("counter")
    for pk, number, oldest in waiting.annotate(n=Count("pk"), oldest=Min("received_at")):
        found[pk].waiting, found[pk].oldest = number, oldest
    held = changes.filter(delivery=Delivery.HELD).values_list("counter", "hold_reason")
    for pk, reason, number in held.annotate(n=Count("pk")):
        found[pk].held_by_reason[reason] = number
        found[pk].held += number
    rejected = changes.needing_a_person().values_list("counter")
    for pk, number in rejected.annotate(n=Count("pk")):
        found[pk].rejected = number
    closing = Order.objects.filter(counter__in=list(found)).expiring_within(days=CLOSING_DAYS).unsent().order_by()
    for pk, number in closing.values_list("counter").annotate(n=Count("pk")):
        found[pk].closing = number
    return found


def total(parts: Iterable[Any]) -> Work:
    """All of them together: of Work, or of rows that keep the same."""
    whole = Work()
    for one in parts:
        whole.waiting += one.waiting
        whole.held += one.held
        whole.rejected += one.rejected
        whole.closing += one.closing
        if one.oldest is not None and (whole.oldest is None or one.oldest < whole.oldest):
            whole.oldest = one.oldest
        for reason, number in one.held_by_reason.items():
            whole.held_by_reason[reason] = whole.held_by_reason.get(reason, 0) + number
    return whole


def _of_counter(**conditions: Any) -> Any:
    return StatusChange.objects.filter(counter=OuterRef("pk"), **conditions).order_by()


MONEY_LIMIT = 5_000
"""So many orders of a client are added up: the newest."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Of a client's orders in one currency: how many there are, what they bring, and what of it is paid."""

    currency: str
    orders: int
    revenue: Decimal
    paid: Decimal


def money_of_client(client: Client, resolver: Resolver) -> list[Sum]:
    """By currency, of the newest `MONEY_LIMIT` orders; of cancelled ones and spam, only the number counts. One
    query."""
    newest = Order.objects.filter(client=client).order_by("-pk").values("pk")[:MONEY_LIMIT]
    rows = (
        Order.objects.filter(pk__in=newest)
        .order_by()
        .values_list("order_status", "current_change__currency")
        .annotate(number=Count("pk"), revenue=Total("current_change__revenue"))
    )
    found: dict[str, Sum] = {}
    for status, currency, number, revenue in rows:
        meaning = resolver.meaning(status)
        order_type = meaning.type if meaning is not None else None
        lost = order_type in (OrderType.CANCELLED, OrderType.SPAM)
        brings = Decimal(0) if lost or revenue is None else revenue
        known = found.get(currency or "", Sum(currency or "", 0, Decimal(0), Decimal(0)))
        found[known.currency] = Sum(
            known.currency,
            known.orders + number,
            known.revenue + brings,
            known.paid + (brings if order_type is OrderType.PAID else Decimal(0)),
        )
    return sorted(found.values(), key=lambda one: one.currency)
