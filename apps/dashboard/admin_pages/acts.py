"""Asking for a comparison with Metrica, from the counter's page and from the comparison's own."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.counters.models import AccountState, Counter
from apps.counters.ui.acts import Act, ActForm
from apps.dashboard.comparison import running
from apps.dashboard.models import Comparison


class DaysForm(ActForm):
    days = forms.IntegerField(
        label=_("Days back"),
        min_value=1,
        max_value=running.MOST_DAYS,
        initial=running.REGULAR_DAYS,
        help_text=_("These days are added up anew and asked of Metrica. Today is one of them."),
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"}),
    )


def _counter(obj: Any) -> Counter:
    return obj.counter if isinstance(obj, Comparison) else obj


def _can_be_asked(request: HttpRequest, obj: Any) -> bool:
    counter = _counter(obj)
    connected = counter.account is not None and counter.account.state == AccountState.CONNECTED
    return connected and bool(counter.time_zone)


def _compare(request: HttpRequest, obj: Any, values: Mapping[str, Any]) -> Any:
    counter = _counter(obj)
    running.request(counter=counter, days=values["days"])
    messages.success(request, _now("Metrica is being asked. This page shows the answer as soon as it is there."))
    return HttpResponseRedirect(reverse("admin:dashboard_comparison_change", args=[counter.pk]))


def _act(name: str, *, main: bool) -> Act:
    return Act(
        name=name,
        title=_("Compare orders"),
        icon="balance",
        question=lambda request, obj: _(
            "What was delivered is set beside what Metrica's reports say. Nothing is sent or changed."
        ),
        form=DaysForm,
        do=_compare,
        button=_("Compare"),
        shown=_can_be_asked,
        main=main,
    )


COMPARE_COUNTER = _act("compare-orders", main=False)
COMPARE = _act("compare", main=True)
