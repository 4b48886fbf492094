"""A sandbox counter, its API over real HTTP, and files to send."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from django.core.files.base import File

from apps.metrica.vocabulary import Delimiter, MergeMode
from apps.sandbox import services
from apps.sandbox.models import SandboxCounter, SandboxUploading, UploadFormat, UploadKind

NUMBER = 40000001
TOKEN = "y0_north"
MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
HEADER = "id,create_date_time,client_uniq_id,client_ids,emails,phones,order_status,revenue,cost,goals,currency"


def as_file(text: str | bytes, name: str = "orders.csv") -> File:
    return File(BytesIO(text.encode() if isinstance(text, str) else text), name=name)


def csv(*lines: str, header: str = HEADER) -> str:
    return "\n".join([header, *lines]) + "\n"


def local(moment: datetime, zone: ZoneInfo = MOSCOW) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


@dataclass
class Desk:
    """Sends files to a counter in this process, at a time of the test's choice."""

    counter: SandboxCounter
    now: datetime = NOW
    sent: list[SandboxUploading] = field(default_factory=list, repr=False)

    def send(
        self, *lines: str, mode: MergeMode = MergeMode.SAVE, header: str = HEADER, **more: Any
    ) -> SandboxUploading:
        uploading = services.receive_simple_orders(
            counter=self.counter,
            file=as_file(csv(*lines, header=header)),
            merge_mode=mode,
            delimiter=more.pop("delimiter", Delimiter.COMMA),
            now=more.pop("now", self.now),
            **more,
        )
        self.sent.append(uploading)
        return uploading

    def contacts(self, *rows: dict[str, Any], **more: Any) -> SandboxUploading:
        """A JSON upload of customers."""
        return self._send_json(UploadKind.CONTACTS, "contacts", rows, **more)

    def orders(self, *rows: dict[str, Any], **more: Any) -> SandboxUploading:
        """A JSON upload of orders of the detailed format; what a row leaves out is an order of C-1, now, paid."""
        usual = {
            "id": "D-1",
            "client_uniq_id": "C-1",
            "client_type": "CONTACT",
            "create_date_time": local(self.now),
            "order_status": "PAID",
        }
        return self._send_json(UploadKind.ORDERS, "orders", [usual | row for row in rows], **more)

    def _send_json(self, kind: UploadKind, name: str, rows: Any, **more: Any) -> SandboxUploading:
        body = as_file(json.dumps({name: list(rows)}), name="")
        uploading = services.receive(
            kind=kind,
            counter=self.counter,
            file=body,
            uploading_format=UploadFormat.JSON,
            merge_mode=more.pop("mode", MergeMode.SAVE),
            now=more.pop("now", self.now),
            **more,
        )
        self.sent.append(uploading)
        return uploading

    def customer(self, uniq_id: str) -> Any:
        return self.counter.customers.get(uniq_id=uniq_id)

    def visit(self, before: timedelta = timedelta(hours=1), **identifiers: Any) -> int:
        """A visit that began `before` the present; its key."""
        return services.add_visit(counter=self.counter, started_at=self.now - before, **identifiers).pk

    def order(self, order_id: str | None) -> Any:
        return self.counter.orders.get(order_id=order_id)

    def reached(self, order_id: str | None) -> dict[str, Any]:
        """goal → income, of all visits."""
        return {reach.goal: reach.income for reach in self.order(order_id).reaches.all()}

    def events(self, order_id: str) -> list[Any]:
        return list(self.order(order_id).events.order_by("pk"))


@pytest.fixture
def counter(db: None) -> SandboxCounter:
    return services.create_counter(
        metrica_id=NUMBER,
        name="Dental clinics",
        site="dental.example",
        owner_login="north-metrica",
        token=TOKEN,
        goals=["deal_won", "branch_2", "bad_lead", "good_lead", "zapis1", "vse_zapisi"],
    )


@pytest.fixture
def desk(counter: SandboxCounter) -> Desk:
    return Desk(counter)


@dataclass
class Api:
    """The API over real HTTP, as the owner of the counter."""

    client: httpx.Client
    base: str

    def upload(
        self, body: str | bytes, *, number: int | str = NUMBER, query: str = "merge_mode=SAVE", **more: Any
    ) -> httpx.Response:
        files = more.pop("files", {"file": ("orders.csv", body, "text/csv")})
        path = f"{self.base}/cdp/api/v1/counter/{number}/data/simple_orders?{query}"
        return self.client.post(path, files=files, **more)

    def uploadings(self, query: str = "", number: int = NUMBER) -> httpx.Response:
        return self.client.get(f"{self.base}/cdp/api/v1/counter/{number}/last_uploadings?{query}")

    def cdp(self, method: str, path: str, body: Any = None, /, *, number: int = NUMBER, **more: Any) -> httpx.Response:
        """A call below `/cdp/api/v1/counter/<number>/`; `body` goes out as JSON."""
        if body is not None:
            more["json"] = body
        return self.client.request(method, f"{self.base}/cdp/api/v1/counter/{number}/{path}", **more)

    def send_csv(self, path: str, text: str | bytes, query: str = "merge_mode=SAVE") -> httpx.Response:
        return self.cdp("POST", f"{path}?{query}", files={"file": ("rows.csv", text, "text/csv")})

    def management(self, path: str) -> httpx.Response:
        return self.client.get(f"{self.base}/management/v1/{path}")

    def report(self, query: str) -> httpx.Response:
        return self.client.get(f"{self.base}/stat/v1/data?{query}")

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """A call of the management API with a JSON body."""
        return self.client.request(method, f"{self.base}/management/v1/{path}", json=body, **more)

    def control(self, name: str, /, **body: Any) -> dict[str, Any]:
        response = self.client.post(f"{self.base}/control/{name}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def look(self, name: str, /, **query: Any) -> dict[str, Any]:
        response = self.client.get(f"{self.base}/control/{name}", params=query)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def api(live_server: Any, transactional_db: None, counter: SandboxCounter) -> Iterator[Api]:
    # A table of requests is faster than 30 a second; test_quotas.py puts the limits back.
    services.set_limit(name="requests_by_ip", value=None)
    with httpx.Client(headers={"Authorization": f"OAuth {TOKEN}"}, timeout=30) as client:
        yield Api(client, f"{live_server.url}/sandbox")


def error_of(response: httpx.Response) -> tuple[int, str]:
    """(status, error_type); checks that the answer is the documented envelope."""
    body = response.json()
    assert set(body) == {"errors", "code", "message"}, body
    assert body["code"] == response.status_code
    assert body["errors"] and all({"error_type", "message"} <= set(error) for error in body["errors"])
    return response.status_code, body["errors"][0]["error_type"]
