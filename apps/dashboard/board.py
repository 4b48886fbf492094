"""The portfolio board: a line for each counter, out of numbers that were counted before; filtered and sorted here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import QuerySet, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.agencies.actor import Actor
from apps.counters.expiry import AccountWarning, warning_of
from apps.counters.models import Counter, MetricaAccount
from apps.counters.quotas import DayStanding, standings
from apps.counters.services import block_reason
from apps.dashboard.admin_pages.comparison import percent, tone_of
from apps.dashboard.models import Comparison, CounterNumbers, DayNumbers
from apps.dashboard.periods import Period
from apps.orders.models import HoldReason

MOST_COUNTERS = 3000
"""Kept in memory for one page; beyond, the page says that there are more."""

LONG_WAIT = timedelta(hours=24)

KINDS: Final = ("client_id", "phone", "email")


@dataclass(frozen=True, slots=True)
class Share:
    """The share of a period's orders that have an identifier. None: there were no orders."""

    kind: str
    value: float | None

    @property
    def text(self) -> str:
        return percent(self.value)


@dataclass(frozen=True, slots=True)
class Held:
    """A reason that holds changes, with the list behind it."""

    label: str
    count: int
    url: str


@dataclass(slots=True)
class Line:
    """One counter on the board."""

    counter: Counter
    numbers: CounterNumbers
    comparison: Comparison
    warning: AccountWarning | None
    day: DayStanding | None  # of the account, where its page is open to the person
    block: str
    now: datetime
    shares: dict[str, Share] = field(default_factory=dict)

    @property
    def waits_long(self) -> bool:
        return self.numbers.oldest is not None and self.now - self.numbers.oldest > LONG_WAIT

    @property
    def trouble(self) -> int:
        """The higher, the sooner somebody should look; 0: all is well."""
        numbers = self.numbers
        to_do = numbers.held or numbers.rejected or numbers.closing
        late = (
            self.waits_long or self.matched_tone == "warn" or self.warning or (self.day is not None and self.day.short)
        )
        return 4 * bool(self.block) + 2 * bool(to_do) + bool(late)

    @property
    def matched(self) -> str:
        return percent(self.comparison.matched)

    @property
    def matched_tone(self) -> str:
        return tone_of(self.comparison)

    @property
    def matched_url(self) -> str:
        return reverse("admin:dashboard_comparison_change", args=[self.counter.pk])

    @property
    def held(self) -> list[Held]:
        holds = reverse("admin:orders_heldchange_changelist")
        reasons = sorted(self.numbers.held_by_reason.items(), key=lambda item: -item[1])
        return [
            Held(
                str(HoldReason(reason).label),
                count,
                f"{holds}?{urlencode({'counter__id__exact': self.counter.pk, 'reason': reason})}",
            )
            for reason, count in reasons
        ]

    @property
    def token_days(self) -> int | None:
        account = self.counter.account
        if account is None or account.token_expires_at is None:
            return None
        return max(0, ceil((account.token_expires_at - self.now) / timedelta(days=1)))

    @property
    def next_upload(self) -> str:
        if self.block == HoldReason.COUNTER_PAUSED:
            return _("paused")
        if self.counter.schedule == "manual":
            return _("by hand")
        return _("as they come") if self.counter.next_upload_at is None else ""


def lines_of(actor: Actor, accounts: Sequence[MetricaAccount], *, now: datetime) -> tuple[list[Line], bool]:
    """All counters that the actor sees, by name, and whether there are more than are shown. Three queries.

    `accounts`: those whose pages the actor may open. Who is limited to counters sees none of them; how a counter stands
    they are told all the same, by the account that it has.
    """
    rows = Counter.objects.visible_to(actor).filter(agency__is_active=True)
    rows = rows.select_related("numbers", "agency", "account")
    counters = list(rows[: MOST_COUNTERS + 1])
    more, counters = len(counters) > MOST_COUNTERS, counters[:MOST_COUNTERS]
    compared = Comparison.objects.in_bulk([counter.pk for counter in counters])
    days = standings(accounts)
    lines = []
    for counter in counters:
        account = counter.account
        known = getattr(counter, "numbers", None)
        lines.append(
            Line(
                counter=counter,
                numbers=known or CounterNumbers(counter=counter),
                comparison=compared.get(counter.pk) or Comparison(),
                warning=warning_of(account, now) if account else None,
                day=days.get(account.pk) if account else None,
                block=block_reason(counter),
                now=now,
            )
        )
    return lines, more


def add_shares(lines: Iterable[Line], period: Period) -> None:
    """How many orders of the period have an identifier of each kind. One query."""
    by_key = {line.counter.pk: line for line in lines}
    rows = DayNumbers.objects.filter(counter__in=list(by_key), day__gte=period.first, day__lte=period.last)
    sums = {f"sum_{kind}": Sum(f"with_{kind}") for kind in KINDS}
    added: QuerySet[DayNumbers, Any] = rows.order_by().values("counter").annotate(whole=Sum("orders"), **sums)
    found: dict[int, dict[str, Any]] = {row["counter"]: row for row in added}
    for pk, line in by_key.items():
        row = found.get(pk)
        line.shares = {
            kind: Share(kind, row[f"sum_{kind}"] / row["whole"] if row and row["whole"] else None) for kind in KINDS
        }


# ---- filter and sort ----


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked the board for; what makes no sense is no wish."""

    search: str = ""
    account: int | None = None
    agency: int | None = None
    problems: bool = False
    sort: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Wish":
        sort = query.get("sort", "")
        return cls(
            search=query.get("q", "").strip()[:255],
            account=_key(query.get("account", "")),
            agency=_key(query.get("agency", "")),
            problems=query.get("problems") == "1",
            sort=sort if sort.removeprefix("-") in COLUMNS else "",
        )

    def take(self, lines: Iterable[Line]) -> list[Line]:
        """Those that fit, in the order wished for; with none, problems on top."""
        found = [line for line in lines if self._fits(line)]
        if not self.sort:
            return sorted(found, key=lambda line: (-line.trouble, line.counter.name.lower()))
        column, down = COLUMNS[self.sort.removeprefix("-")], self.sort.startswith("-")
        found.sort(key=lambda line: line.counter.name.lower())
        known = [line for line in found if column(line) is not None]
        # What a counter does not have stands last, either way.
        return sorted(known, key=column, reverse=down) + [line for line in found if column(line) is None]

    def _fits(self, line: Line) -> bool:
        counter, sought = line.counter, self.search.lower()
        return (
            (self.account is None or counter.account_id == self.account)
            and (self.agency is None or counter.agency_id == self.agency)
            and (not self.problems or line.trouble > 0)
            and (
                not sought
                or sought in counter.name.lower()
                or sought in counter.site.lower()
                or str(counter.metrica_id).startswith(sought)
            )
        )


def _share(kind: str) -> Callable[[Line], Any]:
    return lambda line: line.shares[kind].value


COLUMNS: Final[dict[str, Callable[[Line], Any]]] = {
    "name": lambda line: line.counter.name.lower(),
    "account": lambda line: line.counter.account.login.lower() if line.counter.account else None,
    "token": lambda line: line.token_days,
    "calls": lambda line: line.day.left if line.day else None,
    "passed": lambda line: line.counter.last_passed_at,
    "next": lambda line: line.counter.next_upload_at,
    "waiting": lambda line: line.numbers.waiting,
    "oldest": lambda line: line.numbers.oldest,
    "held": lambda line: line.numbers.held,
    "rejected": lambda line: line.numbers.rejected,
    "closing": lambda line: line.numbers.closing,
    **{kind: _share(kind) for kind in KINDS},
    "matched": lambda line: line.comparison.matched,
}


def _key(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
