"""One file through intake: rows in, results out, what went wrong told. In flat memory."""

from collections import Counter as Counting
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, cast

from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.counters.attributes import Declared
from apps.counters.models import AttributeEntity, Counter
from apps.imports.columns import ATTRIBUTE, CLIENT_ATTRIBUTE
from apps.imports.reader import OrdersFile, Record
from apps.imports.report import Problem
from apps.orders import intake
from apps.orders.models import Source
from apps.orders.results import RowResult
from apps.orders.rows import RowError

PROGRESS_EVERY = 500  # rows
PENDING_AT_MOST = 10_000  # rows in memory: those of a chunk, and those between them that are no rows at all
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

    def copy(self) -> "Tally":
        counts = (self.created, self.updated, self.unchanged, self.rejected)
        return Tally(*counts, self.line, self.held.copy(), self.warned.copy())


@dataclass(frozen=True, slots=True)
class Step:
    """How the import stands after some more rows, and what was wrong in these."""

    tally: Tally
    problems: list[Problem]
    records: int  # of the file, those that are no rows included


def _nothing(_step: Step) -> None:
    pass


def lists_of(counter: Counter) -> set[str]:
    """Columns of the counter's attributes that have several values. One query in detailed mode, none in simple mode."""
    if not counter.is_detailed:
        return set()
    declared = Declared.of(counter)
    entities = ((ATTRIBUTE, AttributeEntity.ORDER), (CLIENT_ATTRIBUTE, AttributeEntity.CONTACT))
    return {
        f"{kind}:{name}" for kind, entity in entities for name, several in declared.names(entity).items() if several
    }


class Import:
    """Takes a file's orders into a counter. `tally` is right at every moment, also after an interruption.

    `tally`: where an earlier import of the file stopped; rows up to its line are passed over. `beside`: called with
    each step in the transaction that takes its rows in, and once more where that is tried anew; `told`: once it is
    committed. `received_by`: who is named in the orders' timelines, if it is not whoever acts now.
    """

    def __init__(
        self,
        *,
        file: OrdersFile,
        counter: Counter,
        dry_run: bool = False,
        tally: Tally | None = None,
        beside: Callable[[Step], None] = _nothing,
        told: Callable[[Step], None] = _nothing,
        received_by: str = "",
    ) -> None:
        self.tally = tally or Tally()
        self.ended = False
        self._file = file
        self._counter = counter
        self._dry_run = dry_run
        self._beside, self._told = beside, told
        self._received_by = received_by
        self._records = iter(file.records())
        self._passed_over = self.tally.line
        # Rows that went into intake, and those that could not even be cut into cells, in the file's order.
        self._pending: deque[Record] = deque()
        self._next: Step | None = None
        self._headers = {
            field_of(column): file.layout.header[at].strip() for column, at in file.layout.positions.items()
        }

    def run(
        self,
        *,
        progress: Callable[[int], None] = lambda position: None,
        over: Callable[[], bool] = lambda: False,
    ) -> Tally:
        """`progress` is told how many bytes of the file were read. Stops before the end where `over` says so; `ended`
        tells. Raises UnusableFile, KeyboardInterrupt."""
        while not self.ended:
            results = intake.accept(
                counter=self._counter,
                rows=self._portion(over),
                source=Source.CSV,
                actor_label=self._received_by,
                dry_run=self._dry_run,
                beside=self._take,
            )
            with closing(cast(Generator[RowResult, None, None], results)):
                for number, _result in enumerate(results, start=1):
                    self._settle()
                    if number % PROGRESS_EVERY == 0:
                        progress(self._file.position)
            if self._pending:  # no rows at all, and no row came after them
                self._take([], whole=True)
                self._settle()
            if over():
                break
        progress(self._file.position)
        return self.tally

    def leave_trace(self, *, name: str, complete: bool) -> None:
        """One entry for the whole file (R12); each order's own history is its timeline."""
        audit.record(
            action="import.checked" if self._dry_run else "orders.imported",
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

    def _portion(self, over: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        pending = self._pending
        for each in self._records:
            if each.line <= self._passed_over:
                continue
            pending.append(each)
            if each.row is not None:
                yield each.row
            if len(pending) >= PENDING_AT_MOST or over():
                return
        self.ended = True

    def _take(self, results: Sequence[RowResult], *, whole: bool = False) -> None:
        """Within the transaction that takes these rows in, or on its own for what are no rows."""
        tally, problems, number = self.tally.copy(), [], 0
        records = iter(self._pending)
        remaining = iter(results)
        result = next(remaining, None)
        while result is not None or whole:
            each = next(records, None)
            if each is None:
                break
            number += 1
            tally.line = each.line
            if each.row is None:
                problem = self._spoiled(each, tally)
            else:
                assert result is not None, "each row has its result"
                problem = self._judged(each, result, tally)
                result = next(remaining, None)
            if problem is not None:
                problems.append(problem)
        self._next = Step(tally, problems, number)
        self._beside(self._next)

    def _settle(self) -> None:
        """What was taken is committed."""
        if (step := self._next) is None:
            return
        self._next = None
        self.tally = step.tally
        for _number in range(step.records):
            self._pending.popleft()
        self._told(step)

    def _judged(self, record: Record, result: RowResult, tally: Tally) -> Problem | None:
        setattr(tally, result.result, getattr(tally, result.result) + 1)
        if result.hold:
            tally.held[result.hold] += 1
        if result.errors:
            return Problem(record.line, record.cells, self._named(result.errors))
        tally.warned.update({warning.code for warning in result.warnings})
        correctable = [warning for warning in result.warnings if warning.code not in NOT_CORRECTABLE]
        if not correctable:
            return None
        note = ("", "", _("The row was taken all the same."))
        return Problem(record.line, record.cells, [*self._named(correctable), note])

    def _named(self, errors: Iterable[RowError]) -> list[tuple[str, str, str]]:
        """Errors under the names that the file's own columns have."""
        return [(self._headers.get(error.field, error.field), error.code, str(error.message)) for error in errors]

    @staticmethod
    def _spoiled(record: Record, tally: Tally) -> Problem | None:
        if record.error is None:
            return None
        tally.rejected += 1
        return Problem(record.line, record.cells, [(record.error.column, record.error.code, str(record.error.message))])


def field_of(column: str) -> str:
    """What intake calls the column."""
    kind, colon, name = column.partition(":")
    if not colon:
        return column
    return f"{'attributes' if kind == ATTRIBUTE else 'client_attributes'}.{name}"
