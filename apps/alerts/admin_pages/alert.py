"""Alerts: what is wrong now and what was, whom it was told to, and muting."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSingleDateWidget

from apps.agencies.access import actor_of
from apps.agencies.exporting import Cell
from apps.alerts import messages, services
from apps.alerts.causes import choices, title_of
from apps.alerts.models import Alert, AlertMute, Channel, Told
from apps.counters.templatetags.goalpost import badge, duration, since
from apps.counters.ui import exports
from apps.counters.ui.acts import Act, ActForm
from apps.counters.ui.lists import PreparedListMixin
from apps.counters.ui.pages import PageAdmin

MUTED_FOR = timedelta(days=7)
LONGEST_MUTE = timedelta(days=365)


class MuteForm(ActForm):
    until = forms.DateField(
        label=_("Until"),
        help_text=_("From this day on people are told of it again, if it is still so."),
        widget=UnfoldAdminSingleDateWidget,
    )

    def clean_until(self) -> datetime:
        day = timezone.make_aware(datetime.combine(self.cleaned_data["until"], time()))
        if day > timezone.now() + LONGEST_MUTE:
            raise forms.ValidationError(_("At most a year. To never hear of it, switch the cause off in the rules."))
        return day


def mute_of(alert: Alert) -> AlertMute | None:
    rows = AlertMute.objects.filter(agency=alert.agency_id, cause=alert.cause, subject=alert.subject)
    return rows.filter(until__gt=timezone.now()).first()


def _mute(request: HttpRequest, alert: Alert, values: Mapping[str, Any]) -> str:
    services.mute(alert=alert, until=values["until"])
    return _now("Muted. Nobody is told of it until that day; it stays in this list.")


def _unmute(request: HttpRequest, alert: Alert, values: Mapping[str, Any]) -> str:
    services.unmute(alert=alert)
    return _now("People are told of it again.")


MUTE = Act(
    name="mute",
    title=_("Mute"),
    icon="notifications_off",
    question=lambda request, alert: (
        _("“%(cause)s” is not told of %(what)s until the day that you choose.")
        % {"cause": title_of(alert.cause), "what": alert.label or _("this installation")}
    ),
    form=MuteForm,
    initial=lambda request, alert: {"until": timezone.localdate() + MUTED_FOR},
    do=_mute,
    shown=lambda request, alert: alert.is_open and mute_of(alert) is None,
)
UNMUTE = Act(
    name="unmute",
    title=_("Tell of it again"),
    icon="notifications_active",
    question=lambda request, alert: _("Channels that want such alerts are told of it with the next look."),
    do=_unmute,
    shown=lambda request, alert: mute_of(alert) is not None,
)


class OpenFilter(SimpleListFilter):
    """Drawn above the list; without a choice the open ones."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("Open")), ("closed", _("History"))]

    def choices(self, changelist: Any) -> Any:
        for value, title in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: value}, ["p"])
            yield {"selected": (self.value() or "open") == value, "query_string": query, "display": title}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        return queryset.filter(closed_at__isnull=self.value() != "closed")


class CauseFilter(SimpleListFilter):
    title = _("cause")
    parameter_name = "cause"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        return queryset.filter(cause=self.value()) if self.value() else queryset


class AlertAdmin(PreparedListMixin, PageAdmin):
    page_template = "admin/alerts/alert.html"
    list_display = ("show_alert", "show_severity", "show_sentence", "show_times", "show_told")
    list_filter = (OpenFilter, CauseFilter, "severity", "counter")
    list_before_template = "admin/alerts/before.html"
    list_select_related = ("counter", "account")
    search_fields = ("label",)
    search_help_text = _("Counter or account")
    sortable_by = ()
    ordering = ("severity", "-id")
    export_cells = {
        "show_alert": (
            Cell(_("Alert"), lambda alert: title_of(alert.cause)),
            Cell(_("About"), lambda alert: alert.label),
        ),
        "show_severity": (
            Cell(_("Severity"), lambda alert: alert.get_severity_display()),
            Cell(_("How it ended"), lambda alert: alert.get_ending_display()),
        ),
        "show_sentence": (
            Cell(_("What is the matter"), messages.sentence_of),
            Cell(_("What to do"), messages.advice_of),
        ),
        "show_times": (
            Cell(_("Since"), lambda alert: alert.opened_at),
            Cell(_("Until"), lambda alert: alert.closed_at),
        ),
        "show_told": (
            Cell(_("Told"), lambda alert: alert.told_channels),
            Cell(_("Muted"), lambda alert: alert.is_muted),
        ),
    }
    export_keys = exports.COUNTER
    empty_icon = "task_alt"
    empty_title = _("No alert")
    empty_text = _("Nothing needs a person now. What does will stand here, and goes to the channels of the agency.")

    def get_ordering(self, request: HttpRequest) -> Any:
        return ("-id",) if request.GET.get("state") == "closed" else self.ordering

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        context = {
            "closed": request.GET.get("state") == "closed",
            "no_channel": actor_of(request).counters is None
            and not Channel.objects.visible_to(actor_of(request)).filter(is_active=True).exists(),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def page_context(self, request: HttpRequest, obj: Alert) -> dict[str, Any]:
        return {
            "title": title_of(obj.cause),
            "sentence": messages.sentence_of(obj),
            "advice": messages.advice_of(obj),
            "fix": messages.page_of(obj),
            "mute": mute_of(obj),
            "lasted": (obj.closed_at or timezone.now()) - obj.opened_at,
            "sees_channels": actor_of(request).counters is None,
            "told": Told.objects.filter(alert=obj).select_related("channel").order_by("-at"),
        }

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        told: dict[Any, int] = {}
        for alert in Told.objects.filter(alert__in=rows).values_list("alert", flat=True):
            told[alert] = told.get(alert, 0) + 1
        agencies = {row.agency_id for row in rows}
        mutes = AlertMute.objects.filter(agency__in=agencies, until__gt=timezone.now())
        muted = set(mutes.values_list("agency", "cause", "subject"))
        for row in rows:
            row.told_channels = told.get(row.pk, 0)
            row.is_muted = (row.agency_id, row.cause, row.subject) in muted

    @display(description=_("Alert"))
    def show_alert(self, alert: Alert) -> str:
        return format_html(
            '<strong class="gp-strong gp-wrap">{}</strong><br><span class="gp-sub">{}</span>',
            title_of(alert.cause),
            alert.label,
        )

    @display(description=_("Severity"))
    def show_severity(self, alert: Alert) -> str:
        return severity_badge(alert)

    @display(description=_("What is the matter"))
    def show_sentence(self, alert: Alert) -> str:
        fix = format_html('<a class="gp-link" href="{}">{}</a>', messages.page_of(alert), _now("Mend it"))
        return format_html(
            '<span class="gp-wrap">{}</span><br>{}', messages.sentence_of(alert), fix if alert.is_open else ""
        )

    @display(description=_("Since, lasted"))
    def show_times(self, alert: Alert) -> str:
        began = since(alert.opened_at, alert.counter.zone if alert.counter else None)
        if alert.closed_at is None:
            return began
        lasted = duration(alert.closed_at - alert.opened_at)
        return format_html('{}<br><span class="gp-sub">{}</span>', began, lasted)

    @display(description=_("Told"))
    def show_told(self, alert: Any) -> str:
        if alert.is_muted:
            return badge(_now("Muted"), "quiet", "notifications_off")
        return str(alert.told_channels or "—")


def severity_badge(alert: Alert) -> str:
    """Coloured while it is open."""
    if not alert.is_open:
        return badge(alert.get_ending_display(), "good" if alert.ending == "over" else "quiet", "check_circle")
    tone, icon = ("bad", "error") if alert.is_urgent else ("warn", "warning")
    return badge(alert.get_severity_display(), tone, icon)
