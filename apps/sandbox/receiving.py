"""Takes one simple_orders file (uploadSimpleOrders page): all of it is read and checked first, then applied in one
transaction, so that a bad row, a lost process or a full disk leaves all of the file or nothing."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Protocol

from django.core.files.base import File
from django.db import transaction
from django.utils import timezone, translation

from apps.metrica.vocabulary import MAX_ID_LENGTH, Delimiter, MergeMode
from apps.metrica.wire.csvio import CellError, UnusableFile
from apps.metrica.wire.simple_orders import ReadRow, SimpleOrder, read_simple_orders
from apps.sandbox import switches
from apps.sandbox.applying import Applier
from apps.sandbox.models import SandboxCounter, SandboxUploading, UploadingStatus
from apps.sandbox.spill import RowSpill, shuffle_duplicates
from apps.sandbox.statuses import StatusReader

_CHUNK_ROWS = 2000
_MAX_ERRORS = 100


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One reason to refuse a file. Line 1 is the header, 0 keeps the place back; `column` may be ""."""

    line: int
    column: str
    code: str
    message: str

    @property
    def location(self) -> str:
        if not self.line:
            return ""
        return f"line {self.line}, column {self.column}" if self.column else f"line {self.line}"


class FileRefused(Exception):
    """The file was refused whole; `uploading` keeps it with its errors for the pages."""

    def __init__(self, uploading: SandboxUploading, problems: Sequence[RowProblem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.uploading = uploading
        self.problems = list(problems)


class RowCheck(Protocol):
    """A further check of each row (a fault): the problem, or None."""

    def __call__(self, line: int, order: SimpleOrder) -> RowProblem | None: ...


def receive_simple_orders(
    *,
    counter: SandboxCounter,
    file: File,
    merge_mode: MergeMode,
    delimiter: Delimiter = Delimiter.COMMA,
    check: RowCheck | None = None,
    fail: bool = False,
    now: datetime | None = None,
    rng: Random | None = None,
) -> SandboxUploading:
    """Reads, checks and applies `file` (seekable, binary; closed by the caller) and keeps its bytes.

    `now` (aware) is the time of receipt, by default the present; `rng` decides the order of duplicate ids.
    `fail`: the answer is to be FAILED and nothing is applied. Raises FileRefused for an unusable file or a bad row.
    """
    moved = switches.values()
    statuses = StatusReader(counter)
    uploading = SandboxUploading(
        counter=counter,
        uuid=uuid.uuid4(),
        received_at=now or timezone.now(),
        status=UploadingStatus.FAILED if fail else UploadingStatus.PASSED,
        merge_mode=merge_mode,
        delimiter_type=delimiter,
        filename=(file.name or "")[:255],
        size=file.size,
    )
    checks: list[RowCheck] = [_limits_check]
    if moved["unknown_status"] == "refuse":
        checks.append(_status_check(statuses))
    if check is not None:
        checks.append(check)
    with RowSpill(file_size=file.size) as spill:
        rows = _read(counter=counter, file=file, delimiter=delimiter, moved=moved)
        problems = _check(rows=rows, spill=spill, checks=checks)
        uploading.elements_count = spill.rows
        if problems:
            uploading.status = UploadingStatus.REFUSED
            uploading.errors = [
                {"line": problem.line, "column": problem.column, "code": problem.code, "message": problem.message}
                for problem in problems
            ]
        _keep_bytes(uploading, file)
        try:
            with transaction.atomic():
                if uploading.status == UploadingStatus.PASSED:
                    _apply(counter=counter, uploading=uploading, spill=spill, statuses=statuses, moved=moved, rng=rng)
                else:
                    uploading.save()
        except BaseException:
            uploading.body.delete(save=False)
            raise
    if problems:
        raise FileRefused(uploading, problems)
    return uploading


def _apply(
    *,
    counter: SandboxCounter,
    uploading: SandboxUploading,
    spill: RowSpill,
    statuses: StatusReader,
    moved: dict[str, str],
    rng: Random | None,
) -> None:
    # Two uploads of one counter at once must not both take an order for new.
    locked = SandboxCounter.objects.select_for_update().get(pk=counter.pk)
    uploading.save()
    applier = Applier(
        counter=counter,
        uploading=uploading,
        mode=MergeMode(uploading.merge_mode),
        statuses=statuses,
        switches=moved,
    )
    for rows in spill.buckets():
        shuffle_duplicates(rows=rows, rng=rng or Random())  # noqa: S311 - no secret
        for start in range(0, len(rows), _CHUNK_ROWS):
            applier.apply(rows[start : start + _CHUNK_ROWS])
    if locked.first_upload_at is None:
        locked.first_upload_at = uploading.received_at
        locked.save(update_fields=["first_upload_at"])


def _read(*, counter: SandboxCounter, file: File, delimiter: Delimiter, moved: dict[str, str]) -> Iterator[ReadRow]:
    file.seek(0)
    yield from read_simple_orders(
        file,  # type: ignore[arg-type]
        zone=counter.zone,
        delimiter=delimiter,
        ignore_unknown_columns=moved["unknown_column"] == "ignore",
    )


def _check(*, rows: Iterator[ReadRow], spill: RowSpill, checks: Iterable[RowCheck]) -> list[RowProblem]:
    """Reads all rows into `spill`; stops at the hundredth problem."""
    problems: list[RowProblem] = []
    try:
        for row in rows:
            if row.order is None:
                problems += [_problem(error) for error in row.errors]
            elif found := [problem for check in checks if (problem := check(row.line, row.order))]:
                problems += found
            elif not problems:
                spill.add(line=row.line, order=row.order)
            if len(problems) >= _MAX_ERRORS:
                break
    except UnusableFile as error:
        problems += [_problem(cell) for cell in error.errors]
    if not problems and not spill.rows:
        problems.append(RowProblem(1, "", "no_rows", "The file has a header but no rows."))
    return problems[:_MAX_ERRORS]


def _problem(error: CellError) -> RowProblem:
    # What travels over the API is English whatever the language of the request.
    with translation.override("en"):
        return RowProblem(error.line, error.column, error.code, str(error.message))


def _limits_check(line: int, order: SimpleOrder) -> RowProblem | None:
    """What the tables can hold. Metrica's own limits for these are not documented."""
    if len(order.id) > MAX_ID_LENGTH:
        return _too_long(line, "id")
    if len(order.order_status) > MAX_ID_LENGTH:
        return _too_long(line, "order_status")
    if any(len(goal.goal_action_id) > MAX_ID_LENGTH for goal in order.goals):
        return _too_long(line, "goals")
    return None


def _too_long(line: int, column: str) -> RowProblem:
    return RowProblem(line, column, "too_long", f"At most {MAX_ID_LENGTH} characters are possible here.")


def _status_check(statuses: StatusReader) -> RowCheck:
    def check(line: int, order: SimpleOrder) -> RowProblem | None:
        if statuses.meaning(order.order_status).known:
            return None
        message = "The status is neither a default one nor a JavaScript goal of the counter."
        return RowProblem(line, "order_status", "unknown_status", message)

    return check


def _keep_bytes(uploading: SandboxUploading, file: File) -> None:
    """Before the transaction: moving or copying a large file would hold the database."""
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    uploading.sha256 = digest.hexdigest()
    file.seek(0)
    uploading.body.save(f"{uploading.uuid}.csv", file, save=False)
