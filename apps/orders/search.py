"""Finding orders by what people have at hand: the start of an id, a client, a contact, a status."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.agencies.actor import Actor
from apps.agencies.merging import Parts, merged
from apps.clients import contacts
from apps.clients import search as client_search
from apps.clients.models import Client
from apps.clients.search import beginning, clean, keys, spellings
from apps.counters.models import Counter
from apps.goals.models import StatusMapping
from apps.orders.models import Order

LIMIT = client_search.LIMIT


def find(orders: QuerySet[Order], term: str, *, actor: Actor) -> set[int]:
    """Primary keys of the orders meant, at most some hundreds of each way. `orders`: those to look among.

    A dozen queries at most, each by an index and cut off; never a scan for a word somewhere inside.
    """
    term = clean(term)
    if not term:
        return set()
    counters = counters_of(actor)
    digests = contacts.meant(term)
    rows = orders.filter(counter__in=counters).order_by()
    found: set[int] = set()
    for spelling in spellings(term):
        found.update(keys(beginning(rows, "order_id", spelling)))
    clients = client_search.find(Client.objects.visible_to(actor), term, counters=counters, digests=digests)
    if clients:
        found.update(keys(rows.filter(client__in=clients)))
    told = {order for order, _client in contacts.who_told(counters=counters, digests=digests)}
    if told:
        found.update(keys(rows.filter(pk__in=told)))
    return found


def counters_of(actor: Actor) -> list[int]:
    """Keys of the counters that are visible: named one by one, they let each index be used from its beginning."""
    return list(Counter.objects.visible_to(actor).order_by().values_list("pk", flat=True))


@dataclass(frozen=True, slots=True)
class Matching:
    """`few`: they are known by their keys."""

    orders: QuerySet[Order]
    few: bool


def matching(orders: QuerySet[Order], term: str, *, actor: Actor) -> Matching:
    """The orders meant, those at a status of that name among them: all of these, if nothing else is meant. `orders`:
    what the actor sees."""
    found = find(orders.select_related(None), term, actor=actor)
    counters = counters_of(actor)
    statuses = _statuses_meant(clean(term), actor=actor, counters=counters)
    if not statuses:
        return Matching(orders.filter(pk__in=found), few=True)
    standing = orders.filter(order_status__in=statuses)
    if not found:
        return Matching(standing, few=False)
    newest = merged(standing.order_by("-pk"), Parts("counter", tuple(counters)), stop=LIMIT)
    return Matching(orders.filter(pk__in={*found, *newest.values_list("pk", flat=True)}), few=True)


def _statuses_meant(term: str, *, actor: Actor, counters: Collection[int]) -> set[str]:
    """Statuses of the CRM that the words name, in capitals or not; by their own text or by the name given to them. One
    that no mapping knows is found as it is written."""
    if not term:
        return set()
    said = term.casefold()
    known = StatusMapping.objects.visible_to(actor).order_by().values_list("crm_status", "name").distinct()
    meant = {status for status, name in known if said in (status.casefold(), name.casefold())}
    standing = Order.objects.filter(counter__in=counters, order_status=term).order_by()
    return meant or ({term} if standing.exists() else set())
