"""The form of one status: in the counter's mapping, and alone where a hold asks for it."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.counters.models import Counter, Mode
from apps.counters.ui.acts import ActForm
from apps.counters.ui.widgets import GoalsInput
from apps.goals.models import ORDER_TYPE_CHOICES
from apps.goals.statuses import clean_goals
from apps.metrica.rules import system_goals
from apps.metrica.text import Text
from apps.metrica.vocabulary import OrderType


class GoalsField(forms.CharField):
    """A comma list of identifiers; its value is a list, in order, each once."""

    widget = GoalsInput

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"label": _("Goals"), "required": False, "max_length": 3000, **options})

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, (list, tuple)) else value

    def to_python(self, value: Any) -> Any:
        return clean_goals((super().to_python(value) or "").split(","))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return list(initial or []) != self.to_python(data)
        except ValidationError:
            return True

    def run_validators(self, value: Any) -> None:
        """`to_python` has checked each goal."""


def check_speakable(*, order_type: str, goals: Iterable[str], mode: str) -> None:
    """In simple mode a status of type OTHER is sent as its first goal, so it needs one. Raises ValidationError."""
    if order_type == OrderType.OTHER and not list(goals) and mode == Mode.SIMPLE:
        message = _("In simple mode a status of type “Other” is sent as its first goal: name at least one goal.")
        raise ValidationError({"goal_action_ids": ValidationError(message, code="status_without_goal")})


def system_goal_names() -> dict[str, list[Text]]:
    """The goals that each type of order reaches by itself, as Metrica calls them."""
    return {kind.value: [goal.label for goal in system_goals(kind)] for kind in OrderType}


class MapStatusForm(ActForm):
    """Says what one CRM status means. `obj` is the counter or has it; known goals are set by who shows the form."""

    template_after = "admin/goals/forecast.html"
    crm_status = forms.CharField(label=_("CRM status"), max_length=255, widget=UnfoldAdminTextInputWidget)
    name = forms.CharField(
        label=_("Name"),
        max_length=255,
        required=False,
        help_text=_("How it is called on these pages, if the CRM's own word says little."),
        widget=UnfoldAdminTextInputWidget,
    )
    type = forms.ChoiceField(label=_("Order type"), choices=ORDER_TYPE_CHOICES, widget=UnfoldAdminSelectWidget)
    goal_action_ids = GoalsField(help_text=_("JavaScript goals that the status reaches besides, joined by commas."))

    @property
    def counter(self) -> Counter:
        return self.obj if isinstance(self.obj, Counter) else self.obj.counter

    def forecast(self) -> list[Text]:
        """The goals that the status will reach as the form stands."""
        order_type = self["type"].value() or ""
        own = [goal.strip() for goal in str(self["goal_action_ids"].value() or "").split(",") if goal.strip()]
        return [*system_goal_names().get(order_type, ()), *own]

    @property
    def system_goals(self) -> dict[str, list[Text]]:
        """For the page's script."""
        return system_goal_names()

    def offer_goals(self, known: Iterable[tuple[str, str]]) -> None:
        widget = self.fields["goal_action_ids"].widget
        assert isinstance(widget, GoalsInput)
        widget.offer(known)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        check_speakable(
            order_type=values.get("type", ""),
            goals=values.get("goal_action_ids") or (),
            mode=self.counter.mode,
        )
        return values
