"""Counting a counter's days, and keeping what was counted. All times are turned into days on the counter's clock."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from apps.agencies.ids import first_key
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.dashboard.comparison.adding_up import (
    COUNT_OF_TYPE,
    IDENTIFIED_BY,
    DaySum,
    day_starts,
    days_of,
    delivered_by,
    sums_of,
)
from apps.dashboard.models import DayNumbers
from apps.metrica.vocabulary import SystemGoal
from apps.orders.models import Delivery, Order, StatusChange
from apps.uploads.models import Upload, UploadState

Moments = dict[date, dict[str, int]]
"""By day: how many changes were received and delivered on it."""

REACHED: Final = {
    SystemGoal.CREATED: "reached_created",
    SystemGoal.PAID: "reached_paid",
    SystemGoal.CANCELLED: "reached_cancelled",
    SystemGoal.SPAM: "reached_spam",
}

_OF_CHANGES = ("received", "delivered")
_OF_ORDERS = (
    *("orders", *IDENTIFIED_BY),
    *COUNT_OF_TYPE.values(),
    *("revenue", "profit"),
    *(*REACHED.values(), "reached_own", "goals"),
    *("statuses", "other_money"),
)
_NOTHING: Final[dict[str, Any]] = {**dict.fromkeys(_OF_ORDERS, 0), "goals": {}, "statuses": {}, "other_money": {}}

_LONGEST_JOB = timedelta(days=30)
"""A file that passes later than that after its job began is found by the full re-count."""

_ORDERS_AT_ONCE = 10_000


# ---- changes, by the day on which something happened to them ----


def moments_since(counter: Counter, *, zone: ZoneInfo, first: date, alive: Callable[[], None]) -> Moments:
    """Of the days from `first` on. By the orders that came since then, and by the files that passed since then."""
    start = day_starts(first, zone)
    found: Moments = {}
    came = StatusChange.objects.filter(order__counter=counter, order__updated_at__gte=start, received_at__gte=start)
    _add(found, "received", _by_day(came, "received_at", zone))
    for changes in delivered_by(_passed(counter, since=start)):
        _add(found, "delivered", _by_day(changes.filter(delivered_at__gte=start), "delivered_at", zone))
        alive()
    return found


def moments_before(counter: Counter, *, zone: ZoneInfo, before: date, alive: Callable[[], None]) -> Moments:
    """Of all days before that one: the counter's changes from the first to the last, some orders at a time."""
    end = day_starts(before, zone)
    found: Moments = {}
    orders = Order.objects.filter(counter=counter).order_by("pk").values_list("pk", flat=True)
    last = 0
    while True:
        ahead = orders.filter(pk__gt=last)
        upto = next(iter(ahead[_ORDERS_AT_ONCE - 1 : _ORDERS_AT_ONCE]), None)
        changes = StatusChange.objects.filter(order__counter=counter, order_id__gt=last)
        if upto is not None:
            changes = changes.filter(order_id__lte=upto)
        _add(found, "received", _by_day(changes.filter(received_at__lt=end), "received_at", zone))
        delivered = changes.filter(delivery=Delivery.DELIVERED, delivered_at__lt=end)
        _add(found, "delivered", _by_day(delivered, "delivered_at", zone))
        alive()
        if upto is None:
            return found
        last = upto


def keep_moments(counter: Counter, moments: Moments, *, first: date | None, before: date | None = None) -> None:
    """These are all there are of the days from `first` to the one before `before`."""
    rows = _days(counter, first, before)
    gone = rows.filter(Q(received__gt=0) | Q(delivered__gt=0)).exclude(day__in=moments)
    gone.update(received=0, delivered=0)
    _keep([DayNumbers(counter=counter, day=day, **numbers) for day, numbers in moments.items()], _OF_CHANGES)


# ---- orders, by the day of their creation ----


def days_touched(counter: Counter, *, zone: ZoneInfo, since: datetime) -> set[date]:
    """Days of whose orders something may have changed since then: they came or brought something, their client did, or
    something of them was delivered."""
    came = Order.objects.filter(counter=counter, updated_at__gte=since).order_by()
    known = Client.objects.filter(pk__in=came.values("client"), created_at__lt=since, updated_at__gte=since)
    days: set[date] = set()
    for orders in (came, Order.objects.filter(client__in=known.order_by().values("pk")).order_by()):
        days.update(_creation_days(orders, zone))
    return days | days_of(_passed(counter, since=since), zone=zone)


def days_with_orders(counter: Counter, *, zone: ZoneInfo, first: date, before: date | None) -> list[date]:
    orders = Order.objects.filter(counter=counter, create_date_time__gte=day_starts(first, zone)).order_by()
    if before is not None:
        orders = orders.filter(create_date_time__lt=day_starts(before, zone))
    return sorted(_creation_days(orders, zone))


def piece_before(counter: Counter, *, zone: ZoneInfo, before: date | None, orders: int) -> date | None:
    """The day from which on there are about so many orders before `before`; None where there is none left."""
    rows = (
        Order.objects.filter(counter=counter).order_by("-create_date_time").values_list("create_date_time", flat=True)
    )
    if before is not None:
        rows = rows.filter(create_date_time__lt=day_starts(before, zone))
    oldest = next(iter(rows[orders - 1 : orders]), None) or rows.last()
    return None if oldest is None else oldest.astimezone(zone).date()


def orders_known(counter: Counter, days: Collection[date]) -> dict[date, int]:
    """How many orders each had when it was counted the last time."""
    return dict(DayNumbers.objects.filter(counter=counter, day__in=days).order_by().values_list("day", "orders"))


def sums(
    counter: Counter, *, zone: ZoneInfo, days: Collection[date], alive: Callable[[], None]
) -> dict[date, dict[str, Any]]:
    """Each of the days, as its row will have it."""
    added = sums_of(counter=counter, zone=zone, days=days, now=timezone.now(), alive=alive)
    return {day: _values(whole) for day, whole in added.items()}


def keep_sums(
    counter: Counter,
    sums: Mapping[date, Mapping[str, Any]],
    *,
    first: date | None = None,
    before: date | None = None,
    only_these: bool = False,
) -> None:
    """Write the days anew. Unless `only_these`: no other day from `first` to the one before `before` has orders."""
    if not only_these:
        _days(counter, first, before).filter(orders__gt=0).exclude(day__in=sums).update(**_NOTHING)
    _keep([DayNumbers(counter=counter, day=day, **values) for day, values in sums.items()], _OF_ORDERS)


def forget(counter: Counter) -> None:
    DayNumbers.objects.filter(counter=counter).delete()


def _values(whole: DaySum) -> dict[str, Any]:
    own = {goal: number for goal, number in sorted(whole.goals.items()) if goal not in REACHED}
    other_money = {currency: [str(amount) for amount in both] for currency, both in sorted(whole.other_money.items())}
    statuses: dict[str, dict[str, int]] = {}
    for (kind, status), orders in sorted(whole.statuses.items()):
        statuses.setdefault(kind, {})[status] = orders
    return {
        **{name: whole.known[name] for name in ("orders", *IDENTIFIED_BY)},
        **{name: whole.counts[name] for name in COUNT_OF_TYPE.values()},
        "revenue": whole.revenue,
        "profit": whole.profit,
        **{name: whole.goals[goal] for goal, name in REACHED.items()},
        "reached_own": sum(own.values()),
        "goals": own,
        "statuses": statuses,
        "other_money": other_money,
    }


def _days(counter: Counter, first: date | None, before: date | None) -> QuerySet[DayNumbers]:
    rows = DayNumbers.objects.filter(counter=counter).order_by()
    if first is not None:
        rows = rows.filter(day__gte=first)
    return rows if before is None else rows.filter(day__lt=before)


def _keep(rows: list[DayNumbers], fields: Iterable[str]) -> None:
    DayNumbers.objects.bulk_create(
        rows, batch_size=500, update_conflicts=True, unique_fields=["counter", "day"], update_fields=list(fields)
    )


def _add(found: Moments, name: str, counts: Iterable[tuple[date, int]]) -> None:
    for day, number in counts:
        numbers = found.setdefault(day, dict.fromkeys(_OF_CHANGES, 0))
        numbers[name] += number


def _by_day(changes: QuerySet[StatusChange], moment: str, zone: ZoneInfo) -> Iterable[tuple[date, int]]:
    days = changes.order_by().annotate(day=TruncDate(moment, tzinfo=zone)).values_list("day")
    return days.annotate(n=Count("pk"))


def _creation_days(orders: QuerySet[Order], zone: ZoneInfo) -> Iterable[date]:
    return orders.annotate(day=TruncDate("create_date_time", tzinfo=zone)).values_list("day", flat=True).distinct()


def _passed(counter: Counter, *, since: datetime) -> QuerySet[Upload]:
    """Files of the counter that passed since then; jobs long before are not looked through."""
    began = first_key(since - _LONGEST_JOB)
    passed = Upload.objects.filter(state=UploadState.PASSED, finished_at__gte=since)
    return passed.filter(job__counter=counter, job_id__gte=began)
