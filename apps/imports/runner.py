"""One file through intake: rows in, results out, what went wrong into the report. In flat memory."""

from collections import Counter as Counting
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, cast

from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.counters.models import Counter
from apps.imports.reader import OrdersFile, Record
from apps.imports.report import ErrorReport
from apps.orders import intake
from apps.orders.models import Source
from apps.orders.results import RowResult
from apps.orders.rows import RowError

PROGRESS_EVERY = 500  # rows
# True of an order as it is; nothing in its row can be corrected. Such rows are counted and not listed.
NOT_CORRECTABLE = frozenset({"outside_binding_window", "create_date_time_frozen"})


@dataclass(slots=True)
class Tally:
    """What became of the rows so far. `line`: the last line of the file that is settled."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    line: int = 1
    held: Counting[str] = field(default_factory=Counting)
    warned: Counting[str] = field(default_factory=Counting)

    @property
    def rows(self) -> int:
        return self.created + self.updated + self.unchanged + self.rejected

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("rows", "created", "updated", "unchanged", "rejected")}


class Import:
    """Takes a file's orders into a counter. `tally` is right at every moment, also after an interruption."""

    def __init__(self, *, file: OrdersFile, counter: Counter, report: ErrorReport, dry_run: bool = False) -> None:
        self.tally = Tally()
        self._file = file
        self._counter = counter
        self._report = report
        self._dry_run = dry_run
        # Rows that went into intake, and those that could not even be cut into cells, in the file's order.
        self._pending: deque[Record] = deque()
        self._headers = {column: file.layout.header[place].strip() for column, place in file.layout.positions.items()}

    def run(self, *, progress: Callable[[int], None] = lambda position: None) -> Tally:
        """`progress` is told how many bytes of the file were read. Raises UnusableFile, KeyboardInterrupt."""
        results = intake.accept(counter=self._counter, rows=self._rows(), source=Source.CSV, dry_run=self._dry_run)
        with closing(cast(Generator[RowResult, None, None], results)):
            for number, result in enumerate(results, start=1):
                self._settle(result)
                if number % PROGRESS_EVERY == 0:
                    progress(self._file.position)
        self._report_spoiled(self._pending)
        progress(self._file.position)
        return self.tally

    def leave_trace(self, *, name: str, complete: bool) -> None:
        """One entry for the whole file (R12); each order's own history is its timeline."""
        audit.record(
            action="orders.imported",
            agency=self._counter.agency_id,
            obj=self._counter,
            details={
                "file": name,
                "sha256": self._file.encoded.sha256,
                "bytes": self._file.encoded.size,
                "complete": complete,
                **self.tally.as_dict(),
            },
        )

    def _rows(self) -> Iterator[dict[str, Any]]:
        pending = self._pending
        for each in self._file.records():
            pending.append(each)
            if each.row is not None:
                yield each.row

    def _settle(self, result: RowResult) -> None:
        pending, tally = self._pending, self.tally
        while pending[0].row is None:
            self._report_spoiled([pending.popleft()])
        record = pending.popleft()
        tally.line = record.line
        setattr(tally, result.result, getattr(tally, result.result) + 1)
        if result.hold:
            tally.held[result.hold] += 1
        if result.errors:
            self._report.add(line=record.line, cells=record.cells, errors=self._told(result.errors))
        elif result.warnings:
            tally.warned.update({warning.code for warning in result.warnings})
            if correctable := [warning for warning in result.warnings if warning.code not in NOT_CORRECTABLE]:
                note = ("", "", _("The row was taken all the same."))
                self._report.add(line=record.line, cells=record.cells, errors=[*self._told(correctable), note])

    def _told(self, errors: Iterable[RowError]) -> list[tuple[str, str, str]]:
        """Errors under the names that the file's own columns have."""
        return [(self._headers.get(error.field, error.field), error.code, str(error.message)) for error in errors]

    def _report_spoiled(self, records: Iterable[Record]) -> None:
        for each in records:
            if each.error is not None:
                self.tally.rejected += 1
                self.tally.line = each.line
                error = (each.error.column, each.error.code, str(each.error.message))
                self._report.add(line=each.line, cells=each.cells, errors=[error])
