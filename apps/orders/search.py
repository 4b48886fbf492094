"""Finding an order by what people have at hand: the start of its id, a client, a phone, an e-mail, a ClientID."""

from django.db.models import QuerySet

from apps.agencies.actor import Actor
from apps.clients import search as client_search
from apps.clients.models import Client
from apps.orders.models import Order

LIMIT = 500


def find(orders: QuerySet[Order], term: str, *, actor: Actor) -> set[int]:
    """Primary keys of the orders meant, at most some hundreds of each way. `orders`: those to look among.

    Five queries at most, each by an index and cut off; never a scan for a word somewhere inside.
    """
    term = term.strip()
    if not term or "\0" in term:
        return set()
    rows = orders.order_by()
    found = set(rows.filter(order_id__startswith=term).values_list("pk", flat=True)[:LIMIT])
    clients = client_search.find(Client.objects.visible_to(actor), term)
    if clients:
        found.update(rows.filter(client__in=clients).values_list("pk", flat=True)[:LIMIT])
    found.update(client_search.having_contact(rows, term).values_list("pk", flat=True)[:LIMIT])
    return found
