"""A counter that delivers to the sandbox, somebody else's server that is told of it, and rounds without the queue."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from apps.hooks import rounds, services
from apps.hooks.models import SUBSCRIBABLE, Delivery, Endpoint
from tests.hooks.receiver import Came, Receiver
from tests.uploads.conftest import Shop, make_shop, quick, shop

__all__ = ["make_shop", "quick", "shop"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@dataclass
class Hook:
    """An endpoint and the server behind it."""

    endpoint: Endpoint
    secret: str
    receiver: Receiver

    def messages(self, kind: str = "") -> list[dict[str, Any]]:
        """What came, in its order."""
        return [message for message in map(read, self.receiver.came) if not kind or message["type"] == kind]

    def deliveries(self, **conditions: Any) -> list[Delivery]:
        return list(self.endpoint.deliveries.filter(**conditions).order_by("pk"))

    def states(self) -> list[str]:
        return [delivery.state for delivery in self.deliveries()]

    def fresh(self) -> Endpoint:
        self.endpoint.refresh_from_db()
        return self.endpoint


def read(came: Came) -> dict[str, Any]:
    return dict(json.loads(came.body))


def send() -> None:
    """A round, as the queue would call it."""
    rounds.SENDING.wake()
    rounds.SENDING.run()


@pytest.fixture
def make_hook(transactional_db: None) -> Iterator[Callable[..., Hook]]:
    running: list[Receiver] = []

    def make(agency: Any, *, receiver: Receiver | None = None, **fields: Any) -> Hook:
        if receiver is None:
            receiver = Receiver().__enter__()
            running.append(receiver)
        given = {"name": f"CRM {Endpoint.objects.count() + 1}", "url": receiver.url, "events": list(SUBSCRIBABLE)}
        endpoint, secret = services.create_endpoint(agency=agency, **{**given, **fields})
        return Hook(endpoint, secret, receiver)

    yield make
    for receiver in running:
        receiver.__exit__(None, None, None)


@pytest.fixture
def hook(shop: Shop, make_hook: Callable[..., Hook]) -> Hook:
    """Of the shop's agency, for all that happens."""
    return make_hook(shop.counter.agency)
