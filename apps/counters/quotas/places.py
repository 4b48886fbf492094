"""A place among Metrica's quotas: taken before a call leaves, given back at its end (R10).

A caller that finds none waits a moment with the place in sight; then it is told when to come back, and nothing of
that counts as an attempt.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import structlog

from apps.counters.kept_back import KeptBack, in_seconds, kept_back
from apps.counters.quotas import gates, limits
from apps.counters.quotas.gates import AddressGate, CounterGate, Gate, LoginGate, Refusal, Wish
from apps.counters.quotas.kinds import Call, Kind
from apps.counters.quotas.processes import this_process
from apps.counters.quotas.sharing import Caller, Seeds, gates_of
from apps.counters.quotas.stores import State, StoreUnavailable, store

log = structlog.get_logger(__name__)

WAIT_SECONDS = 2.0
"""How long a call waits for a place that may come free any moment."""

COME_BACK = (3.0, 6.0)
"""Seconds after which a caller that waited in vain comes back; spread, so that many do not come together."""

AWAY = 90.0
"""Seconds for which a place is kept for an agency that was sent away: its job comes back with the next tick or two."""

_LOOK_EACH = (0.03, 0.1)
_SPREAD_OF_MIDNIGHT = 60.0

_SHUT_SECONDS = {
    "quota_requests_by_ip": 1.0,
    "quota_parallel_requests": 3.0,
    "quota_exceeded": 5.0,
}
_SHUT_REPORTS = 300.0


@dataclass(slots=True)
class Place:
    """The right to make one call. `release` it at the end of the call, or unused."""

    caller: Caller
    call: Call
    wish: Wish
    taken_at: float
    """By the store's clock."""
    released: bool = field(default=False)

    def release(self, *, unused: bool = False, given_up: bool = False, now: float | None = None) -> None:
        """Let others in. `unused`: no call was made, so none is counted. `given_up`: we stopped waiting for the answer,
        and Metrica may still be at it. `now`: in place of the store's clock.

        What goes wrong here changes nothing for the caller: the place comes free by itself when its lease ends.
        """
        if self.released:
            return
        self.released = True
        # A call to a counter holds no place there: what was counted stays, unless the call was not made.
        way = {
            key: gate
            for key, gate in gates_of(self.caller, self.call).items()
            if unused or not isinstance(gate, CounterGate)
        }
        keep = limits.GIVEN_UP if given_up else 0.0

        def work(states: dict[str, State], at: float) -> None:
            for key, gate in way.items():
                gate.leave(states[key], self.wish.place, at, keep=keep)
                if unused and not isinstance(gate, AddressGate):
                    gates.take_back(states[key], self.wish, self.taken_at)

        try:
            store().change(list(way), work, seeds=Seeds(self.caller, call=self.call), lazy=not unused, now=now)
        except Exception:
            log.exception("a place was not given back and comes free by itself", seconds=self.wish.seconds)


def reserve(
    *, caller: Caller, call: Call, seconds: float, wait: float | None = None, now: float | None = None
) -> Place:
    """Take a place for one call that ends within so many seconds. `wait`: seconds to wait for one that may come free
    any moment (WAIT_SECONDS); `now`: in place of the store's clock. Raises NoPlace. Call it outside any transaction.
    """
    gates_ahead = gates_of(caller, call)
    place = uuid4().hex[:12]
    wish = Wish(place, caller.agency, call.kind, seconds=seconds, process=this_process())
    ends = time.monotonic() + (WAIT_SECONDS if wait is None else wait)
    try:
        while True:
            last = time.monotonic() >= ends
            answer = _try(gates_ahead, caller, call, wish, last=last, now=now)
            if not isinstance(answer, Refusal):
                return Place(caller, call, wish, answer)
            if last or not answer.soon:
                raise _sent_away(answer, now)
            time.sleep(random.uniform(*_LOOK_EACH))  # noqa: S311 - no secret
    except StoreUnavailable as error:
        log.error("the store of quotas does not answer", said=str(error))
        raise kept_back("quota_unavailable", until=in_seconds(5)) from error


def _try(
    way: Mapping[str, Gate], caller: Caller, call: Call, wish: Wish, *, last: bool, now: float | None
) -> Refusal | float:
    """Through all gates at once, or through none. Returns the time of the store's clock, or the first refusal."""
    numbers = limits.current()

    def work(states: dict[str, State], at: float) -> Refusal | float:
        for key, gate in way.items():
            if refusal := gate.refusal(states[key], wish, numbers, at):
                if refusal.soon:
                    gate.wait(states[key], wish, at, until=at + AWAY if last else None)
                return refusal
        for key, gate in way.items():
            gate.enter(states[key], wish, at)
        return at

    return store().change(list(way), work, seeds=Seeds(caller, call=call), now=now)


def _sent_away(refusal: Refusal, now: float | None) -> KeptBack:
    if refusal.soon:
        return kept_back(refusal.code, until=in_seconds(random.uniform(*COME_BACK)))  # noqa: S311 - no secret
    spread = random.uniform(0, _SPREAD_OF_MIDNIGHT if refusal.daily else 1.0)  # noqa: S311 - no secret
    until = datetime.fromtimestamp(refusal.until + spread, UTC)
    return kept_back(refusal.code, until=until, daily=refusal.daily)


def learn(*, caller: Caller, call: Call, code: str, retry_after: float | None, now: float | None = None) -> None:
    """Metrica refused the call for a quota (429 or 420): shut that gate for everybody until it opens again.

    `code`: the error's. Where Metrica named no time (`retry_after`, seconds): the next second, a few seconds, or the
    next midnight of GMT, as the quotas page has it.
    """
    way = gates_of(caller, call)
    numbers = limits.current()

    def work(states: dict[str, State], at: float) -> None:
        for key, gate in way.items():
            found = _lesson(code, gate, states[key], call.kind, numbers, at)
            if found is not None:
                seconds, kind = found
                gates.shut(states[key], kind=kind, until=at + (seconds if retry_after is None else retry_after))

    store().change(list(way), work, seeds=Seeds(caller, call=call), now=now)
    log.warning("Metrica's quota is reached", code=code, login=caller.login, kind=call.kind, retry_after=retry_after)


def _lesson(
    code: str, gate: Gate, state: State, kind: Kind, numbers: limits.Limits, at: float
) -> tuple[float, Kind | None] | None:
    """For how many seconds this gate shuts, and for which kind of calls (None: all); None where it stays open."""
    day = limits.opens(limits.day_of(at)) - at
    if code == "quota_requests_by_ip":
        return (_SHUT_SECONDS[code], None) if isinstance(gate, AddressGate) else None
    if code == "quota_requests_by_counter_id":
        return (day, kind) if isinstance(gate, CounterGate) else None
    if not isinstance(gate, LoginGate):
        return None
    if code != "quota_requests_by_uid":
        return _SHUT_SECONDS.get(code, _SHUT_SECONDS["quota_exceeded"]), None
    if kind is Kind.REPORT:
        # The limits of five minutes and of a day have one name.
        [group] = kind.groups
        nearly = gates.used(state, limits.day_of(at), group) >= numbers.day - numbers.day // limits.KEPT_SHARE
        return (day if nearly else _SHUT_REPORTS), kind
    return day, kind
