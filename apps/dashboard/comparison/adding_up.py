"""Our side of a day: the counter's delivered orders, added up in one pass and in flat memory."""

import json
from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby, islice
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast, TruncDate

from apps.counters.models import Counter
from apps.dashboard.models import DayFigures, Side
from apps.goals.resolve import Meaning, Resolver
from apps.metrica.rules import BINDING_WINDOW, GoalPrice, goal_income, reached_goals
from apps.metrica.vocabulary import OrderType
from apps.orders.identified import KINDS_OF, in_json
from apps.orders.models import Delivery, Order, StatusChange
from apps.uploads.models import Upload, UploadState

CHUNK = 2_000
"""Orders read together with their delivered changes."""

SHOWN_AFTER = timedelta(hours=2)
"""How long after its upload Metrica may still not show an order (page: contacts)."""

_FILES_AT_ONCE = 500
_REMEMBERED_FILES = 500
_REMEMBERED_REACHES = 20_000
COUNT_OF_TYPE = {
    OrderType.IN_PROGRESS: "in_progress",
    OrderType.PAID: "paid",
    OrderType.CANCELLED: "cancelled",
    OrderType.SPAM: "spam",
    OrderType.OTHER: "other",
}
IDENTIFIED_BY = {f"with_{sort}": kinds for sort, kinds in KINDS_OF.items()}
"""Orders that have an identifier of these kinds, of their own or of their client's."""


class _Change(NamedTuple):
    """A delivered change. JSON stays text: the same few texts come again and again."""

    order: int
    order_status: str
    revenue: Decimal | None
    cost: Decimal | None
    currency: str
    goals: str
    upload_id: UUID | None
    delivered_at: datetime


@dataclass(slots=True)
class DaySum:
    """A day as far as it has been added up. `known`: of all its orders, delivered or not, see IDENTIFIED_BY."""

    counts: Tally[str] = field(default_factory=Tally)
    known: Tally[str] = field(default_factory=Tally)
    goals: Tally[str] = field(default_factory=Tally)
    statuses: Tally[tuple[str, str]] = field(default_factory=Tally)  # by the type's column and the CRM status
    revenue: Decimal = Decimal(0)
    profit: Decimal = Decimal(0)
    other_money: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # of other currencies


def changed_days(*, counter: Counter, zone: ZoneInfo, since: datetime, first: date) -> set[date]:
    """Days not before `first` of whose orders an upload has passed since `since` (aware). A query, and one for each
    few hundred uploads."""
    passed = Upload.objects.filter(job__counter=counter, state=UploadState.PASSED, finished_at__gte=since)
    return days_of(passed, zone=zone, since=day_starts(first, zone))


def days_of(uploads: QuerySet[Upload], *, zone: ZoneInfo, since: datetime | None = None) -> set[date]:
    """Days, on that clock, on which the orders delivered by these uploads were created; none before `since` (aware)."""
    days: set[date] = set()
    for changes in delivered_by(uploads):
        if since is not None:
            changes = changes.filter(order__create_date_time__gte=since)
        found = changes.annotate(day=TruncDate("order__create_date_time", tzinfo=zone))
        days.update(found.values_list("day", flat=True).distinct())
    return days


def delivered_by(uploads: QuerySet[Upload]) -> Iterator[QuerySet[StatusChange]]:
    """The changes that these uploads delivered, of a few hundred uploads at a time."""
    keys = list(uploads.order_by().values_list("pk", flat=True))
    for start in range(0, len(keys), _FILES_AT_ONCE):
        # The keys themselves: a database that guesses their number wrong would read all changes there are.
        changes = StatusChange.objects.filter(upload_id__in=keys[start : start + _FILES_AT_ONCE])
        yield changes.filter(delivery=Delivery.DELIVERED).order_by()


def add_up(
    *, counter: Counter, zone: ZoneInfo, day: date, now: datetime, alive: Callable[[], None] = lambda: None
) -> DayFigures:
    """The day's figures, not saved yet. `alive` is called after each chunk."""
    whole = sums_of(counter=counter, zone=zone, days=[day], now=now, alive=alive)[day]
    counts = whole.counts
    return DayFigures(
        counter=counter,
        side=Side.OURS,
        day=day,
        orders=sum(counts[name] for kind, name in COUNT_OF_TYPE.items() if kind is not OrderType.SPAM),
        **{name: counts[name] for name in (*COUNT_OF_TYPE.values(), *_MARKS)},
        revenue=whole.revenue,
        profit=whole.profit,
        goals=dict(sorted(whole.goals.items())),
        at=now,
    )


def sums_of(
    *,
    counter: Counter,
    zone: ZoneInfo,
    days: Collection[date],
    now: datetime,
    alive: Callable[[], None] = lambda: None,
) -> dict[date, DaySum]:
    """Each of the days, in one pass over their orders. `alive` is called after each chunk."""
    whole = {day: DaySum() for day in days}
    if not whole:
        return whole
    created = Q()
    for first, last in _stretches(days):
        created |= Q(create_date_time__gte=day_starts(first, zone)) & Q(
            create_date_time__lt=day_starts(last + timedelta(days=1), zone)
        )
    orders = (
        Order.objects.filter(created, counter=counter)
        .order_by()
        .values_list(
            "pk",
            "create_date_time",
            Cast("identifiers", TextField()),
            Cast("client__identifiers", TextField()),
        )
    )
    meanings = _Meanings(counter)
    for chunk in _chunks(orders.iterator(chunk_size=CHUNK)):
        _add_chunk(whole, chunk, meanings=meanings, currency=counter.currency, zone=zone, fresh_since=now - SHOWN_AFTER)
        alive()
    return whole


_MARKS = ("bindable", "late", "without_client_id", "fresh", "other_currency")


def _add_chunk(
    days: dict[date, DaySum],
    orders: dict[int, tuple],
    *,
    meanings: "_Meanings",
    currency: str,
    zone: ZoneInfo,
    fresh_since: datetime,
) -> None:
    for _pk, created, own, of_client in orders.values():
        known = days[created.astimezone(zone).date()].known
        known["orders"] += 1
        known.update(name for name, kinds in IDENTIFIED_BY.items() if _has(kinds, own) or _has(kinds, of_client))
    rows = StatusChange.objects.filter(order_id__in=list(orders), delivery=Delivery.DELIVERED)
    rows = rows.order_by("order_id", "status_date_time", "seq")
    found = rows.values_list(
        "order_id",
        "order_status",
        "revenue",
        "cost",
        "currency",
        Cast("goals", TextField()),
        "upload_id",
        "delivered_at",
    )
    changes = [_Change._make(values) for values in found]
    meanings.read({change.upload_id for change in changes if change.upload_id is not None})
    for order, group in groupby(changes, key=_order_of):
        _pk, created, own, of_client = orders[order]
        timeline = list(group)
        whole = days[created.astimezone(zone).date()]
        counts = whole.counts
        if not _add_order(whole, timeline, meanings=meanings, currency=currency):
            continue
        if min(change.delivered_at for change in timeline) - created > BINDING_WINDOW:
            counts["late"] += 1
        else:
            counts["bindable"] += 1
            if not _has(("client_ids",), own) and not _has(("client_ids",), of_client):
                counts["without_client_id"] += 1
        if any(change.delivered_at > fresh_since for change in timeline):
            counts["fresh"] += 1


def _has(kinds: Iterable[str], identifiers: str | None) -> bool:
    """Whether the JSON text has an identifier of one of the kinds."""
    return identifiers is not None and any(in_json(kind) in identifiers for kind in kinds)


def _add_order(whole: DaySum, timeline: list[_Change], *, meanings: "_Meanings", currency: str) -> bool:
    """`timeline`: the order's delivered changes, oldest first; the newest says what the order is now.

    False for an order of which nobody knows any more what its statuses meant: it is left out.
    """
    reached: set[str] = set()
    kind: OrderType | None = None
    status = ""
    for change in timeline:
        meant, goals = meanings.of(change)
        if meant is not None:
            kind, status = meant, change.order_status
        reached |= goals
    if kind is None:
        return False
    whole.goals.update(reached)
    whole.counts[COUNT_OF_TYPE[kind]] += 1
    whole.statuses[COUNT_OF_TYPE[kind], status] += 1
    newest = timeline[-1]
    if kind is not OrderType.PAID:
        return True
    revenue = newest.revenue or Decimal(0)
    profit = goal_income(price=None, revenue=newest.revenue, cost=newest.cost) or Decimal(0)
    if (newest.currency or currency) != currency:
        whole.counts["other_currency"] += 1
        before = whole.other_money.get(newest.currency, (Decimal(0), Decimal(0)))
        whole.other_money[newest.currency] = (before[0] + revenue, before[1] + profit)
        return True
    whole.revenue += revenue
    whole.profit += profit
    return True


class _Meanings:
    """What statuses meant in the files that carried them: type, and all goals that a row with them reaches."""

    def __init__(self, counter: Counter) -> None:
        self._today = Resolver.for_counter(counter)
        self._files: dict[UUID, dict[str, Any]] = {}
        self._reaches: dict[tuple[UUID | None, str, str], tuple[OrderType | None, frozenset[str]]] = {}

    def read(self, uploads: set[UUID]) -> None:
        """One query where one of the files is not known yet."""
        missing = uploads.difference(self._files)
        if not missing:
            return
        if len(self._files) > _REMEMBERED_FILES:
            self._files.clear()
            missing = uploads
        self._files.update(Upload.objects.filter(pk__in=missing).values_list("pk", "mapping"))

    def of(self, change: _Change) -> tuple[OrderType | None, frozenset[str]]:
        """Type and goals of a delivered change; no type where not even today's mapping knows the status."""
        key = (change.upload_id, change.order_status, change.goals)
        try:
            return self._reaches[key]
        except KeyError:
            if len(self._reaches) > _REMEMBERED_REACHES:
                self._reaches.clear()
            found = self._reaches[key] = self._reached(change)
            return found

    def _reached(self, change: _Change) -> tuple[OrderType | None, frozenset[str]]:
        sent = self._files.get(change.upload_id, {}).get(change.order_status) if change.upload_id else None
        meaning = Meaning.from_json(change.order_status, sent) if sent else self._today.meaning(change.order_status)
        if meaning is None:
            return None, frozenset()
        reaches = reached_goals(
            order_type=meaning.type,
            goal_action_ids=meaning.goal_action_ids,
            extra_goals=[GoalPrice(str(goal["goal_action_id"])) for goal in json.loads(change.goals)],
            revenue=None,
            cost=None,
        )
        return meaning.type, frozenset(reach.goal for reach in reaches)


def _chunks(rows: Iterable[tuple]) -> Iterator[dict[int, tuple]]:
    stream = iter(rows)
    while chunk := {row[0]: row for row in islice(stream, CHUNK)}:
        yield chunk


def _stretches(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """First and last day of each unbroken run of days."""
    first = last = None
    for day in sorted(days):
        if last is None or day > last + timedelta(days=1):
            if first is not None and last is not None:
                yield first, last
            first = day
        last = day
    if first is not None and last is not None:
        yield first, last


def _order_of(change: _Change) -> int:
    return change.order


def day_starts(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of the day on the counter's clock, in UTC."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)
