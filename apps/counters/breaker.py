"""Who does not answer is not asked again and again: a breaker for each account, and one for each Metrica (host).

After several calls in a row without an answer it opens, and no call is made until a wait is over; then one call tries,
of all processes. If it is answered the breaker closes, else the next wait is longer. Every move is a compare-and-swap
on one row, by the clock that all machines share. A refusal is an answer: only silence, cut connections and faults of
the server count.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.dispatch import Signal

from apps.agencies.models import Agency
from apps.audit.services import record
from apps.counters import clock
from apps.counters.addresses import host_of
from apps.counters.events import metrica_reachable, metrica_unreachable
from apps.counters.kept_back import kept_back
from apps.counters.models import AccountState, Breaker, MetricaAccount

log = structlog.get_logger(__name__)

IN_A_ROW = 5
"""Calls without an answer that open a breaker."""

ACCOUNTS_FOR_HOST = 2
"""One account's trouble is not Metrica's: a host's breaker opens once so many accounts are among those that failed, or
where no connection came about."""

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=1)
"""One call a minute burdens nobody; all that waits goes on within a minute of Metrica's return."""

PROBE_LOOK = timedelta(seconds=10)
"""While another process tries, this is when it is worth asking again."""

SILENCE = frozenset(
    {
        "not_sent",
        "no_answer",
        "refusal_cut",
        "backend_error",
        "timeout",
        "server_error",
        "unknown_outcome",
        "unknown_change",
    }
)
"""Codes of calls that Metrica did not answer, or answered with a fault of its own."""


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """Nobody answers: at this host, or (`account_id`) this account there. Times are aware; `since`: the first call that
    failed; `retry_at`: when one call tries next; `code`: of the last failure."""

    host: str
    account_id: int | None
    since: datetime
    retry_at: datetime
    code: str


@dataclass(slots=True)
class Passage:
    """One call's way past the breakers; `ended` or `unused` once it is over. `troubled`: calls failed before it."""

    host: str
    account: MetricaAccount | None
    troubled: bool = False
    probe: str = ""
    probed: list[tuple[int, datetime]] = field(default_factory=list)
    """Breakers for which this call tries, with the time that stood there before."""

    def ended(self, *, code: str, answered: bool, now: datetime | None = None) -> None:
        """The call's outcome. `answered`: Metrica said something, be it no. Anything else counts only if `code` is one
        of SILENCE: a program that was stopped proves nothing."""
        if answered:
            if self.probed:
                self._close(now or clock.now())
            elif self.troubled:
                _rows(self.host, self.account).filter(opened_at=None).update(
                    failures=0, failing_accounts=[], failing_since=None
                )
        elif code in SILENCE:
            self._failed(code, now or clock.now())
        else:
            self.unused()

    def unused(self) -> None:
        """The call was not made: another may try."""
        for pk, before in self.probed:
            Breaker.objects.filter(pk=pk, probe=self.probe).update(probe="", retry_at=before)

    def _close(self, now: datetime) -> None:
        for pk, _before in self.probed:
            with transaction.atomic():
                breaker = Breaker.objects.select_related("account__agency").get(pk=pk)
                closed = Breaker.objects.filter(pk=pk, probe=self.probe, opened_at__isnull=False).update(
                    opened_at=None,
                    retry_at=None,
                    probe="",
                    trips=0,
                    failures=0,
                    failing_accounts=[],
                    failing_since=None,
                )
                if closed:
                    _tell(breaker, metrica_reachable, "metrica.reachable", now)

    def _failed(self, code: str, now: datetime) -> None:
        for pk, _before in self.probed:
            trips = Breaker.objects.values_list("trips", flat=True).get(pk=pk)
            Breaker.objects.filter(pk=pk, probe=self.probe).update(
                probe="", trips=F("trips") + 1, code=code, retry_at=now + _wait(trips + 1)
            )
        opened = _count_failure(_row(self.host, None), account=self.account, code=code, now=now)
        # Where nobody gets an answer, or no connection comes about, it is no account's own trouble.
        if not opened and code != "not_sent" and self.account is not None:
            _count_failure(_row(self.host, self.account), account=self.account, code=code, now=now)


def passage(*, host: str, account: MetricaAccount | None, seconds: float, now: datetime | None = None) -> Passage:
    """Let a call through that ends within so many seconds. Raises NotAnswering where an open breaker is in its way.

    One query as long as all is well. Call it outside any transaction.
    """
    rows = list(_rows(host, account))
    way = Passage(host, account, troubled=any(row.failures for row in rows))
    open_rows = [row for row in rows if row.opened_at is not None]
    if not open_rows:
        return way
    now = now or clock.now()
    waits = [
        min(row.retry_at, now + PROBE_LOOK) if row.probe else row.retry_at
        for row in open_rows
        if row.retry_at is not None and row.retry_at > now
    ]
    if waits:
        raise kept_back("metrica_unreachable", until=max(waits))
    way.probe = str(uuid4())
    for row in open_rows:
        before = row.retry_at or now
        # Should this process die, another one tries after the call would have ended.
        taken = Breaker.objects.filter(pk=row.pk, opened_at=row.opened_at, retry_at=row.retry_at, probe=row.probe)
        if not taken.update(probe=way.probe, retry_at=now + timedelta(seconds=seconds)):
            way.unused()
            raise kept_back("metrica_unreachable", until=now + PROBE_LOOK)
        way.probed.append((row.pk, before))
    return way


def open_breakers(accounts: Iterable[MetricaAccount] | None = None) -> list[OpenBreaker]:
    """Who does not answer now, the longest first. `accounts`: only what keeps calls of these back.

    One query while all is well, two else: what concerns no connected account (any more) is left out.
    """
    rows = list(Breaker.objects.filter(opened_at__isnull=False).order_by("opened_at", "pk"))
    if not rows:
        return []
    if accounts is None:
        accounts = MetricaAccount.objects.filter(state=AccountState.CONNECTED, agency__is_active=True)
    host_by_account = {account.pk: host_of(account) for account in accounts}
    hosts = set(host_by_account.values())
    return [
        OpenBreaker(
            host=row.host,
            account_id=row.account_id,
            since=row.failing_since or row.opened_at,
            retry_at=row.retry_at or row.opened_at,
            code=row.code,
        )
        for row in rows
        if row.opened_at is not None
        and (row.host in hosts if row.account_id is None else host_by_account.get(row.account_id) == row.host)
    ]


def accounts_to_try(now: datetime) -> list[int]:
    """Of each open breaker whose time has come, an account that may try (its key): where nothing waits to be uploaded,
    nobody else would find out that Metrica is back."""
    due = [found for found in open_breakers() if found.retry_at <= now]
    if not due:
        return []
    connected = MetricaAccount.objects.filter(state=AccountState.CONNECTED, agency__is_active=True)
    lately = connected.order_by(F("last_ok_at").desc(nulls_last=True), "pk")
    at_host = {host_of(account): account.pk for account in reversed(lately)}
    return list(dict.fromkeys(found.account_id or at_host[found.host] for found in due))


def _rows(host: str, account: MetricaAccount | None) -> QuerySet[Breaker]:
    """The breakers on a call's way: the host's and the account's."""
    return Breaker.objects.filter(Q(account=None) | Q(account=account), host=host).order_by("pk")


def _row(host: str, account: MetricaAccount | None) -> Breaker:
    return Breaker.objects.get_or_create(host=host, account=account)[0]


def _count_failure(breaker: Breaker, *, account: MetricaAccount | None, code: str, now: datetime) -> bool:
    """One more in a row; the last of them opens the breaker. Read and swapped until nobody was in between. Returns
    whether it is open now."""
    while breaker.opened_at is None:
        failing = sorted({*breaker.failing_accounts, account.pk if account else 0})[:10]
        failures = breaker.failures + 1
        opens = failures >= IN_A_ROW and (
            breaker.account_id is not None or len(failing) >= ACCOUNTS_FOR_HOST or code == "not_sent"
        )
        values = {
            "failures": failures,
            "failing_accounts": failing,
            "failing_since": breaker.failing_since or now,
            "code": code,
        }
        if opens:
            values |= {"opened_at": now, "retry_at": now + _wait(1), "trips": 1}
        with transaction.atomic():
            unchanged = Breaker.objects.filter(pk=breaker.pk, opened_at=None, failures=breaker.failures)
            if unchanged.update(**values):
                if opens:
                    breaker = Breaker.objects.select_related("account__agency").get(pk=breaker.pk)
                    _tell(breaker, metrica_unreachable, "metrica.unreachable", now)
                return opens
        breaker = Breaker.objects.get(pk=breaker.pk)
    return True


def _tell(breaker: Breaker, signal: Signal, action: str, now: datetime) -> None:
    """One entry in the log of each agency that it concerns, and one signal."""
    since = breaker.failing_since or breaker.opened_at or now
    details = {"host": breaker.host, "since": since, "code": breaker.code, "retry_at": breaker.retry_at}
    if breaker.account is not None:
        record(action=action, agency=breaker.account.agency_id, obj=breaker.account, details=details)
    else:
        for agency in _agencies_at(breaker.host):
            record(action=action, agency=agency, details=details)
    log.warning(action, account=breaker.account_id, **{**details, "since": since.isoformat()})
    account, host, code = breaker.account, breaker.host, breaker.code
    transaction.on_commit(
        lambda: signal.send_robust(sender=Breaker, host=host, account=account, since=since, code=code)
    )


def _agencies_at(host: str) -> list[Agency]:
    accounts = MetricaAccount.objects.filter(state=AccountState.CONNECTED, agency__is_active=True)
    found = {
        account.agency_id: account.agency for account in accounts.select_related("agency") if host_of(account) == host
    }
    return list(found.values())


def _wait(trips: int) -> timedelta:
    """Growing with each try in vain, up to a minute; spread, so that machines do not come together."""
    return min(FIRST_WAIT * 2 ** min(trips - 1, 20), LONGEST_WAIT) * random.uniform(0.8, 1.0)  # noqa: S311 - no secret
