"""Filters of the order list. Each one can be answered by an index, and none counts rows."""

from collections.abc import Mapping

from django.db.models import QuerySet

from apps.agencies.actor import Actor
from apps.api.base import choice, moment
from apps.api.paging import NEWEST_FIRST, Sorting
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.goals.models import Goal, StatusMapping
from apps.goals.resolve import Resolver
from apps.metrica.vocabulary import DEFAULT_STATUSES, OrderType
from apps.orders import search
from apps.orders.models import Delivery, HoldReason, Order, StatusChange
from apps.uploads.models import Upload

FILTERS = (
    "status",
    "type",
    "delivery",
    "hold",
    "created_after",
    "created_before",
    "updated_after",
    "client",
    "search",
)


class Statuses:
    """The statuses of a counter and their types: one reading for the filter and for all rows. Two queries."""

    def __init__(self, counter: Counter) -> None:
        mappings = list(StatusMapping.objects.filter(counter=counter))
        goals = frozenset(Goal.objects.filter(counter=counter).values_list("identifier", flat=True))
        self.resolver = Resolver(mode=counter.mode, mappings=mappings, goal_ids=goals)
        self._known = dict.fromkeys([*(mapping.crm_status for mapping in mappings), *DEFAULT_STATUSES, *goals])

    def type_of(self, status: str) -> str | None:
        meaning = self.resolver.meaning(status)
        return None if meaning is None else meaning.type.value

    def of_type(self, order_type: str) -> list[str]:
        return [status for status in self._known if self.type_of(status) == order_type]


def filtered(
    rows: QuerySet[Order], *, counter: Counter, parameters: Mapping[str, str], statuses: Statuses, actor: Actor
) -> QuerySet[Order]:
    """Orders of the counter that the parameters leave. Raises a Problem (400) for a value that does not fit."""
    if status := parameters.get("status"):
        rows = rows.filter(order_status=status)
    if wanted := parameters.get("type"):
        order_type = choice(wanted, field="type", choices=[each.value for each in OrderType])
        rows = rows.filter(order_status__in=statuses.of_type(order_type))
    rows = _by_changes(rows, counter=counter, parameters=parameters)
    for name, lookup in (
        ("created_after", "create_date_time__gte"),
        ("created_before", "create_date_time__lt"),
        ("updated_after", "updated_at__gte"),
    ):
        if text := parameters.get(name):
            rows = rows.filter(**{lookup: moment(text, field=name, zone=counter.zone)})
    if uniq_id := parameters.get("client"):
        client = Client.objects.filter(counter=counter, uniq_id=uniq_id).values_list("pk", flat=True).first()
        rows = rows.filter(client=client) if client is not None else rows.none()
    if text := parameters.get("search"):
        rows = rows.filter(pk__in=search.find(rows, text, actor=actor).keys)
    return rows


def sorting_for(parameters: Mapping[str, str]) -> Sorting:
    """Along the index that answers the filter: whoever follows updates reads them in the order in which they came."""
    if "updated_after" in parameters:
        return Sorting("updated_at", ascending=True)
    if "created_after" in parameters or "created_before" in parameters:
        return Sorting("create_date_time")
    return NEWEST_FIRST


def _by_changes(rows: QuerySet[Order], *, counter: Counter, parameters: Mapping[str, str]) -> QuerySet[Order]:
    """Orders with at least one change in this delivery state, or held for this reason."""
    changes = StatusChange.objects.filter(counter=counter)
    if delivery := parameters.get("delivery"):
        changes = changes.filter(delivery=choice(delivery, field="delivery", choices=Delivery.values))
        if delivery == Delivery.SENDING:  # they are where the files are whose end is not known yet
            unsettled = Upload.objects.unsettled().filter(job__counter=counter).values_list("pk", flat=True)
            changes = changes.filter(upload_id__in=list(unsettled))
    if hold := parameters.get("hold"):
        reason = choice(hold, field="hold", choices=HoldReason.values)
        changes = changes.filter(delivery=Delivery.HELD, hold_reason=reason)
    return rows.filter(pk__in=changes.values("order_id")) if delivery or hold else rows
