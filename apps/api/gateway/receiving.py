"""Takes one upload: all of it is read and checked first, then taken in by one transaction (R2).

Two passes over the file on disk, in flat memory. The first asks intake's own reader about every row and touches no
table, so a bad row costs nobody a lock. The second brings the rows through intake by the thousand, within one
transaction, which also holds the line that says PASSED. So a request is there whole or not at all, whatever happens
to its process; and a repetition finds everything unchanged.
"""

import hashlib
from collections import Counter as Counting
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.utils import timezone

from apps.api.gateway.problems import MAX_PROBLEMS, Problem, Refused, of_unusable
from apps.api.gateway.reading import Element, Source
from apps.api.gateway.rows import CONTACTS
from apps.api.models import ReceivedState, ReceivedUpload
from apps.audit import trace
from apps.clients.accepting import How
from apps.counters.models import Counter
from apps.metrica.text import _, filled
from apps.metrica.vocabulary import MergeMode
from apps.metrica.wire.csvio import UnusableFile
from apps.metrica.wire.json_reading import UnusableJson
from apps.orders import clients_in, intake
from apps.orders.client_rows import reader_of_clients
from apps.orders.merging import Merge
from apps.orders.models import Source as CameBy
from apps.orders.results import RowResult
from apps.orders.rows import RowError

_TURNS = 0x4750  # tells these locks of PostgreSQL from others'
_STEP = 2**20
_NO_JSON = ("invalid_json", "empty", "bom", "encoding")
_MERGE = {MergeMode.SAVE: Merge.GIVEN, MergeMode.UPDATE: Merge.EACH, MergeMode.APPEND: Merge.UNITED}
_HOW: dict[MergeMode, How] = {MergeMode.SAVE: "replace", MergeMode.UPDATE: "change", MergeMode.APPEND: "add"}
_NO_ROWS = _("The upload has no rows.")


@dataclass(slots=True)
class _Tally:
    """What became of the rows, and what was worth a remark: by code, how often, and the first place and words."""

    outcomes: Counting[str] = field(default_factory=Counting)
    held: int = 0
    remarks: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, result: RowResult, source: Source) -> None:
        self.outcomes[result.result] += 1
        self.held += result.hold is not None
        number = result.line or 0
        for warning in result.warnings:
            if known := self.remarks.get(warning.code):
                known["count"] += 1
            elif len(self.remarks) < MAX_PROBLEMS:
                place = source.place(number, warning.field)
                said = {"code": warning.code, "count": 1, "location": place, "message": str(warning.message)}
                self.remarks[warning.code] = said
        if result.errors:
            self.problems += _told(result.errors, number, source)


def receive(
    *,
    counter: Counter,
    source: Source,
    file: UploadedFile,
    mode: MergeMode,
    file_format: str,
    count: Callable[[int], None],
) -> ReceivedUpload:
    """Read, check and take in the upload. Returns its line, PASSED; raises Refused with the line of one that FAILED.
    `count`: told of so many good rows before any is taken in; it may raise, and then none is."""
    current = trace.current()
    upload = ReceivedUpload(
        counter=counter,
        kind=source.maker.kind.received,
        format=file_format,
        merge_mode=mode,
        state=ReceivedState.PASSED,
        filename=(file.name or "")[:255],
        size=file.size or 0,
        sha256=_digest(file),
        received_by=current.actor.label[:255],
        request_id=current.request_id[:64],
        received_at=timezone.now(),
    )
    problems = _check(counter, source, upload)
    upload.ignored = list(source.ignored)
    if not problems:
        count(upload.elements)
        problems = intake.committed(lambda: _take(counter, source, upload, mode))
    if problems:
        upload.state = ReceivedState.FAILED
        upload.problems = [problem.kept() for problem in problems[:MAX_PROBLEMS]]
        upload.created = upload.updated = upload.unchanged = upload.held = 0
        upload.remarks = []
        upload.save(force_insert=True)
        raise Refused(upload, problems, no_json=file_format == "JSON" and problems[0].code in _NO_JSON)
    return upload


def _check(counter: Counter, source: Source, upload: ReceivedUpload) -> list[Problem]:
    """The first pass: what is wrong with the rows, up to the hundredth problem."""
    most = settings.GATEWAY_MAX_ROWS
    problems: list[Problem] = []
    errors_of = _reader(counter, source)
    try:
        for element in source.elements():
            upload.elements += 1
            if upload.elements > most:
                message = _("This is more than %(most)s rows, which is what is taken at once. Send several files.")
                return [Problem(source.place(element.number), "too_many_rows", filled(message, most=most))]
            problems += element.problems
            if element.row is not None and (errors := errors_of(element)):
                problems += _told(errors, element.number, source)
            if len(problems) >= MAX_PROBLEMS:
                break
    except (UnusableFile, UnusableJson) as error:
        problems += of_unusable(error)
    if not upload.elements and not problems:
        problems.append(Problem("", "no_rows", _NO_ROWS))
    return problems


def _reader(counter: Counter, source: Source) -> Any:
    """Tells what keeps an element out, as intake will."""
    if source.maker.kind is CONTACTS:
        clients = reader_of_clients(counter)
        return lambda element: clients.read_client(element.row).errors
    orders = intake.reader_for(counter)

    def errors_of(element: Element) -> Iterable[RowError]:
        read = orders.read(element.row)
        return read if isinstance(read, list) else ()

    return errors_of


def _take(counter: Counter, source: Source, upload: ReceivedUpload, mode: MergeMode) -> list[Problem]:
    """The second pass, inside the one transaction. What it finds wrong undoes all of it: the counter may have changed
    since the first."""
    _take_turn(counter)
    tally = _Tally()
    rows = (element.row for element in source.elements() if element.row is not None)
    for result in _accepted(counter, source, rows, mode):
        tally.add(result, source)
        if tally.problems:
            break
    if tally.problems:
        transaction.set_rollback(True)
        return tally.problems
    upload.created, upload.updated = tally.outcomes["created"], tally.outcomes["updated"]
    upload.unchanged, upload.held = tally.outcomes["unchanged"], tally.held
    upload.remarks = list(tally.remarks.values())
    upload.save(force_insert=True)
    return []


def _accepted(counter: Counter, source: Source, rows: Iterator[dict[str, Any]], mode: MergeMode) -> Iterable[RowResult]:
    if source.maker.kind is CONTACTS:
        return clients_in.accept(counter=counter, rows=rows, source=CameBy.GATEWAY, how=_HOW[mode])
    return intake.accept(counter=counter, rows=rows, source=CameBy.GATEWAY, merge=_MERGE[mode])


def _take_turn(counter: Counter) -> None:
    """One upload of a counter at a time: each holds its orders to its end, and two that hold what the other needs would
    end in a deadlock. SQLite needs none of it: there only one transaction writes at a time."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURNS << 32 | counter.pk])


def _told(errors: Iterable[RowError], number: int, source: Source) -> list[Problem]:
    return [Problem(source.place(number, error.field), error.code, error.message) for error in errors]


def _digest(file: UploadedFile) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while data := file.read(_STEP):
        digest.update(data)
    return digest.hexdigest()
