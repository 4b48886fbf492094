"""What a person says of a file: which counter it is for, and what each of its columns holds."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from apps.clients.masking import shown_text
from apps.counters.models import AttributeEntity, Counter, CustomAttribute
from apps.imports import services
from apps.imports.columns import ATTRIBUTE, CLIENT_ATTRIBUTE, REQUIRED, attribute_column
from apps.imports.models import FileKind, ImportJob
from apps.imports.reader import Peek
from apps.orders.showing import column_labels

_SIGNS = ((",", _("comma")), (";", _("semicolon")), ("\t", _("tab")))
_EXAMPLE = 60  # characters


class FileForm(forms.Form):
    counter = forms.ModelChoiceField(
        Counter.objects.none(), label=_("Counter"), widget=UnfoldAdminSelectWidget, empty_label=_("Choose a counter")
    )
    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV in UTF-8 or Windows-1251, or an Excel workbook (.xlsx). A report of rejected rows as well."),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.tsv,.txt,.xlsx"}),
        error_messages={
            "empty": _("The file is empty. Export the orders again, with a header line."),
            "required": _("Choose a file."),
        },
    )

    def __init__(self, *args: Any, counters: QuerySet[Counter], too_large: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["counter"].queryset = counters  # type: ignore[attr-defined]
        if too_large:
            self.fields["file"].error_messages["required"] = services.too_large().message


class ColumnsForm(forms.Form):
    """A choice for each column of the file, by its place: headers may be anything."""

    delimiter = forms.ChoiceField(label=_("Delimiter"), choices=_SIGNS, widget=UnfoldAdminSelectWidget, required=False)

    def __init__(self, *args: Any, job: ImportJob, seen: Peek, own: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.job, self.seen = job, seen
        if job.kind == FileKind.XLSX:
            del self.fields["delimiter"]
        else:
            self.fields["delimiter"].initial = job.delimiter
        choices = [("", _now("— not used —")), *_choices(job.counter, seen.header)]
        for position, header in self._columns(own):
            self.fields[f"column-{position}"] = forms.ChoiceField(
                label=header,
                choices=choices,
                required=False,
                initial=job.columns.get(header, ""),
                widget=UnfoldAdminSelectWidget,
            )

    def _columns(self, own: Sequence[str]) -> Iterable[tuple[int, str]]:
        first = len(self.seen.header) - len(own)
        return [(first + at, text.strip()) for at, text in enumerate(own) if text.strip()]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """For the page: each column with what stands in its first rows."""
        return [
            {"field": self[name], "examples": self._examples(int(name.partition("-")[2]))}
            for name in self.fields
            if name.startswith("column-")
        ]

    def _examples(self, at: int) -> list[str]:
        found = [shown_text(row[at].strip()) for row in self.seen.rows if at < len(row)]
        return [text if len(text) <= _EXAMPLE else f"{text[:_EXAMPLE]}…" for text in found if text]

    def columns(self) -> dict[str, str]:
        """{header: column}, as services take it."""
        named = [name for name in self.fields if name.startswith("column-")]
        return {str(self.fields[name].label): self.cleaned_data.get(name, "") for name in named}

    def clean(self) -> Any:
        values = super().clean() or {}
        labels = [str(field.label) for name, field in self.fields.items() if name.startswith("column-")]
        for name, field in self.fields.items():
            if name.startswith("column-") and values.get(name) and labels.count(str(field.label)) > 1:
                text = _now("Two columns of the file have this header. Rename one of them in the file.")
                self.add_error(name, ValidationError(text, code="duplicate_column"))
        return values


def _choices(counter: Counter, header: Sequence[str]) -> list[tuple[str, str]]:
    """The columns that there are, with the attributes that the counter has or the file names."""
    labels = column_labels()
    choices = [(column, f"{label} *" if column in REQUIRED else label) for column, label in labels.items()]
    found: dict[str, str] = {}
    for attribute in CustomAttribute.objects.filter(counter=counter):
        kind = ATTRIBUTE if attribute.entity == AttributeEntity.ORDER else CLIENT_ATTRIBUTE
        found[f"{kind}:{attribute.name}"] = ""
    found |= {column: "" for text in header if (column := attribute_column(text))}
    for column in found:
        kind, _colon, name = column.partition(":")
        text = _now("Order's attribute “%(name)s”") if kind == ATTRIBUTE else _now("Client's attribute “%(name)s”")
        choices.append((column, text % {"name": name}))
    return choices
