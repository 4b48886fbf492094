"""Reads: an order's timeline, and the windows in which Metrica still binds or changes it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from apps.metrica import rules
from apps.orders.models import Order, StatusChange, StatusChangeQuerySet


def timeline(order: Order) -> StatusChangeQuerySet:
    """The order's changes by when they happened in the CRM, then by when they came. One query."""
    return StatusChange.objects.filter(order=order).in_timeline_order()


@dataclass(frozen=True, slots=True)
class Window:
    """Until when Metrica binds the order to a visit (21 days from its creation), and until when it takes changes of a
    bound one (111 days from the visit, which is not known here, so counted from the creation). Aware."""

    bind_until: datetime
    update_until: datetime
    now: datetime

    @property
    def bind_days_left(self) -> int:
        return _days(self.bind_until - self.now)

    @property
    def update_days_left(self) -> int:
        return _days(self.update_until - self.now)

    @property
    def bind_open(self) -> bool:
        return self.bind_until > self.now

    @property
    def update_open(self) -> bool:
        return self.update_until > self.now


def window(order: Order, *, now: datetime | None = None) -> Window:
    return Window(
        bind_until=rules.bind_until(order.create_date_time),
        update_until=rules.update_until(order.create_date_time),
        now=now or timezone.now(),
    )


def _days(left: timedelta) -> int:
    return max(0, left.days)
