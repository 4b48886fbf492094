"""Makes orders ready for the detailed mode (R5): each needs a client whom Metrica knows by all that the order is known
by.

Orders that come in while the counter is in that mode are ready; those that came before are made so by the thousand,
when their turn to be sent has come. Whoever has no client gets one of its own; none is merged by guess.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from django.utils import timezone

from apps.agencies.bulk import update_rows
from apps.clients import contacts
from apps.clients.services import ClientBook, own_client_id
from apps.counters.models import Counter
from apps.goals.resolve import Resolver
from apps.metrica.vocabulary import OrderType
from apps.orders.models import Delivery, Order, StatusChange


def prepare(*, counter: Counter, order_keys: Collection[int], resolver: Resolver) -> int:
    """Give these orders (primary keys) their clients, and the clients the orders' identifiers. Returns how many.

    A fixed number of statements. Belongs inside a transaction; locks orders, then clients, as intake does.
    """
    found = Order.objects.select_for_update().filter(counter=counter, pk__among=order_keys).order_by("pk")
    orders = list(found.values_list("pk", "order_id", "client_id", "identifiers", "finish_date_time"))
    now = timezone.now()
    clients = ClientBook(counter=counter, now=now)
    clients.load(
        uniq_ids={own_client_id(order_id) for _pk, order_id, client, *_rest in orders if client is None},
        keys={client for _pk, _order_id, client, *_rest in orders if client is not None},
    )
    records, learned = [], []
    for pk, order_id, client, identifiers, _finished in orders:
        record = clients.named(own_client_id(order_id)) if client is None else clients.of_key(client)
        learned += [(record, pk, *one) for one in record.learn(name=None, identifiers=identifiers)]
        records.append(record)
    clients.save()
    told = [(kind, value, pk, record.pk) for record, pk, kind, value in learned]
    contacts.note(counter_id=counter.pk, told=told, at=now)
    paid = _paid_since([pk for pk, *_rest, finished in orders if finished is None], resolver)
    update_rows(
        Order,
        ("id", "client_id", "client_revision", "finish_date_time"),
        [
            (pk, record.pk, record.revision, finished or paid.get(pk))
            for (pk, *_rest, finished), record in zip(orders, records, strict=True)
        ],
    )
    return len(orders)


def _paid_since(order_keys: Collection[int], resolver: Resolver) -> dict[int, datetime]:
    """When the orders first got a status of type PAID, of those that Metrica has it of. One query."""
    moments: dict[int, list[datetime]] = defaultdict(list)
    changes = StatusChange.objects.filter(order__pk__among=order_keys, delivery=Delivery.DELIVERED)
    for order, status, happened in changes.values_list("order_id", "order_status", "status_date_time"):
        meaning = resolver.meaning(status)
        if meaning is not None and meaning.type is OrderType.PAID:
            moments[order].append(happened)
    return {order: min(of_order) for order, of_order in moments.items()}
