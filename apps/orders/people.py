"""What a person decides about a client: that two of them are one, or that one is to be forgotten."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.services import record
from apps.clients import contacts
from apps.clients.models import Client
from apps.clients.services import ClientRecord
from apps.counters.models import Counter
from apps.orders import delivery, erasing
from apps.orders.events import announce_accepted
from apps.orders.holds import HoldJudge, reassess
from apps.orders.marks import Marks
from apps.orders.models import Delivery, Erasure, HoldReason, Order, StatusChange

ERASED = "erased-"


@dataclass(frozen=True, slots=True)
class Erased:
    """What was forgotten with a client, and in how many kept files rows of its orders are still to be read."""

    orders: int
    contacts: int
    held: int
    files: int


@transaction.atomic
def merge_clients(*, kept: Client, duplicate: Client) -> int:
    """Two clients of a counter are one person, by a person's word (R5): the orders of `duplicate` become those of
    `kept`, and what it is known by is united with what that one is known by. Returns how many orders moved.

    The client id of the duplicate leads to `kept` from now on, whatever the CRM goes on to send. In detailed mode the
    client, and the newest delivered state of each order that moved, are due again. Raises ValidationError.
    """
    if kept.counter_id != duplicate.counter_id:
        raise _refusal("other_counter", _("Only clients of one counter can be one."))
    if kept.pk == duplicate.pk:
        raise _refusal("same_client", _("This is the same client. Choose another one."))
    order_keys = _lock_orders([duplicate])
    kept, duplicate = _lock(kept, duplicate)
    _refuse_if_being_sent(kept, duplicate, order_keys=order_keys)
    counter = Counter.objects.select_related("account").get(pk=kept.counter_id)
    united = ClientRecord(kept.pk, kept.uniq_id, kept.name, kept.identifiers, attributes=kept.attributes)
    united.learn(
        name=None if kept.name else duplicate.name or None,
        identifiers=duplicate.identifiers,
        attributes={key: value for key, value in duplicate.attributes.items() if key not in kept.attributes},
    )
    contacts.hand_over(source=duplicate, target=kept)
    Order.objects.filter(pk__among=order_keys).update(client=kept, client_revision=0)
    kept.name, kept.identifiers, kept.attributes = united.name, united.identifiers, united.attributes
    kept.revision += 1
    kept.updated_at = timezone.now()
    kept.save(update_fields=["name", "identifiers", "attributes", "revision", "updated_at"])
    told_by = {kind: len(values) for kind, values in duplicate.identifiers.items()}
    _empty(duplicate, merged_into=kept)
    Client.objects.filter(merged_into=duplicate).update(merged_into=kept)
    again = delivery.request_resend(order_ids=order_keys) if counter.is_detailed else 0
    record(
        action="client.merged",
        agency=counter.agency_id,
        obj=kept,
        details={
            "duplicate": duplicate.pk,
            "orders": len(order_keys),
            "orders_due_again": again,
            "identifiers": told_by,
        },
    )
    held = StatusChange.objects.filter(
        counter=counter,
        delivery=Delivery.HELD,
        hold_reason__in=[HoldReason.NO_IDENTIFIERS, HoldReason.CLIENT_REFUSED],
        order__client=kept,
    )
    reassess(held, judge=HoldJudge(counter=counter, now=timezone.now()), counter=counter)
    announce_accepted(counter.pk)
    return len(order_keys)


@transaction.atomic
def erase_client(*, client: Client) -> Erased:
    """Forget who a client is: name, identifiers, attributes and the CRM's id, of the client and of its orders. The
    orders stay, with their statuses and money. Kept files are gone through afterwards (see `erasing`).

    What waits of them cannot be bound to a visit any more and is held. Raises ValidationError.
    """
    order_keys = _lock_orders([client])
    (client,) = _lock(client)
    _refuse_if_being_sent(client, order_keys=order_keys)
    orders = Order.objects.filter(pk__among=order_keys)
    changes = StatusChange.objects.filter(order__pk__among=order_keys)
    waiting = list(changes.filter(delivery=Delivery.WAITING).order_by().values_list("pk", flat=True))
    held = delivery.hold(change_ids=waiting, reason=HoldReason.NO_IDENTIFIERS)
    files = changes.filter(upload_id__isnull=False).order_by().values("upload_id").distinct().count()
    agency_id = Counter.objects.values_list("agency_id", flat=True).get(pk=client.counter_id)
    erasure = _what_it_was_known_by(client, orders, changes)
    searches = erasing.forget_searches(agency_id=agency_id, marks=Marks.of(erasure.marks))
    changes.exclude(attributes={}).update(attributes={})
    changes.exclude(reject_message="").update(reject_message="")
    # The same row once more changes nothing; one that names the client anew brings a new client.
    orders.update(identifiers={}, client_revision=0, resend_due=False, forgotten_at=timezone.now())
    lines = contacts.forget(client=client, order_keys=order_keys)
    Client.objects.filter(merged_into=client).delete()
    _empty(client, uniq_id=f"{ERASED}{client.pk}", erased_at=timezone.now())
    erased = Erased(orders=len(order_keys), contacts=lines, held=held, files=files)
    details = {"orders": erased.orders, "held": held, "files": files, "saved_filters": searches}
    record(action="client.erased", agency=agency_id, obj=client, details=details)
    return erased


def _what_it_was_known_by(client: Client, orders: QuerySet[Order], changes: QuerySet[StatusChange]) -> Erasure:
    """Written down until the files are gone through."""
    duplicates = Client.objects.filter(merged_into=client)
    merged = list(duplicates.values_list("uniq_id", "name", "identifiers"))
    known: dict[str, set[str]] = defaultdict(set)
    ids = []
    for order_id, identifiers in orders.values_list("order_id", "identifiers").iterator():
        ids.append(order_id)
        _unite(known, identifiers)
    for identifiers in (client.identifiers, *(one for _id, _name, one in merged)):
        _unite(known, identifiers)
    return erasing.begin(
        client=client,
        orders=ids,
        clients=[client.uniq_id, *(uniq_id for uniq_id, _name, _known in merged)],
        names=[client.name, *(name for _id, name, _known in merged)],
        known_by=known,
        since=_first_trace(client, duplicates, orders, changes),
    )


def _first_trace(
    client: Client, duplicates: QuerySet[Client], orders: QuerySet[Order], changes: QuerySet[StatusChange]
) -> datetime:
    """An order may well be older than its client, as when it came without one first."""
    told: tuple[tuple[QuerySet[Any], str], ...] = (
        (duplicates, "created_at"),
        (orders, "created_at"),
        (changes, "received_at"),
    )
    found = [rows.order_by().aggregate(first=Min(name))["first"] for rows, name in told]
    return min([client.created_at, *(one for one in found if one is not None)])


def _unite(known: dict[str, set[str]], identifiers: Mapping[str, Sequence[str]]) -> None:
    for kind, values in identifiers.items():
        known[kind].update(values)


def _lock_orders(clients: Collection[Client]) -> list[int]:
    """Keys of their orders, locked before the clients, as intake does."""
    orders = Order.objects.filter(client__in=clients).select_for_update().order_by("pk")
    return list(orders.values_list("pk", flat=True))


def _lock(*clients: Client) -> list[Client]:
    """The same as they are now, in the same order. Raises ValidationError if one of them is nobody any more."""
    keys = [client.pk for client in clients]
    found = {one.pk: one for one in Client.objects.present().select_for_update().filter(pk__in=keys).order_by("pk")}
    if len(found) < len(keys) or any(one.erased_at is not None for one in found.values()):
        raise _refusal("client_gone", _("This client has been merged or erased meanwhile."))
    return [found[key] for key in keys]


def _refuse_if_being_sent(*clients: Client, order_keys: Collection[int]) -> None:
    sending = StatusChange.objects.filter(order__pk__among=order_keys, delivery=Delivery.SENDING)
    if any(client.sending_revision for client in clients) or sending.exists():
        raise _refusal("being_sent", _("Something of it is being sent to Metrica right now. Try again in a minute."))


def _empty(client: Client, **fields: object) -> None:
    """Take from the row all that says who it is, and let nothing of it be due."""
    given = {"name": "", "identifiers": {}, "attributes": {}, "reject_code": "", "reject_message": "", **fields}
    # No revision at all: nothing that makes clients due again finds it.
    given |= {"revision": 0, "settled_revision": 0, "crowded_at": None, "updated_at": timezone.now()}
    for name, value in given.items():
        setattr(client, name, value)
    client.save(update_fields=list(given))


def _refusal(code: str, message: object) -> ValidationError:
    return ValidationError(message, code=code)  # type: ignore[arg-type]
