"""Floors that catch a slow way creeping in. They are far below what is measured (see the module's numbers when run
with -s), because a shared machine is noisy; time is the process's own, so that neighbours count less.
"""

import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from apps.metrica.dates import parse_any
from apps.metrica.identifiers import normalize_phone
from apps.metrica.rules import GoalPrice
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


def test_dates() -> None:
    texts = ["2026-03-04 14:05:00", "04.03.2026 14:05", "2026-03-04T14:05:00+03:00", "04.03.26"] * (COUNT // 4)
    assert best("parse_any", lambda: [parse_any(text, MOSCOW) for text in texts]) > 60_000


def test_phones() -> None:
    digits = [f"{n % 2 + 7}903{n:07d}" for n in range(COUNT)]
    assert best("normalize_phone, digits", lambda: [normalize_phone(text) for text in digits]) > 200_000
    spelled = [f"+7 (903) {n // 10000:03d}-{n // 100 % 100:02d}-{n % 100:02d}" for n in range(COUNT)]
    assert best("normalize_phone, spelled", lambda: [normalize_phone(text) for text in spelled]) > 50_000
