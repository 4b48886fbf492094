"""The first rows of a file as they would be stored, by the very checks that they will meet; nothing is kept."""

from collections import Counter as Counting
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.utils import timezone

from apps.clients.masking import shown_text
from apps.counters.attributes import Declared
from apps.counters.models import Counter
from apps.goals.resolve import Resolver
from apps.imports import files, services
from apps.imports.models import ImportJob
from apps.imports.reader import OrdersFile, Record
from apps.imports.runner import field_of, lists_of
from apps.orders import intake
from apps.orders.models import HoldReason, Source
from apps.orders.results import RowResult
from apps.orders.rows import OrderRow, RowError, RowReader
from apps.orders.showing import stored

SHOWN = 20
SHOWN_BAD = 20


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as it will be stored, or as it stands in the file where it cannot be."""

    header: str
    text: str
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Line:
    """One row. `result`: of RowResult; `notes`: what is wrong with it as a whole."""

    line: int
    result: str
    type: str | None  # the order type that the status means; None where it is not mapped
    hold: Any
    cells: list[Cell]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Preview:
    """`lines`: the first rows, and after them such of the others checked as are rejected."""

    headers: list[str]
    lines: list[Line]
    checked: int
    results: Counting[str]
    held: list[tuple[Any, int]]
    warned: int


def preview(job: ImportJob) -> Preview:
    """A fixed number of queries. Raises UnusableFile."""
    counter = job.counter
    with (
        files.local_sample(job) as path,
        OrdersFile(path, delimiter=job.delimiter, column_map=services.column_map(job), lists=lists_of(counter)) as file,
    ):
        records = list(islice(file.records(), services.SAMPLE_ROWS))
        layout = file.layout
    if records and records[-1].error is not None and job.size > services.SAMPLE_BYTES:
        records.pop()  # the sample may have cut it
    rows = [one.row for one in records if one.row is not None]
    results = iter(intake.accept_all(counter=counter, rows=rows, source=Source.CSV, dry_run=True).results)
    declared = Declared.of(counter) if counter.is_detailed else None
    reader = RowReader(zone=counter.zone, now=timezone.now(), declared=declared)
    resolver = Resolver.for_counter(counter)
    columns = sorted(layout.positions.items(), key=lambda item: item[1])
    lines, counts, held, warned = [], Counting[str](), Counting[str](), 0
    bad = 0
    for number, record in enumerate(records):
        result = next(results) if record.row is not None else None
        outcome = result.result if result is not None else "rejected"
        counts[outcome] += 1
        if result is not None and result.hold:
            held[result.hold] += 1
        warned += bool(result is not None and result.warnings)
        if number >= SHOWN and (outcome != "rejected" or (bad := bad + 1) > SHOWN_BAD):
            continue
        if result is None:
            notes = [str(record.error.message)] if record.error is not None else []
            lines.append(Line(record.line, "rejected", None, "", [], notes))
        else:
            lines.append(_line(record, result, reader.read(record.row), columns, counter, layout.header, resolver))
    reasons = [(HoldReason(reason).label, number) for reason, number in held.most_common()]
    headers = [layout.header[at].strip() for _column, at in columns]
    return Preview(headers, lines, len(records), counts, reasons, warned)


def _line(
    record: Record,
    result: RowResult,
    read: OrderRow | list[RowError],
    columns: Sequence[tuple[str, int]],
    counter: Counter,
    header: Sequence[str],
    resolver: Resolver,
) -> Line:
    row = read if isinstance(read, OrderRow) else None
    cells = []
    fields = {field_of(column) for column, _at in columns}
    for column, at in columns:
        name = field_of(column)
        raw = record.cells[at].strip()
        text = shown_text(raw) if row is None else stored(row, name, counter=counter)
        cells.append(Cell(header[at].strip(), text, _of(result.errors, name), _of(result.warnings, name)))
    notes = [str(one.message) for one in (*result.errors, *result.warnings) if one.field not in fields]
    meaning = resolver.meaning(row.order_status) if row is not None else None
    hold = HoldReason(result.hold).label if result.hold else ""
    return Line(record.line, result.result, meaning.type if meaning else None, hold, cells, notes)


def _of(errors: Sequence[RowError], name: str) -> list[str]:
    return [str(one.message) for one in errors if one.field == name]
