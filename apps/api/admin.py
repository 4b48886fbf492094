"""What scripts written for Metrica uploaded: a list that is read, and where the rows of each upload are to be seen."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.exporting import Cell
from apps.api.models import ReceivedState, ReceivedUpload
from apps.counters.templatetags.goalpost import moment, number, state_badge
from apps.counters.ui import exports
from apps.counters.ui.lists import ByCounterMixin, PreparedListMixin, exactly
from apps.counters.ui.pages import PageAdmin

_LOOK = {ReceivedState.PASSED: "passed", ReceivedState.FAILED: "refused"}


@admin.register(ReceivedUpload)
class ReceivedUploadAdmin(ByCounterMixin, PreparedListMixin, PageAdmin):
    page_template = "admin/api/receivedupload/page.html"
    list_display = ("show_file", "show_counter", "show_state", "show_rows", "show_held", "show_time")
    list_filter = ("counter", "state", "kind")
    list_select_related = ("counter",)
    sortable_by = ()
    search_fields = ("request_id", "id")
    search_help_text = _("Request id or upload id, whole")
    export_cells = {
        "show_file": (
            Cell(_("What"), lambda row: row.get_kind_display()),
            Cell(_("File"), lambda row: row.filename),
            Cell(_("Bytes"), lambda row: row.size),
        ),
        "show_counter": (*exports.COUNTER, Cell(_("By"), lambda row: row.received_by)),
        "show_state": (
            Cell(_("Result"), lambda row: row.get_state_display()),
            Cell(_("Why refused"), lambda row: _first_problem(row)),
        ),
        "show_rows": (
            Cell(_("Elements"), lambda row: row.elements),
            Cell(_("Created"), lambda row: row.created),
            Cell(_("Changed"), lambda row: row.updated),
            Cell(_("Unchanged"), lambda row: row.unchanged),
        ),
        "show_held": (Cell(_("Held"), lambda row: row.held),),
        "show_time": (Cell(_("Received"), lambda row: row.received_at),),
    }
    export_keys = (
        Cell(_("Upload"), lambda row: row.pk),
        Cell(_("Merge mode"), lambda row: row.merge_mode),
        Cell("SHA-256", lambda row: row.sha256),
        Cell(_("Request id"), lambda row: row.request_id),
    )
    empty_icon = "input"
    empty_title = _("No Metrica script has uploaded anything yet")
    empty_text = _(
        "A script that was written for Metrica needs only another host and an API key in place of its token: what it "
        "uploads is then listed here."
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ReceivedUpload], search_term: str
    ) -> tuple[QuerySet[ReceivedUpload], bool]:
        return exactly(request, queryset, search_term, "request_id", "id"), False

    def page_context(self, request: HttpRequest, obj: ReceivedUpload) -> dict[str, Any]:
        return {
            "title": obj.filename or obj.get_kind_display(),
            "look": _LOOK[ReceivedState(obj.state)],
            "held_url": _list("orders_heldchange", counter__id__exact=obj.counter_id, request_id=obj.request_id),
            "log_url": _list("audit_auditentry", request_id=obj.request_id),
        }

    @display(description=_("Upload"))
    def show_file(self, row: ReceivedUpload) -> str:
        kind = row.get_kind_display()
        return format_html('<span title="{}">{}</span>', row.filename, f"{kind}, {row.format}")

    @display(description=_("Counter"))
    def show_counter(self, row: ReceivedUpload) -> str:
        return format_html('{} <span class="gp-sub">{}</span>', row.counter.name, row.received_by)

    @display(description=_("Result"))
    def show_state(self, row: ReceivedUpload) -> str:
        return state_badge(_LOOK[ReceivedState(row.state)], row.get_state_display(), _first_problem(row))

    @display(description=_("Elements"))
    def show_rows(self, row: ReceivedUpload) -> str:
        if row.state == ReceivedState.FAILED:
            return "—"
        told = _now("%(created)s new, %(updated)s changed, %(unchanged)s unchanged")
        counts = {name: number(getattr(row, name)) for name in ("created", "updated", "unchanged")}
        return format_html('{} <span class="gp-sub">{}</span>', number(row.elements), told % counts)

    @display(description=_("Held"))
    def show_held(self, row: ReceivedUpload) -> str:
        return number(row.held) if row.held else "—"

    @display(description=_("Received"))
    def show_time(self, row: ReceivedUpload) -> str:
        return moment(row.received_at, row.counter.zone, seconds=True)


def _first_problem(row: ReceivedUpload) -> str:
    if not row.problems:
        return ""
    first = row.problems[0]
    return f"{first['location']}: {first['message']}" if first["location"] else str(first["message"])


def _list(name: str, **query: Any) -> str:
    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(query)}"
