"""Which visit an order belongs to (contacts page): the nearest one in the past that carries one of its identifiers.

- The search goes back from the order's creation time; a date without time counts as 23:59 of that day.
- An order can be bound within 21 days of its creation, and bound anew when its identifiers change, or in the detailed
  format its customer.
- In the detailed format only visits after the first upload of customers count (data page).
- A bound order changes its visit's goals for 111 days from the visit's start.
- Identifiers that find no visit leave an earlier binding as it is.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from apps.metrica.rules import bind_until, update_until
from apps.sandbox.models import Note, SandboxCounter, SandboxVisit, SandboxVisitKey
from apps.sandbox.state import OrderState

_KEYS_PER_QUERY = 900


class VisitFinder:
    """Visits of one counter for the keys loaded so far."""

    def __init__(self, counter: SandboxCounter) -> None:
        self._counter = counter
        self._has_visits = SandboxVisit.objects.filter(counter=counter).exists()
        self._visits: dict[str, list[tuple[datetime, int]]] = {}

    def load(self, keys: Collection[str]) -> None:
        """Forgets what was loaded and loads the visits of `keys`: one query for each 900."""
        self._visits = {}
        if not self._has_visits:
            return
        found: defaultdict[str, list[tuple[datetime, int]]] = defaultdict(list)
        prefix = str(self._counter.pk)
        wanted = [f"{prefix}{key}" for key in keys]
        for start in range(0, len(wanted), _KEYS_PER_QUERY):
            rows = SandboxVisitKey.objects.filter(key__in=wanted[start : start + _KEYS_PER_QUERY])
            for key, started_at, visit_id in rows.values_list("key", "started_at", "visit_id").iterator():
                found[key.removeprefix(prefix)].append((started_at, visit_id))
        for visits in found.values():
            visits.sort()
        self._visits = dict(found)

    def nearest(self, *, keys: Collection[str], moment: datetime) -> tuple[datetime, int] | None:
        """(start, key) of the last visit that began at or before `moment`, whichever identifier it carries."""
        best: tuple[datetime, int] | None = None
        for key in keys:
            visits = self._visits.get(key)
            if not visits:
                continue
            place = bisect_right(visits, moment, key=lambda visit: visit[0])
            if place and (best is None or visits[place - 1] > best):
                best = visits[place - 1]
        return best


def bind(
    *, state: OrderState, changed: bool, finder: VisitFinder, now: datetime, since: datetime | None = None
) -> list[Note]:
    """Binds `state` where the rules allow it. `changed`: its identifiers are others than before the row.

    `since`: visits that began earlier do not count. Returns notes; with `UPDATE_CLOSED` among them the row must not
    change anything in the visit.
    """
    bound = state.visit is not None
    if bound and state.visit_started_at is not None and now > update_until(state.visit_started_at):
        return [Note.UPDATE_CLOSED]
    if bound and not changed:
        return []
    if now > bind_until(state.create_date_time):
        return [Note.BINDING_CLOSED]
    found = finder.nearest(keys=state.keys, moment=state.create_date_time)
    if found is None:
        return [] if bound else [Note.NO_VISIT]
    started_at, visit_id = found
    if visit_id == state.visit:
        return []
    if since is not None and started_at < since:
        return [] if bound else [Note.BEFORE_CUSTOMERS]
    state.visit, state.visit_started_at, state.bound_at = visit_id, started_at, now
    return [Note.REBOUND] if bound else []
