"""What holds many changes at once, with the one fix that frees them all: a status that says nothing, a counter that
cannot send (R8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import available_timezones

from django import forms
from django.db.models import Count, Min, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminSelectWidget

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.links import ask_owner, sees_accounts
from apps.counters.leaving import leaves_once
from apps.counters.models import Counter, MetricaAccount
from apps.counters.services import update_counter
from apps.counters.ui.acts import Act, ActForm
from apps.counters.ui.bulk import BULK_LIMIT
from apps.counters.ui.widgets import SuggestInput
from apps.metrica.text import Text
from apps.orders import numbers, services
from apps.orders.admin_pages.asking import WhyForm
from apps.orders.admin_pages.fixes import Fix, fix_for_counter
from apps.orders.holds import BY_STATUS, COUNTER_REASONS
from apps.orders.models import Delivery, HeldChange, HoldReason, StatusChange

STATUS_ROWS: Final = 5000
SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class HeldStatus:
    """A status that holds orders of one counter, with its fix, and the way to give up all that has it. `more`: there
    may be more than `count` of them. `listed`: the address of the list of them. `give_up_url` is empty where fewer are
    counted here than it would take."""

    status: str
    counter: str
    count: int
    more: bool
    listed: str
    url: str
    give_up_url: str


def held_statuses(rows: QuerySet[Any], *, many: bool, of_request: str = "") -> list[HeldStatus]:
    """Statuses that wait for their mapping, those with most changes first: one fix frees all. No more than STATUS_ROWS
    changes are looked at. `of_request`: only those that it brought are counted. Two queries; where there are `many`
    changes, another one asks whether these were all."""
    held = rows.filter(hold_reason__in=BY_STATUS).order_by()
    kept = {}
    if of_request:
        held, kept = held.filter(request_id=of_request), {"request_id": of_request}
    some = held.values("pk")[:STATUS_ROWS]
    more = many and held.values("pk")[STATUS_ROWS : STATUS_ROWS + 1].exists()
    page = reverse("admin:orders_heldchange_changelist")
    groups = list(
        HeldChange.objects.filter(pk__in=some)
        .order_by()
        .values("counter", "order_status")
        .annotate(count=Count("pk"), first=Min(Cast("pk", TextField())))
        .order_by("-count")[:SHOWN]
    )
    counters = Counter.objects.filter(pk__in={group["counter"] for group in groups})
    names = {counter.pk: str(counter) for counter in counters}
    return [
        HeldStatus(
            group["order_status"],
            names[group["counter"]],
            group["count"],
            more,
            f"{page}?{urlencode({'counter__id__exact': group['counter'], 'q': group['order_status'], **kept})}",
            reverse("admin:orders_heldchange_map", args=[UUID(group["first"])]),
            "" if of_request else reverse("admin:orders_heldchange_reject_status", args=[UUID(group["first"])]),
        )
        for group in groups
    ]


@dataclass(frozen=True, slots=True)
class HeldCounter:
    """A counter of which nothing can go, for one reason, with its fix. `more`: the count stopped there."""

    counter: Counter
    reason: Text
    count: int
    more: bool
    fix: Fix


def held_counters(
    by_counter: Mapping[int, Mapping[str, int]], *, reason: str, cut: bool, request: HttpRequest
) -> list[HeldCounter]:
    """Of those that hold something, the ones with most first; `reason`: that one alone; `cut`: any number may be
    higher. One query; none for none."""
    reasons = [one.value for one in COUNTER_REASONS if reason in ("", one.value)]
    found = [
        (counts[one], counter, one) for counter, counts in by_counter.items() for one in reasons if counts.get(one)
    ]
    found = sorted(found, key=lambda one: (-one[0], one[1]))[:SHOWN]
    if not found:
        return []
    counters = Counter.objects.select_related("account").in_bulk([counter for _count, counter, _reason in found])
    return [
        HeldCounter(
            counters[counter],
            HoldReason(why).label,
            count,
            cut or count >= numbers.LIMIT,
            fix_for_counter(counters[counter], why, request),
        )
        for count, counter, why in found
    ]


class ZoneForm(ActForm):
    time_zone = forms.CharField(
        label=_("Time zone"),
        help_text=_("As the counter has it at Metrica, for example Europe/Moscow."),
        widget=SuggestInput(sorted(zone for zone in available_timezones() if "/" in zone)),
    )


def _set_zone(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    update_counter(counter=counter, time_zone=values["time_zone"].strip())
    return _now("The time zone is kept. What waited for it is being released.")


class AccountForm(ActForm):
    account = forms.ModelChoiceField(
        label=_("Metrica account"), queryset=MetricaAccount.objects.none(), widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["account"]
        field.queryset = _accounts(self.request, self.obj)


def _accounts(request: HttpRequest, counter: Counter) -> QuerySet[MetricaAccount]:
    rows: QuerySet[MetricaAccount] = MetricaAccount.objects.visible_to(actor_of(request))
    return rows.filter(agency=counter.agency_id).order_by("login")


def _choose_account(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    update_counter(counter=counter, account=values["account"])
    return _now("The account is kept. What waited for it is being released.")


SET_ZONE = Act(
    name="set_zone",
    title=_("Set the time zone"),
    icon="schedule",
    question=lambda request, counter: (
        _now("In which time zone does %(counter)s count its days? Times go to Metrica in it.") % {"counter": counter}
        + f" {leaves_once(counter, mended=HoldReason.UNKNOWN_TIME_ZONE.value)}"
    ),
    form=ZoneForm,
    do=_set_zone,
    button=_("Save and release"),
    shown=lambda request, counter: not counter.time_zone,
    in_header=False,
)


def _ask_account(request: HttpRequest, counter: Counter) -> str:
    if not actor_of(request).can(Right.ADMINISTER) and not _accounts(request, counter).exists():
        nothing = _now("No Metrica account is connected yet, so there is none to choose.")
        return f"{nothing} {ask_owner(request, counter.agency_id)}"
    text = _now("Whose token opens %(counter)s at Metrica? A new one is connected under “Metrica accounts”.")
    return text % {"counter": counter} + f" {leaves_once(counter, mended=HoldReason.ACCOUNT_DISCONNECTED.value)}"


CHOOSE_ACCOUNT = Act(
    name="choose_account",
    title=_("Choose an account"),
    icon="link",
    question=_ask_account,
    form=AccountForm,
    do=_choose_account,
    button=_("Save and release"),
    shown=lambda request, counter: counter.account_id is None and sees_accounts(request),
    in_header=False,
)


def _with_the_status(change: StatusChange) -> QuerySet[StatusChange]:
    """At most as many as one press of a button takes."""
    rows = StatusChange.objects.filter(
        counter=change.counter_id,
        delivery=Delivery.HELD,
        hold_reason__in=BY_STATUS,
        order_status=change.order_status,
    )
    return rows.select_related("order", "counter").order_by("pk")[:BULK_LIMIT]


def _ask_status(request: HttpRequest, change: StatusChange) -> str:
    count = len(_with_the_status(change).values_list("pk"))
    text = ngettext(
        "%(count)s held status change “%(status)s” of %(counter)s will not be sent to Metrica. New ones are held "
        "again.",
        "%(count)s held status changes “%(status)s” of %(counter)s will not be sent to Metrica. New ones are held "
        "again.",
        count,
    )
    return text % {"count": count, "status": change.order_status, "counter": change.counter}


def _reject_status(request: HttpRequest, change: StatusChange, values: Mapping[str, Any]) -> str:
    done = services.reject_by_hand(changes=list(_with_the_status(change)), why=values["why"])
    return ngettext("%(count)s status change rejected.", "%(count)s status changes rejected.", done) % {"count": done}


REJECT_STATUS = Act(
    name="reject_status",
    title=_("Reject all with this status"),
    icon="block",
    question=_ask_status,
    form=WhyForm,
    do=_reject_status,
    button=_("Reject"),
    shown=lambda request, change: change.delivery == Delivery.HELD and change.hold_reason in BY_STATUS,
    danger=True,
    in_header=False,
)
