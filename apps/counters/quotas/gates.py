"""The gates that a call passes before it leaves: its login's, its counters' and its address's (R10).

Each is a small state of plain JSON values and functions of that state and a time (seconds since 1970, the clock of the
store that keeps it). They read no clock and no database, so both stores keep the same rules.

| gate | keeps | how |
|---|---|---|
| login | calls at once | a place is a lease that ends when the call must have ended |
| login, counter | calls of a day | counted before they leave, near midnight for both days |
| login | reports in five minutes | counted in slices of ten seconds |
| address | calls in a second | a call counts from its start until a second after its end |

A gate that Metrica itself shut, by an answer of 429 or 420, stays shut for everybody until its time.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from apps.counters.quotas import turns
from apps.counters.quotas.kinds import Group, Kind
from apps.counters.quotas.limits import (
    ARRIVAL,
    DAY,
    DEAD,
    KEPT_SHARE,
    REPORTS_SLICE,
    REPORTS_WITHIN,
    Limits,
    day_of,
    days_of,
    opens,
)

State = dict[str, Any]
Sharers = Callable[[], Collection[int]]
"""Agencies that share a gate; asked only when its day is nearly used up."""

_REMEMBERED_AT_LOGIN, _REMEMBERED_AT_ADDRESS = 3600.0, 60.0
_REPORTS_WINDOW = REPORTS_WITHIN + ARRIVAL + REPORTS_SLICE
_CLOCK_WENT_BACK = 60.0
"""Times further ahead than this are from a clock that was set back since."""
_DAYS_KEPT = 2


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call may not leave now. `until`: when it is worth asking again; `soon`: a place may come free any moment;
    `daily`: only the next day helps."""

    code: str
    until: float
    soon: bool = False
    daily: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """A call that wants to leave. `seconds`: after that it has ended, whatever happens; `process`: whose it is."""

    place: str
    agency: int
    kind: Kind
    seconds: float = 0.0
    process: str = ""


class LoginGate:
    """What all calls of one login share, whichever agency makes them."""

    def __init__(self, *, sharers: Sharers, is_gone: Callable[[str], bool] = lambda _process: False) -> None:
        self._sharers = sharers
        self._is_gone = is_gone

    def refusal(self, state: State, wish: Wish, limits: Limits, now: float) -> Refusal | None:
        return (
            _shut(state, wish.kind, now)
            or _day_refusal(state, wish, limits.day, now, self._sharers, code="quota_day_login")
            or self._reports_refusal(state, wish, limits, now)
            or self._parallel_refusal(state, wish, limits, now)
        )

    def enter(self, state: State, wish: Wish, now: float) -> None:
        state["running"] = {**_running(state, now), wish.place: [now + wish.seconds, wish.process]}
        turns.serve(state, agency=wish.agency, now=now, remembered=_REMEMBERED_AT_LOGIN)
        count(state, wish, now)
        if wish.kind is Kind.REPORT:
            state["reports"] = _reports(state, now)
            _count_report(state, now)

    def leave(self, state: State, place: str, now: float, *, keep: float = 0.0) -> None:
        """`keep`: seconds for which the place stays taken after all, at most as long as its lease."""
        running = state.get("running", {})
        if place in running:
            if keep:
                running[place][0] = min(running[place][0], now + keep)
            else:
                del running[place]

    def wait(self, state: State, wish: Wish, now: float, *, until: float | None = None) -> None:
        turns.wait(state, agency=wish.agency, now=now, until=until)

    def _reports_refusal(self, state: State, wish: Wish, limits: Limits, now: float) -> Refusal | None:
        if wish.kind is not Kind.REPORT:
            return None
        reports = _reports(state, now)
        if sum(reports.values()) < limits.reports:
            return None
        first = min(map(int, reports), default=int(now // REPORTS_SLICE))
        return Refusal("quota_reports", first * REPORTS_SLICE + _REPORTS_WINDOW)

    def _parallel_refusal(self, state: State, wish: Wish, limits: Limits, now: float) -> Refusal | None:
        running = _running(state, now)
        asking, away = turns.ahead(state, agency=wish.agency, now=now)
        if limits.parallel - len(running) > asking + min(1, away):
            return None
        for lease in running.values():
            if self._is_gone(lease[1]):
                lease[0] = min(lease[0], now + DEAD)
        return Refusal("quota_place_login", now, soon=True)


class CounterGate:
    """The daily calls to one counter, by whatever login."""

    def __init__(self, *, sharers: Sharers) -> None:
        self._sharers = sharers

    def refusal(self, state: State, wish: Wish, limits: Limits, now: float) -> Refusal | None:
        return _shut(state, wish.kind, now) or _day_refusal(
            state, wish, limits.day, now, self._sharers, code="quota_day_counter"
        )

    def enter(self, state: State, wish: Wish, now: float) -> None:
        count(state, wish, now)

    def leave(self, state: State, place: str, now: float, *, keep: float = 0.0) -> None:
        """A call to a counter holds no place."""

    def wait(self, state: State, wish: Wish, now: float, *, until: float | None = None) -> None:
        """Nor does it wait for one."""


class AddressGate:
    """What all calls from one address share. Between its start and its end a call may reach Metrica at any moment, so
    it counts all that time and a second more."""

    def refusal(self, state: State, wish: Wish, limits: Limits, now: float) -> Refusal | None:
        if shut := _shut(state, wish.kind, now):
            return shut
        asking, _away = turns.ahead(state, agency=wish.agency, now=now)
        if limits.second - len(_coming(state, now)) - len(_come(state, now)) > asking:
            return None
        return Refusal("quota_second", now, soon=True)

    def enter(self, state: State, wish: Wish, now: float) -> None:
        state["running"] = {**_coming(state, now), wish.place: now}
        state["ended"] = _come(state, now)
        turns.serve(state, agency=wish.agency, now=now, remembered=_REMEMBERED_AT_ADDRESS)

    def leave(self, state: State, place: str, now: float, *, keep: float = 0.0) -> None:
        started = state.get("running", {}).pop(place, None)
        if started is not None:
            state.setdefault("ended", []).append(min(now, started + ARRIVAL))

    def wait(self, state: State, wish: Wish, now: float, *, until: float | None = None) -> None:
        """No place is kept for who goes away: a second is over before."""
        turns.wait(state, agency=wish.agency, now=now)


Gate = LoginGate | CounterGate | AddressGate


def shut(state: State, *, kind: Kind | None, until: float) -> None:
    """Metrica said no more until then; of this kind of calls, or (None) of any."""
    closed = state.setdefault("shut", {})
    key = kind.value if kind else "*"
    closed[key] = max(until, closed.get(key, 0.0))


def remember(state: State, wish: Wish, at: float) -> None:
    """A call of the login that was made at that time, of which only the ledger knows."""
    count(state, wish, at)
    if wish.kind is Kind.REPORT:
        _count_report(state, at)


def take_back(state: State, wish: Wish, counted_at: float) -> None:
    """A call that was counted and then not made."""
    count(state, wish, counted_at, -1)


def used(state: State, day: int, group: Group) -> int:
    return int(state.get("days", {}).get(str(day), {}).get("calls", {}).get(group.value, 0))


def hours(state: State, day: int) -> list[int]:
    """Calls of a day by the hour of GMT."""
    return list(state.get("days", {}).get(str(day), {}).get("hours", [0] * 24))


def ceiling(state: State, day: int, group: Group, *, limit: int, agency: int, sharers: Sharers) -> int:
    """How many calls of the group all together may be made before this agency has to stop.

    The last tenth of the day is kept in equal parts for the agencies that share it; what an agency has used of its part
    already is not kept any more.
    """
    kept = limit // KEPT_SHARE
    if used(state, day, group) < limit - kept:
        return limit
    others = set(sharers()) - {agency}
    part = kept // (len(others) + 1)
    by_agency = state.get("days", {}).get(str(day), {}).get("agencies", {})
    return limit - sum(max(0, part - by_agency.get(str(other), {}).get(group.value, 0)) for other in others)


def shut_until(state: State, kind: Kind, now: float) -> float | None:
    closed = state.get("shut", {})
    until = max(closed.get(kind.value, 0.0), closed.get("*", 0.0))
    return until if until > now else None


def _shut(state: State, kind: Kind, now: float) -> Refusal | None:
    until = shut_until(state, kind, now)
    return None if until is None else Refusal("quota_shut", until, soon=until - now < 1.5, daily=until - now > 3600)


def _day_refusal(state: State, wish: Wish, limit: int, now: float, sharers: Sharers, *, code: str) -> Refusal | None:
    for day in days_of(now):
        for group in wish.kind.groups:
            most = ceiling(state, day, group, limit=limit, agency=wish.agency, sharers=sharers)
            if used(state, day, group) >= most:
                return Refusal(code, opens(day), daily=True)
    return None


def count(state: State, wish: Wish, now: float, by: int = 1) -> None:
    days = state.setdefault("days", {})
    for old in [key for key in days if int(key) <= day_of(now) - _DAYS_KEPT]:
        del days[old]
    for day in days_of(now):
        entry = days.setdefault(str(day), {"calls": {}, "hours": [0] * 24, "agencies": {}})
        of_agency = entry["agencies"].setdefault(str(wish.agency), {})
        for group in wish.kind.groups:
            for counts in (entry["calls"], of_agency):
                counts[group.value] = max(0, counts.get(group.value, 0) + by)
        if day == day_of(now):
            hour = int(now % DAY // 3600)
            entry["hours"][hour] = max(0, entry["hours"][hour] + by)


def _running(state: State, now: float) -> dict[str, list[Any]]:
    """Calls of the login that may be running: place → end of its lease, and whose it is."""
    return {place: lease for place, lease in state.get("running", {}).items() if lease[0] > now}


def _reports(state: State, now: float) -> dict[str, int]:
    """Reports that Metrica may still count: number of the slice → reports."""
    return {
        key: number
        for key, number in state.get("reports", {}).items()
        if now - _REPORTS_WINDOW < int(key) * REPORTS_SLICE <= now + _CLOCK_WENT_BACK
    }


def _count_report(state: State, at: float) -> None:
    reports, key = state.setdefault("reports", {}), str(int(at // REPORTS_SLICE))
    reports[key] = reports.get(key, 0) + 1


def _coming(state: State, now: float) -> dict[str, float]:
    """Calls of the address that may just be arriving: place → start. Of a killed process nobody tells the end."""
    running = state.get("running", {})
    return {place: at for place, at in running.items() if now - ARRIVAL - 1 < at <= now + _CLOCK_WENT_BACK}


def _come(state: State, now: float) -> list[float]:
    """When calls of the address ended that may have arrived within the last second."""
    return [at for at in state.get("ended", []) if now - 1 < at <= now + _CLOCK_WENT_BACK]
