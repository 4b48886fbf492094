"""The rest of an erasure: what is kept of a client outside of the database's rows, as files are.

`people.erase_client` empties the rows at once and writes an Erasure; the tick goes on with it, for as long as it takes,
and whoever keeps files (apps below) says here how they are gone through. What must still be sent, or be taken in, waits
until it is through. In the end what the client was known by is forgotten here as well.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.agencies.models import SavedFilter
from apps.audit.services import record
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.metrica.identifiers import md5_of
from apps.orders.models import Erasure

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(minutes=10)
SECONDS_A_TICK: Final = 20.0
_SHORTEST: Final = 4
"""A mark of fewer characters, as an id may be, is looked for as a whole cell only."""

_NOT_A_DIGIT: Final = re.compile(r"\D+")


@dataclass(frozen=True, slots=True)
class Marks:
    """What a client was known by. `orders`, `clients`: their ids in the CRM; the rest: values of a person."""

    orders: frozenset[str]
    clients: frozenset[str]
    names: frozenset[str]
    emails: frozenset[str]
    numbers: frozenset[str]  # phones by their last ten digits, and ClientIDs
    hashes: frozenset[str]

    @classmethod
    def of(cls, kept: Mapping[str, Sequence[str]]) -> "Marks":
        phones = [value[-10:] for value in kept.get("phones", ())]
        return cls(
            orders=frozenset(kept.get("orders", ())),
            clients=frozenset(kept.get("clients", ())),
            names=frozenset(name.casefold() for name in kept.get("names", ())),
            emails=frozenset(kept.get("emails", ())),
            numbers=frozenset([*phones, *kept.get("client_ids", ())]),
            hashes=frozenset(kept.get("hashes", ())),
        )

    def within(self, text: str) -> bool:
        """Whether a cell, or any other short text, says who the client is. Ids of orders do not."""
        if not text:
            return False
        if text in self.clients:
            return True
        folded = text.casefold()
        if any(mark in folded for mark in (*self.emails, *self.hashes)):
            return True
        if any(mark == folded or (len(mark) > _SHORTEST and mark in folded) for mark in self.names):
            return True
        if any(len(mark) > _SHORTEST and mark in text for mark in self.clients):
            return True
        digits = _NOT_A_DIGIT.sub("", text)
        return bool(digits) and any(mark in digits for mark in self.numbers)

    def within_any(self, texts: Iterable[str]) -> bool:
        return any(self.within(text) for text in texts)


@dataclass(slots=True)
class Place:
    """How far a part is. `rest`: what the part itself wants to know of that, as JSON."""

    done: bool
    files: int
    rows: int
    rest: dict[str, Any]


Part = Callable[[Counter, Marks, Erasure, Place, float], None]
"""Go on from the place, until `time.monotonic()` is past the last argument, and write down how far it is."""

parts: dict[str, Part] = {}
"""By a name that stays; apps below add their own in their AppConfig."""


def begin(
    *, client: Client, orders: Iterable[str], clients: Iterable[str], names: Iterable[str], known_by: Mapping[str, Any]
) -> Erasure:
    """Within the erasure's transaction. `known_by`: identifiers by kind, of the client and of its orders."""
    plain = [value for kind in ("emails", "phones") for value in known_by.get(kind, ())]
    hashes = {md5_of(value) for value in plain}.union(known_by.get("emails_md5", ()), known_by.get("phones_md5", ()))
    marks = {
        "orders": sorted(orders),
        "clients": sorted(clients),
        "names": sorted({name for name in names if name}),
        "emails": sorted(known_by.get("emails", ())),
        "phones": sorted(known_by.get("phones", ())),
        "client_ids": sorted(known_by.get("client_ids", ())),
        "hashes": sorted(hashes),
    }
    return Erasure.objects.create(client=client, marks=marks)


def forget_searches(*, agency_id: int, marks: Marks) -> int:
    """Saved filters that look for the client are deleted. Returns how many."""
    saved = SavedFilter.objects.filter(Q(agency=agency_id) | Q(agency=None))
    found = [one.pk for one in saved.iterator() if marks.within_any([one.name, *_words(one.query)])]
    SavedFilter.objects.filter(pk__in=found).delete()
    return len(found)


def go_on(*, seconds: float = SECONDS_A_TICK) -> int:
    """Work on what is open, the oldest first, for so long. Returns how many erasures came to their end."""
    end = time.monotonic() + seconds
    ended = 0
    last = 0
    while time.monotonic() < end:
        now = timezone.now()
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        erasure = Erasure.objects.filter(free, finished_at=None, pk__gt=last).order_by("pk").first()
        if erasure is None:
            return ended
        last = erasure.pk
        if Erasure.objects.filter(free, pk=last, finished_at=None).update(lease_until=now + LEASE):
            try:
                ended += _go_on_with(erasure, end)
            finally:
                Erasure.objects.filter(pk=last).update(lease_until=None)
    return ended


def _go_on_with(erasure: Erasure, end: float) -> bool:
    counter = Counter.objects.select_related("agency").get(pk=erasure.client.counter_id)
    marks = Marks.of(erasure.marks)
    places = {
        name: Place(**erasure.places.get(name, {"done": False, "files": 0, "rows": 0, "rest": {}})) for name in parts
    }
    for name, place in places.items():
        if not place.done:
            parts[name](counter, marks, erasure, place, end)
            erasure.places = {name: _plain(place) for name, place in places.items()}
            Erasure.objects.filter(pk=erasure.pk).update(places=erasure.places)
    if not all(place.done for place in places.values()):
        return False
    with transaction.atomic():
        Erasure.objects.filter(pk=erasure.pk).update(marks={}, finished_at=timezone.now())
        details = {
            "files": sum(place.files for place in places.values()),
            "rows": sum(place.rows for place in places.values()),
        }
        record(action="client.erasure_finished", agency=counter.agency_id, obj=erasure.client, details=details)
    log.info("erasure finished", client=erasure.client_id, **details)
    return True


def _plain(place: Place) -> dict[str, Any]:
    return {"done": place.done, "files": place.files, "rows": place.rows, "rest": place.rest}


def _words(query: str) -> list[str]:
    return [value for _name, value in parse_qsl(query)]
