"""How much an API key may ask for in a minute: requests, and orders sent in. Counted by the minutes of the clock.

Each process counts for itself and tells the others, by a row of the database, whenever it has counted a hundredth of a
limit. So a request costs nothing most of the time, and all processes together may pass the limit by a hundredth each.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Final

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext_lazy as _

from apps.api.models import Spending
from apps.api.problems import Problem
from apps.metrica.text import Text, filled

log = structlog.get_logger(__name__)

_SHARE: Final = 100
_MOST_KEYS: Final = 10_000
KEPT_MINUTES: Final = 60

_TELL = """
INSERT INTO api_spending (key_id, minute, requests, orders) VALUES (%s, %s, %s, %s)
ON CONFLICT (minute, key_id) DO UPDATE SET
    requests = api_spending.requests + excluded.requests, orders = api_spending.orders + excluded.orders
RETURNING requests, orders
"""


@dataclass(slots=True)
class _Minute:
    """One key's minute: what all are known to have spent of requests and orders, and what of it nobody was told."""

    minute: int
    spent: list[int] = field(default_factory=lambda: [0, 0])
    untold: list[int] = field(default_factory=lambda: [0, 0])


@dataclass(frozen=True, slots=True)
class Standing:
    """`limit`: in a minute; `left` of it; `seconds` until the next minute."""

    limit: int
    left: int
    seconds: int


_minutes: dict[int, _Minute] = {}
_lock = threading.Lock()
REQUESTS, ORDERS = 0, 1


def enter(key_id: int) -> Standing | None:
    """Count a request of this key. None where there is no limit. Raises a Problem (429)."""
    standing = _spend(key_id, REQUESTS, 1)
    if standing is not None and standing.left < 0:
        raise _too_many("too_many_requests", _("This key has made its %(limit)s requests of this minute."), standing)
    return standing


def take(key_id: int, orders: int) -> Standing | None:
    """Count orders that this key sends in. None where there is no limit. Raises a Problem (429), and then none are
    counted. A request that is larger than the limit itself is taken where it is the first of its minute."""
    standing = _spend(key_id, ORDERS, orders)
    if standing is not None and standing.left < 0:
        message = _("With these, this key would send more than its %(limit)s orders of this minute.")
        raise _too_many("too_many_orders", message, standing)
    return standing


def take_when_possible(key_id: int) -> None:
    """Count one order, and wait for the next minute where this one's are used up."""
    while (standing := _spend(key_id, ORDERS, 1)) is not None and standing.left < 0:
        time.sleep(standing.seconds)


def prune(now: float) -> None:
    Spending.objects.filter(minute__lt=int(now // 60) - KEPT_MINUTES).delete()


def forget() -> None:
    """What this process has counted."""
    with _lock:
        _minutes.clear()


def _spend(key_id: int, what: int, number: int) -> Standing | None:
    """With less than nothing left, it was too much and is not counted."""
    limit = (settings.API_REQUESTS_PER_MINUTE, settings.API_ORDERS_PER_MINUTE)[what]
    if not limit:
        return None
    now = time.time()
    with _lock:
        minute = _minute_of(key_id, int(now // 60))
        spent = minute.spent[what]
        if spent + number > limit and spent:
            return Standing(limit, -1, _seconds_left(now))
        minute.spent[what] += number
        minute.untold[what] += number
        # Within a transaction the row would be locked to its end, and what was told might be rolled back: the next
        # request tells it.
        enough = minute.untold[what] >= max(1, limit // _SHARE) and not connection.in_atomic_block
        told = minute.untold.copy() if enough else None
        if told:
            minute.untold = [0, 0]
    if told:
        _tell(key_id, minute, told)
    return Standing(limit, max(0, limit - minute.spent[what]), _seconds_left(now))


def _minute_of(key_id: int, number: int) -> _Minute:
    minute = _minutes.get(key_id)
    if minute is None or minute.minute != number:
        if len(_minutes) >= _MOST_KEYS:
            for old in [key for key, one in _minutes.items() if one.minute != number]:
                del _minutes[old]
        minute = _minutes[key_id] = _Minute(number)
    return minute


def _tell(key_id: int, minute: _Minute, told: list[int]) -> None:
    """Others' spending comes back with it. A database that does not answer now keeps nobody from counting alone."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_TELL, [key_id, minute.minute, *told])
            shared = cursor.fetchone()
    except DatabaseError as error:
        log.warning("what a key has spent was not told", error=str(error))
        return
    with _lock:
        # Meanwhile more may have been counted here.
        minute.spent = [known + more for known, more in zip(shared, minute.untold, strict=True)]


def _seconds_left(now: float) -> int:
    return max(1, 60 - int(now % 60))


def _too_many(code: str, message: Text, standing: Standing) -> Problem:
    return Problem(
        status=429,
        code=code,
        message=filled(message, limit=standing.limit),
        next_step=_("Wait for the seconds that Retry-After says, then send it again."),
        headers={"Retry-After": str(standing.seconds), **headers(standing)},
    )


def headers(standing: Standing) -> dict[str, str]:
    return {
        "RateLimit-Limit": str(standing.limit),
        "RateLimit-Remaining": str(max(0, standing.left)),
        "RateLimit-Reset": str(standing.seconds),
    }
