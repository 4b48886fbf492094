"""What acts on held and on rejected changes ask and say alike."""

from collections.abc import Sequence

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.counters.ui.acts import ActForm
from apps.orders.models import StatusChange


class WhyForm(ActForm):
    why = forms.CharField(
        label=_("Why"),
        max_length=1000,
        help_text=_("It is shown in the order's timeline."),
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
    )


def how_many_chosen(changes: Sequence[StatusChange]) -> str:
    text = ngettext("%(count)s status change is chosen.", "%(count)s status changes are chosen.", len(changes))
    return text % {"count": len(changes)}


def how_many_again(count: int) -> str:
    text = ngettext("%(count)s status goes once more.", "%(count)s statuses go once more.", count)
    return text % {"count": count}
