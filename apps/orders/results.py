"""What became of each row that came in, and of all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from apps.orders.rows import RowError

Outcome = Literal["created", "updated", "unchanged", "rejected"]


@dataclass(slots=True)
class RowResult:
    """One row. `change`: the status change it made; `hold`: why that waits for a person; `line`: of a CSV file."""

    index: int
    id: str | None
    result: Outcome
    change: UUID | None = None
    hold: str | None = None
    errors: Sequence[RowError] = ()
    warnings: Sequence[RowError] = ()
    line: int | None = None


@dataclass(slots=True)
class IntakeReport:
    """The results of a call with their counts."""

    results: list[RowResult]
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    held: int = 0

    @classmethod
    def of(cls, results: Iterable[RowResult]) -> "IntakeReport":
        report = cls(list(results))
        for row in report.results:
            setattr(report, row.result, getattr(report, row.result) + 1)
            report.held += row.hold is not None
        return report
