"""What a person can do about a change that did not go: a sentence, and the button that does it (R8)."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.links import ask_owner, page_of, sees_accounts
from apps.counters.models import Counter
from apps.metrica.text import Text
from apps.orders.hold_advice import sentence
from apps.orders.holds import COUNTER_REASONS
from apps.orders.models import GIVEN_UP, Delivery, HoldReason, StatusChange
from apps.orders.reject_advice import OVERTAKEN, advice_for


@dataclass(frozen=True, slots=True)
class Fix:
    """`button` and `url` are empty where nothing needs to be done. `asks`: the address opens as a dialog."""

    text: Text
    button: Text = ""
    url: str = ""
    icon: str = ""
    asks: bool = True


def _act(name: str, change: StatusChange) -> str:
    return reverse(f"admin:orders_heldchange_{name}", args=[change.pk])


def fix_for_counter(counter: Counter, reason: str, request: HttpRequest) -> Fix:
    """The next step for all that a counter holds because nothing of it can go (see COUNTER_REASONS). Needs
    `counter.account`. What only an owner can do the others read whom to ask for."""
    text = sentence(reason)
    if reason == HoldReason.COUNTER_PAUSED:
        return Fix(text, _("Resume the counter"), _counter_act("resume", counter), "play_arrow")
    if reason == HoldReason.UNKNOWN_TIME_ZONE:
        return Fix(text, _("Set the time zone"), _counter_act("set_zone", counter), "schedule")
    if counter.account_id is None and sees_accounts(request):
        return Fix(text, _("Choose an account"), _counter_act("choose_account", counter), "link")
    if actor_of(request).can(Right.ADMINISTER):
        return Fix(text, _("Connect the account"), page_of(request, counter.account), "link", asks=False)
    text = f"{text} {ask_owner(request, counter.agency_id)}".strip()
    return Fix(text, _("Open the account"), page_of(request, counter.account), "link", asks=False)


def _counter_act(name: str, counter: Counter) -> str:
    return reverse(f"admin:counters_counter_{name}", args=[counter.pk])


def fix_for(change: StatusChange, request: HttpRequest) -> Fix | None:
    """The next step for a held or rejected change; None where the change needs nobody. Needs `change.counter`
    and `change.order`."""
    if change.delivery == Delivery.REJECTED:
        if getattr(change, "overtaken", False):
            return Fix(OVERTAKEN)
        # What Metrica refused can be corrected; what a person gave up can at most be sent after all.
        button, act, icon = _("Correct"), "correct", "edit"
        if change.reject_code == GIVEN_UP:
            button, act, icon = _("Send again"), "retry", "replay"
        elif change.reject_field == "order_status":
            button, act, icon = _("Map anew"), "map", "account_tree"
        page = reverse(f"admin:orders_rejectedchange_{act}", args=[change.pk])
        return Fix(advice_for(change).next_step, button, page, icon)
    if change.delivery != Delivery.HELD:
        return None
    reason = change.hold_reason
    text = sentence(reason)
    if reason in COUNTER_REASONS:
        return fix_for_counter(change.counter, reason, request)
    if reason in (HoldReason.UNMAPPED_STATUS, HoldReason.STATUS_WITHOUT_GOAL):
        return Fix(text, _("Map the status"), _act("map", change), "account_tree")
    if reason == HoldReason.NO_IDENTIFIERS:
        return Fix(text, _("Add an identifier"), _act("identify", change), "person_add")
    if reason in (HoldReason.CLIENT_REFUSED, HoldReason.CLIENT_FULL) and change.order.client_id is not None:
        page = reverse("admin:clients_client_change", args=[change.order.client_id])
        return Fix(text, _("Open the client"), page, "person", asks=False)
    if reason == HoldReason.BY_HAND:
        return Fix(text, _("Release"), _act("release", change), "lock_open")
    if reason == HoldReason.UPDATE_WINDOW_CLOSED:
        return Fix(text, _("Send anyway"), _act("release", change), "send")
    return Fix(text)
