"""A counter that nothing blocks, and short ways to send rows and to look at what became of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.counters.models import Counter
from apps.orders import intake
from apps.orders.models import Order, Source, StatusChange
from apps.orders.results import IntakeReport
from tests.factories import make_counter

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""When the tests' rows come in: 15:00 in Moscow, the counter's zone."""

CREATED = "2026-11-18 14:05:00"
"""The counter's clock; 11:05 in UTC."""

Send = Callable[..., IntakeReport]


def row(**fields: Any) -> dict[str, Any]:
    """A whole row of a new order; fields replace its own, and those that are Ellipsis are left out."""
    base = {
        "id": "D-1",
        "create_date_time": CREATED,
        "order_status": "IN_PROGRESS",
        "client_ids": ["1700000000123456789"],
    }
    return {name: value for name, value in {**base, **fields}.items() if value is not ...}


def later(**fields: Any) -> dict[str, Any]:
    """A row of a known order that says only what is given."""
    return {"id": "D-1", "order_status": "IN_PROGRESS", **fields}


def clock(hour: int, minute: int = 0, *, day: int = 18) -> datetime:
    """That time on the counter's clock (Moscow) in November 2026, in UTC."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=3)


@pytest.fixture
def counter(db: None) -> Counter:
    return make_counter()


@pytest.fixture
def send(counter: Counter) -> Send:
    """Send rows to the counter; `now` is NOW unless given."""

    def send_rows(*rows: Any, **options: Any) -> IntakeReport:
        options = {"counter": counter, "source": Source.API, "now": NOW, "actor_label": "tests", **options}
        return intake.accept_all(rows=list(rows), **options)

    return send_rows


def the_order(order_id: str = "D-1") -> Order:
    return Order.objects.get(order_id=order_id)


def timeline(order_id: str = "D-1") -> list[StatusChange]:
    return list(StatusChange.objects.filter(order__order_id=order_id).in_timeline_order())


def statuses(order_id: str = "D-1") -> list[str]:
    """The order's statuses in timeline order."""
    return [change.order_status for change in timeline(order_id)]


def told(report: IntakeReport, index: int = 0) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(errors, warnings) of one row, each as (field, code)."""
    result = report.results[index]
    return (
        [(error.field, error.code) for error in result.errors],
        [(warning.field, warning.code) for warning in result.warnings],
    )
