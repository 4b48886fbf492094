"""The status mapping inside the counter's page, and the list of goals."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import PaginationInlineFormSet
from unfold.decorators import display

from apps.agencies.tenant_admin import TenantAdmin, TenantTabularInline
from apps.counters import panels
from apps.counters.models import Counter, Mode
from apps.counters.templatetags.goalpost import money, since
from apps.counters.ui.acts import Act
from apps.counters.ui.lists import PreparedListMixin
from apps.counters.ui.widgets import GoalsInput
from apps.goals import services, sync
from apps.goals.board import known_goals
from apps.goals.forms import GoalsField, check_speakable, system_goal_names
from apps.goals.models import Goal, StatusMapping
from apps.metrica.vocabulary import ID_PATTERN

KNOWN_GOALS = "gp-known-goals"


def forecast_chips(order_type: str, goals: Sequence[str]) -> SafeString:
    """The goals that a status of this type with these goals will reach."""
    labels = [*system_goal_names()[order_type], *goals]
    return format_html_join("", '<span class="gp-chip gp-chip--soon">{}</span>', ((label,) for label in labels))


class StatusForm(forms.ModelForm):
    goal_action_ids = GoalsField(widget=GoalsInput(goals_id=KNOWN_GOALS))

    class Meta:
        model = StatusMapping
        fields = ("crm_status", "name", "type", "goal_action_ids", "metrica_id", "position")

    def clean_metrica_id(self) -> str:
        value = self.cleaned_data["metrica_id"].strip()
        if value and not ID_PATTERN.match(value):
            message = _("Only Latin letters, digits, _, - and : are allowed here.")
            raise ValidationError(message, code="bad_metrica_id")
        return value


class StatusFormSet(PaginationInlineFormSet):
    """Writes through services, a status at a time; a renamed one is taken out and put in again."""

    def clean(self) -> None:
        super().clean()
        for form in self.forms:
            if form in self.deleted_forms or form.errors or not form.cleaned_data.get("crm_status"):
                continue
            try:
                check_speakable(
                    order_type=form.cleaned_data["type"],
                    goals=form.cleaned_data["goal_action_ids"],
                    mode=self.instance.mode,
                )
            except ValidationError as error:
                form.add_error(None, error)

    def save(self, commit: bool = True) -> list[StatusMapping]:
        self.new_objects: list[Any] = []
        self.changed_objects: list[Any] = []
        self.deleted_objects: list[Any] = []
        counter = self.instance
        for form in self.deleted_forms:
            if form.instance.pk:
                services.remove_status(counter=counter, crm_status=form.initial["crm_status"])
        changed = [form for form in self.forms if form not in self.deleted_forms and form.has_changed()]
        for form in changed:  # all of them first: a status may take the name that another gives up
            before = form.initial.get("crm_status")
            if before and before != form.cleaned_data["crm_status"].strip():
                services.remove_status(counter=counter, crm_status=before)
        saved = []
        for form in changed:
            values = form.cleaned_data
            saved.append(
                services.set_status(
                    counter=counter,
                    crm_status=values["crm_status"],
                    type=values["type"],
                    goal_action_ids=values["goal_action_ids"],
                    name=values["name"],
                    metrica_id=values.get("metrica_id", form.instance.metrica_id),
                    position=values["position"],
                )
            )
        return saved


class StatusInline(TenantTabularInline):
    model = StatusMapping
    form = StatusForm
    formset = StatusFormSet
    fields = ("crm_status", "name", "type", "goal_action_ids", "metrica_id", "position", "show_forecast")
    readonly_fields = ("show_forecast",)
    ordering_field = "position"
    hide_ordering_field = True
    hide_title = True
    show_change_link = False
    template_before = "admin/goals/mapping_before.html"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Simple mode sends types and goals; a status has a name of its own at Metrica in detailed mode alone.
        simple = obj is not None and obj.mode == Mode.SIMPLE
        return [name for name in self.fields if not (simple and name == "metrica_id")]

    @display(description=_("Will reach"))
    def show_forecast(self, status: StatusMapping) -> str:
        chips = forecast_chips(status.type, status.goal_action_ids) if status.type else SafeString()
        nothing = _now("no goal")
        empty = SafeString() if chips else format_html('<span class="gp-sub">{}</span>', nothing if status.pk else "")
        return format_html('<div class="gp-chips" data-forecast="{}">{}{}</div>', nothing, chips, empty)

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        # For the template before the rows: goals to choose from, and what each type reaches by itself.
        formset.known_goals = known_goals(obj) if obj is not None else []
        formset.system_goals = system_goal_names()
        return formset


def _read(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    read = sync.refresh(counter=counter)
    text = ngettext(
        "Metrica answered: time zone %(zone)s, %(count)s goal that a status can reach.",
        "Metrica answered: time zone %(zone)s, %(count)s goals that a status can reach.",
        read.goals,
    )
    return text % {"zone": read.time_zone or "—", "count": read.goals}


READ = Act(
    name="read",
    title=_("Read from Metrica"),
    icon="cloud_download",
    question=lambda request, counter: _(
        "The counter's time zone, site and JavaScript goals are read from Metrica. Nothing is changed there."
    ),
    do=_read,
    button=_("Read"),
    shown=lambda request, counter: counter.account_id is not None,
)


class GoalAdmin(PreparedListMixin, TenantAdmin):
    add_right = None
    change_right = None
    list_display = ("identifier", "name", "counter", "show_statuses", "show_price", "show_synced")
    list_display_links = None
    list_filter = ("counter",)
    list_select_related = ("counter",)
    search_fields = ("identifier", "name")
    search_help_text = _("Identifier or name")
    sortable_by = ("identifier", "name")
    empty_icon = "flag"
    empty_title = _("No goal yet")
    empty_text = _(
        "Goals of the kind “JavaScript event” come from Metrica: open a counter and press “Read from Metrica”."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Goal]:
        return super().get_queryset(request).select_related("counter")

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        using: dict[tuple[int, str], list[str]] = defaultdict(list)
        for mapping in StatusMapping.objects.filter(counter__in={row.counter_id for row in rows}):
            for goal in mapping.goal_action_ids:
                using[mapping.counter_id, goal].append(mapping.crm_status)
        for row in rows:
            row.statuses = using[row.counter_id, row.identifier]

    @display(description=_("Statuses that reach it"))
    def show_statuses(self, goal: Any) -> str:
        if not goal.statuses:
            return "—"
        url = reverse("admin:counters_counter_change", args=[goal.counter_id])
        chips = format_html_join("", '<a class="gp-chip" href="{}">{}</a>', ((url, status) for status in goal.statuses))
        return format_html('<div class="gp-chips">{}</div>', chips)

    @display(description=_("Default price"))
    def show_price(self, goal: Goal) -> str:
        return money(goal.default_price, goal.counter.currency)

    @display(description=_("Seen at Metrica"))
    def show_synced(self, goal: Goal) -> str:
        return since(goal.synced_at) if goal.synced_at else _now("never: written by hand")


panels.counter_inlines.append(StatusInline)
panels.counter_actions(READ)
admin.site.register(Goal, GoalAdmin)
