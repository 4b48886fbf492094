"""Links to client reports: for whom, how long, and the weekly letter. From here they are copied and looked at."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import get_language
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from apps.agencies import invitation_mail
from apps.agencies.access import actor_of
from apps.agencies.actor import NOBODY, Actor, Right
from apps.agencies.exporting import Cell
from apps.agencies.tenant_admin import TenantAdmin, become
from apps.counters.models import Counter
from apps.counters.templatetags.goalpost import badge, moment, since
from apps.counters.ui import exports
from apps.counters.ui.acts import ActingMixin
from apps.counters.ui.lists import PreparedListMixin
from apps.reports import pages, services
from apps.reports.admin_pages.acts import GOOD_FOR, USUAL_DAYS
from apps.reports.letters import writing
from apps.reports.models import READERS_LANGUAGE, Recipient, ReportLink
from apps.reports.weeks import told_by


class LinkForm(forms.ModelForm):
    counter = forms.ModelChoiceField(
        label=_("Counter"), queryset=Counter.objects.none(), widget=UnfoldAdminSelectWidget
    )
    days = forms.TypedChoiceField(
        label=_("Good for"), choices=GOOD_FOR, coerce=int, initial=USUAL_DAYS, widget=UnfoldAdminSelectWidget
    )
    language = forms.ChoiceField(label=_("Language of the page"), required=False, widget=UnfoldAdminSelectWidget)
    letter_language = forms.ChoiceField(
        label=_("Language of the letter"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget
    )
    emails = forms.CharField(
        label=_("Who gets the letter"),
        required=False,
        help_text=_("E-mail addresses, one a line. They need no login; each letter has a link that stops it."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )

    class Meta:
        model = ReportLink
        fields = ("counter", "name", "language", "weekly", "weekday", "hour", "letter_language")

    actor: Actor = NOBODY

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["language"].choices = [(READERS_LANGUAGE, _("As the reader's browser says")), *settings.LANGUAGES]
        if self.instance.pk:
            del fields["counter"], fields["days"]
            self.initial["emails"] = "\n".join(self.instance.subscribers().values_list("email", flat=True))
        else:
            fields["counter"].queryset = Counter.objects.visible_to(self.actor)

    def clean_emails(self) -> list[str]:
        return self.cleaned_data["emails"].replace(",", "\n").replace(";", "\n").splitlines()

    def _post_clean(self) -> None:
        """The service checks the whole; a list from text is nothing for the model's own fields."""


class ReportLinkAdmin(PreparedListMixin, ActingMixin, TenantAdmin):
    form = LinkForm
    list_display = ("show_name", "show_counter", "show_state", "show_letter", "show_opened")
    list_filter = ("counter", "weekly")
    search_fields = ("name", "counter__name", "=counter__metrica_id")
    search_help_text = _("For whom, or the counter")
    sortable_by = ("show_name", "show_state", "show_opened")
    ordering = ("-pk",)
    change_form_outer_before_template = "admin/reports/link_before.html"
    export_cells = {
        "show_name": (Cell(_("For whom"), lambda link: link.name),),
        "show_counter": exports.COUNTER,
        "show_state": (
            Cell(_("State"), lambda link: _state_of(link)[0]),
            Cell(_("Good until"), lambda link: link.expires_at),
        ),
        "show_letter": (
            Cell(_("Weekly letter"), lambda link: _when(link)),
            Cell(_("Recipients"), lambda link: link.readers),
        ),
        "show_opened": (
            Cell(_("Times opened"), lambda link: link.opened),
            Cell(_("last opened"), lambda link: link.last_opened_at),
        ),
    }
    empty_icon = "share"
    empty_title = _("No client reads a report yet")
    empty_text = _("Add a link: your client opens it without a login, and may get the numbers by e-mail every week.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReportLink]:
        return super().get_queryset(request).select_related("counter__agency")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        new = ["counter"] if obj is None else []
        ends = ["days"] if obj is None else []
        letter = ["weekly", "weekday", "hour", "letter_language"]
        if obj is None or self.has_change_permission(request, obj):
            letter.append("emails")
        return [
            (_("Report"), {"fields": [*new, "name", (*ends, "language")]}),
            (_("Weekly letter"), {"fields": letter}),
        ]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.actor = actor_of(request)
        return form

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        spoken = get_language() or settings.LANGUAGE_CODE
        return {"letter_language": spoken, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: ReportLink, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in services.LINK_FIELDS}
        emails = form.cleaned_data["emails"]
        if change:
            saved = services.change_link(link=ReportLink.objects.get(pk=obj.pk), emails=emails, **values)
        else:
            counter, days = form.cleaned_data["counter"], form.cleaned_data["days"]
            saved = services.create_link(counter=counter, days=days, emails=emails, **values)
        become(obj, saved)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The service has saved the recipients along with the link."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return ""

    def response_add(self, request: HttpRequest, obj: ReportLink, post_url_continue: str | None = None) -> HttpResponse:
        messages.success(request, _now("The link is made. Copy its address below and give it to your client."))
        return HttpResponseRedirect(reverse("admin:reports_reportlink_change", args=[obj.pk]))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        link: ReportLink | None = context.get("original")
        context["show_save_and_add_another"] = False
        context["mails"] = invitation_mail.is_configured()
        if link is not None:
            context["recipients"] = link.recipients.all()
            # Whoever only looks sees what the readers see, but gives it to nobody.
            if actor_of(request).can(Right.OPERATE) and link.is_good:
                secret = services.secret_of(link)
                context["address"] = _address(request, secret) if secret else ""
                context["unreadable"] = not secret
        return super().render_change_form(request, context, *args, **kwargs)

    # ---- what the readers see ----

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<path:object_id>/preview/", view(self.preview), name="reports_reportlink_preview"),
            path("<path:object_id>/letter/", view(self.letter), name="reports_reportlink_letter"),
        ]
        return [*own, *super().get_urls()]

    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page, though it may be withdrawn; it does not count as opened."""
        link = self.get_or_404(request, object_id)
        ribbon = _now("A preview: so your client sees the report.")
        return HttpResponse(pages.drawn(request, link, ribbon=ribbon))

    def letter(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The letter, as it would leave now."""
        link = cast(ReportLink, self.get_or_404(request, object_id))
        return HttpResponse(writing.sample(link, told_by(timezone.now(), link.counter)))

    # ---- the list ----

    @display(description=_("For whom"), ordering="name")
    def show_name(self, link: ReportLink) -> str:
        return format_html('<strong class="gp-strong">{}</strong>', link.name)

    @display(description=_("Counter"))
    def show_counter(self, link: ReportLink) -> str:
        return format_html("{}<br><span class='gp-sub'>{}</span>", link.counter.name, link.counter.metrica_id)

    @display(description=_("State"), ordering="expires_at")
    def show_state(self, link: ReportLink) -> str:
        return format_html("{} {}", badge(*_state_of(link)), moment(link.expires_at, link.counter.zone, day_only=True))

    @display(description=_("Weekly letter"))
    def show_letter(self, link: Any) -> str:
        if not link.weekly:
            return "—"
        readers = _now("recipients: %(number)s") % {"number": link.readers}
        return format_html("{}<br><span class='gp-sub'>{}</span>", _when(link), readers)

    @display(description=_("Opened"), ordering="last_opened_at")
    def show_opened(self, link: ReportLink) -> str:
        if not link.opened:
            return "—"
        return format_html("{} <span class='gp-sub'>{}</span>", link.opened, since(link.last_opened_at))

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """How many get each letter: one query for all of them."""
        found = Recipient.objects.wanting().filter(link__in=[row.pk for row in rows]).order_by().values_list("link")
        readers = dict(found.annotate(number=Count("pk")))
        for row in rows:
            row.readers = readers.get(row.pk, 0)


def _when(link: ReportLink) -> str:
    return f"{link.get_weekday_display()}, {link.hour:02}:00" if link.weekly else ""


def _state_of(link: ReportLink) -> tuple[str, str, str]:
    """As a word, with its tone and icon."""
    if link.is_withdrawn:
        return _now("Withdrawn"), "bad", "block"
    if link.is_expired:
        return _now("Expired"), "warn", "schedule"
    return _now("Is open"), "good", "check_circle"


def _address(request: HttpRequest, secret: str) -> str:
    """By the installation's own address where it is known: the one in the browser may be an inner one."""
    place = reverse("report", args=[secret])
    return f"{settings.SITE_URL}{place}" if settings.SITE_URL else request.build_absolute_uri(place)
