"""The ledger of calls to Metrica: what was asked and what was answered. Nobody edits it."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.agencies.exporting import Cell
from apps.counters.models import OUTCOMES, ApiCall
from apps.counters.templatetags.goalpost import duration, moment, state_badge
from apps.counters.ui import exports
from apps.counters.ui.lists import PreparedListMixin, exactly
from apps.counters.ui.pages import PageAdmin
from apps.metrica import catalogue
from apps.metrica.catalogue import ErrorKind
from apps.metrica.oauth_errors import OAUTH_KINDS

_CALLED = re.compile(r"^.*?/v1/(counter/\d+/(?=.))?")


class OutcomeFilter(SimpleListFilter):
    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(OUTCOMES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiCall]) -> QuerySet[ApiCall]:
        return queryset.filter(outcome=self.value()) if self.value() in OUTCOMES else queryset


class ApiCallAdmin(PreparedListMixin, PageAdmin):
    page_template = "admin/counters/apicall/page.html"
    list_display = ("show_time", "show_call", "counter", "show_outcome", "show_status", "show_took")
    list_filter = (OutcomeFilter, "counter", "account")
    list_select_related = ("counter", "account")
    sortable_by = ()
    search_fields = ("request_id", "subject")
    search_help_text = _("Request id or upload id, whole")
    export_cells = {
        "counter": exports.COUNTER,
        "show_time": (Cell(_("Started"), lambda call: call.started_at),),
        "show_call": (
            Cell(_("Method"), lambda call: call.method),
            Cell(_("Address"), lambda call: call.url),
        ),
        "show_outcome": (
            Cell(_("Outcome"), lambda call: OUTCOMES.get(call.outcome, call.outcome)),
            Cell(_("Error"), lambda call: call.error_code),
        ),
        "show_status": (Cell(_("HTTP status"), lambda call: call.status),),
        "show_took": (Cell(_("Took, seconds"), lambda call: exports.seconds(call.started_at, call.finished_at)),),
    }
    export_keys = (
        Cell(_("Metrica account"), lambda call: call.account and call.account.login),
        Cell(_("Upload"), lambda call: call.subject),
        Cell(_("Request id"), lambda call: call.request_id),
    )
    empty_icon = "http"
    empty_title = _("No call to Metrica yet")
    empty_text = _("Every request that leaves for Metrica is written here, with its answer.")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # Each has its index: one agency's by time, all agencies' by the key, which grows with time.
        return ("-started_at",) if actor_of(request).agency_id else ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiCall]:
        rows = super().get_queryset(request).select_related("counter", "account", "agency")
        return rows.defer("request_body", "response_body") if self._is_list(request) else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ApiCall], search_term: str
    ) -> tuple[QuerySet[ApiCall], bool]:
        return exactly(request, queryset, search_term, "request_id", "subject"), False

    def _is_list(self, request: HttpRequest) -> bool:
        """Whether rows are asked for, on the page or for a file, and not the page of one call."""
        match = request.resolver_match
        return match is not None and "object_id" not in match.kwargs

    def page_context(self, request: HttpRequest, obj: ApiCall) -> dict[str, Any]:
        parts = urlsplit(obj.url)
        return {
            "title": f"{obj.method} {parts.path}",
            "outcome": obj.outcome_name,
            "took": obj.finished_at - obj.started_at if obj.finished_at else None,
            "response_body": readable(obj.response_body),
            "problem": problem(obj.error_code),
            "is_upload": obj.subject is not None,
        }

    @display(description=_("Started"))
    def show_time(self, call: ApiCall) -> str:
        return moment(call.started_at, call.counter.zone if call.counter else None, seconds=True)

    @display(description=_("Call"))
    def show_call(self, call: ApiCall) -> str:
        return format_html('<code class="gp-code" title="{}">{} {}</code>', call.url, call.method, short_path(call.url))

    @display(description=_("Outcome"))
    def show_outcome(self, call: ApiCall) -> str:
        return state_badge(call.outcome, call.outcome_name, call.error_code)

    @display(description=_("HTTP status"))
    def show_status(self, call: ApiCall) -> str:
        return "—" if call.status is None else str(call.status)

    @display(description=_("Took"))
    def show_took(self, call: ApiCall) -> str:
        return duration(call.finished_at - call.started_at) if call.finished_at else "—"


def short_path(url: str) -> str:
    """What was called of Metrica's API: `data/simple_orders`, `counters`; the counter has a column of its own."""
    path = urlsplit(url).path
    return _CALLED.sub("", path) or path


def readable(body: str) -> str:
    """JSON with indents; anything else as it is."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        return body


_KINDS = {
    kind.code: kind
    for kind in (*vars(catalogue).values(), *catalogue.CATALOGUE.values(), *catalogue.BY_STATUS.values(), *OAUTH_KINDS)
    if isinstance(kind, ErrorKind)
}


def problem(code: str) -> ErrorKind | None:
    """What is known of an error by its code: a sentence and the next step."""
    return _KINDS.get(code)
