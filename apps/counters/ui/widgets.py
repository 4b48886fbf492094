"""Form fields of the pages."""

import json
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.counters import schedule as schedules


class SuggestInput(UnfoldAdminTextInputWidget):
    """A text with suggestions (an HTML datalist): any other text may be written as well."""

    def __init__(self, suggestions: Iterable[str], attrs: dict[str, Any] | None = None) -> None:
        self.suggestions = list(suggestions)
        super().__init__(attrs)

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        list_id = f"suggest-{name}"
        drawn = super().render(name, value, {**(attrs or {}), "list": list_id, "autocomplete": "off"}, renderer)
        options = forms.Select(choices=[(text, text) for text in self.suggestions]).render(name, None, {"id": list_id})
        # The same escaped <option>s, in a datalist in place of the select.
        inner = options[options.index(">") + 1 : options.rindex("</select>")]
        return mark_safe(f'{drawn}<datalist id="{list_id}">{inner}</datalist>')  # noqa: S308 - both parts are rendered by Django


class GoalsInput(UnfoldAdminTextInputWidget):
    """Identifiers of goals joined by commas. The page's script offers the goals that the counter is known to have.

    `known`: (identifier, name) pairs; where many inputs share them, they come once from the element `goals_id`.
    """

    def __init__(self, known: Iterable[tuple[str, str]] = (), *, goals_id: str = "") -> None:
        super().__init__({"data-goals-from": goals_id, "autocomplete": "off", "spellcheck": "false"})
        self.offer(known)

    def offer(self, known: Iterable[tuple[str, str]]) -> None:
        self.attrs["data-goals"] = json.dumps(list(known), ensure_ascii=False)


class ScheduleInput(forms.Widget):
    """A schedule as a choice, with a period or a time of the day where that asks for one. Its value is the text that
    `schedule.parse` reads; another text that was posted is handed on as it is."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str | None:
        kind = data.get(name)
        if kind == "every":
            return f"{(data.get(f'{name}-every') or '').strip()}{data.get(f'{name}-unit') or 'm'}"
        if kind == "daily":
            return f"daily {(data.get(f'{name}-at') or '').strip()[:5]}"
        return kind

    def id_for_label(self, id_: str) -> str:
        return id_

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        kind, number, unit, at = _parts_of(str(value or ""))
        kinds = [
            (schedules.MANUAL, _("Only by hand")),
            (schedules.AS_THEY_COME, _("As they come")),
            ("every", _("Every so often")),
            ("daily", _("Daily")),
        ]
        choose = UnfoldAdminSelectWidget({"aria-label": _("Unit")}, choices=[("m", _("minutes")), ("h", _("hours"))])
        count = UnfoldAdminIntegerFieldWidget({"aria-label": _("How many"), "min": "1", "max": "10080"})
        clock = UnfoldAdminTextInputWidget({"aria-label": _("Time of the day, on the counter's clock")})
        clock.input_type = "time"
        return format_html(
            '<div class="gp-schedule">{}<span data-when="every">{}{}</span><span data-when="daily">{}</span></div>',
            UnfoldAdminSelectWidget(choices=kinds).render(name, kind, attrs, renderer),
            count.render(f"{name}-every", number, None, renderer),
            choose.render(f"{name}-unit", unit, None, renderer),
            clock.render(f"{name}-at", at, None, renderer),
        )


def _parts_of(text: str) -> tuple[str, str, str, str]:
    """The choice, the number and unit of a period, the time of a day; of a text that is no schedule what can be made
    of it, so that the person can correct it."""
    try:
        plan = schedules.parse(text)
    except schedules.ScheduleError:
        if text.startswith("daily"):
            return "daily", "", "m", ""
        return ("every", text[:-1], text[-1:], "") if text[-1:] in ("m", "h") else ("", "", "m", "")
    if plan.every is not None:
        return "every", plan.text[:-1], plan.text[-1:], ""
    if plan.at is not None:
        return "daily", "", "m", f"{plan.at:%H:%M}"
    return plan.text, "", "m", ""
