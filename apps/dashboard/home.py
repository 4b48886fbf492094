"""Home: what each counter of the agency has done and waits for, problems on top; for a beginner, what to do first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.long_select import options_of
from apps.alerts.panels import open_alerts
from apps.counters.expiry import warning_of
from apps.counters.models import AccountState, Counter, MetricaAccount
from apps.dashboard import board, charts, periods
from apps.dashboard.behind import Behind
from apps.dashboard.board import Line, Wish
from apps.goals.models import StatusMapping
from apps.orders import numbers
from apps.orders.models import Order
from apps.uploads.admin_pages.recent import recent_jobs

LINES_A_PAGE = 100

STALE_AFTER = timedelta(minutes=15)
"""Numbers that are older have been forgotten rather than not yet counted."""

MOST_FIRST: Final = frozenset({"waiting", "held", "rejected", "closing"})


@dataclass(frozen=True, slots=True)
class Head:
    """One way to sort the board. `direction`: as `aria-sort` has it, empty where it is sorted otherwise."""

    label: str
    url: str
    direction: str


@dataclass(frozen=True, slots=True)
class AsOf:
    """How old the numbers are: of what there is to do, and of the days. None: some were never counted."""

    work: datetime | None
    days: datetime | None
    stale: bool
    past_missing: int  # counters whose past is still being counted


@dataclass(frozen=True, slots=True)
class FirstStep:
    """What a beginner does first. `url` is empty where the person may not do it."""

    title: str
    text: str
    done: bool
    url: str


def context(request: HttpRequest, base: dict[str, Any]) -> dict[str, Any]:
    """For unfold's dashboard: the index page's context with the board in it. The number of queries is the same for any
    number of counters; those with numbers in them read what the roll-up has kept."""
    actor = actor_of(request)
    now = timezone.now()
    accounts = list(MetricaAccount.objects.visible_to(actor).order_by("login"))
    lines, more = board.lines_of(actor, accounts, now=now)
    period = periods.read(request.GET, today=timezone.localdate())
    board.add_shares(lines, period)
    wish = Wish.read(request.GET)
    listed = wish.take(lines)
    picked = _picked(request, lines)
    pages = _Pages(request, len(listed))
    warned = _warnings(accounts, now)
    alerts, more_alerts = open_alerts(actor, but_accounts=[warning["account"] for warning in warned])
    counters = [line.counter for line in lines]
    jobs = recent_jobs([counter.pk for counter in counters])
    links = _Links(period, wish, picked)
    is_filtered = bool(wish.search or wish.account or wish.agency or wish.problems)
    charted = [picked.counter] if picked else [line.counter for line in listed]
    behind = Behind(charted, period, whole=not picked and not is_filtered)
    return {
        **base,
        "title": _("Home"),
        "any_counters": bool(lines),
        "lines": listed[pages.start : pages.start + pages.lines],
        "listed": len(listed),
        "more_counters": more,
        "all_counters": len(lines),
        "total": numbers.total(line.numbers for line in lines),
        "troubled": sum(line.trouble > 0 for line in lines),
        "as_of": _as_of(lines, now),
        "wish": wish,
        "is_filtered": is_filtered,
        "heads": links.heads(),
        "links": links,
        "earlier": links.to(page=pages.number - 1) if pages.number > 1 else "",
        "later": links.to(page=pages.number + 1) if pages.number < pages.last else "",
        "pages": pages,
        "account_choices": accounts,
        "agency_choices": _agencies(counters) if actor.agencies is None or len(actor.agencies) > 1 else [],
        "counter_options": _options(counters, picked.counter.pk if picked else None),
        "picked": picked.counter if picked else None,
        "period": period,
        "periods": periods.OFFERED,
        "charts": charts.charts_of([counter.pk for counter in charted], period, behind),
        "goal_lines": charts.goals_of(picked.counter, period, behind) if picked else [],
        "behind": behind,
        "jobs": jobs,
        "warnings": warned,
        "alerts": alerts,
        "more_alerts": more_alerts,
        "first_steps": [] if jobs else _first_steps(request, accounts, counters),
        "may_operate": actor.can(Right.OPERATE),
    }


def _picked(request: HttpRequest, lines: Sequence[Line]) -> Line | None:
    """The one counter that the charts are about. Raises Http404 for one that the person does not see (R11)."""
    asked = request.GET.get("counter", "")
    if not asked:
        return None
    for line in lines:
        if str(line.counter.pk) == asked:
            return line
    raise Http404


def _agencies(counters: Sequence[Counter]) -> list[tuple[int, str]]:
    names = {counter.agency_id: counter.agency.name for counter in counters}
    return sorted(names.items(), key=lambda item: item[1].lower()) if len(names) > 1 else []


def _as_of(lines: Sequence[Line], now: datetime) -> AsOf:
    works = [line.numbers.work_at for line in lines]
    days = [line.numbers.days_at for line in lines]
    work = None if None in works or not works else min(at for at in works if at is not None)
    return AsOf(
        work=work,
        days=None if None in days or not days else min(at for at in days if at is not None),
        stale=work is not None and now - work > STALE_AFTER,
        past_missing=sum(line.numbers.recounted_at is None for line in lines),
    )


def _options(counters: list[Counter], picked: int | None) -> SafeString:
    by_name = sorted(counters, key=lambda counter: counter.name.lower())
    labels = ((counter.pk, f"{counter.name} ({counter.metrica_id})") for counter in by_name)
    return options_of(labels, {str(picked)})


class _Pages:
    """Which lines of the board are on this page."""

    def __init__(self, request: HttpRequest, lines: int) -> None:
        self.lines = LINES_A_PAGE if lines <= 2 * LINES_A_PAGE else LINES_A_PAGE // 2
        self.last = max(1, -(-lines // self.lines))
        asked = request.GET.get("page", "")
        self.number = min(max(1, int(asked)), self.last) if asked.isascii() and asked.isdecimal() else 1
        self.start = (self.number - 1) * self.lines


class _Links:
    """Addresses of this page with something of it changed."""

    def __init__(self, period: periods.Period, wish: Wish, picked: Line | None) -> None:
        self._wish = wish
        self._parts = {
            "period": period.query,
            "counter": {"counter": str(picked.counter.pk)} if picked else {},
            "filter": {
                name: str(value)
                for name, value in (
                    ("q", wish.search),
                    ("account", wish.account),
                    ("agency", wish.agency),
                    ("problems", "1" if wish.problems else ""),
                )
                if value
            },
            "sort": {"sort": wish.sort} if wish.sort else {},
        }
        self._period = period

    def to(self, *, without: tuple[str, ...] = (), **changes: Any) -> str:
        parts = (values for name, values in self._parts.items() if name not in without)
        query = {name: value for part in parts for name, value in part.items()} | changes
        return "?" + urlencode({name: value for name, value in query.items() if value != ""})

    def kept(self, *without: str) -> list[tuple[str, str]]:
        """What a form has to send along, but for these parts."""
        return [item for name, values in self._parts.items() if name not in without for item in values.items()]

    @property
    def kept_by_filter(self) -> list[tuple[str, str]]:
        return self.kept("filter")

    @property
    def kept_by_period(self) -> list[tuple[str, str]]:
        return self.kept("period", "counter")

    @property
    def unfiltered(self) -> str:
        return self.to(without=("filter",))

    @property
    def problems_on_top(self) -> str:
        return self.to(without=("sort",))

    @property
    def for_periods(self) -> list[tuple[int, str]]:
        return [(days, self.to(without=("period",), days=days)) for days in periods.OFFERED]

    @property
    def orders_of_period(self) -> str:
        """The list of orders that were created in the period; a counter is to be added."""
        return Behind([], self._period, whole=True).orders()

    @property
    def only_problems(self) -> str:
        return f"{reverse('admin:index')}?problems=1#board"

    def heads(self) -> dict[str, Head]:
        labels = {
            "name": _("Counter"),
            "account": _("Account"),
            "token": _("Token"),
            "calls": _("Calls left"),
            "passed": _("Last passed upload"),
            "next": _("Next upload"),
            "waiting": _("Waiting"),
            "oldest": _("Oldest came"),
            "held": _("Held"),
            "rejected": _("Rejected"),
            "closing": _("Soon too old"),
            "client_id": _("ClientID"),
            "phone": _("Phone"),
            "email": _("E-mail"),
            "matched": _("Matched by Metrica"),
        }
        return {name: self._head(name, labels[name]) for name in board.COLUMNS}

    def _head(self, name: str, label: str) -> Head:
        sort = self._wish.sort
        if sort.removeprefix("-") == name:
            turned = name if sort.startswith("-") else f"-{name}"
            direction = "descending" if sort.startswith("-") else "ascending"
        else:
            turned, direction = (f"-{name}" if name in MOST_FIRST else name), ""
        return Head(label, self.to(without=("sort",), sort=turned), direction)


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
