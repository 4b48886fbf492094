"""The mapping here beside the mapping at Metrica: what differs, and which side is right."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core import signing
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminRadioSelectWidget

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.counters.models import Counter, Mode
from apps.counters.ui.acts import Act, ActForm
from apps.goals import status_sync
from apps.goals.admin_pages.history import FIELD_NAMES, said
from apps.goals.status_lines import FIELDS, Line
from apps.metrica.errors import MetricaError
from apps.metrica.text import Text

OURS, THEIRS, LEAVE = "ours", "theirs", "leave"
_SALT = "goals.comparison"


def _choices(line: Line) -> list[tuple[str, Text]]:
    """What a person may decide. What only we changed goes out in any case, so there leaving it is no choice."""
    if line.ours is None:
        return [(LEAVE, _("Leave it there")), (THEIRS, _("Add it to the mapping here"))]
    gone = line.theirs is None
    if not line.blocks:
        send: tuple[str, Text] = (OURS, _("Send ours to Metrica"))
        return [send] if gone else [send, (THEIRS, _("Take Metrica's"))]
    return [
        (OURS, _("Ours is right: send it again") if gone else _("Ours is right: overwrite Metrica's")),
        (THEIRS, _("Take it out here too") if gone else _("Metrica's is right: take it")),
        (LEAVE, _("Decide later")),
    ]


class CompareForm(ActForm):
    """Looks at Metrica when it is opened; what was seen then travels with it, signed, so that nothing is overwritten
    that was not shown.
    """

    template_after = "admin/goals/comparison.html"
    seen = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines: list[Line] = []
        self.shown = ""
        self.trouble = ""
        if self.is_bound:
            self._recall()
        else:
            self._look()
        for number, line in enumerate(self.lines):
            self.fields[f"line{number}"] = forms.ChoiceField(
                label=line.crm_status or line.metrica_id,
                choices=_choices(line),
                initial=LEAVE if line.blocks else _choices(line)[0][0],
                widget=UnfoldAdminRadioSelectWidget,
            )

    def _look(self) -> None:
        try:
            comparison = status_sync.compare(counter=self.obj)
        except MetricaError as error:
            self.trouble = f"{error.message} {error.next_step}"
            return
        self.lines, self.shown = comparison.lines, comparison.shown
        seen = {"counter": self.obj.pk, "shown": self.shown, "lines": [line.to_json() for line in self.lines]}
        self.fields["seen"].initial = signing.dumps(seen, salt=_SALT, compress=True)

    def _recall(self) -> None:
        try:
            seen = signing.loads(self.data.get("seen", ""), salt=_SALT)
        except signing.BadSignature:
            return
        if seen["counter"] == self.obj.pk:
            self.lines, self.shown = [Line.from_json(line) for line in seen["lines"]], seen["shown"]

    def visible_fields(self) -> list[Any]:
        """Drawn by the template below, each with its two sides."""
        return []

    def blocks(self) -> list[dict[str, Any]]:
        return [
            {"line": line, "field": self[f"line{number}"], "rows": _rows(line)}
            for number, line in enumerate(self.lines)
        ]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.shown:
            raise forms.ValidationError(_("Open the comparison anew: this one cannot be read any more."), code="stale")
        chosen = {line.metrica_id: values.get(f"line{number}") for number, line in enumerate(self.lines)}
        return {
            "ours": [metrica_id for metrica_id, choice in chosen.items() if choice == OURS],
            "theirs": [metrica_id for metrica_id, choice in chosen.items() if choice == THEIRS],
        }


def _rows(line: Line) -> list[tuple[Text, Text, Text, bool]]:
    """(what, here, at Metrica, whether it differs)."""
    sides = [side.to_json() if side else {} for side in (line.ours, line.theirs)]
    return [
        (FIELD_NAMES[name], said(name, sides[0].get(name)), said(name, sides[1].get(name)), name in line.fields)
        for name in FIELDS
    ]


def _settle(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    form = CompareForm(request.POST, request=request, obj=counter)
    left = status_sync.settle(counter=counter, ours=values["ours"], theirs=values["theirs"], shown=form.shown)
    waiting = len(left.blocking)
    if not waiting:
        return _now("The statuses here and at Metrica are in step.")
    text = ngettext(
        "Done. %(count)s status still differs and waits for your decision.",
        "Done. %(count)s statuses still differ and wait for your decision.",
        waiting,
    )
    return text % {"count": waiting}


COMPARE = Act(
    name="compare",
    title=_("Compare statuses"),
    icon="difference",
    question=lambda request, counter: _(
        "What the counter's statuses mean here and at Metrica. Nothing is changed before you choose."
    ),
    form=CompareForm,
    do=_settle,
    button=_("Bring into step"),
    shown=lambda request, counter: counter.account_id is not None and counter.mode == Mode.DETAILED,
)


def status_drift(request: HttpRequest, counter: Counter) -> str:
    """A note above the mapping: somebody else changed at Metrica what it says, and nothing leaves meanwhile."""
    if counter.mode != Mode.DETAILED:
        return ""
    lines = status_sync.known_drift(counter)
    if not lines:
        return ""
    may = actor_of(request).can(Right.OPERATE)
    context = {
        "lines": lines,
        "compare_url": reverse("admin:counters_counter_compare", args=[counter.pk]) if may else "",
    }
    return render_to_string("admin/goals/drift.html", context, request=request)
