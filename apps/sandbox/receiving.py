"""Takes one upload of whatever kind: all of it is read and checked first, then applied in one transaction, so that a
bad row, a lost process or a full disk leaves all of the file or nothing."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Any

from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from apps.metrica.vocabulary import Delimiter, MergeMode
from apps.sandbox import switches
from apps.sandbox.kinds import KINDS, UploadOf
from apps.sandbox.models import SandboxCounter, SandboxUploading, UploadFormat, UploadingStatus, UploadKind
from apps.sandbox.problems import FileRefused, RowCheck, RowProblem, RowsRefused
from apps.sandbox.reading import ReadRecord, Unreadable
from apps.sandbox.spill import RowSpill, shuffle_duplicates

__all__ = ["FileRefused", "RowProblem", "receive", "receive_simple_orders"]

_CHUNK_ROWS = 2000
_MAX_ERRORS = 100


def receive(
    *,
    kind: UploadKind,
    counter: SandboxCounter,
    file: File,
    merge_mode: MergeMode,
    uploading_format: UploadFormat = UploadFormat.CSV,
    delimiter: Delimiter = Delimiter.COMMA,
    columns_mapping: dict[str, str] | None = None,
    check: RowCheck | None = None,
    fail: bool = False,
    now: datetime | None = None,
    rng: Random | None = None,
) -> SandboxUploading:
    """Reads, checks and applies `file` (seekable, binary; closed by the caller) and keeps its bytes.

    `columns_mapping`: attribute → title of its column, CSV only. `now` (aware) is the time of receipt, by default the
    present; `rng` decides the order of duplicate ids. `fail`: the answer is to be FAILED and nothing is applied.
    Raises FileRefused for an unusable file or a bad row, unless a switch says that it ends as FAILED.
    """
    moved = switches.values()
    uploading = SandboxUploading(
        counter=counter,
        uuid=uuid.uuid4(),
        kind=kind,
        uploading_format=uploading_format,
        received_at=now or timezone.now(),
        status=UploadingStatus.FAILED if fail else UploadingStatus.PASSED,
        merge_mode=merge_mode,
        delimiter_type=delimiter if uploading_format == UploadFormat.CSV else "",
        columns_mapping=",".join(f'"{name}":"{title}"' for name, title in (columns_mapping or {}).items()),
        filename=(file.name or "")[:255],
        size=file.size,
    )
    upload = KINDS[kind](counter=counter, switches=moved, now=uploading.received_at)
    checks = [*upload.checks(), *([check] if check else [])]
    spill: RowSpill[Any] = RowSpill(record=upload.record, key=upload.key, file_size=file.size)
    with spill:
        file.seek(0)
        rows = upload.read(
            file,  # type: ignore[arg-type]
            uploading_format=uploading_format,
            delimiter=delimiter,
            columns_mapping=columns_mapping or {},
        )
        found = _check(
            rows=rows,
            spill=spill,
            checks=checks,
            list_name=upload.list_name if uploading_format == UploadFormat.JSON else "",
            skip_bad=moved["bad_row"] == "row",
        )
        if not found.rows and not found.problems and moved["no_rows"] == "refuse":
            line = 1 if uploading_format == UploadFormat.CSV else 0
            found.end([RowProblem(line, "", "no_rows", "The upload has no rows.")])
        uploading.elements_count = found.rows
        uploading.errors = [problem.kept() for problem in found.problems]
        refused = found.fatal if moved["bad_row"] == "row" else found.problems
        if refused:
            _mark_refused(uploading, refused, moved)
        _keep_bytes(uploading, file)
        try:
            if uploading.status == UploadingStatus.PASSED:
                refused = _applied(upload=upload, uploading=uploading, spill=spill, rng=rng)
            if refused:
                _mark_refused(uploading, refused, moved)
            if uploading.pk is None:
                uploading.save()
        except BaseException:
            uploading.body.delete(save=False)
            raise
    if uploading.status == UploadingStatus.REFUSED:
        raise FileRefused(uploading, refused)
    return uploading


def receive_simple_orders(**parameters: Any) -> SandboxUploading:
    """`receive` for the simple format."""
    return receive(kind=UploadKind.SIMPLE_ORDERS, **parameters)


def _mark_refused(uploading: SandboxUploading, problems: Sequence[RowProblem], moved: dict[str, str]) -> None:
    uploading.status = UploadingStatus.FAILED if moved["refusal"] == "failed" else UploadingStatus.REFUSED
    uploading.errors = [problem.kept() for problem in problems]


def _applied(
    *, upload: UploadOf[Any], uploading: SandboxUploading, spill: RowSpill[Any], rng: Random | None
) -> list[RowProblem]:
    """Applies all rows, or none of them and says why."""
    try:
        with transaction.atomic():
            # Two uploads of one counter at once must not both take an order for new.
            locked = SandboxCounter.objects.select_for_update().get(pk=uploading.counter_id)
            uploading.save()
            applier = upload.applier(counter=locked, uploading=uploading)
            for rows in spill.buckets():
                shuffle_duplicates(rows=rows, key=upload.key, rng=rng or Random())  # noqa: S311 - no secret
                for start in range(0, len(rows), _CHUNK_ROWS):
                    applier.apply(rows[start : start + _CHUNK_ROWS])
            upload.passed(counter=locked)
    except RowsRefused as refused:
        uploading.pk = None
        if uploading.uploading_format == UploadFormat.JSON:
            return [_in_json(problem, upload.list_name) for problem in refused.problems]
        return refused.problems
    return []


@dataclass(slots=True)
class _Found:
    """What reading found: all elements, good and bad; problems of rows; among them those that end the reading."""

    rows: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    fatal: list[RowProblem] = field(default_factory=list)

    def end(self, problems: Sequence[RowProblem]) -> None:
        self.fatal += problems
        self.problems = [*self.problems, *problems][:_MAX_ERRORS]


def _check(
    *,
    rows: Iterator[ReadRecord[Any]],
    spill: RowSpill[Any],
    checks: Iterable[RowCheck],
    list_name: str,
    skip_bad: bool,
) -> _Found:
    """Reads all rows into `spill`; stops at the hundredth problem unless bad rows are skipped."""
    found = _Found()
    try:
        for line, record, problems in rows:
            found.rows += 1
            if record is not None:
                problems = [problem for check in checks if (problem := check(line, record))]
                if list_name:
                    problems = [_in_json(problem, list_name) for problem in problems]
            if problems:
                found.problems += problems[: max(0, _MAX_ERRORS - len(found.problems))]
            elif skip_bad or not found.problems:
                spill.add(line=line, record=record)
            if not skip_bad and len(found.problems) >= _MAX_ERRORS:
                break
    except Unreadable as error:
        found.end(error.problems)
    return found


def _in_json(problem: RowProblem, list_name: str) -> RowProblem:
    """A problem that keeps its place back has no column."""
    if not problem.column:
        return problem
    return replace(problem, path=f"{list_name}[{problem.line}].{problem.field or problem.column}")


def _keep_bytes(uploading: SandboxUploading, file: File) -> None:
    """Before the transaction: moving or copying a large file would hold the database."""
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    uploading.sha256 = digest.hexdigest()
    file.seek(0)
    uploading.body.save(f"{uploading.uuid}.{uploading.uploading_format.lower()}", file, save=False)
