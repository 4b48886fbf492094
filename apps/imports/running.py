"""Takes a file in: by a worker, chunk after chunk, each committed together with how far it is and what was wrong in it.

So a worker may die anywhere: the next one goes on behind the last chunk, and no row counts twice.
"""

import tempfile
from collections import Counter as Counting
from pathlib import Path
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone, translation

from apps.audit.services import record
from apps.counters.turns import TurnLost
from apps.imports import files, services, xlsx
from apps.imports.claims import Turn, claim, enqueue, enqueue_next
from apps.imports.files import FileUnusable
from apps.imports.models import FileKind, ImportJob, ImportState, ReportPart
from apps.imports.reader import OrdersFile
from apps.imports.report import ReportLines
from apps.imports.runner import Import, Step, Tally, lists_of
from apps.metrica.wire.csvio import UnusableFile, unusable

log = structlog.get_logger(__name__)

MOST_BREAKDOWNS = 5
_WAIT_SECONDS = 15.0


class Stopped(Exception):
    """A person wants no more of it."""


def run(job_id: UUID) -> None:
    """Take the import and work on it for a turn. Does nothing where another worker has it or it has ended."""
    turn = claim(job_id)
    if turn is None:
        return
    job = ImportJob.objects.select_related("counter__agency", "counter__account").get(pk=job_id)
    with translation.override(job.language):
        try:
            _work(turn, job)
        except TurnLost:
            log.warning("import was taken over by another worker", job=str(job_id))
        except Stopped:
            _end(turn, job, ImportState.CANCELLED, code="cancelled")
        except FileUnusable as error:
            _end(turn, job, ImportState.FAILED, code=error.code)
        except UnusableFile as error:
            first = error.errors[0]
            _end(turn, job, ImportState.FAILED, code=first.code, message=str(first.message))
        except Exception:
            log.exception("import broke off", job=str(job_id))
            turn.mine().update(breakdowns=job.breakdowns + 1)
            turn.release(not_before=timezone.now() + timezone.timedelta(seconds=_WAIT_SECONDS))  # type: ignore[attr-defined]


def _work(turn: Turn, job: ImportJob) -> None:
    if job.cancel_requested_at is not None:
        raise Stopped
    if job.breakdowns >= MOST_BREAKDOWNS:
        _end(turn, job, ImportState.FAILED, code="internal_error")
        return
    if job.kind == FileKind.XLSX and not job.table:
        _read_workbook(turn, job)
    with files.local_table(job) as path, _opened(job, path) as file:
        importing = _import(turn, job, file)
        importing.run(over=lambda: turn.over)
        if not importing.ended:
            turn.release()
            enqueue(job.pk)
            return
        state = ImportState.PARTLY_FAILED if importing.tally.rejected else ImportState.SUCCEEDED
        with transaction.atomic():
            turn.end(state, position=job.whole)
            importing.leave_trace(name=job.name, complete=True)
            enqueue_next(job.counter_id)


def _opened(job: ImportJob, path: Path) -> OrdersFile:
    return OrdersFile(path, delimiter=job.delimiter, column_map=services.column_map(job), lists=lists_of(job.counter))


def _import(turn: Turn, job: ImportJob, file: OrdersFile) -> Import:
    lines = ReportLines(header=file.layout.header, delimiter=job.delimiter)
    began = Tally(
        *(job.created, job.updated, job.unchanged, job.rejected, job.line),
        Counting(job.held),
        Counting(job.warned),
    )
    reported = job.reported

    def write(step: Step) -> None:
        tally = step.tally
        turn.write(
            created=tally.created,
            updated=tally.updated,
            unchanged=tally.unchanged,
            rejected=tally.rejected,
            held=dict(tally.held),
            warned=dict(tally.warned),
            line=tally.line,
            position=file.position,
            reported=reported + len(step.problems),
            breakdowns=0,
        )
        if step.problems:
            ReportPart.objects.create(
                job=job,
                first_line=step.problems[0].line,
                rows=len(step.problems),
                body=files.pack_report(lines.body(step.problems)),
            )

    def told(step: Step) -> None:
        nonlocal reported
        if job.dry_run:  # what is written in the rows' own transaction is taken back with them
            with transaction.atomic():
                write(step)
        reported += len(step.problems)
        if turn.mine().filter(cancel_requested_at__isnull=False).exists():
            raise Stopped

    return Import(
        file=file,
        counter=job.counter,
        dry_run=job.dry_run,
        tally=began,
        told=told,
        received_by=job.requested_by,
        **({} if job.dry_run else {"beside": write}),
    )


def _read_workbook(turn: Turn, job: ImportJob) -> None:
    """The whole sheet as CSV, once; kept, so that a worker who goes on need not do it again."""
    with files.local(job) as path, tempfile.NamedTemporaryFile("w+", encoding="utf-8", newline="") as table:
        with path.open("rb") as source:
            sheet = xlsx.write_csv(source, table, rows=services.MAX_ROWS + 1, alive=turn.alive)
        if sheet.cut:
            raise unusable(1, "too_many_rows", services.too_many_rows())
        table.flush()
        plain = Path(table.name)
        with plain.open("rb") as stream:
            name = files.keep_table(job, stream)
        size = plain.stat().st_size
    turn.write(table=name, whole=size, sheet=sheet.name[:255])
    job.table, job.whole = name, size


def _end(turn: Turn, job: ImportJob, state: ImportState, *, code: str, message: str = "") -> None:
    try:
        with transaction.atomic():
            turn.end(state, error_code=code, error_message=message)
            job.refresh_from_db(fields=["created", "updated", "unchanged", "rejected"])
            counts = {name: getattr(job, name) for name in ("rows", "created", "updated", "unchanged", "rejected")}
            details = {"file": job.name, "sha256": job.sha256, "complete": False, "code": code, **counts}
            action = "import.checked" if job.dry_run else "orders.imported"
            record(action=action, agency=job.counter.agency_id, obj=job.counter, details=details)
            enqueue_next(job.counter_id)
    except TurnLost:
        log.warning("import was taken over by another worker", job=str(job.pk))
