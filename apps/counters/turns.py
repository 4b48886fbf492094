"""Work that lies in a row of the database and that one worker has at a time: a lease with a fence, taken by
compare-and-swap, and a message to the workers that may be lost or doubled without harm.

Such rows have `lease_until`, `fence` and `enqueued_at`. Leases are told and read on the database's clock.
"""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import Combinable

from apps.counters import clock, stopping


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


_RENEWED_EVERY = 20.0


@dataclass(slots=True)
class LongTurn(ABC):
    """One claim of work that takes many steps. Every write of it goes through `write` or `step`."""

    fence: int
    began: float = field(default_factory=time.monotonic, init=False)
    renewed: float = field(default_factory=time.monotonic, init=False)

    @property
    @abstractmethod
    def longest(self) -> float:
        """Seconds after which others may have the worker; the queue's own timeout of a task is far beyond."""

    @abstractmethod
    def mine(self) -> QuerySet[Any]:
        """The row, as long as it is this claim's."""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def over(self) -> bool:
        return stopping.requested() or self.seconds > self.longest

    def write(self, *, ahead: float = 0.0, **fields: Any) -> None:
        """Within the caller's transaction; renews the lease. `ahead`: how many seconds the next thing outside may take.

        Raises TurnLost, and then nothing may be committed.
        """
        if not self.mine().update(lease_until=clock.ahead(settings.UPLOAD_LEASE_SECONDS + ahead), **fields):
            raise TurnLost
        self.renewed = time.monotonic()

    @contextlib.contextmanager
    def step(self, *, ahead: float = 0.0) -> Iterator[None]:
        """One committed step of the work, otherwise as `write`."""
        with transaction.atomic():
            self.write(ahead=ahead)
            yield

    def alive(self) -> None:
        """Called often while something long is under way."""
        if time.monotonic() - self.renewed > _RENEWED_EVERY:
            self.write()
