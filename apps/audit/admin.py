"""The audit log to read: who, what, when, on what, under which request; before and after side by side."""

import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import TextFilter
from unfold.decorators import display

from apps.agencies.admin import TenantAdmin
from apps.agencies.filters import PeriodFilter
from apps.audit.models import AuditEntry


class _ByText(TextFilter):
    """A box to write in; `lookup` says how the text is compared."""

    lookup: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        text = (self.value() or "").strip().replace("\x00", "")
        return queryset.filter(**{self.lookup: text}) if text else queryset


class ByActor(_ByText):
    title, parameter_name, lookup = _("who"), "actor", "actor_label__icontains"


class ByAction(_ByText):
    title, parameter_name, lookup = _("action"), "action", "action__istartswith"


class ByObjectType(_ByText):
    title, parameter_name, lookup = _("object type"), "object_type", "object_type"


class ByObjectId(_ByText):
    title, parameter_name, lookup = _("object id"), "object_id", "object_id"


class ByRequest(_ByText):
    title, parameter_name, lookup = _("request id"), "request_id", "request_id"


@admin.register(AuditEntry)
class AuditEntryAdmin(TenantAdmin):
    """Nobody adds, changes or deletes here; the database refuses it as well."""

    add_right = change_right = delete_right = None
    list_display = ("moment", "actor_label", "action", "shown_object", "source", "ip", "request_id")
    list_display_links = ("moment",)
    list_filter = (ByActor, ByAction, ("at", PeriodFilter), ByObjectType, ByObjectId, ByRequest)
    search_fields = ("actor_label", "action", "object_label", "request_id")
    search_help_text = _("Who, action, object or request id")
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("moment", "agency_name", "actor_label", "actor_kind", "action", "object_link")}),
        (_("Before and after"), {"fields": ("difference", "shown_details")}),
        (_("Where from"), {"fields": ("source", "ip", "request_link")}),
        (_("Proof"), {"fields": ("sealed",)}),
    )

    def get_list_display(self, request: HttpRequest) -> Any:
        everywhere = request.actor.agency_id is None  # type: ignore[attr-defined]
        return (*self.list_display, "agency_name") if everywhere else self.list_display

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [name for _title, options in self.fieldsets for name in options["fields"]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        return super().get_queryset(request).select_related("agency", "link")

    @display(description=_("time"), ordering="at")
    def moment(self, entry: AuditEntry) -> str:
        return f"{timezone.localtime(entry.at):%Y-%m-%d %H:%M:%S}"

    @display(description=_("agency"))
    def agency_name(self, entry: AuditEntry) -> str:
        return entry.agency.name if entry.agency else "—"

    @display(description=_("object"))
    def shown_object(self, entry: AuditEntry) -> str:
        return entry.object_label or entry.object_id

    @display(description=_("object"))
    def object_link(self, entry: AuditEntry) -> Any:
        name = f"{entry.object_label} · {entry.object_type} {entry.object_id}".strip(" ·")
        url = _url(lambda: reverse(f"admin:{entry.object_type.replace('.', '_')}_change", args=[entry.object_id]))
        return format_html('<a class="underline" href="{}">{}</a>', url, name) if url else name

    @display(description=_("request id"))
    def request_link(self, entry: AuditEntry) -> SafeString:
        log = reverse("admin:audit_auditentry_changelist")
        return format_html('<a class="underline" href="{0}?request_id={1}">{1}</a>', log, entry.request_id)

    @display(description=_("changes"))
    def difference(self, entry: AuditEntry) -> Any:
        rows = difference(entry.before, entry.after)
        return render_to_string("audit/difference.html", {"rows": rows}) if rows else "—"

    @display(description=_("details"))
    def shown_details(self, entry: AuditEntry) -> Any:
        facts = entry.details or {}
        rows = [(name, "", _shown(facts, name), False) for name in sorted(facts)]
        return render_to_string("audit/difference.html", {"rows": rows, "only_after": True}) if rows else "—"

    @display(description=_("in the chain"))
    def sealed(self, entry: AuditEntry) -> Any:
        try:
            link = entry.link
        except ObjectDoesNotExist:
            return _("Not sealed yet")
        return f"{link.position} · {link.hash}"


def difference(before: Any, after: Any) -> list[tuple[str, Any, Any, bool]]:
    """Rows of (field, before, after, differs) for two objects as JSON; fields by name."""
    old, new = before or {}, after or {}
    names = sorted({*old, *new})  # PostgreSQL keeps no order of its own
    return [(name, _shown(old, name), _shown(new, name), old.get(name, ...) != new.get(name, ...)) for name in names]


def _shown(facts: dict[str, Any], name: str) -> Any:
    """Texts and numbers as they are, lists and objects as JSON."""
    value = facts.get(name, "")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def _url(make: Callable[[], str]) -> str:
    try:
        return make()
    except NoReverseMatch:
        return ""
