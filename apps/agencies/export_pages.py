"""Every list of the admin as a file: the rows that it shows with its search, filters and order, all of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextvars import copy_context
from typing import Any, ClassVar, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.agencies import events
from apps.agencies.access import actor_of
from apps.agencies.changelists import rows_of, without_words
from apps.agencies.exporting import SHEET_ROWS, Cell, Export, cells_of, csv_of, within, xlsx_of

CSV, XLSX = "csv", "xlsx"
CONTENT_TYPES: Final = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class ExportMixin:
    """For a TenantAdmin. Whoever may see the list may take it along; what of it, its own rules say.

    `export_cells`: for a name of `list_display` what it is in a file, where that is not the field's plain value; none,
    where it is nothing. `export_keys`: what the list does not show and a file needs, such as the ids of its objects.
    """

    opts: Any
    export_cells: ClassVar[Mapping[str, Sequence[Cell]]] = {}
    export_keys: ClassVar[Sequence[Cell]] = ()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_GET(self.export))  # type: ignore[attr-defined]
        page = f"{self.opts.app_label}_{self.opts.model_name}_export"
        own = [path(f"export.{kind}", view, {"kind": kind}, name=f"{page}_{kind}") for kind in CONTENT_TYPES]
        return [*own, *super().get_urls()]  # type: ignore[misc]

    def prepare_export(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Read what the cells need besides the rows themselves: for the most what the list's own columns need."""
        if prepare := getattr(self, "prepare", None):
            prepare(request, rows)

    def export(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        try:
            rows, parts, cut = rows_of(self, request, request.GET.urlencode())
        except IncorrectLookupParameters:
            return HttpResponseRedirect(page)
        cells = cells_of(self, request)
        export = Export(rows, parts, cells, lambda chunk: self.prepare_export(request, chunk), cut=cut)
        if kind == CSV:
            pieces = within(copy_context(), self._export_told(request, export))
            return self._export_sent(kind, StreamingHttpResponse(pieces))
        most = min(settings.EXPORT_XLSX_ROWS, SHEET_ROWS - 1)
        if rows.order_by().values_list("pk")[most : most + 1]:
            text = _("A sheet takes %(limit)s rows at most here, and this list has more: narrow it, or take it as CSV.")
            messages.error(request, text % {"limit": number_format(most, force_grouping=True)})
            return HttpResponseRedirect(f"{page}?{request.GET.urlencode()}")
        file = xlsx_of(export, title=capfirst(str(self.opts.verbose_name_plural)))
        self._export_noted(request, kind, export, rows=export.written, complete=True)
        return self._export_sent(kind, FileResponse(file))

    def _export_told(self, request: HttpRequest, export: Export) -> Iterator[str]:
        """The CSV's pieces; the log is told before the first leaves, and at the end how many rows did."""
        complete = False
        self._export_noted(request, CSV, export)
        try:
            yield from csv_of(export)
            complete = True
        finally:
            self._export_noted(request, CSV, export, rows=export.written, complete=complete)

    def _export_noted(self, request: HttpRequest, kind: str, export: Export, **ended: Any) -> None:
        details = {"list": self.opts.label_lower, "format": kind, "parameters": without_words(request.GET), **ended}
        if export.cut:
            details["cut"] = True
        actor = actor_of(request)
        events.exported.send(sender=self.opts.model, actor=actor, agency_id=actor.agency_id, details=details)

    def _export_sent(self, kind: str, response: HttpResponseBase) -> HttpResponseBase:
        name = f"{self.opts.model_name}-{timezone.localtime():%Y-%m-%d-%H%M}.{kind}"
        response["Content-Type"] = CONTENT_TYPES[kind]
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        patch_cache_control(response, no_store=True, private=True)
        return response
