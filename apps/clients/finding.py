"""Clients in the search everywhere."""

from typing import Any

from django.urls import reverse

from apps.agencies.actor import Actor
from apps.agencies.panels import MOST_FOUND, Found
from apps.clients import contacts, search
from apps.clients.models import Client
from apps.counters.models import Counter


def clients_found(actor: Actor, term: str) -> list[Found]:
    """Of the clients meant by id, name or contact: the one that has this very id, then the newest."""
    term = search.clean(term)
    if not term:
        return []
    counters = list(Counter.objects.visible_to(actor).order_by().values_list("pk", flat=True))
    clients = Client.objects.visible_to(actor).present()
    meant = search.find(clients, term, counters=counters, digests=contacts.meant(term))
    rows: Any = search.exact_first(clients.select_related("counter"), meant)[:MOST_FOUND] if meant.keys else []
    return [
        Found(
            str(client),
            " · ".join(
                filter(None, [str(Client._meta.verbose_name), client.name and client.uniq_id, str(client.counter)])
            ),
            reverse("admin:clients_client_change", args=[client.pk]),
            "group",
        )
        for client in rows
    ]
