"""The panel where a person sets faults and moves switches."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from apps.sandbox import services, switches
from apps.sandbox.faults import PARAMETERS
from apps.sandbox.models import Endpoint, FaultKind, SandboxCounter, SandboxFault


class FaultForm(forms.Form):
    kind = forms.ChoiceField(label=_("Fault"), choices=FaultKind.choices)
    counter = forms.IntegerField(label=_("Only counter"), required=False, min_value=1)
    endpoint = forms.ChoiceField(
        label=_("Only calls"), required=False, choices=[("", _("as usual for the fault")), *Endpoint.choices]
    )
    count = forms.IntegerField(label=_("Times"), required=False, min_value=1, initial=1)
    until_removed = forms.BooleanField(label=_("Until removed"), required=False)
    seconds = forms.FloatField(
        label=_("Latency, or how far the list is behind: seconds"), required=False, min_value=0, max_value=600
    )
    status = forms.IntegerField(label=_("Server error, status"), required=False, min_value=500, max_value=599)
    retry_after = forms.IntegerField(label=_("Retry-After, seconds"), required=False, min_value=0)
    order_id = forms.CharField(label=_("Refused row: order id"), required=False, max_length=255)
    contains = forms.CharField(label=_("Refused row: contains"), required=False, max_length=255)
    after_bytes = forms.IntegerField(label=_("Cut before: after bytes"), required=False, min_value=0)

    def clean(self) -> dict[str, Any]:
        """Sets the fault too, so that what the service refuses is shown in the form."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        parameters = {
            name: cleaned[name]
            for name in PARAMETERS[FaultKind(cleaned["kind"])]
            if cleaned.get(name) not in ("", None)
        }
        try:
            services.add_fault(
                kind=cleaned["kind"],
                count=None if cleaned["until_removed"] else cleaned["count"] or 1,
                counter=cleaned["counter"],
                endpoint=cleaned["endpoint"] or None,
                **parameters,
            )
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return cleaned


def faults(request: HttpRequest) -> HttpResponse:
    """Faults that wait, the form for one more, the switches. `?counter=` fills in the counter."""
    if request.method == "POST":
        form = FaultForm(request.POST)
        if form.is_valid():
            messages.success(request, _("The fault is set."))
            return redirect("sandbox:faults")
    else:
        form = FaultForm(initial={"counter": request.GET.get("counter", "")})
    moved = switches.values()
    context = {
        "tab": "faults",
        "form": form,
        "faults": SandboxFault.objects.select_related("counter").order_by("pk"),
        "switches": [(switch, moved[name]) for name, switch in switches.SWITCHES.items()],
        "has_counters": SandboxCounter.objects.exists(),
    }
    return render(request, "sandbox/faults.html", context)


@require_POST
def remove(_request: HttpRequest, pk: int) -> HttpResponse:
    services.clear_faults(fault_id=pk)
    return redirect("sandbox:faults")


@require_POST
def switch(request: HttpRequest) -> HttpResponse:
    try:
        services.set_switch(name=request.POST.get("name", ""), value=request.POST.get("value", ""))
        messages.success(request, _("The switch is moved."))
    except ValueError as error:
        messages.error(request, str(error))
    return redirect("sandbox:faults")
