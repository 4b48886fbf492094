"""Orders taken in as a plain Django REST framework endpoint would: a ModelSerializer with many=True, and save().

It makes orders and nothing else: no clients, no status changes, no timeline. A process of its own,
`python -m tests.benchmarks.plain COUNTER FILE.json`, which prints `{"rows", "seconds"}` as JSON.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()

from rest_framework import serializers  # noqa: E402 - it needs the settings

from apps.counters.models import Counter  # noqa: E402
from apps.orders.models import Order  # noqa: E402


class OrderSerializer(serializers.ModelSerializer[Order]):
    class Meta:
        model = Order
        fields = ("counter", "order_id", "create_date_time", "order_status", "status_date_time", "identifiers")


def save(counter: int, text: str) -> int:
    key = Counter.objects.get(metrica_id=counter).pk
    rows: list[dict[str, Any]] = [
        {
            "counter": key,
            "order_id": f"plain-{row['id']}",
            "create_date_time": row["create_date_time"],
            "order_status": row["order_status"],
            "status_date_time": row["create_date_time"],
            "identifiers": {name: row[name] for name in ("client_ids", "emails", "phones") if name in row},
        }
        for row in json.loads(text)
    ]
    serializer = OrderSerializer(data=rows, many=True)
    serializer.is_valid(raise_exception=True)
    return len(serializer.save())


if __name__ == "__main__":
    given = Path(sys.argv[2]).read_text()
    began = time.monotonic()
    done = save(int(sys.argv[1]), given)
    print(json.dumps({"rows": done, "seconds": time.monotonic() - began}))
