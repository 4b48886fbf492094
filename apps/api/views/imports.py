"""Files of orders: brought by a form, taken in by a worker, followed, and what was wrong in them."""

import contextlib
import uuid
from typing import Any, TypedDict

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import import_docs as docs
from apps.api.base import ApiView, choice, is_plain
from apps.api.formats import clock, clock_or_none
from apps.api.forms_in import FormParser, read_form
from apps.api.openapi import PAGE_PARAMETERS, described, example, of, page_of
from apps.api.paging import PARAMETERS, page
from apps.api.parsing import read_json
from apps.api.permissions import missing_scope
from apps.api.problems import Problem, bad_request, conflict, field_error, invalid, not_found
from apps.api.repeating import HEADER
from apps.api.views.uploads import ErrorShape
from apps.clients.masking import may_see_identifiers
from apps.imports import services
from apps.imports.models import ImportJob
from apps.imports.problems import describe
from apps.imports.report import report_name
from apps.imports.report_out import has_report, whole_report
from apps.imports.services import Said
from apps.imports.uploading import TOO_LARGE

_TOO_MUCH = ("file_too_large", "too_many_rows")


class ProgressShape(TypedDict):
    """`line`: the last line of the file that is settled."""

    percent: int
    line: int


class ImportShape(TypedDict):
    """A file on its way into a counter. `columns`: {header of the file: what it is taken for, "" where it is not used}.
    `held` and `warnings`: {code: rows}. `report`: the address of errors.csv, null while no row was wrong. `dry_run`:
    the file is only checked, and the counts say what would become of it."""

    id: str
    counter: int
    state: str
    file: str
    format: str
    bytes: int
    sha256: str
    encoding: str | None
    delimiter: str | None
    columns: dict[str, str]
    dry_run: bool
    requested_by: str
    request_id: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    progress: ProgressShape
    rows: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    held: dict[str, int]
    warnings: dict[str, int]
    report: str | None
    corrects: str | None
    error: ErrorShape | None


def import_shape(job: ImportJob) -> ImportShape:
    """No query where the counter came with the job."""
    zone = job.counter.zone
    problem = describe(job.error_code, job.error_message)
    error: ErrorShape | None = None
    if problem is not None:
        error = {
            "code": problem.code,
            "message": str(problem.message),
            "said": None,
            "next_step": str(problem.next_step),
        }
    return {
        "id": str(job.pk),
        "counter": job.counter.metrica_id,
        "state": job.state,
        "file": job.name,
        "format": job.kind,
        "bytes": job.size,
        "sha256": job.sha256,
        "encoding": job.encoding or None,
        "delimiter": job.delimiter if job.encoding else None,
        "columns": job.columns,
        "dry_run": job.dry_run,
        "requested_by": job.requested_by,
        "request_id": job.request_id,
        "created_at": clock(job.created_at, zone),
        "started_at": clock_or_none(job.started_at, zone),
        "finished_at": clock_or_none(job.finished_at, zone),
        "progress": {"percent": job.percent, "line": job.line},
        "rows": job.rows,
        "created": job.created,
        "updated": job.updated,
        "unchanged": job.unchanged,
        "rejected": job.rejected,
        "held": job.held,
        "warnings": job.warned,
        "report": reverse("api:import-errors", args=[job.pk]) if job.reported else None,
        "corrects": None if job.corrects_id is None else str(job.corrects_id),
        "error": error,
    }


class ImportJobView(ApiView):
    """What the endpoints of imports share."""

    def jobs(self) -> QuerySet[ImportJob]:
        """Visible imports with all that a shape needs, and without the file's first rows."""
        jobs: QuerySet[ImportJob] = ImportJob.objects.visible_to(self.actor)
        return jobs.select_related("counter").defer("sample")

    def job(self, pk: uuid.UUID) -> ImportJob:
        """Raises a Problem (404)."""
        job = self.jobs().filter(pk=pk).first()
        if job is None:
            raise not_found(_("There is no such import."), "unknown_import")
        return job


class CounterImportsView(ImportJobView):
    parser_classes = [FormParser]

    def may_repeat(self, request: Request) -> None:
        raise bad_request(
            "idempotency_not_for_files",
            _("A form is written anew each time it is sent, so an Idempotency-Key cannot be kept to here."),
            _("Leave the header out: orders that were taken already are “unchanged”, so a repetition does no harm."),
            field=HEADER,
        )

    @described(
        name="list_imports",
        summary="Imports of a counter, newest first",
        description="Files that were brought by this API or in the admin, with how far each is.",
        answers={200: page_of(ImportShape)},
        errors=[400, 404],
        parameters=PAGE_PARAMETERS,
        examples=[example("One import", docs.PAGE, status=200)],
        tags=["imports"],
    )
    def get(self, request: Request, metrica_id: int) -> Response:
        counter = self.counter(metrica_id)
        return Response(
            page(
                request=request,
                rows=self.jobs().filter(counter=counter),
                parameters=self.parameters(*PARAMETERS),
                shape=lambda found: [import_shape(job) for job in found],
                key=uuid.UUID,
            )
        )

    @described(
        name="import_orders",
        summary="Import a file of orders",
        description="A CSV (UTF-8 or Windows-1251, up to 200 MB) or an Excel workbook (.xlsx, up to 50 MB), of up to "
        "1,000,000 rows. Answers at once; a worker takes the file in, row by row by the same rules as send_orders. "
        "Delimiter, encoding and columns are found out where they are not named. A file that cannot be read so is "
        "refused, and nothing of it is kept; rows that cannot be taken come in the report (errors.csv), to be "
        "corrected and imported as it is.",
        form=docs.FORM,
        answers={202: of(ImportShape)},
        errors=[400, 404, 411, 413, 415],
        examples=[
            example("A CSV with its own headers", docs.FORM_EXAMPLE, kind="multipart/form-data"),
            example("An import that waits", docs.WAITING, status=202),
        ],
        tags=["imports"],
        repeats=False,
    )
    def post(self, request: Request, metrica_id: int) -> Response:
        counter = self.counter(metrica_id)
        most = services.MAX_CSV_BYTES
        file, given = read_form(request, fields=docs.FIELDS, most=most, too_large=_refusal(services.too_large()))
        said = Said(
            delimiter=given.get("delimiter", ""),
            encoding=given.get("encoding", ""),
            columns=_columns(given.get("columns")),
            dry_run=choice(given.get("dry_run", "false").strip().lower(), field="dry_run", choices=("true", "false"))
            == "true",
        )
        try:
            job = services.receive(counter=counter, name=file.name or "", content=file, said=said)
        except ValidationError as error:
            raise _refusal(error) from None
        address = reverse("api:import", args=[job.pk])
        return Response(import_shape(self.job(job.pk)), status=202, headers={"Location": address})

    def handle_exception(self, exc: Exception) -> Any:
        """A file that was passed over unread for its size is no missing one."""
        if isinstance(exc, Problem) and exc.status == 400 and self.request.META.get(TOO_LARGE):
            exc = _refusal(services.too_large())
        return super().handle_exception(exc)


class ImportView(ImportJobView):
    @described(
        name="read_import",
        summary="One import: state, progress, counts",
        description="States: draft (brought in the admin, not started), queued, running, succeeded, partly_failed "
        "(some rows were rejected), failed (error says why), cancelled.",
        answers={200: of(ImportShape)},
        examples=[example("Some rows were rejected", docs.ENDED, status=200)],
        tags=["imports"],
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        return Response(import_shape(self.job(pk)))


class ImportErrorsView(ImportJobView):
    @described(
        name="read_import_errors",
        summary="The report on rows that were wrong",
        description="CSV in UTF-8 with the import's delimiter: line, column, code, reason, then the row's own cells. "
        "Corrected, it can be imported as it is. It holds what the file says of people, so it takes the scope write. "
        "404 where no row was wrong, and 30 days after the import.",
        answers={200: {"type": "string"}},
        kind="text/csv",
        examples=[example("One row", docs.REPORT, status=200, kind="text/csv")],
        tags=["imports"],
    )
    def get(self, request: Request, pk: uuid.UUID) -> HttpResponseBase:
        job = self.job(pk)
        if not may_see_identifiers(self.actor):
            raise missing_scope("write")  # its cells are those of the file, people and all
        if not has_report(job):
            raise not_found(_("This import has no report: no row was wrong, or it is too long ago."), "no_report")
        response = StreamingHttpResponse(whole_report(job), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = content_disposition_header(True, report_name(job.name)) or "attachment"
        return response


class CancelImportView(ImportJobView):
    @described(
        name="cancel_import",
        summary="Stop an import",
        description="No further rows are taken in; those that were stay.",
        body={"type": "object", "additionalProperties": False},
        answers={200: of(ImportShape)},
        errors=[400, 404, 409, 411, 413, 415],
        examples=[example("Nothing to say", {}), example("A stopped import", docs.CANCELLED, status=200)],
        tags=["imports"],
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        job = self.job(pk)
        self.no_payload()
        try:
            services.cancel(job=job)
        except ValidationError:
            message = _("The import has ended already.")
            raise conflict("import_ended", message, _("Nothing needs to be done.")) from None
        return Response(import_shape(self.job(pk)))


def _columns(text: str | None) -> dict[str, str]:
    """{column: header} out of a field of JSON. Raises a Problem (400)."""
    if text is None:
        return {}
    found = None
    with contextlib.suppress(Problem, UnicodeEncodeError):
        found = read_json(text.encode())
    if isinstance(found, dict):
        found = {column: "" if header is None else header for column, header in found.items()}
        if all(isinstance(header, str) and is_plain(column + header) for column, header in found.items()):
            return found
    message = _("This must be a JSON object: what a column holds, and how the file calls it.")
    raise bad_request("bad_columns", message, _('Write {"id": "Order number"}.'), field="columns")


def _refusal(error: ValidationError) -> Problem:
    """What is wrong with a file, or with what was said of it."""
    if hasattr(error, "error_dict"):
        named = [(name, one) for name, several in error.error_dict.items() for one in several]
        return invalid([field_error(name, one.code or "invalid", " ".join(one.messages)) for name, one in named])
    first = error.error_list[0]
    errors = [field_error("file", one.code or "invalid", " ".join(one.messages)) for one in error.error_list]
    code, message = str(first.code or "invalid"), " ".join(first.messages)
    next_step = _("Correct the file and send it again. Nothing of it was kept.")
    status = 413 if code in _TOO_MUCH else 400
    return Problem(status=status, code=code, message=message, next_step=next_step, errors=errors)
