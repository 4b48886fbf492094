"""The history of the mapping: who changed what and when, and going back to how it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from apps.agencies.exporting import Cell
from apps.audit.naming import source_name
from apps.counters.templatetags.goalpost import badge, moment
from apps.counters.ui import exports
from apps.counters.ui.acts import Act
from apps.counters.ui.lists import PreparedListMixin
from apps.counters.ui.pages import PageAdmin
from apps.goals import services
from apps.goals.differences import Difference, difference
from apps.goals.models import MappingVersion, StatusMapping
from apps.goals.statuses import StatusRow
from apps.metrica.text import Text
from apps.metrica.vocabulary import OrderType

LINES_IN_LIST = 5

FIELD_NAMES: dict[str, Text] = {
    "name": _("Name"),
    "type": _("Order type"),
    "metrica_id": _("Status at Metrica"),
    "goal_action_ids": _("Goals"),
}
KINDS: dict[str, tuple[Text, str]] = {
    "added": (_("added"), "good"),
    "removed": (_("removed"), "bad"),
    "changed": (_("changed"), "info"),
    "reordered": (_("order changed"), "quiet"),
}


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A difference for people. `fields`: (name, before, after)."""

    crm_status: str
    kind: str
    kind_name: Text
    tone: str
    fields: list[tuple[Text, Text, Text]]


def shown(lines: Sequence[Difference]) -> list[ShownLine]:
    return [
        ShownLine(
            line["crm_status"],
            line["kind"],
            *KINDS[line["kind"]],
            [
                (FIELD_NAMES[name], said(name, before), said(name, after))
                for name, (before, after) in line["fields"].items()
            ],
        )
        for line in lines
    ]


def said(field: str, value: Any) -> Text:
    """A value of a status as people read it."""
    if not value:
        return "—"
    if field == "type":
        return OrderType(value).label if value in OrderType.__members__ else value
    return ", ".join(value) if isinstance(value, list) else value


def _present(version: MappingVersion) -> list[StatusRow]:
    return [StatusRow.of(row) for row in StatusMapping.objects.filter(counter=version.counter_id)]


def _kept(version: MappingVersion) -> list[StatusRow]:
    return [StatusRow.from_json(row) for row in version.mapping]


def _ask(request: HttpRequest, version: MappingVersion) -> str:
    lines = difference(_present(version), _kept(version))
    number = len(lines)
    text = ngettext(
        "The mapping becomes what it was in version %(version)s: %(count)s difference to the present one. This makes "
        "a new version, so you can go back from it as well.",
        "The mapping becomes what it was in version %(version)s: %(count)s differences to the present one. This makes "
        "a new version, so you can go back from it as well.",
        number,
    )
    return text % {"version": version.number, "count": number}


def _restore(request: HttpRequest, version: MappingVersion, values: Mapping[str, Any]) -> HttpResponseRedirect:
    services.restore_version(version=version)
    messages.success(request, _now("The mapping is as it was in version %(number)s.") % {"number": version.number})
    return HttpResponseRedirect(reverse("admin:counters_counter_change", args=[version.counter_id]))


RESTORE = Act(
    name="restore",
    title=_("Go back to this version"),
    icon="restore",
    question=_ask,
    do=_restore,
    button=_("Go back"),
    shown=lambda request, version: bool(difference(_present(version), _kept(version))),
    main=True,
)


def said_of(line: ShownLine) -> str:
    """The difference in a line of text."""
    fields = "; ".join(f"{name}: {before} → {after}" for name, before, after in line.fields)
    return f"{line.crm_status} {line.kind_name}" + (f" ({fields})" if fields else "")


class MappingVersionAdmin(PreparedListMixin, PageAdmin):
    page_template = "admin/goals/version.html"
    list_display = ("show_number", "counter", "show_when", "show_by", "show_difference")
    list_filter = ("counter",)
    list_select_related = ("counter",)
    search_fields = ("by",)
    search_help_text = _("By whom")
    sortable_by = ()
    ordering = ("-id",)
    export_cells = {
        "counter": exports.COUNTER,
        "show_number": (Cell(_("Version"), lambda version: version.number),),
        "show_when": (Cell(_("When"), lambda version: version.at),),
        "show_by": (Cell(_("By whom"), lambda version: version.by or _("before the history began")),),
        "show_difference": (
            Cell(_("What differs"), lambda version: [said_of(line) for line in shown(version.difference)]),
            Cell(_("Back to version"), lambda version: version.restores),
        ),
    }
    empty_icon = "history"
    empty_title = _("No change yet")
    empty_text = _("Every change of a status mapping is kept here: who made it, when, and what differs.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[MappingVersion]:
        return super().get_queryset(request).select_related("counter").defer("mapping")

    def page_context(self, request: HttpRequest, obj: MappingVersion) -> dict[str, Any]:
        rows = _kept(obj)
        return {
            "title": _now("%(counter)s: mapping, version %(number)s")
            % {"counter": obj.counter.name, "number": obj.number},
            "lines": shown(obj.difference),
            "against_present": shown(difference(_present(obj), rows)),
            "rows": rows,
            "source_name": source_name(obj.source),
        }

    @display(description=_("Version"))
    def show_number(self, version: MappingVersion) -> str:
        return str(version.number)

    @display(description=_("When"))
    def show_when(self, version: MappingVersion) -> str:
        return moment(version.at, version.counter.zone)

    @display(description=_("By whom"))
    def show_by(self, version: MappingVersion) -> str:
        return version.by or _now("before the history began")

    @display(description=_("What differs"))
    def show_difference(self, version: MappingVersion) -> str:
        lines = shown(version.difference[:LINES_IN_LIST])
        drawn = format_html_join(
            "",
            '<span class="gp-nowrap">{} {}</span><br>',
            ((line.crm_status, badge(line.kind_name, line.tone)) for line in lines),
        )
        more = len(version.difference) - LINES_IN_LIST
        back = _now("back to version %(number)s") % {"number": version.restores} if version.restores else ""
        return format_html(
            "{}{}{}",
            drawn,
            format_html(
                '<span class="gp-sub">{}</span><br>',
                ngettext("and %(count)s more", "and %(count)s more", more) % {"count": more},
            )
            if more > 0
            else "",
            format_html('<span class="gp-sub">{}</span>', back) if back else "",
        )
