"""Finding people the way one has them at hand: a phone in any writing, an e-mail, a ClientID, a client id, a name."""

from collections.abc import Collection, Iterable
from typing import Any, Final

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from apps.clients import contacts
from apps.clients.models import Client

LIMIT: Final = contacts.LIMIT
_LAST = "\U0010ffff"


def beginning(rows: QuerySet[Any], name: str, term: str) -> QuerySet[Any]:
    """Rows whose text `name` begins so. As a range, which both databases answer from the index of (counter, `name`):
    the texts that are searched so are compared by their bytes."""
    return rows.filter(**{f"{name}__gte": term, f"{name}__lt": term + _LAST})


def keys(rows: QuerySet[Any]) -> list[int]:
    """Primary keys of the first `LIMIT` of these rows."""
    return list(rows.order_by().values_list("pk", flat=True)[:LIMIT])


def find(rows: QuerySet[Client], term: str, *, counters: Collection[int], digests: Collection[int]) -> set[int]:
    """Primary keys of the clients meant: by the start of the client id or of the name, or by a contact (`digests`, see
    `contacts.meant`). `counters`: keys of all that are searched. Each query is cut off and answered by an index.
    """
    rows = rows.filter(counter__in=counters)
    found: set[int] = set()
    for spelling in spellings(term):
        # The id of a client that was merged means the one that it became.
        named = beginning(rows, "uniq_id", spelling).order_by()
        found.update(named.values_list(Coalesce("merged_into_id", "pk"), flat=True)[:LIMIT])
    for spelling in dict.fromkeys([term, term.title()]):
        found.update(keys(beginning(rows.exclude(name=""), "name", spelling)))
    told = {client for _order, client in contacts.who_told(counters=counters, digests=digests) if client is not None}
    if told:
        found.update(keys(rows.filter(pk__in=told)))
    return found


def spellings(term: str) -> Iterable[str]:
    """An id as it is written, and in capitals, as most CRMs write theirs."""
    return dict.fromkeys([term, term.upper()])


def clean(term: str) -> str:
    """The words without what surrounds them; empty where they can mean nothing."""
    term = term.strip()
    return "" if "\0" in term else term
