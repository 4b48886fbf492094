"""What a person does to an order and to a held change."""

from collections import Counter as Tally
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.clients.models import Client
from apps.counters.leaving import leave_together, leaves
from apps.counters.models import Counter
from apps.counters.panels import COUNTED_AT_MOST
from apps.counters.ui.acts import Act
from apps.counters.ui.bulk import BulkAct
from apps.goals import services as goal_services
from apps.goals.board import known_goals
from apps.goals.forms import MapStatusForm
from apps.goals.models import StatusMapping
from apps.metrica.vocabulary import OrderType
from apps.orders import services
from apps.orders.admin_pages.asking import WhyForm, how_many_again, how_many_chosen
from apps.orders.admin_pages.intake import IdentifyForm, NewStatusForm, take_in
from apps.orders.hold_advice import sentence
from apps.orders.holds import BY_STATUS
from apps.orders.models import Delivery, HoldReason, Order, StatusChange

RELEASABLE = frozenset({HoldReason.BY_HAND.value, HoldReason.UPDATE_WINDOW_CLOSED.value})


class HeldStatusForm(MapStatusForm):
    """Maps the status of the held change `obj`; the status itself is given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["crm_status"].disabled = True
        self.fields["crm_status"].initial = self.obj.order_status
        self.offer_goals(known_goals(self.obj.counter))


def _map_initial(request: HttpRequest, change: StatusChange) -> dict[str, Any]:
    mapping = StatusMapping.objects.filter(counter=change.counter_id, crm_status=change.order_status).first()
    if mapping is None:
        return {"crm_status": change.order_status, "type": OrderType.IN_PROGRESS.value}
    return {
        "crm_status": mapping.crm_status,
        "name": mapping.name,
        "type": mapping.type,
        "goal_action_ids": mapping.goal_action_ids,
    }


def _map(request: HttpRequest, change: StatusChange, values: Mapping[str, Any]) -> str:
    kept = StatusMapping.objects.filter(counter=change.counter_id, crm_status=change.order_status).first()
    goal_services.set_status(
        counter=change.counter,
        crm_status=change.order_status,
        type=values["type"],
        goal_action_ids=values["goal_action_ids"],
        name=values["name"],
        metrica_id=kept.metrica_id if kept else "",
    )
    return _now("The status “%(status)s” is mapped. The orders that it held are being released.") % {
        "status": change.order_status
    }


def _map_and_retry(request: HttpRequest, change: StatusChange, values: Mapping[str, Any]) -> str:
    _map(request, change, values)
    services.retry_rejected(changes=[change])
    return _now("The status “%(status)s” is mapped, and goes once more with the next upload.") % {
        "status": change.order_status
    }


def _identify(request: HttpRequest, change: StatusChange, values: Mapping[str, Any]) -> str:
    order = change.order
    form = IdentifyForm(request.POST, request=request, obj=change)
    form.full_clean()
    # The order's present status, so that nothing but the identifiers is new.
    if take_in(form, counter=change.counter, order=order, extra={"order_status": order.order_status}) is None:
        raise ValidationError({name: list(errors) for name, errors in form.errors.items()})
    return _now("The identifiers are kept, and what waited for them is released.")


def _release(request: HttpRequest, change: StatusChange, values: Mapping[str, Any]) -> str:
    reason = services.release_by_hand(change=change)
    if reason:
        text = _now("It is still held: %(why)s. %(step)s")
        raise ValidationError(text % {"why": HoldReason(reason).label, "step": sentence(reason)}, code="still_held")
    return _now("Released: it goes with the next upload.")


def _reject(request: HttpRequest, change: StatusChange, values: Mapping[str, Any]) -> str:
    services.reject_by_hand(changes=[change], why=values["why"])
    return _now("Rejected: this status will not be sent.")


def _released(change: StatusChange) -> str:
    """When what waits for the meaning of this change's status would leave."""
    waiting = StatusChange.objects.filter(
        counter=change.counter_id,
        delivery=Delivery.HELD,
        hold_reason__in=BY_STATUS,
        order_status=change.order_status,
    )
    return _leave(change.counter, waiting)


def _leave(counter: Counter, changes: QuerySet[StatusChange]) -> str:
    """When these leave, and how many they are."""
    number = changes.order_by()[:COUNTED_AT_MOST].count()
    return leaves(counter, changes=number, or_more=number >= COUNTED_AT_MOST)


def _is_held(request: HttpRequest, change: StatusChange) -> bool:
    return change.delivery == Delivery.HELD


def _held_for(*reasons: str) -> Any:
    return lambda request, change: change.delivery == Delivery.HELD and change.hold_reason in reasons


MAP = Act(
    name="map",
    title=_("Map the status"),
    icon="account_tree",
    question=lambda request, change: (
        _now("What does “%(status)s” mean for %(counter)s? All orders with it are released.")
        % {"status": change.order_status, "counter": change.counter}
        + f" {_released(change)}"
    ),
    form=HeldStatusForm,
    initial=_map_initial,
    do=_map,
    button=_("Save and release"),
    shown=_held_for(*BY_STATUS),
    main=True,
)
MAP_REJECTED = Act(
    name="map",
    title=_("Map anew and send again"),
    icon="account_tree",
    question=lambda request, change: (
        _now("What does “%(status)s” mean for %(counter)s? It goes so from now on, this one first.")
        % {"status": change.order_status, "counter": change.counter}
        + f" {leaves(change.counter, changes=1)}"
    ),
    form=HeldStatusForm,
    initial=_map_initial,
    do=_map_and_retry,
    shown=lambda request, change: change.delivery == Delivery.REJECTED,
)
IDENTIFY = Act(
    name="identify",
    title=_("Add an identifier"),
    icon="person_add",
    question=lambda request, change: (
        _now("Who is behind the order %(order)s? One of these is enough.") % {"order": change.order.order_id}
        + f" {_leave(change.counter, change.order.changes.filter(hold_reason=HoldReason.NO_IDENTIFIERS))}"
    ),
    form=IdentifyForm,
    do=_identify,
    button=_("Save and release"),
    shown=_held_for(HoldReason.NO_IDENTIFIERS.value),
    main=True,
)
RELEASE = Act(
    name="release",
    title=_("Send anyway"),
    icon="send",
    question=lambda request, change: f"{sentence(change.hold_reason)} {leaves(change.counter, changes=1)}",
    do=_release,
    shown=_held_for(*RELEASABLE),
    main=True,
)
REJECT = Act(
    name="reject",
    title=_("Reject"),
    icon="block",
    question=lambda request, change: (
        _now("The status “%(status)s” of the order %(order)s will not be sent to Metrica.")
        % {"status": change.order_status, "order": change.order.order_id}
    ),
    form=WhyForm,
    do=_reject,
    shown=_is_held,
    danger=True,
)


def _release_many(request: HttpRequest, changes: list[StatusChange], values: Mapping[str, Any]) -> str:
    able = [change for change in changes if change.hold_reason in RELEASABLE]
    done = services.release_many_by_hand(changes=able)
    still = len(changes) - done
    if still:
        text = ngettext(
            "%(count)s is still held: its own cause has to be mended first.",
            "%(count)s are still held: their own causes have to be mended first.",
            still,
        )
        messages.warning(request, text % {"count": still})
    return ngettext("%(count)s released.", "%(count)s released.", done) % {"count": done}


def _reject_many(request: HttpRequest, changes: list[StatusChange], values: Mapping[str, Any]) -> str:
    done = services.reject_by_hand(changes=changes, why=values["why"])
    return ngettext("%(count)s status change rejected.", "%(count)s status changes rejected.", done) % {"count": done}


RELEASE_MANY = BulkAct(
    name="release_changes",
    title=_("Send anyway"),
    icon="send",
    question=lambda request, changes: (
        f"{how_many_chosen(changes)} "
        + _now("Those held by a person, and those whose update window has closed, go with the next upload.")
        + f" {leave_together(Tally(change.counter_id for change in changes if change.hold_reason in RELEASABLE))}"
    ),
    do=_release_many,
)
REJECT_MANY = BulkAct(
    name="reject_changes",
    title=_("Reject"),
    icon="block",
    question=lambda request, changes: f"{how_many_chosen(changes)} " + _now("They will not be sent to Metrica."),
    form=WhyForm,
    do=_reject_many,
    danger=True,
)


def _add_status(request: HttpRequest, order: Order, values: Mapping[str, Any]) -> str:
    form: Any = NewStatusForm(request.POST, request=request, obj=order)
    form.full_clean()
    if take_in(form, counter=order.counter, order=order) is None:
        raise ValidationError({name: list(errors) for name, errors in form.errors.items()})
    for warning in form.warnings:
        messages.warning(request, warning)
    return _now("The status is in the timeline.")


def _resend(request: HttpRequest, order: Order, values: Mapping[str, Any]) -> str:
    services.resend_current(orders=[order])
    return _now("The current state goes once more with the next upload.")


def _retry(request: HttpRequest, order: Order, values: Mapping[str, Any]) -> str:
    rejected = list(order.changes.needing_a_person().select_related("counter", "order"))
    return how_many_again(services.retry_rejected(changes=rejected))


def _has(state: str) -> Any:
    return lambda request, order: order.changes.filter(delivery=state).exists()


ADD_STATUS = Act(
    name="status",
    title=_("Add a status"),
    icon="add_circle",
    question=lambda request, order: (
        _now("It enters the timeline like one from the CRM. What you leave empty keeps its value.")
        + f" {leaves(order.counter, changes=1)}"
    ),
    form=NewStatusForm,
    initial=lambda request, order: {"order_status": ""},
    do=_add_status,
    button=_("Add"),
)
RESEND = Act(
    name="resend",
    title=_("Send the current state again"),
    icon="replay",
    question=lambda request, order: (
        _now("Metrica gets the order's newest delivered state once more. Goals that it has reached stay reached.")
        + f" {leaves(order.counter, changes=1)}"
    ),
    do=_resend,
    button=_("Send again"),
    shown=lambda request, order: not order.resend_due and _has(Delivery.DELIVERED)(request, order),
)
RETRY = Act(
    name="retry",
    title=_("Send rejected again"),
    icon="replay",
    question=lambda request, order: (
        _now("Rejected statuses of this order go once more, with what is known of it by now; then its current state.")
        + f" {_leave(order.counter, order.changes.needing_a_person())}"
    ),
    do=_retry,
    shown=lambda request, order: order.changes.needing_a_person().exists(),
)


def _hold(request: HttpRequest, order: Order, values: Mapping[str, Any]) -> str:
    waiting = list(order.changes.filter(delivery=Delivery.WAITING).select_related("counter", "order"))
    done = services.hold_by_hand(changes=waiting)
    text = ngettext(
        "%(count)s status is held until somebody releases it.",
        "%(count)s statuses are held until somebody releases them.",
        done,
    )
    return text % {"count": done}


def _release_order(request: HttpRequest, order: Order, values: Mapping[str, Any]) -> str:
    return _release_many(request, list(_releasable(order)), values)


def _releasable(order: Order) -> QuerySet[StatusChange]:
    rows: QuerySet[StatusChange] = order.changes.filter(delivery=Delivery.HELD, hold_reason__in=RELEASABLE)
    return rows


HOLD = Act(
    name="hold",
    title=_("Hold"),
    icon="pan_tool",
    question=lambda request, order: _(
        "What waits of this order does not leave for Metrica until somebody releases it. Later statuses are not held."
    ),
    do=_hold,
    shown=_has(Delivery.WAITING),
)
RELEASE_ORDER = Act(
    name="release",
    title=_("Release"),
    icon="lock_open",
    question=lambda request, order: (
        _now(
            "What a person held of this order, and what is held because its update window has closed, goes to Metrica "
            "with the next upload."
        )
        + f" {_leave(order.counter, _releasable(order))}"
    ),
    do=_release_order,
    shown=lambda request, order: _releasable(order).exists(),
)


def _send_client(request: HttpRequest, client: Client, values: Mapping[str, Any]) -> str:
    services.send_client_again(client=client)
    return _now("The client goes to Metrica with the next upload.")


SEND_CLIENT = Act(
    name="send",
    title=_("Send again"),
    icon="replay",
    question=lambda request, client: (
        _now("The client is uploaded once more as it is known here. Orders that were held because of it are released.")
        + f" {leaves(client.counter)}"
    ),
    do=_send_client,
    shown=lambda request, client: (
        client.erased_at is None and client.merged_into_id is None and client.counter.is_detailed and not client.is_due
    ),
)
