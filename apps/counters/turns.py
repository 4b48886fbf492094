"""Work that lies in a row of the database and that one worker has at a time: a lease with a fence, taken by
compare-and-swap, and a message to the workers that may be lost or doubled without harm.

Such rows have `lease_until`, `fence` and `enqueued_at`. Leases are told and read on the database's clock.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.expressions import Combinable

from apps.counters import clock


class TurnLost(Exception):
    """Another worker took the work over: stop without writing anything."""


def free(now: datetime | Combinable) -> Q:
    """Nobody holds it at `now`."""
    return Q(lease_until=None) | Q(lease_until__lte=now)


def untold(now: datetime, *, lost_after: timedelta) -> Q:
    """The workers were not told of it, or so long ago that the message is taken for lost."""
    return Q(enqueued_at=None) | Q(enqueued_at__lte=now - lost_after)


def take(rows: QuerySet[Any], key: Any, *, seconds: float, **fields: object) -> int | None:
    """Claim the row of this primary key for so long, if it is among `rows`, those that can be taken. Returns the fence
    of the claim, by which its writes find the row as long as it is theirs; None where another has it."""
    taken = {"lease_until": clock.ahead(seconds), "fence": F("fence") + 1, "enqueued_at": None}
    if not rows.filter(pk=key).update(**taken, **fields):
        return None
    fence: int = rows.model._default_manager.values_list("fence", flat=True).get(pk=key)
    return fence
