"""All that is known of a client, for the client: what the law calls a request of the data subject.

A JSON text in pieces, in flat memory however many orders there are. What apps below know is asked of them (`more`).
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Max, Min
from django.utils import timezone

from apps.audit.services import record
from apps.clients import contacts
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.orders.models import Order, StatusChange

ORDERS: Final = 200

More = Callable[[Client, Collection[UUID]], Iterable[dict[str, Any]]]
more: dict[str, More] = {}
"""By the name in the file: what else is known, by the client and the uploads that carried its orders."""

_CHANGE: Final = (
    *("order_id", "order_status", "status_date_time", "received_at", "source", "received_by", "revenue", "cost"),
    *("currency", "goals", "products", "attributes", "delivery", "hold_reason", "reject_code", "delivered_at"),
    "upload_id",
)


def told(client: Client) -> Iterator[str]:
    """The file, and the trace of it in the log, which is written first."""
    counter = Counter.objects.select_related("agency").get(pk=client.counter_id)
    number = Order.objects.filter(client=client).count()
    record(action="client.data_exported", agency=counter.agency_id, obj=client, details={"orders": number})
    return _pieces(client, counter)


def _pieces(client: Client, counter: Counter) -> Iterator[str]:
    head = {"made_at": timezone.now(), "agency": counter.agency.name, "counter": counter.metrica_id}
    yield "{" + "".join(f"{_json(name)}: {_json(value)},\n" for name, value in head.items())
    yield f'"client": {_json(_client(client), indent=1)},\n"orders": ['
    uploads: dict[UUID, None] = {}
    first = True
    for orders in _orders(client):
        for order in orders:
            uploads.update(dict.fromkeys(one["upload"] for one in order["timeline"] if one["upload"]))
            yield ("" if first else ",") + "\n" + _json(order)
            first = False
    yield "\n]"
    for name, tell in more.items():
        yield f",\n{_json(name)}: ["
        for number, one in enumerate(tell(client, list(uploads))):
            yield (",\n" if number else "\n") + _json(one)
        yield "\n]"
    yield "\n}\n"


def _client(client: Client) -> dict[str, Any]:
    origins = contacts.origins(client)
    orders = dict(Order.objects.filter(pk__in={order for order, _at in origins.values()}).values_list("pk", "order_id"))
    identifiers = []
    for kind, values in client.identifiers.items():
        for value in values:
            order, at = origins.get((kind, value), (0, None))
            identifiers.append({"kind": kind, "value": value, "first_told_by": orders.get(order), "first_told_at": at})
    seen = Order.objects.filter(client=client).aggregate(first=Min("create_date_time"), last=Max("updated_at"))
    return {
        "client_uniq_id": client.uniq_id,
        "also_known_as": list(Client.objects.filter(merged_into=client).values_list("uniq_id", flat=True)),
        "name": client.name,
        "identifiers": identifiers,
        "attributes": client.attributes,
        "known_since": client.created_at,
        "changed_at": client.updated_at,
        "delivered_at": client.delivered_at,
        "erased_at": client.erased_at,
        "first_order_at": seen["first"],
        "last_received_at": seen["last"],
    }


def _orders(client: Client) -> Iterator[list[dict[str, Any]]]:
    last = 0
    rows = Order.objects.filter(client=client).order_by("pk")
    while some := list(rows.filter(pk__gt=last)[:ORDERS]):
        last = some[-1].pk
        timelines: dict[int, list[dict[str, Any]]] = {order.pk: [] for order in some}
        changes = StatusChange.objects.filter(order__in=list(timelines)).in_timeline_order()
        for change in changes.values(*_CHANGE):
            timelines[change.pop("order_id")].append({**change, "upload": change.pop("upload_id")})
        yield [
            {
                "id": order.order_id,
                "create_date_time": order.create_date_time,
                "identifiers": order.identifiers,
                "order_status": order.order_status,
                "received_at": order.created_at,
                "timeline": timelines[order.pk],
            }
            for order in some
        ]


class _Encoder(DjangoJSONEncoder):
    def default(self, value: Any) -> Any:
        return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else super().default(value)


def _json(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, cls=_Encoder, **options)
