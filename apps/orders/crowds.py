"""Clients with very many orders: Metrica takes 100,000 of one client (page: uploadOrders). Watched in detailed mode."""

from collections.abc import Collection
from typing import Final

import structlog
from django.db.models import OuterRef
from django.utils import timezone

from apps.clients.models import Client
from apps.orders.models import Order
from apps.orders.numbers import CappedCount

log = structlog.get_logger(__name__)

ORDERS_PER_CLIENT: Final = 100_000
WARN_FROM: Final = 0.9


class CrowdWatch:
    """Keep it for one file. `beyond` finds orders that come after so many of the same client that Metrica takes
    none."""

    def __init__(self) -> None:
        self._last_key: dict[int, int | None] = {}  # of crowded clients: the last order that still goes; None: all go

    def beyond(self, orders: Collection[tuple[int, int]]) -> set[int]:
        """Of these (order, client) primary keys the orders that must not go. Marks clients that are nearly full.

        One query for a chunk of ordinary clients; the first orders of a client go, in the order in which they came in.
        """
        self._look({client for _order, client in orders})
        if not self._last_key:
            return set()
        last = self._last_key
        return {order for order, client in orders if (end := last.get(client)) is not None and order > end}

    def _look(self, clients: Collection[int]) -> None:
        unseen = [client for client in clients if client not in self._last_key]
        own = Order.objects.filter(client=OuterRef("pk")).order_by().values("pk")[: ORDERS_PER_CLIENT + 1]
        counted = Client.objects.filter(pk__among=unseen).order_by().annotate(size=CappedCount(own))
        for client, size, since in counted.values_list("pk", "size", "crowded_at"):
            if size < ORDERS_PER_CLIENT * WARN_FROM:
                continue
            self._last_key[client] = _last_of(client) if size > ORDERS_PER_CLIENT else None
            if since is None:
                Client.objects.filter(pk=client, crowded_at=None).update(crowded_at=timezone.now())
                log.warning("client has nearly as many orders as Metrica takes", client=client, orders=size)


def _last_of(client: int) -> int:
    orders = Order.objects.filter(client=client).order_by("pk").values_list("pk", flat=True)
    return orders[ORDERS_PER_CLIENT - 1 : ORDERS_PER_CLIENT][0]
