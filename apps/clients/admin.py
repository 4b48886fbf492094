"""Clients: who they are and by what Metrica can find them. They come with their orders; nobody edits them here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.cache import patch_cache_control
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.decorators import display

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.changelists import few, search_cut
from apps.agencies.exporting import Cell
from apps.clients import contacts, panels, search
from apps.clients.masking import shown
from apps.clients.models import Client
from apps.counters.templatetags.goalpost import moment
from apps.counters.ui import exports
from apps.counters.ui.lists import ByCounterMixin, EmptyLink, PreparedListMixin, counters_in_view
from apps.counters.ui.pages import PageAdmin, draw

KIND_LABELS = {
    "client_ids": _("ClientID"),
    "emails": _("E-mail"),
    "phones": _("Phone"),
    "emails_md5": _("E-mail hash"),
    "phones_md5": _("Phone hash"),
}
KIND_ICONS = {
    "client_ids": "fingerprint",
    "emails": "mail",
    "phones": "call",
    "emails_md5": "tag",
    "phones_md5": "tag",
}
_SURE = (
    "good",
    _("finds the visit"),
    _("Metrica gave this number to the browser itself: it finds the visits of that browser without a doubt."),
)
_LIKELY = (
    "info",
    _("finds some visits"),
    _("It finds a visit only where the visitor left it on the site, and Metrica collects contacts there."),
)
QUALITY = {kind: _SURE if kind == "client_ids" else _LIKELY for kind in KIND_LABELS}
"""How good each kind is for finding a visit: (tone, word, why)."""


@dataclass(frozen=True, slots=True)
class IdentifierRow:
    """One identifier as pages draw it, masked for those who only read."""

    kind: str
    label: Any
    icon: str
    value: str
    tone: str
    quality: Any
    why: Any
    known: str  # the value itself, which is not drawn


def identifier_rows(identifiers: Mapping[str, Sequence[str]]) -> list[IdentifierRow]:
    """The surest kind first."""
    return [
        IdentifierRow(kind, label, KIND_ICONS[kind], shown(kind, value), *QUALITY[kind], known=value)
        for kind, label in KIND_LABELS.items()
        for value in identifiers.get(kind) or ()
    ]


def _values_of(kind: str, label: Any) -> Cell:
    return Cell(label, lambda client: [shown(kind, value) for value in client.identifiers.get(kind) or ()])


class ClientAdmin(ByCounterMixin, PreparedListMixin, PageAdmin):
    page_template = "admin/clients/client/page.html"
    list_display = ("show_client", "counter", "show_identifiers", "show_created")
    list_filter = ("counter",)
    list_select_related = ("counter",)
    sortable_by = ()
    ordering = ("-id",)
    search_fields = ("uniq_id",)
    search_help_text = _(
        "A whole e-mail, phone or ClientID; or the beginning of a client id or of a name, in capitals or not"
    )
    export_cells = {
        "show_client": (
            Cell(_("Client"), lambda client: client.name),
            Cell(_("Client id"), lambda client: client.uniq_id),
        ),
        "counter": exports.COUNTER,
        "show_identifiers": tuple(_values_of(kind, label) for kind, label in KIND_LABELS.items()),
        "show_created": (Cell(_("Since"), lambda client: client.created_at),),
    }
    empty_icon = "group"
    empty_title = _("No client yet")
    empty_text = _("Clients come with their orders: every order that names a client id adds one.")

    def empty_link(self, request: HttpRequest) -> EmptyLink | None:
        if not actor_of(request).can(Right.OPERATE):
            return None
        return EmptyLink(reverse("admin:orders_order_add"), _("Add an order by hand"), "add")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.data_view))
        return [path("<path:object_id>/data/", view, name="clients_client_data"), *super().get_urls()]

    def data_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """All that is known of the client, as a file for the client."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        client = self.get_or_404(request, object_id)
        response = StreamingHttpResponse(panels.client_data[0](client), content_type="application/json")
        response["Content-Disposition"] = f'attachment; filename="client-{client.pk}.json"'
        patch_cache_control(response, no_store=True, private=True)
        return response

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        rows: Any = super().get_queryset(request)
        return rows.present().select_related("counter")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Client], search_term: str
    ) -> tuple[QuerySet[Client], bool]:
        if not search_term.strip():
            return queryset, False
        term, actor = search.clean(search_term), actor_of(request)
        counters = counters_in_view(request)
        few(request)
        rows, digests = Client.objects.visible_to(actor), contacts.meant(term)
        found = search.find(rows, term, counters=counters, digests=digests) if term else search.Meant()
        if found.cut:
            search_cut(request, len(found.keys))
        return queryset.filter(pk__in=found.keys), False

    def page_context(self, request: HttpRequest, obj: Client) -> dict[str, Any]:
        attributes = [
            (name, ", ".join(map(str, value)) if isinstance(value, list) else value)
            for name, value in obj.attributes.items()
        ]
        return {
            "attributes": attributes,
            "panels": draw(panels.client_panels, request, obj),
        }

    def prepare(self, request: HttpRequest, rows: Sequence[Client]) -> None:
        """All columns come with the rows."""

    @display(description=_("Client"))
    def show_client(self, client: Client) -> str:
        if not client.name:
            return format_html('<strong class="gp-strong gp-wrap">{}</strong>', client.uniq_id)
        return format_html(
            '<strong class="gp-strong gp-wrap">{}</strong><br><span class="gp-sub">{}</span>',
            client.name,
            client.uniq_id,
        )

    @display(description=_("Identifiers"))
    def show_identifiers(self, client: Client) -> str:
        rows = identifier_rows(client.identifiers)
        chip = (
            '<span class="gp-chip" title="{}">'
            '<span class="material-symbols-outlined" aria-hidden="true">{}</span>{}</span>'
        )
        chips = format_html_join("", chip, [(row.label, row.icon, row.value) for row in rows[:4]])
        rest = format_html('<span class="gp-sub">+{}</span>', len(rows) - 4) if len(rows) > 4 else ""
        return format_html('<div class="gp-chips">{}{}</div>', chips, rest) if rows else "—"

    @display(description=_("Since"))
    def show_created(self, client: Client) -> str:
        return moment(client.created_at, client.counter.zone)


admin.site.register(Client, ClientAdmin)
