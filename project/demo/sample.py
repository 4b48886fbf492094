"""A believable CSV of orders: a shop's weeks, the same every time, with statuses that walk on."""

import csv
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

COLUMNS = (
    *("id", "create_date_time", "status_date_time", "client_uniq_id", "client_name", "client_ids", "emails", "phones"),
    *("order_status", "revenue", "cost", "currency"),
)
NAMES = ("Anna", "Boris", "Vera", "Gleb", "Darya", "Egor", "Zhanna", "Ilya", "Kira", "Lev", "Maya", "Nikita", "Olga")
ENDS = (("delivered",), ("delivered",), ("delivered",), ("refused",), ("spam",), ())


def write(path: Path, *, orders: int, now: datetime, seed: int = 7) -> int:
    """Write `orders` orders of the fortnight before `now` (counter's clock); returns the number of rows."""
    rows = list(_rows(orders=orders, now=now, randomness=random.Random(seed)))  # noqa: S311 - a sample, no secret
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows)


def visits(path: Path, *, zone: ZoneInfo) -> list[dict[str, object]]:
    """The visits from which these orders came: one an order, ten minutes before it, on the clock of `zone`."""
    seen: dict[str, dict[str, object]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            created = datetime.fromisoformat(row["create_date_time"])
            started = (created - timedelta(minutes=10)).replace(tzinfo=zone)
            visit: dict[str, object] = {"started_at": started.isoformat()}
            if row["client_ids"]:
                visit["client_id"] = row["client_ids"]
            else:
                visit["emails"] = [row["emails"]]
            seen.setdefault(row["id"], {**visit})
    return list(seen.values())


def _rows(*, orders: int, now: datetime, randomness: random.Random) -> Iterator[tuple[str, ...]]:
    for number in range(1, orders + 1):
        name = randomness.choice(NAMES)
        client = f"C-{randomness.randrange(orders)}"
        created = (now - timedelta(minutes=randomness.randrange(3 * 24 * 60, 14 * 24 * 60))).replace(microsecond=0)
        online = randomness.random() < 0.7
        client_id = f"17000000{number:08d}{randomness.randrange(1000):03d}" if online else ""
        email = "" if online and randomness.random() < 0.5 else f"{name.lower()}.{number}@mail.example"
        phone = f"+7 9{randomness.randrange(10**8, 10**9):09d}" if randomness.random() < 0.6 else ""
        revenue = Decimal(randomness.randrange(150_000, 2_500_000)) / 100
        cost = (revenue * Decimal("0.6")).quantize(Decimal("0.01")) if randomness.random() < 0.8 else None
        when = created
        for status in ("new", *(("confirmed",) if randomness.random() < 0.6 else ()), *randomness.choice(ENDS)):
            yield (
                f"FL-{number:05d}",
                created.isoformat(sep=" "),
                when.isoformat(sep=" "),
                client,
                name,
                client_id,
                email,
                phone,
                status,
                str(revenue),
                "" if cost is None else str(cost),
                "RUB",
            )
            when += timedelta(hours=randomness.randrange(1, 20))
