"""The audit log to read: who, what, when, on what, under which request; before and after side by side."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import connection
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter, TextFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from apps.agencies.access import actor_of
from apps.agencies.admin import TenantAdmin
from apps.agencies.clocks import time_tag
from apps.agencies.exporting import Cell
from apps.agencies.filters import PeriodFilter
from apps.agencies.links import page_by_name
from apps.agencies.merging import Parts
from apps.audit import known, naming, triggers, verifying
from apps.audit.models import AuditEntry, AuditLink
from apps.metrica.text import Text


class _ByText(TextFilter):
    """A box to write in; `lookup` says how the text is compared."""

    lookup: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        text = (self.value() or "").strip().replace("\x00", "")
        return queryset.filter(**{self.lookup: text}) if text else queryset


class _ByKnown(_ByText, ABC):
    """A box for a part of one of the few words that the log has in a column."""

    @abstractmethod
    def fits(self, value: str, text: str) -> bool:
        """Whether the word is meant; both are folded."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        text = (self.value() or "").strip().replace("\x00", "").casefold()
        if not text:
            return queryset
        agencies = actor_of(request).agencies
        found = known.entries_with(self.lookup, lambda value: self.fits(value.casefold(), text), agencies=agencies)
        return queryset.none() if found is None else queryset.filter(found)


class ByActor(_ByKnown):
    title, parameter_name, lookup = _("who"), "actor", "actor_label"

    def fits(self, value: str, text: str) -> bool:
        return text in value


class _ByCode(DropdownFilter, ABC):
    """A choice of codes by their names; an address may hold any other."""

    @abstractmethod
    def codes(self) -> Iterable[tuple[str, Any]]:
        """With their names."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        codes = dict(self.codes())
        chosen = self._chosen()
        return [*codes.items(), *([(chosen, chosen)] if chosen and chosen not in codes else [])]

    def _chosen(self) -> str:
        return (self.value() or "").strip().replace("\x00", "")


class ByAction(_ByCode):
    title, parameter_name = _("action"), "action"

    def codes(self) -> Iterable[tuple[str, Any]]:
        return sorted(naming.ACTIONS.items(), key=lambda one: str(one[1]).casefold())

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        """One action; or, from an address, all whose code begins so."""
        if not (chosen := self._chosen().casefold()):
            return queryset
        whole, agencies = chosen in naming.ACTIONS, actor_of(request).agencies

        def fits(value: str) -> bool:
            return value == chosen if whole else value.casefold().startswith(chosen)

        found = known.entries_with("action", fits, agencies=agencies)
        return queryset.none() if found is None else queryset.filter(found)


class ByObjectType(_ByCode):
    title, parameter_name = _("object type"), "object_type"

    def codes(self) -> Iterable[tuple[str, Any]]:
        return naming.types()

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(object_type=chosen) if (chosen := self._chosen()) else queryset


class ByObjectId(_ByText):
    title, parameter_name, lookup = _("object id"), "object_id", "object_id"


class ByRequest(_ByText):
    title, parameter_name, lookup = _("request id"), "request_id", "request_id"


@admin.register(AuditEntry)
class AuditEntryAdmin(TenantAdmin):
    """Nobody adds, changes or deletes here; the database refuses it as well."""

    add_right = change_right = delete_right = None
    list_display = ("moment", "actor_label", "shown_action", "shown_object", "shown_source", "ip", "shown_request")
    list_display_links = ("moment",)
    list_filter = (ByActor, ByAction, ("at", PeriodFilter), ByObjectType, ByObjectId, ByRequest)
    sortable_by = ("moment",)
    search_fields = ("request_id",)
    search_help_text = _("Who, action, beginning of an object's name, a whole object id or request id")
    ordering = ("-id",)
    export_cells = {
        "moment": (Cell(_("time"), lambda entry: entry.at),),
        "actor_label": (
            Cell(_("who"), lambda entry: entry.actor_label),
            Cell(_("kind of actor"), lambda entry: entry.actor_kind),
        ),
        "shown_action": (
            Cell(_("action"), lambda entry: entry.action),
            Cell(_("action in words"), lambda entry: naming.action_name(entry.action)),
        ),
        "shown_source": (Cell(_("source"), lambda entry: entry.source),),
        "shown_object": (
            Cell(_("object type"), lambda entry: entry.object_type),
            Cell(_("object id"), lambda entry: entry.object_id),
            Cell(_("object"), lambda entry: entry.object_label),
        ),
        "shown_request": (Cell(_("request id"), lambda entry: entry.request_id),),
        "agency_name": (),
    }
    export_keys = (
        Cell(_("agency"), lambda entry: entry.agency and entry.agency.slug),
        Cell(_("counter"), lambda entry: entry.counter),
        Cell(_("before"), lambda entry: entry.before),
        Cell(_("after"), lambda entry: entry.after),
        Cell(_("details"), lambda entry: entry.details or None),
        Cell(_("place in the chain"), lambda entry: _link_of(entry) and _link_of(entry).position),
        Cell(_("hash"), lambda entry: _link_of(entry) and _link_of(entry).hash),
    )
    fieldsets = (
        (None, {"fields": ("moment", "agency_name", "actor_label", "shown_kind", "shown_action", "object_link")}),
        (_("Before and after"), {"fields": ("difference", "shown_details")}),
        (_("Where from"), {"fields": ("shown_source", "ip", "request_link")}),
        (_("Proof"), {"fields": ("sealed",)}),
    )

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # Of a period the index has the entries by their time.
        chosen = any(request.GET.get(f"at_{end}_0") for end in ("from", "to"))
        return ("-at", "-id") if chosen else self.ordering

    def parts_of(self, request: HttpRequest) -> Parts | None:
        counters = actor_of(request).counters
        return None if counters is None else Parts("counter", tuple(counters))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        term = search_term.strip().replace("\x00", "")
        if not term:
            return queryset, False
        said, agencies = term.casefold(), actor_of(request).agencies
        found = Q(request_id=term) | Q(object_id=term)
        for spelling in dict.fromkeys([term, term[:1].upper() + term[1:], term.upper()]):
            found |= Q(object_label__startswith=spelling)
        for column in ("actor_label", "action"):
            found |= known.entries_with(column, lambda value: said in value.casefold(), agencies=agencies) or Q()
        return queryset.filter(found), False

    def get_list_display(self, request: HttpRequest) -> Any:
        everywhere = request.actor.agency_id is None  # type: ignore[attr-defined]
        return (*self.list_display, "agency_name") if everywhere else self.list_display

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [name for _title, options in self.fieldsets for name in options["fields"]]

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [
            path("verify/", guarded(self.verify), name="audit_auditentry_verify"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data is not None:
            checking = _button(_("Check the chain"), "verified_user", reverse("admin:audit_auditentry_verify"))
            response.context_data["actions_list"] = [checking] if self._sees_whole_log(request) else []
        return response

    def _sees_whole_log(self, request: HttpRequest) -> bool:
        """A chain is all of an agency's: whoever is limited to some counters has no part in it."""
        return self.has_view_permission(request) and actor_of(request).counters is None

    def verify(self, request: HttpRequest) -> HttpResponse:
        """The page that checks the chain of the agency in view, a piece with each request."""
        if not self._sees_whole_log(request):
            raise PermissionDenied
        agency = actor_of(request).agency_id
        check = None
        if request.method == "POST":
            token = request.POST.get("token", "")
            check = verifying.go_on((token and verifying.resumed(token, agency)) or verifying.begin(agency))
        entry = None if check is None else _entry_at(agency, check.place.position)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Check the chain"),
            "check": check,
            "entry": entry,
            "chain_name": verifying.chain_name(agency),
            "end": verifying.chain.end_of(agency),
            "unsealed": verifying.unsealed(agency),
            "unsealed_limit": verifying.UNSEALED_LIMIT,
            "last": verifying.last_check(agency) if check is None else None,
            "unguarded": triggers.missing(connection),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "audit/verify.html", context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        return super().get_queryset(request).select_related("agency", "link")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> AuditEntry | None:
        """With the address of what was done to, where it is still there and this person may open it."""
        entry: Any = super().get_object(request, object_id, from_field)
        if entry is not None:
            _named(entry)
        if entry is not None and entry.object_id:
            entry.object_url = page_by_name(request, entry.object_type, entry.object_id)
        return entry

    @display(description=_("time"), ordering="at")
    def moment(self, entry: AuditEntry) -> str:
        return time_tag(entry.at, f"{timezone.localtime(entry.at):%Y-%m-%d %H:%M:%S}")

    @display(description=_("action"), ordering="action")
    def shown_action(self, entry: AuditEntry) -> SafeString:
        return format_html('<span title="{}">{}</span>', entry.action, naming.action_name(entry.action))

    @display(description=_("kind of actor"))
    def shown_kind(self, entry: AuditEntry) -> Text:
        return naming.kind_name(entry.actor_kind)

    @display(description=_("source"), ordering="source")
    def shown_source(self, entry: AuditEntry) -> Text:
        return naming.source_name(entry.source)

    @display(description=_("agency"))
    def agency_name(self, entry: AuditEntry) -> str:
        return entry.agency.name if entry.agency else "—"

    @display(description=_("object"))
    def shown_object(self, entry: AuditEntry) -> str:
        return entry.object_label or entry.object_id

    @display(description=_("object"))
    def object_link(self, entry: AuditEntry) -> Any:
        kind = naming.type_name(entry.object_type)
        name = f"{entry.object_label} · {kind} {entry.object_id}".strip(" ·")
        url = getattr(entry, "object_url", "")
        return format_html('<a class="underline" href="{}">{}</a>', url, name) if url else name

    @display(description=_("request id"))
    def request_link(self, entry: AuditEntry) -> SafeString:
        """To all that was done under the same request."""
        return _request(entry, entry.request_id)

    @display(description=_("request id"))
    def shown_request(self, entry: AuditEntry) -> SafeString:
        """Its end, which tells one from another: the whole is too long for a list."""
        number = entry.request_id
        return _request(entry, number if len(number) <= 14 else f"…{number[-12:]}")

    @display(description=_("changes"))
    def difference(self, entry: AuditEntry) -> Any:
        kind = entry.object_type
        rows = [
            (naming.field_name(kind, name), name, *(naming.value_name(kind, name, one) for one in values), differs)
            for name, *values, differs in difference(entry.before, entry.after)
        ]
        return render_to_string("audit/difference.html", {"rows": rows}) if rows else "—"

    @display(description=_("details"))
    def shown_details(self, entry: AuditEntry) -> Any:
        facts = entry.details or {}
        rows = [
            (naming.field_name("", name), name, "", naming.value_name("", name, _shown(facts, name)), False)
            for name in sorted(facts)
        ]
        return render_to_string("audit/difference.html", {"rows": rows, "only_after": True}) if rows else "—"

    @display(description=_("in the chain"))
    def sealed(self, entry: AuditEntry) -> Any:
        try:
            link = entry.link
        except ObjectDoesNotExist:
            return _("Not sealed yet")
        return f"{link.position} · {link.hash}"


def _link_of(entry: AuditEntry) -> Any:
    return getattr(entry, "link", None)


def difference(before: Any, after: Any) -> list[tuple[str, Any, Any, bool]]:
    """Rows of (field, before, after, differs) for two objects as JSON; fields by name."""
    old, new = before or {}, after or {}
    names = sorted({*old, *new})  # PostgreSQL keeps no order of its own
    return [(name, _shown(old, name), _shown(new, name), old.get(name, ...) != new.get(name, ...)) for name in names]


def _entry_at(agency_id: int | None, position: int) -> AuditEntry | None:
    link = AuditLink.objects.filter(agency=agency_id, position=position).select_related("entry").first()
    return _named(link.entry) if link else None


def _named(entry: Any) -> Any:
    """It tells itself in words rather than by its action's code."""
    entry.action_in_words = naming.action_name(entry.action)
    return entry


def _button(title: Any, icon: str, url: str) -> dict[str, Any]:
    """A button of the header that leads to a page."""
    return {"title": title, "icon": icon, "variant": ActionVariant.DEFAULT, "attrs": {}, "dialog": False, "path": url}


def _shown(facts: dict[str, Any], name: str) -> Any:
    """Texts and numbers as they are, lists and objects as JSON."""
    value = facts.get(name, "")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def _request(entry: AuditEntry, text: str) -> SafeString:
    log = reverse("admin:audit_auditentry_changelist")
    link = '<a class="gp-link gp-mono" href="{0}?{1}" title="{2}">{3}</a>'
    return format_html(link, log, urlencode({"request_id": entry.request_id}), entry.request_id, text)
