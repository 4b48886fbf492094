"""From when on something is worth an alert: one page an agency."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from apps.agencies.actor import Right
from apps.agencies.tenant_admin import TenantAdmin, become
from apps.alerts import services
from apps.alerts.causes import CAUSES, choices
from apps.alerts.models import AlertRules


class RulesForm(forms.ModelForm):
    watched = forms.MultipleChoiceField(
        label=_("Causes that are watched"), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta:
        model = AlertRules
        fields = services.THRESHOLDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["watched"]
        field.choices = choices()
        field.initial = [code for code in CAUSES if code not in self.instance.off]


class AlertRulesAdmin(TenantAdmin):
    form = RulesForm
    add_right = None
    change_right = Right.OPERATE
    list_display = ("agency", "show_off", "looked_at")
    list_select_related = ("agency",)
    search_fields = ("agency__name",)
    search_help_text = _("Name of the agency")
    ordering = ("agency__name",)
    compressed_fields = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlertRules]:
        return super().get_queryset(request).select_related("agency")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            (_("Watched"), {"fields": ["watched", "remind_hours"]}),
            (_("Accounts and Metrica"), {"fields": ["token_days", "unreachable_minutes", "quota_percent"]}),
            (_("Delivery"), {"fields": ["failed_jobs", "queue_minutes", "worker_minutes", "rejected_percent"]}),
            (
                _("Orders"),
                {"fields": ["held_count", "held_hours", "window_days", "window_orders", "match_drop_points"]},
            ),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Straight to the one page of the agency in view; who looks at all of them, or searches, gets a list."""
        agency = self.agency_of(request)
        if agency is None or request.GET or not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        rules = services.rules_of(agency)
        return HttpResponseRedirect(reverse("admin:alerts_alertrules_change", args=[rules.pk]))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        context["title"] = _now("Alert rules of %(agency)s") % {"agency": context["original"]}
        context["show_save_and_add_another"] = False
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: AlertRules, form: Any, change: bool) -> None:
        values = dict(form.cleaned_data)
        watched = values.pop("watched")
        off = [code for code in CAUSES if code not in watched]
        become(obj, services.change_rules(rules=obj, off=off, **values))

    def response_change(self, request: HttpRequest, obj: AlertRules) -> HttpResponse:
        messages.success(request, _now("Saved. The next look, within minutes, goes by these rules."))
        return HttpResponseRedirect(reverse("admin:alerts_alertrules_change", args=[obj.pk]))

    @display(description=_("Switched off"))
    def show_off(self, rules: AlertRules) -> str:
        return ", ".join(str(CAUSES[code].title) for code in rules.off if code in CAUSES) or "—"
