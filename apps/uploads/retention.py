"""What is kept of people goes when its time is over: files of uploads, and what orders and clients are found by.

Each counter has its own times, none at all to begin with. Nothing goes that may still be sent, or that must still be
looked up: files whose end is not known, orders of which something waits or is held, clients who are due. What an order
came to, and the digest of every file, stays. The tick does it in batches; each run leaves one entry in the audit log.
"""

import time
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from apps.audit.services import record
from apps.clients.models import Client, Contact
from apps.counters.models import Counter
from apps.counters.sealed_fields import SEALED
from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.orders.models import Delivery, Order, StatusChange
from apps.uploads import files
from apps.uploads.models import UNSETTLED, Recovery, Resend, Retention, Upload

log = structlog.get_logger(__name__)

SECONDS_A_TICK: Final = 10.0
ORDERS: Final = 1000
FILES: Final = 100
_KINDS: Final = [*IDENTIFIER_KINDS, SEALED]
ANEW_AFTER: Final = timedelta(days=7)
"""So often a counter's orders are gone through from the beginning: some could not be forgotten when their time came."""
_OF_CLIENT: Final = Order.objects.filter(client=OuterRef("pk"))


def prune(*, now: datetime | None = None, seconds: float = SECONDS_A_TICK) -> dict[str, int]:
    """Go on where there is something to forget, for so long. Returns what went, in all counters together."""
    now = now or timezone.now()
    end = time.monotonic() + seconds
    total = {"files": 0, "orders": 0, "clients": 0}
    timed = Counter.objects.filter(Q(keep_files_days__isnull=False) | Q(keep_people_days__isnull=False))
    recovering = Recovery.objects.filter(counter=OuterRef("pk"), done_at=None)
    for counter in timed.exclude(Exists(recovering)).order_by("pk"):
        gone = {"files": 0, "orders": 0, "clients": 0}
        if counter.keep_files_days is not None:
            gone["files"] = _files(counter, before=now - timedelta(days=counter.keep_files_days), end=end)
        if counter.keep_people_days is not None:
            before = now - timedelta(days=counter.keep_people_days)
            gone["orders"], gone["clients"] = _people(counter, before=before, now=now, end=end)
        if any(gone.values()):
            kept = {"keep_files_days": counter.keep_files_days, "keep_people_days": counter.keep_people_days}
            record(action="retention.applied", agency=counter.agency_id, obj=counter, details={**gone, **kept})
            log.info("kept for long enough", counter=counter.metrica_id, **gone)
        total = {name: number + gone[name] for name, number in total.items()}
        if time.monotonic() > end:
            break
    return total


def _files(counter: Counter, *, before: datetime, end: float) -> int:
    old = Upload.objects.filter(job__counter=counter, finished_at__lt=before, file_gone_at=None)
    old = old.exclude(file="").exclude(state__in=UNSETTLED).order_by("finished_at")
    number = 0
    while some := list(old.values_list("pk", "file")[:FILES]):
        for pk, name in some:
            files.forget(name)  # first: a row without its file is found again, a file without its row is not
            number += Upload.objects.filter(pk=pk, file=name).update(file="", file_gone_at=timezone.now())
        if time.monotonic() > end:
            break
    return number


def _people(counter: Counter, *, before: datetime, now: datetime, end: float) -> tuple[int, int]:
    """Orders in the order of their last change, from where the last run stood; then clients who have none in the same
    way. Returns orders and clients."""
    walk, _made = Retention.objects.get_or_create(counter=counter, defaults={"began_at": now})
    if now - walk.began_at > ANEW_AFTER:
        walk.up_to, walk.last_key, walk.began_at = None, 0, now
        walk.clients_up_to, walk.last_client = None, 0
    orders = clients = 0
    while time.monotonic() < end:
        rows = Order.objects.filter(counter=counter)
        found = _next(rows, after=(walk.up_to, walk.last_key), before=before)
        if found:
            of_orders, of_clients = _forget(counter, [pk for pk, _at in found], before=before, now=now)
            orders, clients = orders + of_orders, clients + of_clients
            walk.last_key, walk.up_to = found[-1]
        walk.save()
        if len(found) < ORDERS:
            break
    while time.monotonic() < end:
        some = Client.objects.present().filter(counter=counter)
        found = _next(some, after=(walk.clients_up_to, walk.last_client), before=before)
        if found:
            alone = some.filter(pk__among=[pk for pk, _at in found]).exclude(Exists(_OF_CLIENT))
            clients += _forget_clients(counter, set(alone.values_list("pk", flat=True)), before=before)
            walk.last_client, walk.clients_up_to = found[-1]
        walk.save()
        if len(found) < ORDERS:
            break
    return orders, clients


def _next(rows: QuerySet[Any], *, after: tuple[datetime | None, int], before: datetime) -> list[tuple[int, datetime]]:
    """The next batch of a walk by the last change, from an index."""
    up_to, last = after
    rows = rows.filter(updated_at__lt=before)
    if up_to is not None:
        rows = rows.filter(updated_at__gte=up_to).filter(Q(updated_at__gt=up_to) | Q(pk__gt=last))
    return list(rows.order_by("updated_at", "pk").values_list("pk", "updated_at")[:ORDERS])


@transaction.atomic
def _forget(counter: Counter, order_keys: list[int], *, before: datetime, now: datetime) -> tuple[int, int]:
    """Orders are locked before clients, and both in the order of their keys, as intake does."""
    changes = StatusChange.objects.filter(order=OuterRef("pk"))
    going = changes.filter(delivery__in=[Delivery.WAITING, Delivery.SENDING, Delivery.HELD])
    again = Resend.objects.filter(order=OuterRef("pk"), upload__state__in=UNSETTLED)
    old = Order.objects.filter(pk__among=order_keys, updated_at__lt=before, resend_due=False)
    old = old.exclude(Exists(going)).exclude(Exists(again)).order_by("pk")
    no_key = connection.features.has_select_for_no_key_update
    locked = dict(old.select_for_update(no_key=no_key).values_list("pk", "client_id"))
    if not locked:
        return 0, 0
    keys = list(locked)
    told = Order.objects.filter(pk__among=keys)
    number = told.filter(identifiers__has_any_keys=_KINDS).update(identifiers={}, forgotten_at=now)
    # Of these the client alone is known: what comes again must not bring it back either.
    told.filter(Q(forgotten_at=None) | Q(forgotten_at__lt=F("updated_at"))).update(forgotten_at=now)
    Contact.objects.filter(order_key__among=keys, client=None).delete()
    return number, _forget_clients(counter, {key for key in locked.values() if key is not None}, before=before)


@transaction.atomic
def _forget_clients(counter: Counter, keys: set[int], *, before: datetime) -> int:
    """Those of whom no order is newer, or still under way."""
    if not keys:
        return 0
    going = StatusChange.objects.filter(
        order__client=OuterRef("pk"), delivery__in=[Delivery.WAITING, Delivery.SENDING, Delivery.HELD]
    )
    live = _OF_CLIENT.filter(Q(updated_at__gte=before) | Q(resend_due=True))
    old = Client.objects.filter(pk__among=list(keys), updated_at__lt=before, sending_revision=0)
    if counter.is_detailed:
        old = old.filter(revision__lte=F("settled_revision"))
    old = old.exclude(Exists(live)).exclude(Exists(going))
    old = old.filter(Q(identifiers__has_any_keys=_KINDS) | ~Q(name="") | ~Q(attributes={}))
    no_key = connection.features.has_select_for_no_key_update
    locked = list(old.order_by("pk").select_for_update(no_key=no_key).values_list("pk", flat=True))
    # Once more under the lock: an order that came while it was waited for was not seen by the first look.
    locked = list(old.filter(pk__among=locked).values_list("pk", flat=True)) if locked else []
    Client.objects.filter(pk__among=locked).update(name="", identifiers={}, attributes={}, reject_message="")
    Contact.objects.filter(client__in=locked).delete()
    return len(locked)
