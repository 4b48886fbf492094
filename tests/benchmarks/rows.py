"""The CSV of the benchmarks: as many orders as wanted, written in flat memory, the same every day but for its dates."""

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

HEADER = (
    *("id", "create_date_time", "client_uniq_id", "client_ids", "emails", "phones"),
    *("order_status", "revenue", "cost", "goals", "currency"),
)
STATUSES = ("IN_PROGRESS", "PAID", "CANCELLED", "good_lead", "SPAM")


def orders(count: int) -> Iterator[tuple[str, ...]]:
    """Every order can be found: two of three have a ClientID, the third an e-mail; every second names its client."""
    began = datetime.now().replace(microsecond=0) - timedelta(days=15)
    for number in range(count):
        revenue = 1000 + number % 90_000
        yield (
            f"B-{number:07d}",
            (began + timedelta(seconds=number % 1_200_000)).isoformat(sep=" "),
            f"C-{number // 4}" if number % 2 else "",
            f"17000000{number:011d}" if number % 3 else "",
            f"Buyer{number}@Shop.example" if number % 3 == 0 else "",
            f"+7 (9{number % 100:02d}) {number % 1000:03d}-{number % 97:02d}-{number % 89:02d}" if number % 2 else "",
            STATUSES[number % len(STATUSES)],
            f"{revenue}.50",
            f"{revenue * 6 // 10}" if number % 4 else "",
            "deal_won:100" if number % 10 == 0 else "",
            "RUB",
        )


def write(path: Path, count: int) -> int:
    """Write the file; returns its size in bytes."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(orders(count))
    return path.stat().st_size
