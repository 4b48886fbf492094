"""The look of an agency's reports: one page an agency, with a preview before anything is kept."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminColorInputWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.agencies.actor import Right
from apps.agencies.exporting import Cell
from apps.agencies.models import Agency
from apps.agencies.tenant_admin import TenantAdmin, become
from apps.counters.models import Counter
from apps.reports import pages, pictures, services
from apps.reports.models import AgencyLook, ReportLink


class LookForm(forms.ModelForm):
    logo_file = forms.FileField(
        label=_("Logo"),
        required=False,
        help_text=_("A PNG of at most 64 KB and 800 × 300 points, on white. It stands in place of the name."),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "image/png"}),
    )
    remove_logo = forms.BooleanField(label=_("Take the logo away"), required=False, widget=UnfoldBooleanSwitchWidget)

    class Meta:
        model = AgencyLook
        fields = ("shown_name", "colour")
        widgets = {"shown_name": UnfoldAdminTextInputWidget, "colour": UnfoldAdminColorInputWidget}

    def clean_logo_file(self) -> bytes | None:
        """No more of it is read than a logo may have, and a byte."""
        file = self.cleaned_data.get("logo_file")
        return pictures.cleaned(file.read(pictures.MOST_BYTES + 1)) if file else None

    def _post_clean(self) -> None:
        """The service checks the whole."""


class AgencyLookAdmin(TenantAdmin):
    form = LookForm
    add_right = None
    change_right = Right.ADMINISTER
    list_display = ("agency", "shown_name", "show_colour")
    export_cells = {"show_colour": (Cell(_("main colour"), lambda look: look.brand),)}
    list_select_related = ("agency",)
    search_fields = ("agency__name", "shown_name")
    search_help_text = _("Name of the agency")
    ordering = ("agency__name",)
    change_form_outer_before_template = "admin/reports/look_before.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AgencyLook]:
        return super().get_queryset(request).select_related("agency")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        files: list[str] = []
        if self.has_change_permission(request, obj):
            files = ["logo_file", "remove_logo"] if obj is not None and obj.logo else ["logo_file"]
        return [(None, {"fields": ["shown_name", "colour", *files]})]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Straight to the one page of the agency in view; who looks at all of them, or searches, gets a list."""
        agency = self.agency_of(request)
        if agency is None or request.GET or not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        look = services.look_of(agency)
        return HttpResponseRedirect(reverse("admin:reports_agencylook_change", args=[look.pk]))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        look: AgencyLook = context["original"]
        context["title"] = _now("Reports of %(agency)s") % {"agency": look.agency.name}
        context["show_save_and_add_another"] = False
        context["look"] = look
        context["preview_url"] = reverse("admin:reports_agencylook_preview", args=[look.pk])
        context["may_change"] = self.has_change_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: AgencyLook, form: Any, change: bool) -> None:
        become(obj, services.change_look(look=obj, **_values(form)))

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return ""

    def response_change(self, request: HttpRequest, obj: AgencyLook) -> HttpResponse:
        messages.success(request, _now("Saved. Your clients' reports and letters look so from now on."))
        return HttpResponseRedirect(reverse("admin:reports_agencylook_change", args=[obj.pk]))

    # ---- how it would look ----

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.preview)
        return [path("<path:object_id>/preview/", view, name="reports_agencylook_preview"), *super().get_urls()]

    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A report in this look; by POST in the one that the form says, without keeping it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        look: AgencyLook = self.get_or_404(request, object_id)
        ribbon = _now("A preview: so your client sees the report.")
        if request.method == "POST":
            if not self.has_change_permission(request, look):
                raise PermissionDenied
            form = self.get_form(request, look, change=True)(request.POST, request.FILES, instance=look)
            try:
                if form.is_valid():
                    services.fill_look(look, **_values(form))
                    ribbon = _now("A preview: it is not saved yet.")
                else:
                    ribbon = " ".join(str(error) for errors in form.errors.values() for error in errors)
            except ValidationError as refusal:
                look = self.get_or_404(request, object_id)
                ribbon = " ".join(refusal.messages)
        link = ReportLink(counter=_a_counter_of(look.agency))
        return HttpResponse(pages.drawn(request, link, look=look, ribbon=ribbon))

    @display(description=_("main colour"))
    def show_colour(self, look: AgencyLook) -> str:
        return format_html('<span class="gp-code">{}</span>', look.brand)


def _values(form: Any) -> dict[str, Any]:
    facts = form.cleaned_data
    return {
        "shown_name": facts["shown_name"],
        "colour": facts["colour"],
        "logo": facts.get("logo_file"),
        "remove_logo": facts.get("remove_logo", False),
    }


def _a_counter_of(agency: Agency) -> Counter:
    """The one that delivered last; where there is none, one that has a name and nothing else."""
    counters = Counter.objects.filter(agency=agency).select_related("agency")
    found = counters.order_by("-last_passed_at", "pk").exclude(last_passed_at=None).first() or counters.first()
    return found or Counter(pk=0, agency=agency, name=_now("Your client's site"))
