"""With whom an account shares Metrica's quotas, and what of them was used before anybody counted here (R10)."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.db.models import Q

from apps.counters.addresses import host_of
from apps.counters.logins import plain
from apps.counters.models import AccountState, ApiCall, Counter, MetricaAccount
from apps.counters.quotas.gates import AddressGate, CounterGate, Gate, LoginGate, State, Wish, count
from apps.counters.quotas.kinds import Call, call_of
from apps.counters.quotas.limits import DAY, day_of
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
    return {account.agency_id for account in _accounts(caller)}


def agencies_of_counter(caller: Caller, number: int) -> Collection[int]:
    counters = Counter.objects.filter(metrica_id=number, account__isnull=False, agency__is_active=True)
    return {
        counter.agency_id
        for counter in counters.select_related("account")
        if counter.account is not None and host_of(counter.account) == caller.host
    }


class Seeds:
    """What the ledger says of today, for a quota that the store does not know: it is the first call ever, or the store
    was emptied or changed for another."""

    def __init__(self, caller: Caller, call: Call | None = None) -> None:
        self._caller = caller
        numbers = call.counters if call else ()
        self._counters = {_key("counter", caller.host, str(number)): number for number in numbers}

    def __call__(self, key: str) -> State:
        state: State = {}
        today = datetime.fromtimestamp(day_of(datetime.now(UTC).timestamp()) * DAY, UTC)
        if key == login_key(self._caller) and self._caller.login:
            accounts = _accounts(self._caller)
            agencies = {account.agency_id for account in accounts}
            calls = ApiCall.objects.filter(account__in=accounts)
        elif key in self._counters:
            number = self._counters[key]
            agencies = set(agencies_of_counter(self._caller, number))
            calls = ApiCall.objects.filter(url__regex=rf"/counter/{number}(/|\?|$)")
        else:
            return state
        calls = calls.filter(agency__in=agencies, started_at__gte=today).order_by()
        for agency, method, url, at in calls.values_list("agency_id", "method", "url", "started_at").iterator():
            kind = call_of(method, url).kind
            count(state, Wish("", agency, kind), at.timestamp())
        return state


def _accounts(caller: Caller) -> list[MetricaAccount]:
    """Connected accounts of this login at this Metrica, in all agencies."""
    # What stands before the first dot or hyphen is the same in every spelling; the plain one decides.
    first = caller.login.partition("@")[0].partition("-")[0]
    spelled = Q(login__istartswith=first) | Q(confirmed_login__istartswith=first)
    rows = MetricaAccount.objects.filter(spelled, state=AccountState.CONNECTED, agency__is_active=True)
    wanted = (caller.host, caller.login)
    return [account for account in rows if ((its := caller_of(account)).host, its.login) == wanted]


def _key(gate: str, host: str, subject: str) -> str:
    text = f"{gate}:{host}:{subject}"
    return text if len(text) <= 180 else f"{text[:110]}:{hashlib.sha256(text.encode()).hexdigest()}"
