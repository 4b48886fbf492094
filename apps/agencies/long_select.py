"""A drop-down of hundreds of choices: drawn in one go, where Django draws a template for each of them."""

from typing import Any

from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.forms import DropdownForm
from unfold.widgets import UnfoldAdminSelectWidget


def options_of(choices: Any, chosen: set[str]) -> SafeString:
    """`choices`: pairs of a value and its label, without groups."""
    return format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        ((value, SafeString(" selected") if str(value) in chosen else "", label) for value, label in choices),
    )


class LongSelect(UnfoldAdminSelectWidget):
    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        chosen = {str(one) for one in self.format_value(value)}
        return format_html(
            '<div class="grow relative max-w-2xl"><select{}>{}</select>'
            '<span class="material-symbols-outlined absolute pointer-events-none mr-[12px] right-0 text-base-400 '
            'top-1/2 dark:text-base-500 -translate-y-1/2">expand_more</span></div>',
            flatatt({"name": name, **self.build_attrs(self.attrs, attrs)}),
            options_of(self.choices, chosen),
        )


class LongDropdownForm(DropdownForm):
    widget = LongSelect(attrs=dict(DropdownForm.widget.attrs))
