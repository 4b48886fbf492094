"""Orders in the search everywhere."""

from typing import Any

from django.urls import reverse

from apps.agencies.actor import Actor
from apps.agencies.panels import MOST_FOUND, Found
from apps.clients.search import exact_first
from apps.orders import search
from apps.orders.models import Order


def orders_found(actor: Actor, term: str) -> list[Found]:
    """Of the orders meant by id, client or contact: the one that has this very id, then the newest. As many queries as
    a search of their list."""
    orders = Order.objects.visible_to(actor)
    meant = search.find(orders, term, actor=actor)
    rows: Any = exact_first(orders.select_related("counter"), meant)[:MOST_FOUND] if meant.keys else []
    return [
        Found(
            order.order_id,
            f"{Order._meta.verbose_name} · {order.order_status} · {order.counter}",
            reverse("admin:orders_order_change", args=[order.pk]),
            "receipt_long",
        )
        for order in rows
    ]
