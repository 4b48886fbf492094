"""A counter, receivers of its own, a real server to post to, and rounds without the queue."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from django.utils import timezone

from apps.counters.models import Counter
from apps.orders.models import Order, StatusChange
from apps.receivers import addresses, rounds, services
from apps.receivers.mapping import LABELS as FIELDS
from apps.receivers.models import Post, Receiver
from tests.factories import make_counter
from tests.receivers import crm

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@dataclass
class Way:
    """A receiver with its address, and what came of what was posted to it."""

    receiver: Receiver
    secret: str
    server: str

    @property
    def url(self) -> str:
        return f"{self.server}{addresses.path_of(self.receiver, self.secret)}"

    def send(self, body: bytes | str, *, content_type: str = FORM, tail: str = "", **headers: str) -> httpx.Response:
        content = body.encode() if isinstance(body, str) else body
        sent = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return httpx.post(f"{self.url}{tail}", content=content, headers=sent, timeout=30)

    def posts(self) -> list[Post]:
        return list(Post.objects.filter(receiver=self.receiver).order_by("pk"))

    def last(self) -> Post:
        return self.posts()[-1]

    def change(self, **fields: Any) -> None:
        self.receiver = services.update_receiver(receiver=self.receiver, **fields)

    def map(self, **paths: str) -> None:
        """Other paths for some fields."""
        kept = self.receiver.mapping
        fields = {**kept.get("fields", {}), **{name: path for name, path in paths.items() if name in FIELDS}}
        own = {name: path for name, path in paths.items() if name not in FIELDS}
        self.receiver = services.map_fields(receiver=self.receiver, kept={**kept, **own, "fields": fields})

    def timeline(self, order_id: str) -> list[tuple[str, str]]:
        """(status, when on Moscow's clock) of the order."""
        changes = StatusChange.objects.filter(order=self.order(order_id)).in_timeline_order()
        zone = self.receiver.counter.zone
        return [(one.order_status, f"{one.status_date_time.astimezone(zone):%d.%m %H:%M:%S}") for one in changes]

    def order(self, order_id: str) -> Order:
        return Order.objects.get(counter=self.receiver.counter, order_id=order_id)


def work() -> None:
    """A round, as the queue would call it."""
    rounds.WORKING.wake()
    rounds.WORKING.run()


def later() -> None:
    """What waits for its time is due now."""
    Post.objects.filter(not_before__isnull=False).update(not_before=timezone.now() - timedelta(seconds=1))


@pytest.fixture
def open_door(settings: Any) -> None:
    settings.OUTGOING_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    settings.OUTGOING_PLAIN_HTTP = True


@pytest.fixture
def counter(transactional_db: None) -> Counter:
    return make_counter(name="Clinics")


@pytest.fixture
def make_way(counter: Counter, live_server: Any, open_door: None) -> Callable[..., Way]:
    def make(kind: str = "generic", **fields: Any) -> Way:
        name = fields.pop("name", f"CRM {Receiver.objects.count() + 1}")
        receiver, secret = services.create_receiver(
            counter=fields.pop("counter", counter), name=name, kind=kind, **fields
        )
        return Way(receiver, secret, live_server.url)

    return make


@pytest.fixture
def portal() -> Iterator[crm.Crm]:
    with crm.bitrix24() as running:
        yield running


@pytest.fixture
def account() -> Iterator[crm.Crm]:
    with crm.amocrm() as running:
        yield running


@pytest.fixture
def bitrix(make_way: Callable[..., Way], portal: crm.Crm) -> Way:
    """Ready: it reads the portal, and knows its application token."""
    address = f"{portal.address}/rest/1/invented-secret/"
    return make_way("bitrix24", crm_url=address, check_secret="51856fefc120afa4b628cc82d3935cce")
