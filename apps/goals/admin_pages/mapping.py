"""The status mapping inside the counter's page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.admin import PaginationInlineFormSet
from unfold.decorators import display

from apps.agencies.clocks import time_text
from apps.agencies.tenant_admin import TenantTabularInline
from apps.counters.leaving import leaves
from apps.counters.models import Counter, Mode
from apps.counters.ui.acts import Act
from apps.counters.ui.pages import draw
from apps.counters.ui.widgets import GoalsInput
from apps.goals import panels, services
from apps.goals.admin_pages.laying_over import lay_over, newest_version, rows_of_version
from apps.goals.admin_pages.letting_leave import meant, what_leaves
from apps.goals.board import known_goals
from apps.goals.forms import GoalsField, MapStatusForm, check_speakable, system_goal_names
from apps.goals.models import MappingVersion, StatusMapping
from apps.goals.statuses import StatusRow, clean_status
from apps.goals.suggestions import suggested_type
from apps.metrica.vocabulary import ID_PATTERN

KNOWN_GOALS = "gp-known-goals"
MAPPING_FIELDS = "statuses"
"""What the names of the editor's fields begin with."""


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
    """Writes through services, all rows as one change; a renamed status is taken out and put in again.

    The page brings back which version of the mapping it showed. Where that has been overtaken, what was written is laid
    over the newest, and the person looks at it before it is saved.

    The counter's settings are saved with the mapping, and `instance` has them as they were written: so it is here that
    the whole page asks before it lets something leave.
    """

    data: Any
    overtaken: ValidationError | None = None  # who changed the mapping meanwhile, where the person wrote something
    asks = True  # before something leaves; not where a draft is only looked at
    to_confirm = ""  # what the box that says yes stands for, where it is asked
    leaving = ""  # how much would leave, and when

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_bound and self.instance.pk:
            self._look_again()

    @cached_property
    def newest(self) -> MappingVersion | None:
        return newest_version(self.instance.pk) if self.instance.pk else None

    @property
    def shown_version(self) -> int:
        return self.newest.number if self.newest else 0

    @property
    def version_name(self) -> str:
        return f"{self.prefix}-version"

    def _look_again(self) -> None:
        seen = self.data.get(self.version_name) or ""
        if not seen.isdecimal() or len(seen) > 9 or self.newest is None or int(seen) == self.newest.number:
            return
        laid = lay_over(
            self.data,
            prefix=self.prefix,
            seen=rows_of_version(self.instance.pk, int(seen)),
            now=list(StatusMapping.objects.filter(counter=self.instance)),
        )
        self.data = laid.data
        if laid.wrote:
            self.overtaken = _overtaken_by(self.newest, laid.theirs)

    @property
    def sure_name(self) -> str:
        return f"{self.prefix}-sure"

    def full_clean(self) -> None:
        super().full_clean()
        if self.overtaken is not None:
            self._non_form_errors.append(self.overtaken)
        if self.is_bound and self.asks and self.instance.pk and not any(self.errors) and not self._non_form_errors:
            self._ask_before_it_leaves()

    def _ask_before_it_leaves(self) -> None:
        changes = self.changes()
        try:
            told = what_leaves(self.instance, self.draft, mapping_changed=changes != ([], []))
        except ValidationError:  # what is written cannot be kept: the service says so
            return
        wanted = meant(self.instance, changes)
        if told and self.data.get(self.sure_name) != wanted:
            self.to_confirm, self.leaving = wanted, told
            self._non_form_errors.append(ValidationError(told, code="lets_leave"))

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

    def changes(self) -> tuple[list[str], list[dict[str, Any]]]:
        """What to take out of the mapping and what to put in, as `services.change_statuses` takes it."""
        changed = [form for form in self.forms if form not in self.deleted_forms and form.has_changed()]
        deleted = [form.initial["crm_status"] for form in self.deleted_forms if form.instance.pk]
        renamed = [form.initial["crm_status"] for form in changed if _is_renamed(form)]
        return [*deleted, *renamed], [_values(form) for form in changed]

    def draft(self) -> list[StatusRow]:
        """The mapping as it would be if this were saved. Raises ValidationError."""
        remove, put = self.changes()
        rows = {row.crm_status: StatusRow.of(row) for row in StatusMapping.objects.filter(counter=self.instance)}
        for crm_status in remove:
            rows.pop(crm_status, None)
        for values in put:
            row = clean_status(mode=self.instance.mode, **values)
            rows[row.crm_status] = row
        return list(rows.values())

    def save(self, commit: bool = True) -> list[StatusMapping]:
        self.new_objects: list[Any] = []
        self.changed_objects: list[Any] = []
        self.deleted_objects: list[Any] = []
        remove, put = self.changes()
        services.change_statuses(counter=self.instance, remove=remove, put=put, upon=self.shown_version)
        names = [values["crm_status"].strip() for values in put]
        return list(StatusMapping.objects.filter(counter=self.instance, crm_status__in=names)) if names else []


def _overtaken_by(version: MappingVersion, theirs: Sequence[str]) -> ValidationError:
    text = _now(
        "%(who)s changed the mapping at %(when)s, while you wrote. It stands here as it is now, with what you wrote "
        "laid over it. Look again, and save once more."
    )
    told = text % {"who": version.by or "?", "when": time_text(version.at)}
    if theirs:
        told += " " + _now("Changed meanwhile: %(statuses)s.") % {"statuses": ", ".join(theirs[:10])}
    return ValidationError(told, code="changed_meanwhile")


def _is_renamed(form: Any) -> bool:
    before = form.initial.get("crm_status")
    return bool(before) and before != form.cleaned_data["crm_status"].strip()


def _values(form: Any) -> dict[str, Any]:
    """What the row says, as services take it. Simple mode does not show the id: then it stays."""
    values = form.cleaned_data
    return {
        "crm_status": values["crm_status"],
        "type": values["type"],
        "goal_action_ids": values["goal_action_ids"],
        "name": values["name"],
        "metrica_id": values.get("metrica_id", form.instance.metrica_id),
        "position": values["position"],
    }


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
        # For the template before the rows: goals to choose from, what each type reaches by itself, and what to do.
        formset.known_goals = known_goals(obj) if obj is not None else []
        formset.system_goals = system_goal_names()
        formset.notes = staticmethod(_notes(request, obj))
        formset.buttons = _buttons(request, obj) if self.has_change_permission(request, obj) else []
        formset.history_url = _history(obj)
        return formset


def _notes(request: HttpRequest, counter: Counter | None) -> Callable[[], list[str]]:
    """Drawn when the template asks, not for a form that is only saved."""
    return lambda: draw(panels.mapping_notes, request, counter) if counter is not None else []


def _buttons(request: HttpRequest, counter: Counter | None) -> list[tuple[str, Any]]:
    if counter is None:
        return []
    return [(reverse(button.view, args=[counter.pk]), button) for button in panels.draft_buttons]


def _history(counter: Counter | None) -> str:
    pk = counter.pk if counter is not None else ""
    return f"{reverse('admin:goals_mappingversion_changelist')}?counter__id__exact={pk}"


def drafted(request: HttpRequest, counter: Counter) -> list[StatusRow] | None:
    """The mapping as it stands in the editor that posted this; None where it was not posted or has mistakes."""
    inline = StatusInline(Counter, admin.site)
    formset_class = inline.get_formset(request, counter)
    if f"{MAPPING_FIELDS}-TOTAL_FORMS" not in request.POST:
        return None
    formset = formset_class(
        data=request.POST,
        instance=counter,
        prefix=MAPPING_FIELDS,
        queryset=inline.get_queryset(request).filter(counter=counter),
    )
    formset.overtaken, formset.asks = None, False  # it is looked at, not saved
    return formset.draft() if formset.is_valid() else None


class AddStatusForm(MapStatusForm):
    """Says what a status of this counter means, be it known already or not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_goals(known_goals(self.obj))


def _initial(request: HttpRequest, counter: Counter) -> Mapping[str, Any]:
    """The status of the address (`?status=`) with its likely type, for a person to confirm."""
    crm_status = request.GET.get("status", "").replace("\0", "")[:255]
    mapping = StatusMapping.objects.filter(counter=counter, crm_status=crm_status).first() if crm_status else None
    if mapping is None:
        return {"crm_status": crm_status, "type": suggested_type(crm_status).value if crm_status else ""}
    return {
        "crm_status": mapping.crm_status,
        "name": mapping.name,
        "type": mapping.type,
        "goal_action_ids": mapping.goal_action_ids,
    }


def _add(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    mapping = services.set_status(
        counter=counter,
        crm_status=values["crm_status"],
        type=values["type"],
        goal_action_ids=values["goal_action_ids"],
        name=values["name"],
    )
    return _now("The status “%(status)s” is mapped. The orders that it held are being released.") % {
        "status": mapping.crm_status
    }


ADD_STATUS = Act(
    name="map",
    title=_("Add to the mapping"),
    icon="account_tree",
    question=lambda request, counter: (
        _now("Say what this status means. The type is only guessed from its words: look whether it is right.")
        + f" {leaves(counter)}"
    ),
    form=AddStatusForm,
    initial=_initial,
    do=_add,
    button=_("Add"),
    in_header=False,
)
