"""Orders that cannot wait: Metrica takes what waits of them for a day at most, then their window closes for good.

An order of which nothing was sent yet is bound to a visit within 21 days of its creation, and one that is known there
can be changed for 111 days (page: contacts).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from apps.counters.models import Counter
from apps.metrica.rules import BINDING_WINDOW, UPDATE_WINDOW
from apps.orders.models import Delivery, Order, StatusChange
from apps.uploads.models import UploadJob
from apps.uploads.selection import CHUNK, rows_waiting

SOON: Final = timedelta(hours=24)

MOST_TOGETHER: Final = 4 * CHUNK
"""So many go together before the others; what is left of them goes with the next file."""

_MOST_LOOKED_AT: Final = 20 * CHUNK

_WINDOWS: Final = ((BINDING_WINDOW, False), (UPDATE_WINDOW, True))
"""Each with whether it is about orders of which Metrica has something already."""


def urgent_orders(*, counter: Counter, only_many: bool = True) -> list[int]:
    """Primary keys of orders whose waiting changes are to go before all others, at most MOST_TOGETHER; those with the
    least time left are among them.

    `only_many`: none where so little waits that all of it goes together anyway.
    """
    if only_many and rows_waiting(counter=counter, only_orders=None, limit=CHUNK + 1) <= CHUNK:
        return []
    return _closing(counter, limit=MOST_TOGETHER)


def lift_urgent() -> None:
    """Note for each job whether its counter has such orders, for whoever chooses the next job. One query finds the few
    counters that have orders of these two days at all."""
    unfinished = UploadJob.objects.unfinished()
    of_that_age = Q()
    for window, _known in _WINDOWS:
        of_that_age |= Q(Exists(_created(OuterRef("pk"), window)))
    counters = Counter.objects.filter(of_that_age, Exists(unfinished.filter(counter=OuterRef("pk"))))
    urgent = [counter.pk for counter in counters if _closing(counter, limit=1)]
    unfinished.filter(urgent=False, counter__in=urgent).update(urgent=True)
    unfinished.filter(urgent=True).exclude(counter__in=urgent).update(urgent=False)


def _closing(counter: Counter, *, limit: int) -> list[int]:
    """Orders of which something waits: those to be bound within a day, then those to be changed within a day.

    Looks at the orders of these two days by the chunk, each by its keys: whatever PostgreSQL believes of tables that
    have just grown, it reads no more than these. A day of 60,000 orders takes a fifth of a second.
    """
    found: list[int] = []
    for window, known in _WINDOWS:
        keys = list(
            _created(counter, window).order_by("create_date_time").values_list("pk", flat=True)[:_MOST_LOOKED_AT]
        )
        for start in range(0, len(keys), CHUNK):
            found += _waiting_of(counter, keys[start : start + CHUNK], known=known)
            if len(found) >= limit:
                return found[:limit]
    return found


def _created(counter: Counter | OuterRef, window: timedelta) -> QuerySet[Order]:
    """The counter's orders for which this window closes within a day."""
    first = timezone.now() - window
    return Order.objects.filter(counter=counter, create_date_time__gt=first, create_date_time__lte=first + SOON)


def _waiting_of(counter: Counter, keys: Sequence[int], *, known: bool) -> list[int]:
    """Those of the orders of which something waits, and of which Metrica has something already, or nothing yet."""
    waiting = _with_change(counter, keys, (Delivery.WAITING,))
    if not waiting:
        return []
    sent = _with_change(counter, sorted(waiting), (Delivery.SENDING, Delivery.DELIVERED))
    return [key for key in keys if key in waiting and (key in sent) is known]


def _with_change(counter: Counter, keys: Sequence[int], deliveries: Sequence[Delivery]) -> set[int]:
    """Those of the orders that have a change in one of these states."""
    if connection.vendor != "postgresql":
        changes = StatusChange.objects.filter(counter=counter, order__pk__among=keys, delivery__in=deliveries)
        return set(changes.order_by().values_list("order_id", flat=True))
    # LIMIT has each order looked up in the index; else all that waits might be read once a chunk.
    states = " OR ".join(f"delivery = '{one.value}'" for one in deliveries)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wanted.key FROM unnest(%s::bigint[]) AS wanted (key), LATERAL ("  # noqa: S608, states of our own
            "SELECT FROM orders_statuschange AS change "
            f"WHERE change.counter_id = %s AND change.order_id = wanted.key AND ({states}) LIMIT 1) AS found",
            [list(keys), counter.pk],
        )
        return {key for (key,) in cursor.fetchall()}
