"""A client, as answers show it: who it is, what Metrica knows of it, and what its orders come to."""

from collections.abc import Sequence
from typing import Any, TypedDict
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.urls import reverse

from apps.api.formats import clock, clock_or_none, money
from apps.clients.masking import shown_identifiers
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.goals.resolve import Resolver
from apps.orders.models import Order
from apps.orders.numbers import MONEY_LIMIT, Sum, money_of_client

NEWEST_ORDERS = 20


class RefusalShape(TypedDict):
    """Why Metrica did not take the client (detailed mode). `said`: in its own words."""

    code: str
    said: str


class ClientShape(TypedDict):
    """`delivered_at`: when Metrica took the client as such last, which it does in detailed mode alone."""

    uniq_id: str
    name: str
    client_ids: list[str]
    emails: list[str]
    phones: list[str]
    emails_md5: list[str]
    phones_md5: list[str]
    attributes: dict[str, Any]
    created_at: str
    updated_at: str
    delivered_at: str | None
    refusal: RefusalShape | None


class OrderOfClientShape(TypedDict):
    id: str
    order_status: str
    create_date_time: str
    url: str


class OrdersOfClientShape(TypedDict):
    """`count`: up to 5,000, `more`: whether there are others. `url`: the list of all; `newest`: the first 20 of it."""

    count: int
    more: bool
    url: str
    newest: list[OrderOfClientShape]


class SumShape(TypedDict):
    """Of the orders counted, in one currency. What was cancelled or is spam brings nothing."""

    currency: str
    orders: int
    revenue: str
    paid: str


class ClientWithOrdersShape(ClientShape):
    orders: OrdersOfClientShape
    money: list[SumShape]


def client_shape(client: Client, *, zone: ZoneInfo | None) -> ClientShape:
    """No query."""
    known = shown_identifiers(client.identifiers)
    refused: RefusalShape | None = None
    if client.reject_code:
        refused = {"code": client.reject_code, "said": client.reject_message}
    return {
        "uniq_id": client.uniq_id,
        "name": client.name,
        "client_ids": known.get("client_ids", []),
        "emails": known.get("emails", []),
        "phones": known.get("phones", []),
        "emails_md5": known.get("emails_md5", []),
        "phones_md5": known.get("phones_md5", []),
        "attributes": client.attributes,
        "created_at": clock(client.created_at, zone),
        "updated_at": clock(client.updated_at, zone),
        "delivered_at": clock_or_none(client.delivered_at, zone),
        "refusal": refused,
    }


def with_orders(client: Client, *, counter: Counter, sums: Sequence[Sum], base: str) -> ClientWithOrdersShape:
    """`base`: the address of the server. One query."""
    orders = Order.objects.filter(client=client).order_by("-pk")[:NEWEST_ORDERS]
    number = counter.metrica_id
    every = f"{base}{reverse('api:orders', args=[number])}?{urlencode({'client': client.uniq_id})}"
    count = sum(one.orders for one in sums)
    return {
        **client_shape(client, zone=counter.zone),
        "orders": {
            "count": count,
            "more": count >= MONEY_LIMIT,
            "url": every,
            "newest": [
                {
                    "id": order.order_id,
                    "order_status": order.order_status,
                    "create_date_time": clock(order.create_date_time, counter.zone),
                    "url": f"{base}{reverse('api:order', args=[number, order.order_id])}",
                }
                for order in orders
            ],
        },
        "money": [
            {
                "currency": one.currency,
                "orders": one.orders,
                "revenue": money(one.revenue) or "0.00",
                "paid": money(one.paid) or "0.00",
            }
            for one in sums
        ],
    }


def sums_of(client: Client, *, counter: Counter) -> list[Sum]:
    """As the client's page in the admin shows them. Three queries."""
    return money_of_client(client, Resolver.for_counter(counter))
