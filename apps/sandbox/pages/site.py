"""Pages where a person does what happens on a site and in Metrica's interface: visits come in, goals are made."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from apps.metrica.identifiers import IdentifierError
from apps.sandbox import services, switches
from apps.sandbox.models import (
    SandboxAttribute,
    SandboxCounter,
    SandboxGoal,
    SandboxProduct,
    SandboxReach,
    SandboxStatus,
    SandboxVisit,
)
from apps.sandbox.pages.common import REACHES, counter_of, page_of
from apps.sandbox.reports.figures import counted
from apps.sandbox.traffic import MOST_DAYS, MOST_PER_DAY, generate_visits


class VisitForm(forms.Form):
    started_at = forms.DateTimeField(
        label=_("Started, on the counter's clock; empty is now"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
        input_formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"],
    )
    client_id = forms.CharField(label="ClientID", required=False, max_length=20)
    emails = forms.CharField(label=_("E-mails, with commas"), required=False, max_length=1000)
    phones = forms.CharField(label=_("Phones, with commas"), required=False, max_length=1000)

    def add(self, counter: SandboxCounter) -> None:
        """Call it inside the counter's time zone. Raises ValueError."""
        services.add_visit(
            counter=counter,
            started_at=self.cleaned_data["started_at"] or timezone.now(),
            client_id=self.cleaned_data["client_id"].strip(),
            emails=_parts(self.cleaned_data["emails"]),
            phones=_parts(self.cleaned_data["phones"]),
        )


class MonthForm(forms.Form):
    days = forms.IntegerField(label=_("Days"), min_value=1, max_value=MOST_DAYS, initial=30)
    per_day = forms.IntegerField(label=_("Visits on a working day"), min_value=1, max_value=MOST_PER_DAY, initial=40)
    seed = forms.IntegerField(label=_("Seed: the same one gives the same visits"), initial=1)


class GoalForm(forms.Form):
    identifier = forms.CharField(label=_("Identifier"), max_length=255)
    name = forms.CharField(label=_("Name"), required=False, max_length=255)
    by_hand = forms.BooleanField(
        label=_("As Metrica's interface makes it: with the condition “contain”"), required=False, initial=True
    )


def visits(request: HttpRequest, number: int) -> HttpResponse:
    """Visits, newest first, with the goals reached in them; a form for one more and one for a month of them."""
    found = counter_of(number)
    visit_form, month_form = VisitForm(), MonthForm()
    with timezone.override(found.zone):
        if request.method == "POST" and "days" in request.POST:
            month_form = MonthForm(request.POST)
            if month_form.is_valid():
                made = generate_visits(counter=found, **month_form.cleaned_data)
                messages.success(request, ngettext("%d visit was added.", "%d visits were added.", made) % made)
                return redirect("sandbox:visits", number)
        elif request.method == "POST":
            visit_form = VisitForm(request.POST)
            if visit_form.is_valid() and _added(visit_form, found):
                messages.success(request, _("The visit was added."))
                return redirect("sandbox:visits", number)
    rows = SandboxVisit.objects.filter(counter=found).order_by("-started_at", "-pk").prefetch_related(REACHES)
    context = {
        "counter": found,
        "tab": "visits",
        "page": page_of(request, rows),
        "visit_form": visit_form,
        "month_form": month_form,
    }
    return render(request, "sandbox/visits.html", context)


def counter(request: HttpRequest, number: int) -> HttpResponse:
    """The counter's goals with how often and with what income they were reached, a form for one more; its statuses,
    attributes and products."""
    found = counter_of(number)
    form = GoalForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        condition = "contain" if data["by_hand"] else "exact"
        try:
            services.add_goal(counter=found, identifier=data["identifier"], name=data["name"], condition_type=condition)
            messages.success(request, _("The goal was made."))
            return redirect("sandbox:counter", number)
        except ValueError as error:
            form.add_error("identifier", str(error))
    totals: dict[str, list[dict[str, Any]]] = {}
    reached = SandboxReach.objects.filter(counter=found).values("goal", "currency")
    for row in reached.annotate(times=Count("pk"), income=Sum("income")).order_by("goal", "currency"):
        totals.setdefault(row["goal"], []).append(dict(row))
    listed = list(SandboxGoal.objects.shown_of([found]))
    goals = [(goal, [row for name in goal.identifiers for row in totals.get(name, [])]) for goal in listed]
    known = {identifier for goal in listed for identifier in goal.identifiers}
    context = {
        "counter": found,
        "tab": "counter",
        "goals": goals,
        "uncounted": {name: rows for name, rows in totals.items() if name not in known},
        # What the CRM told the counter of itself.
        "statuses": SandboxStatus.objects.filter(counter=found),
        "attributes": SandboxAttribute.objects.filter(counter=found).order_by("entity_type", "pk"),
        "page": page_of(request, SandboxProduct.objects.filter(counter=found).order_by("name")),
        "form": form,
    }
    return render(request, "sandbox/counter.html", context)


def goal(request: HttpRequest, pk: int) -> HttpResponse:
    """One goal: what reached it, and whether that counts in reports."""
    found = get_object_or_404(SandboxGoal.objects.select_related("counter"), pk=pk)
    by_order = switches.values()["young_goal"] == "order"
    reaches = SandboxReach.objects.filter(counter=found.counter, goal__in=found.identifiers)
    page = page_of(request, reaches.select_related("order").order_by("-pk"))
    shown = [reach.pk for reach in page]
    counting = set(reaches.filter(counted(found, by_order=by_order), pk__in=shown).values_list("pk", flat=True))
    context = {"counter": found.counter, "tab": "counter", "goal": found, "page": page, "counting": counting}
    return render(request, "sandbox/goal.html", context)


@require_POST
def remove_goal(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(SandboxGoal.objects.select_related("counter"), pk=pk, deleted_at=None)
    if found.is_crm:
        messages.error(request, _("A goal that Metrica made itself stays."))
    else:
        services.delete_goal(goal=found)
        messages.success(request, _("The goal was deleted. What reached it is kept."))
    return redirect("sandbox:counter", found.counter.metrica_id)


def _added(form: VisitForm, counter: SandboxCounter) -> bool:
    try:
        form.add(counter)
    except IdentifierError as error:
        form.add_error(None, str(error.message))
        return False
    except ValueError as error:
        form.add_error(None, str(error))
        return False
    return True


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
