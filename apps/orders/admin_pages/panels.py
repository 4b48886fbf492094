"""What orders add to the pages of counters and clients."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import ngettext

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.clients import contacts
from apps.clients.admin import identifier_rows
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.counters.panels import COUNTED_AT_MOST, Mark
from apps.counters.templatetags.goalpost import counted, number
from apps.goals.board import resolvers
from apps.orders import numbers
from apps.orders.models import Delivery, Erasure, Order, StatusChange

ORDERS_OF_CLIENT = 50


def work_tiles(request: HttpRequest, counter: Counter) -> str:
    """Waiting, held and rejected, each with the list behind it."""
    work = numbers.work_of([counter.pk]).get(counter.pk, numbers.Work())
    context = {"counter": counter, "work": work, "limit": numbers.LIMIT}
    return render_to_string("admin/orders/tiles.html", context, request=request)


def waiting_of(counter: Counter) -> int:
    """How many changes would leave, of so many at most."""
    waiting = StatusChange.objects.filter(counter=counter, delivery=Delivery.WAITING).order_by()
    return waiting[:COUNTED_AT_MOST].count()


def work_marks(works: Mapping[int, Any], *, exact: bool) -> dict[int, list[Mark]]:
    """For the list of counters: what each (primary key) has to do, as numbers.Work or whatever keeps the same. `exact`:
    it was counted to the end."""

    def shown(count: int) -> str:
        return number(count) if exact else counted(count, numbers.LIMIT)

    found: dict[int, list[Mark]] = {}
    changes, holds = reverse("admin:orders_statuschange_changelist"), reverse("admin:orders_heldchange_changelist")
    rejected = reverse("admin:orders_rejectedchange_changelist")
    for pk, work in works.items():
        marks = []
        if work.waiting:
            text = ngettext("%(count)s waiting", "%(count)s waiting", work.waiting) % {"count": shown(work.waiting)}
            marks.append(Mark(text, "info", "schedule", f"{changes}?counter__id__exact={pk}&delivery=waiting"))
        if work.held:
            text = ngettext("%(count)s held", "%(count)s held", work.held) % {"count": shown(work.held)}
            marks.append(Mark(text, "warn", "pan_tool", f"{holds}?counter__id__exact={pk}"))
        if work.rejected:
            text = ngettext("%(count)s rejected", "%(count)s rejected", work.rejected) % {"count": shown(work.rejected)}
            marks.append(Mark(text, "bad", "block", f"{rejected}?counter__id__exact={pk}"))
        found[pk] = marks
    return found


def orders_of_client(request: HttpRequest, client: Client) -> str:
    """The client's newest orders."""
    rows: list[Any] = list(
        Order.objects.filter(client=client)
        .select_related("counter", "current_change")
        .order_by("-id")[: ORDERS_OF_CLIENT + 1]
    )
    known = resolvers([client.counter])[client.counter_id]
    for row in rows:
        meaning = known.meaning(row.order_status)
        row.type = meaning.type if meaning else ""
    sums = numbers.money_of_client(client, known)
    context = {
        "orders": rows[:ORDERS_OF_CLIENT],
        "more": len(rows) > ORDERS_OF_CLIENT,
        "client": client,
        "sums": sums,
        # All currencies together: the newest orders are taken whatever they are paid in.
        "money_cut": sum(one.orders for one in sums) >= numbers.MONEY_LIMIT,
        "money_limit": numbers.MONEY_LIMIT,
    }
    return render_to_string("admin/orders/of_client.html", context, request=request)


def identifiers_of_client(request: HttpRequest, client: Client) -> str:
    """What Metrica can find the client by: how good each is, and which order told it first. Two queries."""
    origins = contacts.origins(client)
    orders = Order.objects.in_bulk({order for order, _at in origins.values()})
    rows = [
        {"row": row, "order": orders.get(order), "at": at}
        for row in identifier_rows(client.identifiers)
        for order, at in [origins.get((row.kind, row.known), (0, None))]
    ]
    return render_to_string("admin/orders/client_identifiers.html", {"rows": rows, "client": client}, request=request)


def data_of_client(request: HttpRequest, client: Client) -> str:
    """What is known, as a file; of one that was erased, how far that is. One query."""
    erasure = Erasure.objects.filter(client=client).order_by("-pk").first() if client.erased_at else None
    may_take = client.erased_at is None and actor_of(request).can(Right.OPERATE)
    context = {"client": client, "erasure": erasure, "may_take": may_take}
    return render_to_string("admin/orders/client_data.html", context, request=request)
