"""With whom an account shares Metrica's quotas, and what of them was used before anybody counted here (R10)."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import F, Q, QuerySet

from apps.counters.addresses import host_of
from apps.counters.logins import plain
from apps.counters.models import AccountState, ApiCall, Counter, MetricaAccount
from apps.counters.quotas.gates import AddressGate, CounterGate, Gate, LoginGate, State, Wish, count, remember
from apps.counters.quotas.kinds import Call, call_of
from apps.counters.quotas.limits import DAY, GIVEN_UP, day_of
from apps.counters.quotas.processes import is_gone


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose calls count together: `host` of Metrica and `login` in its plain spelling; "" where it is not known yet,
    then only the address counts. `agency`: between which turns are taken."""

    host: str
    login: str
    agency: int


def caller_of(account: MetricaAccount) -> Caller:
    """Yandex's own word on the login wins over what a person typed."""
    login = plain(account.confirmed_login or account.login)
    return Caller(host=host_of(account), login=login, agency=account.agency_id)


def gates_of(caller: Caller, call: Call) -> dict[str, Gate]:
    """The gates on the call's way, by key. A call is refused by the first that refuses."""
    found: dict[str, Gate] = {}
    if caller.login:
        found[login_key(caller)] = LoginGate(sharers=lambda: agencies_of_login(caller), is_gone=is_gone)
        for number in call.counters:
            key = _key("counter", caller.host, str(number))
            found[key] = CounterGate(sharers=lambda number=number: agencies_of_counter(caller, number))  # type: ignore[misc]
    found[_key("address", caller.host, settings.METRICA_OUTGOING_ADDRESS)] = AddressGate()
    return found


def login_key(caller: Caller) -> str:
    return _key("login", caller.host, caller.login)


def agencies_of_login(caller: Caller) -> Collection[int]:
    return agencies_of_logins([caller])[login_key(caller)]


def agencies_of_logins(callers: Collection[Caller]) -> dict[str, set[int]]:
    """By the key of each login: the agencies that have a connected account of it. One query."""
    found: dict[str, set[int]] = {login_key(caller): set() for caller in callers}
    connected = MetricaAccount.objects.filter(state=AccountState.CONNECTED, agency__is_active=True)
    for account in connected.filter(_spelled(callers)).only("agency", "login", "confirmed_login", "base_url"):
        key = login_key(caller_of(account))
        if key in found:
            found[key].add(account.agency_id)
    return found


def agencies_of_counter(caller: Caller, number: int) -> Collection[int]:
    counters = Counter.objects.filter(metrica_id=number, account__isnull=False, agency__is_active=True)
    return {
        counter.agency_id
        for counter in counters.select_related("account")
        if counter.account is not None and host_of(counter.account) == caller.host
    }


class Seeds:
    """What the ledger says of today, for quotas that the store does not know: it is the first call ever, or the store
    was emptied or changed for another. One query for all logins, two for each counter of the call."""

    def __init__(self, *callers: Caller, call: Call | None = None) -> None:
        self._callers = callers
        self._call = call

    def __call__(self, keys: Collection[str]) -> dict[str, State]:
        states: dict[str, State] = {key: {} for key in keys}
        logins = [caller for caller in self._callers if caller.login and login_key(caller) in states]
        if logins:
            self._of_logins(logins, states)
        for caller in self._callers:
            for number in self._call.counters if self._call else ():
                key = _key("counter", caller.host, str(number))
                if key in states:
                    _of_counter(caller, number, states[key])
        return states

    def _of_logins(self, callers: Collection[Caller], states: dict[str, State]) -> None:
        """Of all their accounts, those that were disconnected since as well. Calls that seem to be running keep a place
        for a while: how long they may take, and that they end, is not known here."""
        host_by_key = {login_key(caller): caller.host for caller in callers}

        @cache
        def key_of(login: str, confirmed: str, base_url: str) -> str:
            return login_key(caller_of(MetricaAccount(login=login, confirmed_login=confirmed, base_url=base_url)))

        # The agency is the account's: said to the database, it finds today's calls by its index.
        calls = _calls_of_today().filter(_spelled(callers, "account__"), agency=F("account__agency"))
        rows = calls.values_list(
            *("agency_id", "method", "url", "started_at"),
            *("pk", "finished_at", "account__login", "account__confirmed_login", "account__base_url"),
        )
        for agency, method, url, at, call, finished_at, *spelling in rows.iterator():
            key = key_of(*spelling)
            if host_by_key.get(key) != _host(url):
                continue
            remember(states[key], _wish(agency, method, url), at.timestamp())
            if finished_at is None:
                states[key].setdefault("running", {})[str(call)] = [at.timestamp() + GIVEN_UP, ""]


def count_calls_of(account: MetricaAccount, state: State) -> None:
    """Add today's calls of the account to the state of its login."""
    calls = _calls_of_today().filter(account=account, agency=account.agency_id)
    for method, url, at in calls.values_list("method", "url", "started_at").iterator():
        if _host(url) == host_of(account):
            remember(state, _wish(account.agency_id, method, url), at.timestamp())


def _of_counter(caller: Caller, number: int, state: State) -> None:
    calls = _calls_of_today().filter(agency__in=agencies_of_counter(caller, number))
    calls = calls.filter(url__regex=rf"/counter/{number}(/|\?|$)")
    for agency, method, url, at in calls.values_list("agency_id", "method", "url", "started_at").iterator():
        if _host(url) == caller.host:
            count(state, _wish(agency, method, url), at.timestamp())


def _calls_of_today() -> QuerySet[ApiCall]:
    today = datetime.fromtimestamp(day_of(datetime.now(UTC).timestamp()) * DAY, UTC)
    return ApiCall.objects.filter(started_at__gte=today).order_by()


def _wish(agency: int, method: str, url: str) -> Wish:
    return Wish("", agency, call_of(method, url).kind)


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()


_FEW = 20


def _spelled(callers: Iterable[Caller], account: str = "") -> Q:
    """Accounts that may be of one of these logins, whatever its spelling; of many logins all accounts."""
    # What stands before the first dot or hyphen is the same in every spelling; the plain one decides.
    first = {caller.login.partition("@")[0].partition("-")[0] for caller in callers}
    wanted = Q()
    for text in first if len(first) <= _FEW else ():
        wanted |= Q(**{f"{account}login__istartswith": text})
        wanted |= Q(**{f"{account}confirmed_login__istartswith": text})
    return wanted


def _key(gate: str, host: str, subject: str) -> str:
    text = f"{gate}:{host}:{subject}"
    return text if len(text) <= 180 else f"{text[:110]}:{hashlib.sha256(text.encode()).hexdigest()}"
