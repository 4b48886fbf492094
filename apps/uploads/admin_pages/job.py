"""One upload job: how far it is, each of its files, what was asked and answered, the exact bytes."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.agencies.exporting import Cell
from apps.agencies.filter_pages import whole_list
from apps.agencies.filters import CountersFilter, DayRangeFilter
from apps.agencies.ids import first_key
from apps.clients.masking import may_see_identifiers
from apps.clients.models import Client
from apps.counters.admin_pages.ledger import readable
from apps.counters.models import ApiCall
from apps.counters.templatetags.goalpost import duration, moment, number, state_badge
from apps.counters.ui import exports
from apps.counters.ui.lists import ByCounterMixin, EmptyLink, PreparedListMixin, exactly
from apps.counters.ui.pages import PageAdmin
from apps.orders import numbers
from apps.orders.admin_pages.fixes import Fix, fix_for
from apps.orders.models import Delivery, StatusChange
from apps.orders.reject_advice import Advice, advice_for
from apps.uploads import files
from apps.uploads.admin_pages.calls import calls_of
from apps.uploads.admin_pages.dry_run import CONTENT_TYPES, DryRunPages
from apps.uploads.admin_pages.going_on import going_on
from apps.uploads.admin_pages.looked_up import LookedUp, looked_up
from apps.uploads.admin_pages.rejected import changes_list, rejected_list, still_rejected
from apps.uploads.models import UNFINISHED_JOBS, Part, Upload, UploadJob, UploadState
from apps.uploads.problems import Problem, describe

SHOWN_UPLOADS = 200
SHOWN_REJECTED = 200
LONGEST_JOB = timedelta(days=30)
"""Jobs that ended in certain days are looked for among those asked for so long before."""

_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class FileLine:
    """One file of the job with the calls that carried it, newest first, how it was looked up where its outcome was in
    doubt, and what to do if it did not end well."""

    upload: Upload
    calls: list[ApiCall]
    looked_up: LookedUp | None
    problem: Problem | None
    rejected: list[tuple[StatusChange, Advice, Fix | None]]
    refused: list[Client]
    parts: set[str]  # what became of it, see Part

    @property
    def call(self) -> ApiCall | None:
        return self.calls[0] if self.calls else None

    @property
    def answer(self) -> str:
        return readable(self.call.response_body) if self.call else ""

    @property
    def was_split(self) -> bool:
        return self.upload.state == UploadState.REFUSED and self.upload.rows > 1 and not (self.rejected or self.refused)

    @property
    def was_named(self) -> bool:
        """Its rows were divided by what Metrica named, not in halves."""
        return self.was_split and Part.HALF not in self.parts

    @property
    def took(self) -> timedelta | None:
        upload = self.upload
        return upload.finished_at - upload.started_at if upload.finished_at and upload.started_at else None


@dataclass(frozen=True, slots=True)
class Wave:
    number: int
    lines: list[FileLine]


@dataclass(frozen=True, slots=True)
class Progress:
    """Of the changes that the job has put into files so far. Percentages of the bar, left to right."""

    delivered: int
    rejected: int
    under_way: int


def progress(job: UploadJob) -> Progress:
    whole = max(job.changes, job.delivered + job.rejected + job.held, 1)
    delivered = 100 * job.delivered // whole
    rejected = 100 - delivered if job.delivered + job.rejected >= whole else 100 * job.rejected // whole
    if job.state not in UNFINISHED_JOBS:
        return Progress(100 if not job.changes and job.state == "succeeded" else delivered, rejected, 0)
    return Progress(delivered, rejected, 100 - delivered - rejected)


def _linked(count: int, url: str) -> str:
    """The number with the list behind it; nothing has none."""
    return format_html('<a class="gp-link" href="{}">{}</a>', url, number(count)) if count else number(count)


class EndedFilter(DayRangeFilter):
    """A job's key is made when it is asked for, so the days are nearly a stretch of keys."""

    def narrow(self, rows: QuerySet[Any], *, start: datetime | None, end: datetime | None) -> QuerySet[Any]:
        rows = super().narrow(rows, start=start, end=end)
        if start is not None:
            rows = rows.filter(pk__gte=first_key(start - LONGEST_JOB))
        return rows if end is None else rows.filter(pk__lt=first_key(end))


class UploadJobAdmin(DryRunPages, ByCounterMixin, PreparedListMixin, PageAdmin):
    page_template = "admin/uploads/uploadjob/page.html"
    list_display = (
        "show_created",
        "counter",
        "show_state",
        "show_changes",
        "show_problems",
        "show_trigger",
        "show_took",
    )
    list_filter = ("counter", "state", "trigger", ("finished_at", EndedFilter), CountersFilter)
    list_select_related = ("counter",)
    sortable_by = ()
    ordering = ("-id",)
    search_fields = ("request_id",)
    search_help_text = _("Request id, whole")
    export_cells = {
        "counter": exports.COUNTER,
        "show_created": (Cell(_("Created"), lambda job: job.created_at),),
        "show_state": (
            Cell(_("State"), lambda job: job.get_state_display()),
            Cell(_("What went wrong"), lambda job: _message(describe(job.error_code))),
        ),
        "show_changes": (
            Cell(_("Delivered"), lambda job: job.delivered),
            Cell(_("Status changes"), lambda job: job.changes),
        ),
        "show_problems": (
            Cell(_("Held"), lambda job: job.held),
            Cell(_("Rejected"), lambda job: job.rejected),
        ),
        "show_trigger": (
            Cell(_("Started by"), lambda job: job.get_trigger_display()),
            Cell(_("Who"), lambda job: job.asked_by),
        ),
        "show_took": (Cell(_("Took, seconds"), lambda job: exports.seconds(job.started_at, job.finished_at)),),
    }
    export_keys = (
        Cell(_("Upload job"), lambda job: job.pk),
        Cell(_("Request id"), lambda job: job.request_id),
    )
    empty_icon = "cloud_upload"
    empty_title = _("No upload yet")
    empty_text = _("A counter's schedule starts uploads; “Upload now” on a counter's page starts one at once.")

    def empty_link(self, request: HttpRequest) -> EmptyLink | None:
        return EmptyLink(whole_list("counters_counter"), _("All counters"), "arrow_forward")

    def get_queryset(self, request: HttpRequest) -> QuerySet[UploadJob]:
        return super().get_queryset(request).select_related("counter__account").defer("only_orders")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UploadJob], search_term: str
    ) -> tuple[QuerySet[UploadJob], bool]:
        return exactly(request, queryset, search_term, "request_id"), False

    def get_urls(self) -> list[URLPattern]:
        download = path(
            "<uuid:job_id>/file/<uuid:upload_id>/",
            self.admin_site.admin_view(require_safe(self.download)),
            name="uploads_uploadjob_file",
        )
        return [download, *super().get_urls()]

    def download(self, request: HttpRequest, job_id: Any, upload_id: Any) -> HttpResponseBase:
        """The plain file exactly as it went to Metrica, but for rows of clients who were erased since. Whoever sees
        identifiers masked does not get it."""
        upload = Upload.objects.visible_to(actor_of(request)).filter(job=job_id, pk=upload_id).first()
        if upload is None or not upload.file:
            raise Http404
        if not may_see_identifiers(actor_of(request)):
            raise PermissionDenied
        opened = files.plain(upload)
        try:
            stream = opened.__enter__()
        except files.FileUnusable as error:
            problem = describe(error.code)
            messages.error(request, f"{problem.message} {problem.next_step}" if problem else error.code)
            return HttpResponseRedirect(reverse("admin:uploads_uploadjob_change", args=[job_id]))
        response = StreamingHttpResponse(_pieces(stream, opened), content_type=CONTENT_TYPES[upload.format])
        response["Content-Disposition"] = f'attachment; filename="upload-{upload.pk}.{upload.format}"'
        response["Content-Length"] = str(_length(stream))
        return response

    def render_page(self, request: HttpRequest, obj: UploadJob, *args: Any, **kwargs: Any) -> HttpResponse:
        """The whole page; or for its own polling the part that moves, and the whole anew once the job has ended."""
        if "part" not in request.GET:
            return super().render_page(request, obj, *args, **kwargs)
        if obj.state not in UNFINISHED_JOBS:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return super().render_page(request, obj, *args, template="admin/uploads/uploadjob/part.html", **kwargs)

    def page_context(self, request: HttpRequest, obj: UploadJob) -> dict[str, Any]:
        """The files are read whole only where the page does not show them yet as they are (see `seen` in the
        template)."""
        uploads = list(obj.uploads.order_by("wave", "id")[: SHOWN_UPLOADS + 1])
        for upload in uploads:
            upload.job = obj
        now = timezone.now()
        version = _version(uploads)
        changed = "part" not in request.GET or request.GET.get("seen") != version
        waves = _waves(uploads[:SHOWN_UPLOADS], request) if changed else []
        rejected_now = still_rejected(obj)
        rejected_shown = sum(len(line.rejected) for wave in waves for line in wave.lines)
        return {
            "waves": waves,
            "changed": changed,
            "version": version,
            "more_uploads": len(uploads) > SHOWN_UPLOADS,
            "progress": progress(obj),
            "going_on": going_on(request, obj.counter) if "part" not in request.GET else [],
            "problem": describe(obj.error_code),
            "unfinished": obj.state in UNFINISHED_JOBS,
            "took": (obj.finished_at or now) - obj.started_at if obj.started_at else None,
            "waits_until": obj.not_before if obj.not_before and obj.not_before > now else None,
            "only_some": obj.only_orders,
            "rejected_list": rejected_list(obj),
            "rejected_now": rejected_now,
            "rejected_shown": rejected_shown,
            "rejected_more": changed and rejected_shown < rejected_now,
            "limit": numbers.LIMIT,
            "changes_list": changes_list(obj),
            "delivered_list": changes_list(obj, Delivery.DELIVERED.value),
            "held_list": f"{reverse('admin:orders_heldchange_changelist')}?counter__id__exact={obj.counter_id}",
        }

    @display(description=_("Created"))
    def show_created(self, job: UploadJob) -> str:
        return moment(job.created_at, job.counter.zone, seconds=True)

    @display(description=_("State"))
    def show_state(self, job: UploadJob) -> str:
        problem = describe(job.error_code)
        return state_badge(job.state, job.get_state_display(), problem.message if problem else "")

    @display(description=_("Delivered"))
    def show_changes(self, job: UploadJob) -> str:
        delivered = _linked(job.delivered, changes_list(job, Delivery.DELIVERED.value))
        return format_html("{} <span class='gp-sub'>/ {}</span>", delivered, number(job.changes))

    @display(description=_("Held, rejected"))
    def show_problems(self, job: UploadJob) -> str:
        if not (job.held or job.rejected):
            return "—"
        tone = "gp-text--bad" if job.rejected else ""
        rejected = _linked(job.rejected, rejected_list(job))
        return format_html('{} · <span class="{}">{}</span>', number(job.held), tone, rejected)

    @display(description=_("Started by"))
    def show_trigger(self, job: UploadJob) -> str:
        return format_html("{}<br><span class='gp-sub'>{}</span>", job.get_trigger_display(), job.asked_by)

    @display(description=_("Took"))
    def show_took(self, job: UploadJob) -> str:
        return duration(job.finished_at - job.started_at) if job.finished_at and job.started_at else "—"

    def prepare(self, request: HttpRequest, rows: Sequence[UploadJob]) -> None:
        """All columns come with the rows."""


def _message(problem: Problem | None) -> Any:
    return problem and problem.message


def _version(uploads: Sequence[Upload]) -> str:
    """Differs when the files have to be drawn anew."""
    moving = [(str(one.pk), one.state, one.rows, one.attempts, one.lookups, str(one.not_before)) for one in uploads]
    return hashlib.sha256(repr(moving).encode()).hexdigest()[:16]


def _waves(uploads: Sequence[Upload], request: HttpRequest) -> list[Wave]:
    calls, looks = calls_of([upload.pk for upload in uploads])
    doubts = looked_up(uploads, looks)
    rejected: dict[Any, list[tuple[StatusChange, Advice, Fix | None]]] = defaultdict(list)
    parts: dict[Any, set[str]] = defaultdict(set)
    for upload in uploads:
        parts[upload.parent_id].add(upload.part)
    clients: dict[Any, list[Client]] = defaultdict(list)
    refused = [upload.pk for upload in uploads if upload.state == UploadState.REFUSED]
    if refused:
        changes = StatusChange.objects.filter(upload_id__in=refused, delivery=Delivery.REJECTED)
        for change in changes.select_related("order")[:SHOWN_REJECTED]:
            rejected[change.upload_id].append((change, advice_for(change), fix_for(change, request)))
        for client in Client.objects.filter(upload_id__in=refused).exclude(reject_code="")[:SHOWN_UPLOADS]:
            clients[client.upload_id].append(client)
    waves: dict[int, list[FileLine]] = defaultdict(list)
    for upload in uploads:
        line = FileLine(
            upload,
            calls[upload.pk],
            doubts.get(upload.pk),
            describe(upload.error_code),
            rejected[upload.pk],
            clients[upload.pk],
            parts[upload.pk],
        )
        waves[upload.wave].append(line)
    return [Wave(number, lines) for number, lines in sorted(waves.items())]


def _length(stream: BinaryIO) -> int:
    length = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return length


def _pieces(stream: BinaryIO, opened: Any) -> Iterator[bytes]:
    try:
        while piece := stream.read(_PIECE):
            yield piece
    finally:
        opened.__exit__(None, None, None)
