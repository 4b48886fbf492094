"""The list of goals, and bringing goals to and from Metrica."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.exporting import Cell
from apps.agencies.tenant_admin import TenantAdmin
from apps.counters.leaving import leaves_once
from apps.counters.models import Counter
from apps.counters.templatetags.goalpost import badge, money, since
from apps.counters.ui import exports
from apps.counters.ui.acts import Act, ActForm
from apps.counters.ui.lists import PreparedListMixin
from apps.goals import sync
from apps.goals.goal_checks import goals_in_use, issues, issues_of
from apps.goals.models import Goal, StatusMapping, StepState
from apps.metrica.client import GoalDraft


def _read(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    read = sync.check(counter=counter)
    if read.permission == "view" and counter.account is not None:
        may_only_look = _now("%(login)s may only look at this counter, so it cannot upload.")
        step = _now(
            "Let the counter's owner give this login the right to edit, then read the counter from Metrica again."
        )
        messages.warning(request, f"{may_only_look % {'login': counter.account.login}} {step}")
    text = ngettext(
        "Metrica answered: time zone %(zone)s, right “%(right)s”, %(count)s goal that a status can reach.",
        "Metrica answered: time zone %(zone)s, right “%(right)s”, %(count)s goals that a status can reach.",
        read.goals,
    )
    told = text % {"zone": read.time_zone or "—", "right": read.permission or "—", "count": read.goals}
    if read.advanced_matching is None:
        return told
    matching = _now("Advanced matching is on.") if read.advanced_matching else _now("Advanced matching is off.")
    return f"{told} {matching}"


def _ask_before_reading(request: HttpRequest, counter: Counter) -> str:
    told = _now(
        "Shows whether the connection works: the counter's time zone, site, JavaScript goals and advanced matching are "
        "read from Metrica, and what the account may do there. Nothing is changed there."
    )
    if counter.time_zone:
        return told
    return f"{told} {leaves_once(counter, mended='unknown_time_zone')}"  # the zone that is read frees what waits for it


READ = Act(
    name="read",
    title=_("Check the connection"),
    icon="network_check",
    question=_ask_before_reading,
    do=_read,
    button=_("Ask Metrica"),
    shown=lambda request, counter: counter.account_id is not None,
)


def missing_goals(counter: Counter) -> list[str]:
    """Goals that the mapping names and Metrica does not have, in the mapping's order. At most as many as one press
    of the button makes.
    """
    used = goals_in_use(StatusMapping.objects.filter(counter=counter))
    there = Goal.objects.filter(counter=counter, synced_at__isnull=False, missing_since=None)
    known = set(there.values_list("identifier", flat=True)) if used else set()
    return [identifier for identifier in used if identifier not in known][: sync.CREATED_AT_ONCE]


class CreateGoalsForm(ActForm):
    """A block of fields for each goal that is missing at Metrica; nothing is made that was not shown here."""

    template_after = "admin/goals/create_goals.html"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        counter: Counter = self.obj
        used = goals_in_use(StatusMapping.objects.filter(counter=counter))
        self._blocks: list[tuple[str, str, list[str]]] = []
        for identifier in missing_goals(counter):
            key = f"goal{crc32(identifier.encode())}"  # the same whatever else is missing when the form comes back
            statuses = used[identifier]
            self._blocks.append((key, identifier, statuses))
            self.fields[f"{key}_make"] = forms.BooleanField(
                label=_("Create it"), required=False, initial=True, widget=UnfoldBooleanWidget
            )
            self.fields[f"{key}_name"] = forms.CharField(
                label=_("Name"),
                max_length=255,
                required=False,
                initial=statuses[0] if len(statuses) == 1 else identifier,
                widget=UnfoldAdminTextInputWidget,
            )
            self.fields[f"{key}_price"] = forms.DecimalField(
                label=_("Default price"),
                min_value=0,
                max_digits=18,
                decimal_places=4,
                required=False,
                widget=UnfoldAdminTextInputWidget,
            )
            self.fields[f"{key}_favourite"] = forms.BooleanField(
                label=_("Favourite"), required=False, widget=UnfoldBooleanWidget
            )

    def visible_fields(self) -> list[Any]:
        """Drawn in blocks, by the template below."""
        return []

    def blocks(self) -> list[dict[str, Any]]:
        return [
            {
                "identifier": identifier,
                "statuses": statuses,
                "make": self[f"{key}_make"],
                "name": self[f"{key}_name"],
                "price": self[f"{key}_price"],
                "favourite": self[f"{key}_favourite"],
            }
            for key, identifier, statuses in self._blocks
        ]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        chosen = [
            GoalDraft(
                identifier=identifier,
                name=values.get(f"{key}_name") or "",
                default_price=values.get(f"{key}_price"),
                is_favorite=bool(values.get(f"{key}_favourite")),
            )
            for key, identifier, _statuses in self._blocks
            if values.get(f"{key}_make")
        ]
        if not chosen and not self.errors:
            raise forms.ValidationError(_("Choose at least one goal to create."), code="nothing_chosen")
        return {**values, "chosen": chosen}


def _create(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    done = sync.create_goals(counter=counter, goals=values["chosen"])
    number = len(done.created)
    text = ngettext("%(count)s goal is created at Metrica.", "%(count)s goals are created at Metrica.", number)
    told = text % {"count": number}
    if done.there:
        told += " " + _now("Somebody had made these before: %(goals)s.") % {"goals": ", ".join(done.there)}
    return told


CREATE_GOALS = Act(
    name="create-goals",
    title=_("Create goals at Metrica"),
    icon="add_task",
    question=lambda request, counter: _(
        "The mapping names these goals, and Metrica has none of them. They are created as “JavaScript event” with an "
        "exact match; they count from then on, and favourites show in end-to-end reports. The price is in the "
        "counter's currency."
    ),
    form=CreateGoalsForm,
    do=_create,
    button=_("Create"),
    shown=lambda request, counter: counter.account_id is not None and bool(missing_goals(counter)),
    in_header=False,
)


def goal_issues(request: HttpRequest, counter: Counter) -> str:
    """A note above the mapping: goals that it names and that are not as they should be."""
    found = issues_of(counter, now=timezone.now())
    if not found:
        return ""
    creatable = any(issue.can_be_created for issue in found)
    may = actor_of(request).can(Right.OPERATE) and counter.account_id is not None
    context = {
        "issues": found,
        "counter": counter,
        "create_url": reverse("admin:counters_counter_create-goals", args=[counter.pk]) if creatable and may else "",
    }
    return render_to_string("admin/goals/issues.html", context, request=request)


def _in_step(goal: Any) -> str:
    if goal.issues:
        return "; ".join(str(issue.text) for issue in goal.issues)
    return _now("As it should be") if goal.synced_at else ""


class GoalAdmin(PreparedListMixin, TenantAdmin):
    add_right = None
    change_right = None
    list_display = ("identifier", "name", "counter", "show_statuses", "show_issues", "show_price", "show_synced")
    list_display_links = None
    list_filter = ("counter",)
    list_select_related = ("counter",)
    search_fields = ("identifier", "name")
    search_help_text = _("Identifier or name")
    sortable_by = ("identifier", "name")
    export_cells = {
        "counter": exports.COUNTER,
        "show_statuses": (Cell(_("Statuses that reach it"), lambda goal: goal.statuses),),
        "show_issues": (Cell(_("In step"), lambda goal: _in_step(goal)),),
        "show_price": (
            Cell(_("Default price"), lambda goal: goal.default_price),
            Cell(_("Currency"), lambda goal: goal.counter.currency),
        ),
        "show_synced": (Cell(_("Seen at Metrica"), lambda goal: goal.synced_at),),
    }
    export_keys = (Cell(_("Number at Metrica"), lambda goal: goal.metrica_goal_id),)
    empty_icon = "flag"
    empty_title = _("No goal yet")
    empty_text = _(
        "Goals of the kind “JavaScript event” come from Metrica: open a counter and press “Check the connection”."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Goal]:
        return super().get_queryset(request).select_related("counter")

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        counters = {row.counter_id for row in rows}
        using: dict[tuple[int, str], list[str]] = defaultdict(list)
        for mapping in StatusMapping.objects.filter(counter__in=counters):
            for goal in mapping.goal_action_ids:
                using[mapping.counter_id, goal].append(mapping.crm_status)
        was_read = set(
            StepState.objects.filter(counter__in=counters, goals_read_at__isnull=False).values_list(
                "counter_id", flat=True
            )
        )
        now = timezone.now()
        for row in rows:
            row.statuses = using[row.counter_id, row.identifier]
            row.issues = issues(
                used=[row.identifier],
                goals={row.identifier: row},
                was_read=row.counter_id in was_read and bool(row.statuses),
                now=now,
            )

    @display(description=_("Statuses that reach it"))
    def show_statuses(self, goal: Any) -> str:
        if not goal.statuses:
            return "—"
        url = reverse("admin:counters_counter_change", args=[goal.counter_id])
        chips = format_html_join("", '<a class="gp-chip" href="{}">{}</a>', ((url, status) for status in goal.statuses))
        return format_html('<div class="gp-chips">{}</div>', chips)

    @display(description=_("In step"))
    def show_issues(self, goal: Any) -> str:
        if not goal.issues:
            return badge(_now("As it should be"), "good", "check_circle") if goal.synced_at else "—"
        return format_html_join(
            " ",
            '<span class="gp-wrap {}">{}</span>',
            (("gp-text--warn" if issue.serious else "", issue.text) for issue in goal.issues),
        )

    @display(description=_("Default price"))
    def show_price(self, goal: Goal) -> str:
        return money(goal.default_price, goal.counter.currency)

    @display(description=_("Seen at Metrica"))
    def show_synced(self, goal: Goal) -> str:
        return since(goal.synced_at, goal.counter.zone) if goal.synced_at else _now("never: written by hand")
