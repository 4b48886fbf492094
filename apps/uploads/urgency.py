"""Orders that cannot wait: Metrica takes what waits of them for a day at most, then their window closes for good.

An order of which nothing was sent yet is bound to a visit within 21 days of its creation, and one that is known there
can be changed for 111 days (page: contacts).
"""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from apps.counters.models import Counter
from apps.metrica.rules import BINDING_WINDOW, UPDATE_WINDOW
from apps.orders.models import Delivery, Order, StatusChange
from apps.uploads.models import UploadJob
from apps.uploads.selection import CHUNK, rows_waiting

SOON: Final = timedelta(hours=24)

MOST_TOGETHER: Final = 4 * CHUNK
"""So many go together before the others; what is left of them goes with the next file."""


def urgent_orders(*, counter: Counter, only_many: bool = True) -> list[int]:
    """Primary keys of orders whose waiting changes are to go before all others, at most MOST_TOGETHER.

    `only_many`: none where so little waits that all of it goes together anyway. Three cheap queries at most: each looks
    at the orders of one day.
    """
    if only_many and rows_waiting(counter=counter, only_orders=None, limit=CHUNK + 1) <= CHUNK:
        return []
    found: list[int] = []
    for orders in _closing(counter, timezone.now()):
        found += orders.order_by("create_date_time").values_list("pk", flat=True)[: MOST_TOGETHER - len(found)]
    return found


def lift_urgent() -> None:
    """Note for each job whether its counter has such orders, for whoever chooses the next job."""
    unfinished = UploadJob.objects.unfinished()
    for counter in Counter.objects.filter(Exists(unfinished.filter(counter=OuterRef("pk")))):
        urgent = any(orders.exists() for orders in _closing(counter, timezone.now()))
        unfinished.filter(counter=counter, urgent=not urgent).update(urgent=urgent)


def _closing(counter: Counter, now: datetime) -> tuple[QuerySet[Order], QuerySet[Order]]:
    """Orders of which something waits: those to be bound within a day, and those to be changed within a day."""
    changes = StatusChange.objects.filter(order=OuterRef("pk"))
    waiting = Exists(changes.filter(counter=counter, delivery=Delivery.WAITING))
    known = Exists(changes.filter(delivery__in=[Delivery.SENDING, Delivery.DELIVERED]))

    def closing(window: timedelta) -> QuerySet[Order]:
        first = now - window
        created = Order.objects.filter(counter=counter, create_date_time__gt=first, create_date_time__lte=first + SOON)
        return created.filter(waiting)

    return closing(BINDING_WINDOW).filter(~known), closing(UPDATE_WINDOW).filter(known)
