"""Imports: bringing a file, looking how it will be read, following it, and what was wrong in it."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.cells import bare
from apps.agencies.exporting import Cell
from apps.clients.masking import may_see_identifiers, shown_text
from apps.counters.leaving import leaves, sends_by_itself
from apps.counters.models import Counter
from apps.counters.templatetags.goalpost import duration, moment, number, state_badge
from apps.counters.ui import exports
from apps.counters.ui.acts import Act
from apps.counters.ui.lists import ByCounterMixin, PreparedListMixin
from apps.counters.ui.pages import PageAdmin
from apps.imports import files, services
from apps.imports.admin_pages.forms import ColumnsForm, FileForm
from apps.imports.columns import report_width
from apps.imports.models import FileKind, ImportJob, ReportPart
from apps.imports.preview import Preview, preview
from apps.imports.problems import describe, remark
from apps.imports.report import report_name
from apps.imports.report_out import has_report, whole_report
from apps.imports.rounds import FILE_KEPT
from apps.imports.uploading import TOO_LARGE
from apps.metrica.wire.csvio import UnusableFile
from apps.orders.models import HoldReason

SHOWN_PROBLEMS = 20


def _cancel(request: HttpRequest, job: ImportJob, values: Mapping[str, Any]) -> str:
    services.cancel(job=job)
    if job.is_draft:
        return _now("The file is given up.")
    return _now("The import is being stopped. What was taken in stays.")


CANCEL = Act(
    name="cancel",
    title=_("Stop the import"),
    icon="cancel",
    question=lambda request, job: _(
        "No further rows are taken in. Those that were stay: status changes are never deleted."
    ),
    do=_cancel,
    danger=True,
    shown=lambda request, job: job.is_under_way and job.cancel_requested_at is None,
)
DISCARD = Act(
    name="discard",
    title=_("Give the file up"),
    icon="delete",
    question=lambda request, job: _("The file is not imported and is deleted within the day. Nothing was taken in."),
    do=_cancel,
    danger=True,
    shown=lambda request, job: job.is_draft,
)


class ImportJobAdmin(ByCounterMixin, PreparedListMixin, PageAdmin):
    add_right = Right.OPERATE
    page_template = "admin/imports/importjob/page.html"
    list_display = ("show_file", "show_counter", "show_state", "show_rows", "show_problems", "show_took")
    list_filter = ("counter", "state")
    list_select_related = ("counter",)
    sortable_by = ()
    ordering = ("-id",)
    search_fields = ("name", "=request_id")
    search_help_text = _("Name of the file, or a whole request id")
    export_cells = {
        "show_file": (Cell(_("File"), lambda job: job.name), Cell(_("Created"), lambda job: job.created_at)),
        "show_counter": (*exports.COUNTER, Cell(_("Who"), lambda job: job.requested_by)),
        "show_state": (
            Cell(_("State"), lambda job: job.state_label),
            Cell(_("What went wrong"), lambda job: _wrong(job)),
        ),
        "show_rows": (
            Cell(_("Rows"), lambda job: job.rows),
            Cell(_("New orders"), lambda job: job.created),
            Cell(_("Changed orders"), lambda job: job.updated),
            Cell(_("Unchanged"), lambda job: job.unchanged),
        ),
        "show_problems": (Cell(_("Rejected"), lambda job: job.rejected),),
        "show_took": (Cell(_("Took, seconds"), lambda job: exports.seconds(job.started_at, job.finished_at)),),
    }
    export_keys = (Cell(_("Import"), lambda job: job.pk), Cell(_("Request id"), lambda job: job.request_id))
    empty_icon = "upload_file"
    empty_title = _("No import yet")
    empty_text = _("Bring a CSV or an Excel workbook with orders. You see how it will be read before anything is kept.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImportJob]:
        rows = super().get_queryset(request).select_related("counter__account", "counter__agency", "corrects")
        return rows.defer("sample", "corrects__sample")

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                "<path:object_id>/columns/",
                self.admin_site.admin_view(self.columns_view),
                name="imports_importjob_columns",
            ),
            path(
                "<path:object_id>/errors.csv",
                self.admin_site.admin_view(self.report_view),
                name="imports_importjob_report",
            ),
        ]
        return [*own, *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        counters = Counter.objects.visible_to(actor_of(request)).order_by("name", "metrica_id")
        posted = (request.POST, request.FILES) if request.method == "POST" else ()
        form = FileForm(
            *posted,
            counters=counters,
            too_large=bool(request.META.get(TOO_LARGE)),
            initial={"counter": request.GET.get("counter")},
        )
        if request.method == "POST" and form.is_valid():
            try:
                file = form.cleaned_data["file"]
                job = services.receive(counter=form.cleaned_data["counter"], name=file.name, content=file)
            except ValidationError as refusal:
                form.add_error("file", refusal)
            else:
                return HttpResponseRedirect(reverse("admin:imports_importjob_change", args=[job.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _now("Import a file"),
            "form": form,
            "cancel_url": reverse("admin:imports_importjob_changelist"),
            "no_counters": not counters.exists(),
            "max_mb": services.MAX_CSV_BYTES // (1024 * 1024),
            "max_xlsx_mb": services.MAX_XLSX_BYTES // (1024 * 1024),
            "max_rows": services.MAX_ROWS,
            "kept_days": FILE_KEPT.days,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/imports/importjob/add.html", context)

    def columns_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Says what the columns hold, and shows the rows anew or starts the import."""
        job: ImportJob = self.get_or_404(request, object_id)
        if not self.has_operate_permission(request):
            raise PermissionDenied
        page = reverse("admin:imports_importjob_change", args=[job.pk])
        if request.method != "POST":
            return HttpResponseRedirect(page)
        if not job.is_draft:
            messages.warning(request, _now("The import has gone on meanwhile."))
            return HttpResponseRedirect(page)
        try:
            form = self._form(job, request)
            if form.is_valid() and self._named(job, form):
                if "start" not in request.POST:
                    return HttpResponseRedirect(page)
                if sends_by_itself(job.counter) and "sure" not in request.POST:
                    return self.render_page(request, job, {"asks": True})
                services.start(job=job)
                messages.success(request, _now("The import is on its way. This page follows it."))
                return HttpResponseRedirect(page)
        except (UnusableFile, ValidationError) as refusal:
            for text in _sentences(refusal):
                messages.error(request, text)
            return HttpResponseRedirect(page)
        return self.render_page(request, job, {"form": form, "preview": None})

    def _form(self, job: ImportJob, request: HttpRequest | None = None) -> ColumnsForm:
        """Another delimiter cuts other columns, which are guessed anew. Raises UnusableFile."""
        data = request.POST if request is not None else None
        if data is not None and job.kind == FileKind.CSV and data.get("delimiter", job.delimiter) != job.delimiter:
            seen = services.peek_at(job, delimiter=data["delimiter"][:1])
            guessed = services.guessed(job, seen.header)
            columns = {f"column-{at}": guessed.get(text.strip(), "") for at, text in enumerate(seen.header)}
            data = {**columns, "delimiter": data["delimiter"]}  # type: ignore[assignment]
        else:
            seen = services.peek_at(job)
        return ColumnsForm(data, job=job, seen=seen, own=seen.header[report_width(seen.header) :])

    @staticmethod
    def _named(job: ImportJob, form: ColumnsForm) -> bool:
        delimiter = form.cleaned_data.get("delimiter") or job.delimiter
        try:
            services.name_columns(job=job, delimiter=delimiter, columns=form.columns())
        except ValidationError as refusal:
            form.add_error(None, refusal)
            return False
        return True

    def render_page(self, request: HttpRequest, obj: ImportJob, *args: Any, **kwargs: Any) -> HttpResponse:
        """The whole page; or for its own polling the part that moves, and the whole anew once the import has ended."""
        if "part" in request.GET:
            if not obj.is_under_way:
                return HttpResponse(headers={"HX-Refresh": "true"})
            return super().render_page(request, obj, *args, template="admin/imports/importjob/live.html", **kwargs)
        template = "admin/imports/importjob/draft.html" if obj.is_draft else self.page_template
        return super().render_page(request, obj, *args, template=template, **kwargs)

    def page_context(self, request: HttpRequest, obj: ImportJob) -> dict[str, Any]:
        context = {"title": obj.name, "counter": obj.counter, "kept_days": FILE_KEPT.days}
        if obj.is_draft:
            return {**context, **self._draft_context(obj)}
        return {
            **context,
            "problem": describe(obj.error_code, obj.error_message),
            "percent": obj.percent,
            "took": (obj.finished_at or timezone.now()) - obj.started_at if obj.started_at else None,
            "held": [
                (HoldReason(reason).label, rows, "" if obj.dry_run else _held_url(obj, reason))
                for reason, rows in obj.held.items()
            ],
            "warned": [(remark(code), rows) for code, rows in sorted(obj.warned.items(), key=lambda item: -item[1])],
            "problems": _first_problems(obj) if obj.reported and "part" not in request.GET else [],
            "shown_problems": SHOWN_PROBLEMS,
            "files_gone": not obj.file and not obj.is_under_way,
        }

    def _draft_context(self, job: ImportJob) -> dict[str, Any]:
        shown: Preview | None = None
        faults: list[str] = []
        form: ColumnsForm | None = None
        try:
            form = self._form(job)
            services.check_columns(job.columns)
            shown = preview(job)
        except (UnusableFile, ValidationError) as refusal:
            faults = _sentences(refusal)
        is_report = form is not None and report_width(form.seen.header) > 0
        leaving = _leaving(job, shown) if shown is not None else ""
        return {"form": form, "preview": shown, "faults": faults, "is_report": is_report, "leaving": leaving}

    def report_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The rows that were wrong, with what was wrong, to be corrected and brought back."""
        job: ImportJob = self.get_or_404(request, object_id)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not may_see_identifiers(actor_of(request)):
            raise PermissionDenied
        if not has_report(job):
            raise Http404
        response = StreamingHttpResponse(whole_report(job), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = content_disposition_header(True, report_name(job.name)) or "attachment"
        return response

    @display(description=_("File"))
    def show_file(self, job: ImportJob) -> str:
        return format_html(
            '<strong class="gp-strong gp-wrap">{}</strong><br><span class="gp-sub">{}</span>',
            job.name,
            moment(job.created_at, job.counter.zone),
        )

    @display(description=_("Counter"))
    def show_counter(self, job: ImportJob) -> str:
        return format_html("{}<br><span class='gp-sub'>{}</span>", job.counter, job.requested_by)

    @display(description=_("State"))
    def show_state(self, job: ImportJob) -> str:
        problem = describe(job.error_code, job.error_message)
        return state_badge(job.state, job.state_label, problem.message if problem else "")

    @display(description=_("Rows"))
    def show_rows(self, job: ImportJob) -> str:
        return number(job.rows)

    @display(description=_("Rejected"))
    def show_problems(self, job: ImportJob) -> str:
        if not job.rejected:
            return "—"
        if not job.reported:
            return format_html('<span class="gp-text--bad">{}</span>', number(job.rejected))
        report = f"{reverse('admin:imports_importjob_change', args=[job.pk])}#report-title"
        return format_html('<a class="gp-link gp-text--bad" href="{}">{}</a>', report, number(job.rejected))

    @display(description=_("Took"))
    def show_took(self, job: ImportJob) -> str:
        return duration(job.finished_at - job.started_at) if job.finished_at and job.started_at else "—"

    def prepare(self, request: HttpRequest, rows: Sequence[ImportJob]) -> None:
        """All columns come with the rows."""


def _leaving(job: ImportJob, shown: Preview) -> str:
    """When what the file brings leaves for Metrica: of its rows the share that was new and free among those checked."""
    free = shown.results["created"] + shown.results["updated"] - sum(rows for _reason, rows in shown.held)
    rows = services.about_rows(job)
    if rows is None or not shown.checked:
        return leaves(job.counter)
    return leaves(job.counter, changes=round(rows * max(free, 0) / shown.checked))


def _wrong(job: ImportJob) -> Any:
    problem = describe(job.error_code, job.error_message)
    return problem and problem.message


def _held_url(job: ImportJob, reason: str) -> str:
    """Those of them that are held still. What an import brought has its request's id."""
    query = {"counter__id__exact": job.counter_id, "reason": reason}
    if job.request_id:
        query["request_id"] = job.request_id
    return f"{reverse('admin:orders_heldchange_changelist')}?{urlencode(query)}"


def _sentences(refusal: UnusableFile | ValidationError) -> list[str]:
    if isinstance(refusal, UnusableFile):
        return [str(one.message) for one in refusal.errors]
    return list(refusal.messages)


def _first_problems(job: ImportJob) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for part in ReportPart.objects.filter(job=job).order_by("first_line")[:SHOWN_PROBLEMS]:
        text = files.report_of(part.body)
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=job.delimiter):
            found.append(
                {
                    "line": row[0],
                    "column": row[1],
                    "code": row[2],
                    "reason": row[3],
                    "cells": [shown_text(bare(cell)) for cell in row[4:]],
                }
            )
            if len(found) == SHOWN_PROBLEMS:
                return found
    return found
