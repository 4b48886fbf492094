"""Switching a counter between simple and detailed mode: what will happen, told from the counter's own data, and the
deed.

A file keeps the kind in which it was begun, and no new one is begun before it has ended; so what is under way when a
counter is switched is finished as it was, and everything after it goes in the new mode.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.audit.services import record
from apps.clients.models import Client
from apps.counters.models import Counter, Mode
from apps.counters.services import update_counter
from apps.counters.templatetags.goalpost import counted, moment
from apps.goals.models import StatusMapping
from apps.metrica.text import Text
from apps.metrica.vocabulary import OrderType
from apps.orders.models import Delivery, HoldReason, Order, StatusChange
from apps.orders.numbers import LIMIT
from apps.uploads.models import Upload, UploadKind

SHOWN_STATUSES = 50
Tone = Literal["info", "good", "warn"]


@dataclass(frozen=True, slots=True)
class Consequence:
    """One thing that the switch brings with it. `code` is stable; `items`: what it is about, line by line."""

    code: str
    text: Text
    tone: Tone = "info"
    items: list[Text] = field(default_factory=list)


def consequences(*, counter: Counter, mode: str) -> list[Consequence]:
    """What will happen if the counter is switched to `mode`, from what it has now. A fixed number of cheap queries."""
    told = _to_detailed(counter) if mode == Mode.DETAILED else _to_simple(counter)
    under_way = Upload.objects.unsettled().filter(job__counter=counter).exists()
    if under_way:
        text = _("A file is under way. It is finished as it is; what comes after it goes in the new mode.")
        told.append(Consequence("file_under_way", text))
    return told


@transaction.atomic
def switch_mode(*, counter: Counter, mode: str) -> Counter:
    """Deliver the counter's orders in the other mode from now on. The same mode again changes nothing.

    Raises ValidationError by field. The audit log keeps what was said to the person.
    """
    if mode not in Mode.values:
        offered = {"choices": ", ".join(Mode.values)}
        wrong = ValidationError(gettext_lazy("Choose one of: %(choices)s."), code="invalid_choice", params=offered)
        raise ValidationError({"mode": wrong})
    if mode == Mode.DETAILED and Counter.objects.filter(pk=counter.pk).exclude(mode=mode).exists():
        _look_again(counter)
    counter = Counter.objects.select_for_update().get(pk=counter.pk)
    if counter.mode == mode:
        return counter
    told = [one.code for one in consequences(counter=counter, mode=mode)]
    before = counter.mode
    counter = update_counter(counter=counter, mode=mode)
    record(
        action="counter.mode_switched",
        agency=counter.agency_id,
        obj=counter,
        before={"mode": before},
        after={"mode": counter.mode},
        details={"told": told},
    )
    return counter


def _look_again(counter: Counter) -> None:
    """Orders of an earlier detailed mode whose payment simple mode may have carried are made ready anew: the payment is
    their end. One statement. Intake locks orders before the counter, and in their order, and so does this."""
    in_simple_mode = Upload.objects.filter(job__counter=counter, kind=UploadKind.SIMPLE_ORDERS)
    gone = StatusChange.objects.filter(order=OuterRef("pk")).filter(
        Q(upload_id__in=in_simple_mode.values("pk")) | Q(delivery=Delivery.WAITING)
    )
    ready = Order.objects.filter(counter=counter, client_revision__gt=0, finish_date_time=None).filter(Exists(gone))
    locked = ready.select_for_update().order_by("pk").values("pk")
    Order.objects.filter(pk__in=locked).update(client_revision=0)


def _to_detailed(counter: Counter) -> list[Consequence]:
    told = [_statuses_by_id(counter)]
    if mute := _without_goal(counter):
        text = _(
            "These statuses of type “Other” have no goal. Simple mode could not say them; now they go, and reach none."
        )
        told.append(Consequence("statuses_without_goal_go", text, "good", mute))
    clients = _at_most(Client.objects.filter(counter=counter))
    if clients:
        text = ngettext(
            "%(number)s client goes to Metrica before any order, and again whenever it changes.",
            "%(number)s clients go to Metrica before any order, and again whenever they change.",
            clients,
        )
        told.append(Consequence("clients_first", text % {"number": _number(clients)}))
    if alone := _without_client(counter):
        text = ngettext(
            "%(number)s waiting order names no client. It gets one of its own, made from the order's id.",
            "%(number)s waiting orders name no client. Each gets one of its own, made from the order's id.",
            alone,
        )
        told.append(Consequence("orders_without_client", text % {"number": _number(alone)}))
    if counter.first_clients_at is None:
        text = _(
            "Metrica binds orders only to visits after the first upload of clients. There was none yet, so orders of "
            "earlier visits will not be bound."
        )
        told.append(Consequence("binding_begins", text, "warn"))
    else:
        text = _("Clients were uploaded first on %(date)s: orders are bound to visits after that.")
        told.append(Consequence("binding_began", text % {"date": moment(counter.first_clients_at, counter.zone)}))
    text = _("Custom attributes, product quantities and the time of the payment go out too.")
    told.append(Consequence("more_columns", text, "good"))
    return told


def _to_simple(counter: Counter) -> list[Consequence]:
    text = _(
        "Statuses go as their type, or for “Other” as their first goal. Their ids at Metrica are kept for a return."
    )
    told = [Consequence("statuses_by_type", text)]
    if mute := _without_goal(counter):
        text = _(
            "These statuses of type “Other” have no goal, so simple mode cannot say them: their orders will be held."
        )
        told.append(Consequence("statuses_without_goal_held", text, "warn", mute))
    text = _("Clients are no longer uploaded by themselves: each order carries the identifiers of its client.")
    told.append(Consequence("clients_with_orders", text))
    text = _("Custom attributes and products are kept here, but no longer sent.")
    told.append(Consequence("fewer_columns", text, "warn"))
    held = StatusChange.objects.filter(counter=counter, delivery=Delivery.HELD)
    freed = _at_most(held.filter(hold_reason__in=[HoldReason.CLIENT_REFUSED, HoldReason.CLIENT_FULL]))
    if freed:
        text = ngettext(
            "%(number)s status change that is held because of its client is released.",
            "%(number)s status changes that are held because of their clients are released.",
            freed,
        )
        told.append(Consequence("holds_released", text % {"number": _number(freed)}, "good"))
    return told


def _statuses_by_id(counter: Counter) -> Consequence:
    rows = StatusMapping.objects.filter(counter=counter).order_by("position", "pk")
    named = [f"{row.crm_status} → {row.metrica_id or row.crm_status} ({row.get_type_display()})" for row in rows]
    lines: list[Text] = [*named[:SHOWN_STATUSES]]
    if len(named) > SHOWN_STATUSES:
        lines.append(_("and %(number)s more") % {"number": len(named) - SHOWN_STATUSES})
    if not lines:
        text = _("No status is mapped yet. Map them: in detailed mode each goes under an id of its own.")
        return Consequence("nothing_mapped", text, "warn")
    text = _("The mapping is sent to Metrica first, then each status goes under its own id:")
    return Consequence("statuses_by_id", text, "info", lines)


def _without_goal(counter: Counter) -> list[Text]:
    rows = StatusMapping.objects.filter(counter=counter, type=OrderType.OTHER.value, goal_action_ids=[])
    return list(rows.order_by("position", "pk").values_list("crm_status", flat=True)[:SHOWN_STATUSES])


def _without_client(counter: Counter) -> int:
    """Of the next waiting changes, so many as are looked at, how many belong to orders without a client."""
    waiting = StatusChange.objects.filter(counter=counter, delivery=Delivery.WAITING).order_by()
    clients = waiting.values_list("order__client_id", flat=True)[:LIMIT]
    return sum(client is None for client in clients)


def _at_most(rows: QuerySet[Any]) -> int:
    return len(rows.order_by().values_list("pk")[:LIMIT])


def _number(number: int) -> str:
    return counted(number, LIMIT)
