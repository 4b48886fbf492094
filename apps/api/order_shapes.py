"""An order and its timeline, as answers show them."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

from django.utils import timezone

from apps.api.formats import clock, clock_or_none, money
from apps.api.order_filters import Statuses
from apps.clients.masking import shown_identifiers
from apps.goals.resolve import Meaning, forecast
from apps.metrica import rules
from apps.metrica.rules import GoalPrice
from apps.orders.models import Delivery, Order, StatusChange
from apps.orders.reject_advice import OVERTAKEN, advice_for


class ExtraGoalShape(TypedDict):
    goal_action_id: str
    price: str | None


class OrderShape(TypedDict):
    """An order as it stands now. `delivery` and `hold` are those of its present state."""

    id: str
    create_date_time: str
    order_status: str
    type: str | None
    status_date_time: str
    client_uniq_id: str | None
    client_name: str | None
    client_ids: list[str]
    emails: list[str]
    phones: list[str]
    emails_md5: list[str]
    phones_md5: list[str]
    revenue: str | None
    cost: str | None
    currency: str | None
    goals: list[ExtraGoalShape]
    products: dict[str, Any]
    attributes: dict[str, Any]
    delivery: str | None
    hold: str | None
    changes: int
    received_at: str
    updated_at: str


class GoalReachShape(TypedDict):
    """`goal`: one of Metrica's four CRM goals (cdp_order_…) or a JavaScript goal's identifier."""

    goal: str
    income: str | None


class GoalsShape(TypedDict):
    """`reached`: by a change that Metrica has; `forecast`: what one that is still to go will reach."""

    reached: list[GoalReachShape]
    forecast: list[GoalReachShape]


class RejectionShape(TypedDict):
    """`message`: what the refusal means; `said`: in the words of whoever refused it, Metrica most often; `field`: the
    one that they named; `overtaken`: a newer status of the order has taken its place, so nobody needs to do
    anything."""

    code: str
    message: str
    said: str | None
    field: str | None
    next_step: str
    overtaken: bool


class ChangeShape(TypedDict):
    """One change of the timeline. `changed`: the fields in which it differs from the one received before it."""

    id: str
    order_status: str
    type: str | None
    status_date_time: str
    received_at: str
    source: str
    received_by: str
    request_id: str
    revenue: str | None
    cost: str | None
    currency: str | None
    extra_goals: list[ExtraGoalShape]
    products: dict[str, Any]
    attributes: dict[str, Any]
    changed: list[str]
    goals: GoalsShape
    delivery: str
    hold: str | None
    forced: bool
    rejection: RejectionShape | None
    upload: str | None
    delivered_at: str | None


class WindowShape(TypedDict):
    """Metrica binds an order to a visit within 21 days of its creation, and takes updates for 111 days of the visit;
    the visit came before the order, so `update_until` is the latest that is possible."""

    bind_until: str
    bind_open: bool
    update_until: str
    update_open: bool


class OrderWithTimelineShape(OrderShape):
    window: WindowShape
    timeline: list[ChangeShape]


def order_shape(order: Order, *, zone: ZoneInfo | None, statuses: Statuses) -> OrderShape:
    """No query where `client` and `current_change` came with the order."""
    client, change = order.client, order.current_change
    own = shown_identifiers(order.identifiers)
    return {
        "id": order.order_id,
        "create_date_time": clock(order.create_date_time, zone),
        "order_status": order.order_status,
        "type": statuses.type_of(order.order_status),
        "status_date_time": clock(order.status_date_time, zone),
        "client_uniq_id": client.uniq_id if client else None,
        "client_name": client.name if client else None,
        "client_ids": own.get("client_ids", []),
        "emails": own.get("emails", []),
        "phones": own.get("phones", []),
        "emails_md5": own.get("emails_md5", []),
        "phones_md5": own.get("phones_md5", []),
        "revenue": money(change.revenue) if change else None,
        "cost": money(change.cost) if change else None,
        "currency": (change.currency or None) if change else None,
        "goals": change.goals if change else [],
        "products": change.products if change else {},
        "attributes": change.attributes if change else {},
        "delivery": change.delivery if change else None,
        "hold": (change.hold_reason or None) if change else None,
        "changes": order.changes_count,
        "received_at": clock(order.created_at, zone),
        "updated_at": clock(order.updated_at, zone),
    }


def window_shape(order: Order, *, zone: ZoneInfo | None) -> WindowShape:
    now = timezone.now()
    bind_until = rules.bind_until(order.create_date_time)
    update_until = rules.update_until(order.create_date_time)
    return {
        "bind_until": clock(bind_until, zone),
        "bind_open": now <= bind_until,
        "update_until": clock(update_until, zone),
        "update_open": now <= update_until,
    }


def timeline_shape(
    changes: Iterable[StatusChange],
    *,
    zone: ZoneInfo | None,
    statuses: Statuses,
    sent_as: Mapping[Any, Mapping[str, Any]],
) -> list[ChangeShape]:
    """`sent_as`: by upload, what each status meant when its file was written."""
    return [_change_shape(change, zone=zone, statuses=statuses, sent_as=sent_as) for change in changes]


def _change_shape(
    change: StatusChange, *, zone: ZoneInfo | None, statuses: Statuses, sent_as: Mapping[Any, Mapping[str, Any]]
) -> ChangeShape:
    meaning = statuses.resolver.meaning(change.order_status)
    delivered = change.delivery == Delivery.DELIVERED
    if change.upload_id and (kept := sent_as.get(change.upload_id, {}).get(change.order_status)):
        meaning = Meaning.from_json(change.order_status, kept)
    reaches = _reaches(change, meaning)
    to_go = change.delivery in (Delivery.WAITING, Delivery.SENDING, Delivery.HELD)
    rejected = change.delivery == Delivery.REJECTED
    return {
        "id": str(change.pk),
        "order_status": change.order_status,
        "type": None if meaning is None else meaning.type.value,
        "status_date_time": clock(change.status_date_time, zone),
        "received_at": clock(change.received_at, zone),
        "source": change.source,
        "received_by": change.received_by,
        "request_id": change.request_id,
        "revenue": money(change.revenue),
        "cost": money(change.cost),
        "currency": change.currency or None,
        "extra_goals": change.goals,
        "products": change.products,
        "attributes": change.attributes,
        "changed": change.changed,
        "goals": {"reached": reaches if delivered else [], "forecast": reaches if to_go else []},
        "delivery": change.delivery,
        "hold": change.hold_reason or None,
        "forced": change.forced,
        "rejection": _rejection(change) if rejected else None,
        "upload": None if change.upload_id is None else str(change.upload_id),
        "delivered_at": clock_or_none(change.delivered_at, zone),
    }


def _rejection(change: Any) -> RejectionShape:
    told = advice_for(change)
    return {
        "code": change.reject_code,
        "message": str(told.means),
        "said": change.reject_message or None,
        "field": change.reject_field or None,
        "next_step": str(OVERTAKEN if change.overtaken else told.next_step),
        "overtaken": change.overtaken,
    }


def _reaches(change: StatusChange, meaning: Meaning | None) -> list[GoalReachShape]:
    if meaning is None:
        return []
    extras = [
        GoalPrice(goal["goal_action_id"], None if goal.get("price") is None else Decimal(goal["price"]))
        for goal in change.goals
    ]
    reached = forecast(meaning, extra_goals=extras, revenue=change.revenue, cost=change.cost)
    return [{"goal": reach.goal, "income": money(reach.income)} for reach in reached]
