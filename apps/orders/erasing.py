"""The rest of an erasure: what is kept of a client outside of the database's rows, as files are.

`people.erase_client` empties the rows at once and writes an Erasure; the tick goes on with it, for as long as it takes,
and whoever keeps files (apps below) says here how they are gone through. What must still be sent, or be taken in, waits
until it is through. In the end what the client was known by is forgotten here as well.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import structlog
from django.contrib.admin.views.main import SEARCH_VAR
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.agencies.models import SavedFilter
from apps.audit.services import record
from apps.clients.models import Client
from apps.counters.encryption import UnreadableSecret
from apps.counters.models import Counter
from apps.metrica.identifiers import md5_of
from apps.orders.marks import Marks
from apps.orders.models import Erasure

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(minutes=10)
SECONDS_A_TICK: Final = 20.0
LONGEST_WAIT: Final = timedelta(hours=1)
"""After an attempt that broke off; the first wait is a minute."""


@dataclass(slots=True)
class Place:
    """How far a part is. `rest`: what the part itself wants to know of that, as JSON. `save` commits it; it is saved
    after each turn of the part anyway."""

    done: bool = False
    files: int = 0
    rows: int = 0
    rest: dict[str, Any] = field(default_factory=dict)
    save: Callable[[], None] = lambda: None


Part = Callable[[Counter, Marks, Erasure, Place, float], None]
"""Go on from the place, until `time.monotonic()` is past the last argument, and write down how far it is."""

parts: dict[str, Part] = {}
"""By a name that stays; apps below add their own in their AppConfig."""


def begin(
    *,
    client: Client,
    orders: Iterable[str],
    clients: Iterable[str],
    names: Iterable[str],
    known_by: Mapping[str, Any],
    since: datetime,
) -> Erasure:
    """Within the erasure's transaction. `known_by`: identifiers by kind, of the client and of its orders; `since`: when
    the first trace of any of it came (aware)."""
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
        "since": [since.isoformat()],
    }
    return Erasure.objects.create(client=client, marks=marks)


def forget_searches(*, agency_id: int, marks: Marks) -> int:
    """Saved filters that look for the client are deleted. Returns how many."""
    saved = SavedFilter.objects.filter(Q(agency=agency_id) | Q(agency=None))
    found = [one.pk for one in saved.iterator() if _looks_for(marks, one)]
    SavedFilter.objects.filter(pk__in=found).delete()
    return len(found)


def go_on(*, seconds: float = SECONDS_A_TICK) -> int:
    """Work on what is open for so long, each in its turn: who waited longest comes first, so that one which cannot come
    to its end keeps nobody else waiting. Returns how many erasures came to their end."""
    end = time.monotonic() + seconds
    began = timezone.now()
    ended = 0
    while time.monotonic() < end and (key := _taken(began)) is not None:
        ended += _in_its_turn(key, end)
    return ended


def _taken(began: datetime) -> int | None:
    """The next one that is due and had no turn since then."""
    while True:
        now = timezone.now()
        due = Erasure.objects.filter(
            Q(lease_until=None) | Q(lease_until__lt=now),
            Q(not_before=None) | Q(not_before__lte=now),
            Q(tried_at=None) | Q(tried_at__lt=began),
            finished_at=None,
        )
        # Its key alone: one whose marks cannot be opened is no reason to stop here.
        key = due.order_by(F("tried_at").asc(nulls_first=True), "pk").values_list("pk", flat=True).first()
        if key is None or due.filter(pk=key).update(lease_until=now + LEASE, tried_at=now):
            return key


def _in_its_turn(key: int, end: float) -> bool:
    rows = Erasure.objects.filter(pk=key)
    told: dict[str, Any] = {"failures": 0, "error_code": "", "not_before": None}
    try:
        return _go_on_with(rows.select_related("client").get(), end)
    except Exception as error:
        log.exception("erasure broke off", erasure=key)
        failures = rows.values_list("failures", flat=True).get()
        wait = min(timedelta(minutes=2 ** min(failures, 10)), LONGEST_WAIT)
        code = "unreadable_secret" if isinstance(error, UnreadableSecret) else "internal_error"
        told = {"failures": failures + 1, "error_code": code, "not_before": timezone.now() + wait}
        return False
    finally:
        rows.update(lease_until=None, **told)


def _go_on_with(erasure: Erasure, end: float) -> bool:
    """Each part has its turn, whatever becomes of the others; the first cause is raised after all of them."""
    counter = Counter.objects.select_related("agency").get(pk=erasure.client.counter_id)
    marks = Marks.of(erasure.marks)
    places = {name: Place(**erasure.places.get(name, {})) for name in parts}

    def save() -> None:
        erasure.places = {name: _plain(place) for name, place in places.items()}
        Erasure.objects.filter(pk=erasure.pk).update(places=erasure.places)

    broken: Exception | None = None
    for name, place in places.items():
        place.save = save
        if place.done:
            continue
        try:
            parts[name](counter, marks, erasure, place, end)
        except Exception as error:
            log.exception("a part of an erasure broke off", erasure=erasure.pk, part=name)
            broken = broken or error
        save()
    if broken is not None:
        raise broken
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


def _looks_for(marks: Marks, saved: SavedFilter) -> bool:
    given = parse_qsl(saved.query)
    searched = any(name == SEARCH_VAR and value.strip() in marks.clients for name, value in given)
    return searched or marks.within_any([saved.name, *(value for _name, value in given)])
