"""What orders came to at Metrica, told from their delivered statuses by the mapping of today: type and goals.

Exact as long as the mapping is what it was when the statuses went; a file keeps what they meant then.
"""

import json
from collections.abc import Collection
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast

from apps.goals.models import Goal, StatusMapping
from apps.metrica.rules import system_goals
from apps.metrica.vocabulary import DEFAULT_STATUSES, OrderType, SystemGoal
from apps.orders.models import Delivery, Order, StatusChange

SYSTEM_GOALS: Final = frozenset(goal.value for goal in SystemGoal)
OWN: Final = "=own"
"""Any JavaScript goal: no identifier has that sign."""


def delivered_as(orders: QuerySet[Order], kind: OrderType) -> QuerySet[Order]:
    """Those whose newest delivered status is of that type. Give it some orders, not all there are."""
    delivered = StatusChange.objects.filter(order=OuterRef("pk"), delivery=Delivery.DELIVERED)
    newest = delivered.order_by("-status_date_time", "-seq").values("order_status")[:1]
    return orders.alias(sent_status=Subquery(newest)).filter(_of_types([kind], status="sent_status"))


def that_reached(orders: QuerySet[Order], goal: str, *, counters: Collection[int]) -> QuerySet[Order]:
    """Those of which something delivered reaches the goal: one of Metrica's own, a JavaScript goal's identifier, or any
    of these (OWN). `counters`: primary keys of theirs. Give it some orders, not all there are."""
    changes = StatusChange.objects.filter(order=OuterRef("pk"), delivery=Delivery.DELIVERED)
    reaching = changes.alias(extra=Cast("goals", TextField())).filter(_reaching(goal, counters))
    return orders.filter(Exists(reaching))


def _reaching(goal: str, counters: Collection[int]) -> Q:
    """Of delivered changes; `extra`: the goals that the order itself names, as text."""
    if goal in SYSTEM_GOALS:
        return _of_types([kind for kind in OrderType if goal in system_goals(kind)], status="order_status")
    unmapped = ~Exists(_mapped("order_status"))
    if goal == OWN:
        return (
            Q(Exists(_mapped("order_status").exclude(goal_action_ids=[])))
            | Q(unmapped, Exists(_goals("order_status")))
            | ~Q(goals=[])
        )
    rows = StatusMapping.objects.filter(counter__in=counters).values_list("pk", "goal_action_ids")
    keys = [pk for pk, goals in rows if goal in goals]
    condition = Q(Exists(_mapped("order_status").filter(pk__in=keys))) | Q(unmapped, order_status=goal)
    for only_ascii in (True, False):  # SQLite keeps the text as it was written, PostgreSQL writes its own
        condition |= Q(extra__contains=f'"goal_action_id": {json.dumps(goal, ensure_ascii=only_ascii)}')
    return condition


def _of_types(kinds: Collection[OrderType], *, status: str) -> Q:
    """Where what the row calls `status` means one of these: by the mapping of its counter, else by Metrica's words."""
    known = [word for word, kind in DEFAULT_STATUSES.items() if kind in kinds]
    condition = Q(Exists(_mapped(status).filter(type__in=kinds)))
    if known:
        condition |= Q(~Exists(_mapped(status)), **{f"{status}__in": known})
    if OrderType.OTHER in kinds:
        condition |= Q(~Exists(_mapped(status)), Exists(_goals(status)))
    return condition


def _mapped(status: str) -> QuerySet[StatusMapping]:
    return StatusMapping.objects.filter(counter=OuterRef("counter"), crm_status=OuterRef(status))


def _goals(status: str) -> QuerySet[Goal]:
    return Goal.objects.filter(counter=OuterRef("counter"), identifier=OuterRef(status))
