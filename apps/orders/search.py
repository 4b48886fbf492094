"""Finding orders by what people have at hand: the start of an id, a client, a contact, a status."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from apps.agencies.actor import Actor
from apps.agencies.merging import Parts, merged
from apps.clients import contacts
from apps.clients import search as client_search
from apps.clients.models import Client
from apps.clients.search import Meant, clean
from apps.counters.models import Counter
from apps.goals.models import StatusMapping
from apps.orders.models import Order


def find(orders: QuerySet[Order], term: str, *, actor: Actor) -> Meant:
    """The orders meant, at most some hundreds of each way. `orders`: those to look among.

    A dozen queries at most, each by an index and cut off; never a scan for a word somewhere inside.
    """
    term, meant = clean(term), Meant()
    if not term:
        return meant
    counters = counters_of(actor)
    digests = contacts.meant(term)
    rows = orders.filter(counter__in=counters).order_by()
    meant.take_by_id(rows, "order_id", term)
    clients = client_search.find(Client.objects.visible_to(actor), term, counters=counters, digests=digests)
    meant.cut = meant.cut or clients.cut
    if clients.keys:
        meant.take(rows.filter(client__in=clients.keys))
    told = contacts.who_told(counters=counters, digests=digests)
    meant.take_told(told, (order for order, _client in told), rows)
    return meant


def counters_of(actor: Actor) -> list[int]:
    """Keys of the counters that are visible: named one by one, they let each index be used from its beginning."""
    return list(Counter.objects.visible_to(actor).order_by().values_list("pk", flat=True))


@dataclass(frozen=True, slots=True)
class Matching:
    """`condition`: what is true of the orders meant, and of no others. `few`: they are known by their keys. `cut_at`:
    as many are known, and there are more; 0: they are all."""

    condition: Q
    few: bool = True
    cut_at: int = 0


def matching(orders: QuerySet[Order], term: str, *, actor: Actor) -> Matching:
    """The orders meant, those at a status of that name among them: all of these, if nothing else is meant. `orders`:
    what the actor sees."""
    meant = find(orders.select_related(None), term, actor=actor)
    counters = counters_of(actor)
    statuses = _statuses_meant(clean(term), actor=actor, counters=counters)
    if not statuses:
        return _few(meant)
    standing = orders.filter(order_status__in=statuses)
    if not meant.keys:
        return Matching(Q(order_status__in=statuses), few=False)
    stop = client_search.LIMIT
    newest = merged(standing.order_by("-pk"), Parts("counter", tuple(counters)), stop=stop + 1)
    also = list(newest.values_list("pk", flat=True))
    meant.join(Meant(keys=set(also[:stop]), cut=len(also) > stop))
    return _few(meant)


def _few(meant: Meant) -> Matching:
    return Matching(Q(pk__in=meant.keys), cut_at=len(meant.keys) if meant.cut else 0)


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
