"""Home: what each counter of the agency has done and waits for, problems on top; for a beginner, what to do first."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.alerts.panels import open_alerts
from apps.counters.expiry import warning_of
from apps.counters.models import AccountState, Counter, MetricaAccount
from apps.counters.services import block_reason
from apps.dashboard.admin_pages.comparison import percent, tone_of
from apps.dashboard.models import Comparison
from apps.goals.models import StatusMapping
from apps.orders import numbers
from apps.orders.models import HoldReason, Order
from apps.uploads.admin_pages.recent import recent_jobs

SHOWN_COUNTERS = 500
REJECTED_WITHIN = timedelta(days=7)
LONG_WAIT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Held:
    """A reason that holds changes, with the list behind it."""

    label: str
    count: int
    url: str


@dataclass(frozen=True, slots=True)
class Matched:
    """The share of the orders that Metrica matched in 28 days, with the comparison behind it."""

    text: str
    tone: str
    url: str


@dataclass(frozen=True, slots=True)
class Line:
    """One counter on the board. `trouble`: the higher, the sooner somebody should look; 0: all is well."""

    counter: Counter
    work: numbers.Work
    block: str
    held: list[Held]
    waits_long: bool
    matched: Matched

    @property
    def trouble(self) -> int:
        unmatched = self.matched.tone == "warn"
        return 4 * bool(self.block) + 2 * bool(self.work.held or self.work.rejected) + (self.waits_long or unmatched)

    @property
    def next_upload(self) -> str:
        if self.block == HoldReason.COUNTER_PAUSED:
            return _("paused")
        if self.counter.schedule == "manual":
            return _("by hand")
        return _("as they come") if self.counter.next_upload_at is None else ""


@dataclass(frozen=True, slots=True)
class FirstStep:
    """What a beginner does first. `url` is empty where the person may not do it."""

    title: str
    text: str
    done: bool
    url: str


def context(request: HttpRequest, base: dict[str, Any]) -> dict[str, Any]:
    """For unfold's dashboard: the index page's context with the board in it. Seven queries, nine for a beginner."""
    actor = actor_of(request)
    now = timezone.now()
    counters = list(
        Counter.objects.visible_to(actor).filter(agency__is_active=True).select_related("account")[: SHOWN_COUNTERS + 1]
    )
    more, counters = len(counters) > SHOWN_COUNTERS, counters[:SHOWN_COUNTERS]
    keys = [counter.pk for counter in counters]
    work = numbers.work_of(keys, rejected_within=REJECTED_WITHIN)
    compared = Comparison.objects.in_bulk(keys)
    lines = [
        _line(counter, work.get(counter.pk, numbers.Work()), compared.get(counter.pk) or Comparison(), now)
        for counter in counters
    ]
    lines.sort(key=lambda line: (-line.trouble, line.counter.name.lower()))
    accounts = list(MetricaAccount.objects.visible_to(actor).order_by("login"))
    warned = _warnings(accounts, now)
    alerts, more_alerts = open_alerts(actor, but_accounts=[warning["account"] for warning in warned])
    jobs = recent_jobs(keys)
    return {
        **base,
        "title": _("Home"),
        "lines": lines,
        "more_counters": more,
        "total": numbers.total(work),
        "limit": numbers.LIMIT,
        "troubled": sum(line.trouble > 0 for line in lines),
        "jobs": jobs,
        "warnings": warned,
        "alerts": alerts,
        "more_alerts": more_alerts,
        "first_steps": [] if jobs else _first_steps(request, accounts, counters),
        "may_operate": actor.can(Right.OPERATE),
    }


def _line(counter: Counter, work: numbers.Work, comparison: Comparison, now: datetime) -> Line:
    holds = reverse("admin:orders_heldchange_changelist")
    held = [
        Held(
            str(HoldReason(reason).label),
            count,
            f"{holds}?counter__id__exact={counter.pk}&reason={HoldReason(reason).value}",
        )
        for reason, count in sorted(work.held_by_reason.items(), key=lambda item: -item[1])
    ]
    return Line(
        counter=counter,
        work=work,
        block=block_reason(counter),
        held=held,
        waits_long=work.oldest is not None and now - work.oldest > LONG_WAIT,
        matched=Matched(
            text=percent(comparison.matched),
            tone=tone_of(comparison),
            url=reverse("admin:dashboard_comparison_change", args=[counter.pk]),
        ),
    )


def _warnings(accounts: list[MetricaAccount], now: datetime) -> list[dict[str, Any]]:
    """Accounts that stop the delivery, or will soon."""
    found = []
    for account in accounts:
        if warning := warning_of(account, now):
            url = reverse("admin:counters_metricaaccount_change", args=[account.pk])
            found.append({"tone": warning.tone, "text": warning.text, "url": url, "account": account.pk})
    return found


def _first_steps(request: HttpRequest, accounts: list[MetricaAccount], counters: list[Counter]) -> list[FirstStep]:
    actor = actor_of(request)
    operates, administers = actor.can(Right.OPERATE), actor.can(Right.ADMINISTER)
    # Who is limited to counters sees no accounts but those that the counters have.
    known = [*accounts, *(counter.account for counter in counters if counter.account is not None)]
    connected = any(account.state == AccountState.CONNECTED for account in known)
    mapped = bool(counters) and StatusMapping.objects.filter(counter__in=counters).exists()
    received = bool(counters) and Order.objects.filter(counter__in=counters).exists()
    add_account = reverse("admin:counters_metricaaccount_yandex_start")
    add_counter = reverse("admin:counters_counter_add")
    counter_page = reverse("admin:counters_counter_change", args=[counters[0].pk]) if counters else ""
    return [
        FirstStep(
            _("Connect a Metrica account"),
            _("The Yandex login whose token may upload data to your counters."),
            connected,
            add_account if administers else "",
        ),
        FirstStep(
            _("Add a counter"),
            _("The Metrica counter of the site whose orders are to be counted."),
            bool(counters),
            add_counter if administers else "",
        ),
        FirstStep(
            _("Map the CRM's statuses"),
            _("Say which type each status has at Metrica, and which goals it reaches."),
            mapped,
            counter_page if operates else "",
        ),
        FirstStep(
            _("Send the first order"),
            _("By the REST API, from a CSV file, or by hand to see how it works."),
            received,
            reverse("admin:orders_order_add") if operates and counters else "",
        ),
        FirstStep(
            _("Upload it to Metrica"),
            _("Press “Upload now” on the counter, or let its schedule do it."),
            False,
            counter_page if operates and received else "",
        ),
    ]
