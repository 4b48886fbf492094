"""A script that was written for Metrica: only its host and token are others."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from apps.agencies.models import Agency
from apps.counters.models import Counter
from apps.orders.models import Order
from tests.api.conftest import Answer
from tests.factories import make_key

NUMBER = 40000001
MOSCOW = ZoneInfo("Europe/Moscow")
HEADER = "id,create_date_time,client_uniq_id,client_ids,emails,phones,order_status,revenue,cost,goals,currency"


def local(days: float = 3, *, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """So many days ago, on the counter's clock."""
    return (timezone.now() - timedelta(days=days)).astimezone(MOSCOW).strftime(form)


WHEN = local()


def csv(*lines: str, header: str = HEADER) -> bytes:
    return ("\n".join([header, *lines]) + "\n").encode()


@dataclass
class Script:
    """Speaks to the gateway with one key."""

    key: str
    number: int = NUMBER
    scheme: str = "OAuth"
    client: Client = field(default_factory=lambda: Client(raise_request_exception=True))

    def __call__(self, method: str, path: str, data: Any = None, content_type: str = "", **headers: str) -> Answer:
        if self.key:
            headers.setdefault("authorization", f"{self.scheme} {self.key}")
        address = f"/cdp/api/v1/counter/{self.number}/{path}"
        more = {"content_type": content_type} if content_type else {}
        send = getattr(self.client, method.lower())
        response = send(address, data=data, headers=headers, **more)
        return Answer(response.status_code, json.loads(response.content), response.headers)

    def get(self, path: str) -> Answer:
        return self("GET", path)

    def json(self, path: str, body: Any, **more: str) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self("POST", path, raw, "application/json", **more)

    def csv(self, path: str, content: bytes, **query: str) -> Answer:
        """A file as multipart."""
        asked = {"merge_mode": "SAVE", **query}
        file = io.BytesIO(content)
        file.name = "orders.csv"
        parameters = "&".join(f"{name}={value}" for name, value in asked.items())
        return self("POST", f"{path}?{parameters}", {"file": file})

    def simple(self, *lines: str, header: str = HEADER, **query: str) -> Answer:
        return self.csv("data/simple_orders", csv(*lines, header=header), **query)

    def orders(self, *rows: dict[str, Any], mode: str = "SAVE") -> Answer:
        usual = {
            "id": "D-1",
            "client_uniq_id": "C-1",
            "client_type": "CONTACT",
            "create_date_time": WHEN,
            "order_status": "PAID",
        }
        return self.json(f"data/orders/json?merge_mode={mode}", {"orders": [usual | row for row in rows]})

    def contacts(self, *rows: dict[str, Any], mode: str = "SAVE") -> Answer:
        return self.json(f"data/contacts/json?merge_mode={mode}", {"contacts": list(rows)})


def errors_of(answer: Answer) -> list[tuple[str, str, str]]:
    """(error_type, location, our code) of each."""
    found = []
    for error in answer.body["errors"]:
        code = error["message"].rpartition("[")[2].rstrip("]")
        found.append((error["error_type"], error.get("location", ""), code))
    assert answer.body["code"] == answer.status and answer.body["message"] == answer.body["errors"][0]["message"]
    return found


def order(order_id: str = "D-1") -> Order:
    return Order.objects.select_related("client", "current_change").get(order_id=order_id)


@pytest.fixture
def script_for(db: None) -> Callable[..., Script]:
    def make(agency: Agency, **fields: Any) -> Script:
        return Script(make_key(agency, **fields)[1])

    return make


@pytest.fixture
def script(agency: Agency, counter: Counter, script_for: Callable[..., Script]) -> Script:
    return script_for(agency)
