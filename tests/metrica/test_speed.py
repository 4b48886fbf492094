"""Floors that catch a slow way creeping in. They are far below what is measured (see the module's numbers when run
with -s), because a shared machine is noisy; time is the process's own, so that neighbours count less.
"""

import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from apps.metrica.dates import parse_any
from apps.metrica.identifiers import normalize_phone
from apps.metrica.rules import GoalPrice
from apps.metrica.wire.contacts import (
    Contact,
    ContactsJsonWriter,
    ContactsWriter,
    read_contacts,
    read_contacts_json,
)
from apps.metrica.wire.orders import DetailedOrder, OrdersJsonWriter, OrdersWriter, read_orders, read_orders_json
from apps.metrica.wire.simple_orders import SimpleOrder, SimpleOrdersWriter, read_simple_orders

MOSCOW = ZoneInfo("Europe/Moscow")
COUNT = 20_000


def best(name: str, work: Callable[[], object], *, count: int = COUNT, rounds: int = 5) -> float:
    """Items a second in the best of some rounds."""
    took = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        took.append(time.process_time() - started)
    print(f"\n{name}: {count / min(took):,.0f}/s")
    return count / min(took)


def realistic_orders() -> list[SimpleOrder]:
    start = datetime(2026, 3, 4, 11, 5, tzinfo=UTC)
    return [
        SimpleOrder(
            id=f"D-{n}",
            create_date_time=start + timedelta(seconds=n),
            date_only=False,
            order_status=("IN_PROGRESS", "PAID", "good_lead")[n % 3],
            client_uniq_id=f"C-{n // 2}",
            client_ids=(f"17000000001234{n:05d}",),
            emails=(f"buyer{n}@shop.example",),
            phones=(f"7903{n:07d}",),
            revenue=Decimal("5000.50"),
            cost=Decimal(3200) if n % 2 else None,
            goals=(GoalPrice("deal_won", Decimal(5000)), GoalPrice("branch_2")) if n % 3 == 0 else (),
            currency="RUB",
        )
        for n in range(COUNT)
    ]


def test_writing_and_reading() -> None:
    orders = realistic_orders()

    def write() -> bytes:
        out = io.BytesIO()
        SimpleOrdersWriter(out, zone=MOSCOW).write_many(orders)
        return out.getvalue()

    data = write()
    assert best("SimpleOrdersWriter.write_many", write) > 60_000
    assert best("read_simple_orders", lambda: list(read_simple_orders(io.BytesIO(data), zone=MOSCOW))) > 10_000


def test_writing_and_reading_the_detailed_format() -> None:
    orders = realistic_orders()
    contacts = [
        Contact(
            uniq_id=order.client_uniq_id,
            name=f"Анна {order.id}",
            create_date_time=order.create_date_time,
            client_ids=order.client_ids,
            emails=order.emails,
            phones=order.phones,
            attributes={"age": ("35",)},
        )
        for order in orders
    ]
    detailed = [
        DetailedOrder(
            id=order.id,
            client_uniq_id=order.client_uniq_id,
            create_date_time=order.create_date_time,
            order_status=order.order_status,
            revenue=order.revenue,
            cost=order.cost,
            currency=order.currency,
            products={"sku-1": 2, f"sku-{order.id}": 1},
            goals=order.goals,
        )
        for order in orders
    ]

    def csv(writer: Callable[..., Any], records: list[Any], **options: Any) -> bytes:
        out = io.BytesIO()
        writer(out, zone=MOSCOW, **options).write_many(records)
        return out.getvalue()

    def json(writer: Callable[..., Any], records: list[Any]) -> bytes:
        out = io.BytesIO()
        with writer(out, zone=MOSCOW) as rows:
            rows.write_many(records)
        return out.getvalue()

    age = {"age": False}
    files = {
        "contacts.csv": csv(ContactsWriter, contacts, attributes=age),
        "contacts.json": json(ContactsJsonWriter, contacts),
        "orders.csv": csv(OrdersWriter, detailed),
        "orders.json": json(OrdersJsonWriter, detailed),
    }
    assert best("ContactsWriter", lambda: csv(ContactsWriter, contacts, attributes=age), rounds=3) > 40_000
    assert best("OrdersWriter", lambda: csv(OrdersWriter, detailed), rounds=3) > 40_000
    assert best("ContactsJsonWriter", lambda: json(ContactsJsonWriter, contacts), rounds=3) > 10_000
    assert best("OrdersJsonWriter", lambda: json(OrdersJsonWriter, detailed), rounds=3) > 10_000
    for name, read, options in [
        ("contacts.csv", read_contacts, {"attributes": age}),
        ("contacts.json", read_contacts_json, {"attributes": age}),
        ("orders.csv", read_orders, {}),
        ("orders.json", read_orders_json, {}),
    ]:

        def work(name: str = name, read: Any = read, options: Any = options) -> int:
            return sum(row.record is not None for row in read(io.BytesIO(files[name]), zone=MOSCOW, **options))

        assert work() == COUNT
        assert best(f"reading {name}", work, rounds=3) > 8_000


def test_dates() -> None:
    texts = ["2026-03-04 14:05:00", "04.03.2026 14:05", "2026-03-04T14:05:00+03:00", "04.03.26"] * (COUNT // 4)
    assert best("parse_any", lambda: [parse_any(text, MOSCOW) for text in texts]) > 60_000


def test_phones() -> None:
    digits = [f"{n % 2 + 7}903{n:07d}" for n in range(COUNT)]
    assert best("normalize_phone, digits", lambda: [normalize_phone(text) for text in digits]) > 200_000
    spelled = [f"+7 (903) {n // 10000:03d}-{n // 100 % 100:02d}-{n % 100:02d}" for n in range(COUNT)]
    assert best("normalize_phone, spelled", lambda: [normalize_phone(text) for text in spelled]) > 50_000
