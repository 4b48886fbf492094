"""Form fields of the pages."""

import json
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.safestring import SafeString, mark_safe
from unfold.widgets import UnfoldAdminTextInputWidget


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
