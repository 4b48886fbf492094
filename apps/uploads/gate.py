"""Which orders may go in detailed mode: those whose client Metrica has, as the order needs it (R4, R5).

An order waits for its client's file; it is held where Metrica did not take the client, or takes no more orders of it
(R8).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.counters.models import Counter
from apps.goals.resolve import Resolver
from apps.orders.crowds import CrowdWatch
from apps.orders.models import HoldReason
from apps.orders.preparing import prepare
from apps.uploads.rows import ChangeRow


@dataclass(slots=True)
class Sorted:
    """Rows of a chunk. `later`: how many wait for their clients, those made ready only now among them."""

    good: list[ChangeRow] = field(default_factory=list)
    held: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    later: int = 0


class OpenGate:
    """Simple mode: an order brings its client along."""

    def sort(self, rows: Sequence[ChangeRow]) -> Sorted:
        return Sorted(good=list(rows))

    def written(self, rows: Sequence[ChangeRow]) -> set[int]:
        """Orders (primary keys) that `sort` will write."""
        return set()


class ClientGate:
    """Keep it for one file."""

    def __init__(self, *, counter: Counter, resolver: Resolver) -> None:
        self._counter = counter
        self._resolver = resolver
        self._crowds = CrowdWatch()

    def sort(self, rows: Sequence[Any]) -> Sorted:
        """`rows`: of DetailedRow. Makes those ready that are not. Belongs inside a step of the job."""
        found = Sorted()
        unready: list[int] = []
        known: list[Any] = []
        for row in rows:
            if _unready(row):
                unready.append(row.order)
            elif row.settled_revision < row.client_revision:
                found.later += 1
            elif not row.client_delivered and row.newest_revision > row.settled_revision:
                # Metrica refused an earlier one, and the CRM has corrected it since.
                found.later += 1
            elif not row.client_delivered:
                found.held[HoldReason.CLIENT_REFUSED].append(row.id)
            else:
                known.append(row)
        if unready:
            found.later += prepare(counter=self._counter, order_keys=unready, resolver=self._resolver)
        beyond = self._crowds.beyond([(row.order, row.client) for row in known]) if known else set()
        for row in known:
            if row.order in beyond:
                found.held[HoldReason.CLIENT_FULL].append(row.id)
            else:
                found.good.append(row)
        return found

    def written(self, rows: Sequence[Any]) -> set[int]:
        return {row.order for row in rows if _unready(row)}


def _unready(row: Any) -> bool:
    """Of a DetailedRow: the order has yet to be given a client by whom Metrica can know it."""
    return row.client is None or not row.client_revision
