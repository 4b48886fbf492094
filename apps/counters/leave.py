"""Leave to make one call to Metrica: past the breakers, and with a place among the quotas (R10). It is taken before the
call, and before an attempt is counted where calls are counted; without it no call leaves.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from apps.counters import breaker
from apps.counters.breaker import Passage
from apps.counters.models import Counter, MetricaAccount
from apps.counters.quotas.kinds import Call, Kind, call_of
from apps.counters.quotas.places import Place, learn, reserve
from apps.counters.quotas.sharing import Caller, caller_of
from apps.metrica.client import Exchange
from apps.metrica.errors import seconds_to_wait
from apps.metrica.transport import CONNECT_TIMEOUT

log = structlog.get_logger(__name__)

_OVER = 5.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long one call may take: `step` for each single step, `total` for all of it (seconds)."""

    step: float
    total: float

    @property
    def lease(self) -> float:
        """After this it has ended for certain: connecting is tried twice, and an answer that comes drop by drop can
        stretch the whole by one step."""
        return max(self.total, 2 * CONNECT_TIMEOUT) + self.step + _OVER


@dataclass(slots=True)
class Leave:
    """One call may be made. It ends with the call, or unused."""

    passage: Passage
    place: Place
    bounds: Bounds

    def ended(self, exchange: Exchange) -> None:
        """Tell how the call went: the quotas and the breakers learn from it. What goes wrong here is logged and changes
        nothing for the caller, whose call has its own outcome."""
        self.place.release(given_up=self._may_still_run(exchange))
        refused_for_quota = exchange.status in (420, 429)
        answered = refused_for_quota or exchange.outcome in ("ok", "permanent")
        with _logged(exchange):
            self.passage.ended(code=exchange.error_code, answered=answered)
        # Apart: that the store of quotas is away must not keep a breaker open.
        if refused_for_quota:
            with _logged(exchange):
                _learn(self.place, exchange)

    def unused(self) -> None:
        """The call was not made. Does nothing where it was."""
        if not self.place.released:
            self.place.release(unused=True)
            self.passage.unused()

    def _may_still_run(self, exchange: Exchange) -> bool:
        """A connection that was cut breaks at once; where our own patience ended, Metrica may still be at it."""
        if exchange.outcome in ("ok", "permanent") or exchange.error_code == "not_sent":
            return False
        took = (exchange.finished_at - exchange.started_at).total_seconds() if exchange.finished_at else 0.0
        return exchange.error_code == "interrupted" or took >= 0.9 * self.bounds.step


@dataclass(slots=True)
class Way:
    """How the calls of one client get their leave: `in_hand` serves for the first, each other asks for its own."""

    caller: Caller
    account: MetricaAccount | None
    bounds: Bounds
    in_hand: Leave | None = None

    def leave_for(self, exchange: Exchange) -> Leave:
        """Raises KeptBack."""
        leave, self.in_hand = self.in_hand, None
        if leave is not None and not leave.place.released:
            return leave
        call = call_of(exchange.method, exchange.url)
        return ask(caller=self.caller, account=self.account, call=call, bounds=self.bounds)


@contextlib.contextmanager
def _logged(exchange: Exchange) -> Iterator[None]:
    try:
        yield
    except Exception:
        log.exception("what a call has shown was not kept", code=exchange.error_code)


def _learn(place: Place, exchange: Exchange) -> None:
    retry_after = exchange.response_headers.get("retry-after", "")
    learn(caller=place.caller, call=place.call, code=exchange.error_code, retry_after=seconds_to_wait(retry_after))


def ask(*, caller: Caller, account: MetricaAccount | None, call: Call, bounds: Bounds) -> Leave:
    """Leave for one call, after a short wait if need be. Raises KeptBack. Call it outside any transaction."""
    passage = breaker.passage(host=caller.host, account=account, seconds=bounds.lease)
    try:
        place = reserve(caller=caller, call=call, seconds=bounds.lease)
    except BaseException:
        passage.unused()
        raise
    return Leave(passage, place, bounds)


@contextlib.contextmanager
def to_upload(account: MetricaAccount, *, counter: Counter, bounds: Bounds) -> Iterator[Leave]:
    """Leave to upload one file of the counter; given back at the end of the block if no call was made.

    Raises KeptBack.
    """
    call = Call(Kind.CDP_WRITE, (counter.metrica_id,))
    leave = ask(caller=caller_of(account), account=account, call=call, bounds=bounds)
    try:
        yield leave
    finally:
        leave.unused()
