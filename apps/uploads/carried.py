"""Rows that Metrica is known to have, since a file carried them after the backup that was restored: when the CRM tells
their statuses again, or the backup held them as waiting, they are delivered already (R6).

The order of rows at Metrica stays the law of R4: where a known row was not the last one of its order there, the order's
newest state goes once more.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.counters.attributes import Declared
from apps.counters.models import AttributeEntity, Counter
from apps.orders import delivery
from apps.uploads.formats import UNWRITABLE
from apps.uploads.models import CarriedRow, UploadKind
from apps.uploads.orphans import Digests


@dataclass(slots=True)
class _Known:
    """Of the rows of a chunk: what each upload carried of them, and whether Metrica got anything later of the order."""

    by_upload: dict[UUID, list[str]] = field(default_factory=lambda: defaultdict(list))
    last: list[str] = field(default_factory=list)
    not_last: list[int] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)


class Carried:
    """Asked for each chunk of a file that is being made. Costs nothing where the counter has no such rows."""

    def __init__(self, *, counter: Counter, kind: UploadKind, make: Any) -> None:
        self._counter = counter
        self._make = make
        self._digests: Digests | None = None
        if CarriedRow.objects.filter(counter=counter).exists():
            attributes = Declared.of(counter).names(AttributeEntity.ORDER) if counter.is_detailed else {}
            zone = counter.zone
            assert zone is not None, "a counter without a zone is blocked"
            self._digests = Digests(kind=kind, zone=zone, attributes=attributes)

    def settle(self, rows: Sequence[Any]) -> set[str]:
        """Marks those of these waiting changes as delivered that Metrica has; returns their ids. Within a step.

        What is not known of an order goes now, after which nothing that went before is its last row.
        """
        if self._digests is None or not rows:
            return set()
        known = self._look(rows, self._digests)
        now = timezone.now()
        settled: set[str] = set()
        for upload_id, change_ids in known.by_upload.items():
            settled |= delivery.settle_known(change_ids=change_ids, upload_id=upload_id, at=now)
        _keep_the_law(known, settled)
        CarriedRow.objects.filter(pk__in=known.forgotten).delete()
        return settled

    def _look(self, rows: Sequence[Any], digests: Digests) -> _Known:
        found: dict[str, list[CarriedRow]] = defaultdict(list)
        of_orders = CarriedRow.objects.filter(counter=self._counter, order_id__in=[row.order_id for row in rows])
        for carried in of_orders.order_by("pk"):
            found[carried.order_id].append(carried)
        known = _Known()
        for row in rows:
            if not (history := found.get(row.order_id)):
                continue
            digest = self._digest(row, digests)
            number = next((number for number, one in enumerate(history) if one.digest == digest), None)
            if number is None:
                known.forgotten += [one.pk for one in history]
                continue
            known.forgotten += [one.pk for one in history[: number + 1]]
            known.by_upload[history[number].upload_id].append(row.id)
            if number == len(history) - 1:
                known.last.append(row.id)
            else:
                known.not_last.append(row.order)
        return known

    def _digest(self, row: Any, digests: Digests) -> str:
        try:
            return digests.of(self._make(row))
        except UNWRITABLE:
            return ""  # no file has carried it


def _keep_the_law(known: _Known, settled: set[str]) -> None:
    delivery.repeat(order_keys=known.not_last)
    last = [change_id for change_id in known.last if change_id in settled]
    delivery.repeat_outdated(change_ids=last)
    delivery.settle_resent(change_ids=last)
