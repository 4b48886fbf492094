"""Counters: how each is delivered, what its statuses mean, what it waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast
from zoneinfo import available_timezones

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.clocks import time_text
from apps.agencies.exporting import Cell
from apps.agencies.links import ask_owner, page_of, sees_accounts
from apps.agencies.tenant_admin import TenantAdmin
from apps.audit.models import AuditEntry
from apps.counters import checkup, panels, services
from apps.counters import schedule as schedules
from apps.counters.admin_pages.attributes import PRODUCTS, AttributeInline
from apps.counters.admin_pages.matching import SWITCH_ON
from apps.counters.admin_pages.traffic import traffic_of
from apps.counters.leaving import leaves_once
from apps.counters.models import AccountState, Counter
from apps.counters.templatetags.goalpost import badge, since, state_badge
from apps.counters.ui.acts import Act, ActForm, ActingMixin, offer
from apps.counters.ui.lists import PreparedListMixin
from apps.counters.ui.pages import draw
from apps.counters.ui.widgets import ScheduleInput, SuggestInput
from apps.metrica.vocabulary import CURRENCIES

SETTINGS = (
    *("account", "name", "site", "time_zone", "delivery", "schedule", "currency"),
    *("hash_identifiers", "wave_pause_seconds", "keep_files_days", "keep_people_days"),
)
KEPT = ("keep_files_days", "keep_people_days")
FIRST_CURRENCIES = ("RUB", "USD", "EUR", "KZT", "BYN")


class CounterForm(forms.ModelForm):
    class Meta:
        model = Counter
        fields = ("agency", "metrica_id", *SETTINGS)
        widgets = {
            "time_zone": SuggestInput(sorted(zone for zone in available_timezones() if "/" in zone)),
            "schedule": ScheduleInput(),
            "currency": SuggestInput((*FIRST_CURRENCIES, *sorted(CURRENCIES.difference(FIRST_CURRENCIES)))),
        }
        help_texts = {
            "metrica_id": _("The number that Metrica shows beside the counter's name."),
            "account": _("The Yandex login whose token opens this counter."),
            "delivery": _("Every status reaches its goal in order; or only the newest state of an order goes out."),
            "schedule": _("When its orders leave for Metrica; times are on the counter's clock."),
            "currency": _("Of orders that name none."),
            "hash_identifiers": _("E-mails and phones leave as MD5 hashes; Metrica finds visits by them as well."),
            "keep_files_days": _(
                "From the day on which an upload ended. After that its file is deleted; its digest and numbers stay. "
                "Empty: kept always."
            ),
            "keep_people_days": _(
                "From an order's last change. After that its identifiers are forgotten, and its client's where none of "
                "its orders is newer; statuses and money stay. Empty: kept always."
            ),
            "wave_pause_seconds": _("How long a later status of an order waits after the earlier one has passed."),
        }

    agency_id: int | None = None  # the one that the person works in, where there is one alone

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in self.fields.keys() & set(SETTINGS):
                # The page brings back what it showed: what one has not touched is not what one wants.
                self.fields[name].show_hidden_initial = True

    def written(self) -> dict[str, Any]:
        """The settings that the person changed, as they stood on the page. All of them where the page did not say."""
        seen = {name for name in SETTINGS if name in self.fields and self[name].html_initial_name in self.data}
        changed = set(self.changed_data)
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if name in SETTINGS and (name in changed or name not in seen)
        }

    def _look_again(self) -> None:
        """Refuse what somebody else has set to something else since the page was shown. What was typed stays, and
        the next press of the button means it."""
        for name in [name for name in self.changed_data if name in SETTINGS and name not in self.errors]:
            bound, field = self[name], self.fields[name]
            if (seen := self.data.get(bound.html_initial_name)) is None:
                continue
            now = field.prepare_value(self.initial.get(name))
            if field.has_changed(now, seen) and field.has_changed(now, bound.data):
                again = cast(Any, self.data).copy()
                again[bound.html_initial_name] = "" if now is None else str(now)
                self.data = again
                self.add_error(name, changed_meanwhile(self.instance, bound, now))

    def _check_schedule(self, text: str) -> None:
        """A period or a time that is none is told at the field."""
        try:
            schedules.parse(text)
        except schedules.ScheduleError:
            if text.startswith("daily") or text.endswith(("m", "h")):
                message = _("Write a number of minutes or hours, a week at most, or a time of the day.")
                self.add_error("schedule", forms.ValidationError(message, code="bad_schedule"))
            # Whatever else it is, the service refuses it.

    def clean(self) -> Any:
        values = super().clean() or {}
        self._look_again()
        for name in values.keys() & set(SETTINGS) - set(self.changed_data) if self.instance.pk else ():
            # As it is by now, whatever the page showed: the editor below judges the counter as it will be.
            values[name] = getattr(self.instance, name)
        if "schedule" in values:
            self._check_schedule(values["schedule"])
        agency, number = values.get("agency") or self.agency_id, values.get("metrica_id")
        if agency and number and Counter.objects.filter(agency=agency, metrica_id=number).exists():
            message = _("This counter is in the list already. Look it up by its number.")
            self.add_error("metrica_id", forms.ValidationError(message, code="counter_exists"))
        return values


def changed_meanwhile(counter: Counter, bound: Any, now: Any) -> forms.ValidationError:
    """Who set this field to something else while the person wrote, when, and to what."""
    changes = AuditEntry.objects.filter(object_type=Counter._meta.label_lower, object_id=str(counter.pk))
    last = changes.filter(action="counter.changed").order_by("-id").first()
    shown = _as_read(bound.field, now)
    text = _now(
        "%(who)s changed this at %(when)s, while you wrote: it is “%(now)s” now. Look again, and save once more."
    )
    who, when = (last.actor_label, time_text(last.at)) if last else ("?", "?")
    return forms.ValidationError(text % {"who": who, "when": when, "now": shown}, code="changed_meanwhile")


def _as_read(field: forms.Field, value: Any) -> str:
    """A setting as its field shows it."""
    if isinstance(value, bool):
        return _now("yes") if value else _now("no")
    if value is None or value == "":
        return "—"
    choices = {str(key): str(label) for key, label in getattr(field, "choices", ())}
    return choices.get(str(value), str(value))


class PauseForm(ActForm):
    reason = forms.CharField(
        label=_("Why"),
        max_length=255,
        help_text=_("Whoever looks at the counter reads it."),
        widget=UnfoldAdminTextInputWidget,
    )


def _pause(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    services.pause(counter=counter, reason=values["reason"])
    return _now("The counter is paused. What comes in is kept and held until you resume it.")


def _resume(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> str:
    services.resume(counter=counter)
    return _now("The counter delivers again. What its pause held is being released.")


PAUSE = Act(
    name="pause",
    title=_("Pause"),
    icon="pause",
    question=lambda request, counter: _(
        "Nothing of this counter leaves for Metrica until you resume it. What comes in is kept."
    ),
    form=PauseForm,
    do=_pause,
    shown=lambda request, counter: counter.paused_at is None,
)
RESUME = Act(
    name="resume",
    title=_("Resume"),
    icon="play_arrow",
    question=lambda request, counter: (
        _now("What the pause held is released and goes out with the next upload.")
        + f" {leaves_once(counter, mended='counter_paused')}"
    ),
    do=_resume,
    shown=lambda request, counter: counter.paused_at is not None,
    main=True,
)
offer(Counter, PAUSE, RESUME, PRODUCTS, SWITCH_ON)


def next_step(counter: Counter, request: HttpRequest) -> tuple[str, str, str]:
    """Why nothing of the counter can go now, what to do about it, and the page where that is done; to who cannot do it
    the first says whom to ask."""
    reason, actor = services.block_reason(counter), actor_of(request)
    if reason == "counter_paused":
        why = _now("The counter is paused: %(reason)s") % {"reason": counter.pause_reason or "—"}
        if not actor.can(Right.OPERATE):
            return why, "", ""
        return why, _now("Resume"), reverse("admin:counters_counter_resume", args=[counter.pk])
    if reason == "account_disconnected" and counter.account is None:
        if not actor.can(Right.OPERATE) or not sees_accounts(request):
            why = _now("No account is chosen, so nothing can leave.")
            return f"{why} {ask_owner(request, counter.agency_id)}", "", ""
        why = _now("No Metrica account is chosen, so nothing can leave. Choose one below and save.")
        return why, "", ""
    if reason == "account_disconnected":
        assert counter.account is not None
        why = _now("The account %(login)s is not connected. %(reason)s") % {
            "login": counter.account.login,
            "reason": counter.account.why_disconnected,
        }
        if actor.can(Right.ADMINISTER):
            return why, _now("Connect it"), page_of(request, counter.account)
        page = page_of(request, counter.account)
        return f"{why} {ask_owner(request, counter.agency_id)}", _now("Open the account") if page else "", page
    if reason == "unknown_time_zone":
        why = _now("The time zone is unknown, so no time can be sent. Read it from Metrica, or write it below.")
        return why, "", ""
    return "", "", ""


def _steps_for(request: HttpRequest, counter: Counter) -> list[checkup.Finding]:
    """The set-up's steps; where one is not this person's to do, it says whom to ask."""
    return [
        step
        if step.level == checkup.Level.DONE or step.is_for(actor_of(request))
        else replace(step, step=ask_owner(request, counter.agency_id) if step.of_accounts else step.step, url="")
        for step in checkup.findings([counter])[counter.pk]
    ]


class CounterAdmin(PreparedListMixin, ActingMixin, TenantAdmin):
    form = CounterForm
    add_right = Right.ADMINISTER
    list_display = ("show_counter", "show_account", "show_schedule", "show_mode", "show_marks", "show_last_passed")
    list_filter = ("account", "mode", "delivery")
    list_select_related = ("account", "agency")
    search_fields = ("name", "=metrica_id", "site")
    search_help_text = _("Name, number or site")
    sortable_by = ("show_counter", "show_last_passed")
    ordering = ("name", "metrica_id")
    change_form_outer_before_template = "admin/counters/counter/before.html"
    change_form_outer_after_template = "admin/counters/counter/after.html"
    change_form_template = "admin/counters/counter/change_form.html"
    compressed_fields = False
    warn_unsaved_form = True
    export_cells = {
        "show_counter": (
            Cell(_("Counter"), lambda counter: counter.name),
            Cell(_("Counter number"), lambda counter: counter.metrica_id),
            Cell(_("Site"), lambda counter: counter.site),
        ),
        "show_account": (
            Cell(_("Metrica account"), lambda counter: counter.account and counter.account.login),
            Cell(_("State of the account"), lambda counter: counter.account and counter.account.get_state_display()),
            Cell(_("Paused since"), lambda counter: counter.paused_at),
            Cell(_("Why paused"), lambda counter: counter.pause_reason),
        ),
        "show_schedule": (
            Cell(_("Schedule"), lambda counter: counter.schedule_words),
            Cell(_("Time zone"), lambda counter: counter.time_zone),
        ),
        "show_mode": (
            Cell(_("Mode"), lambda counter: counter.get_mode_display()),
            Cell(_("What is delivered"), lambda counter: counter.get_delivery_display()),
        ),
        "show_marks": (Cell(_("Work"), lambda counter: [mark.text for mark in counter.marks]),),
        "show_last_passed": (Cell(_("Last passed upload"), lambda counter: counter.last_passed_at),),
    }
    empty_icon = "speed"
    empty_title = _("No counter yet")
    empty_text = _("Add the Metrica counter whose orders are to be delivered. Its number stands in Metrica's settings.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Counter]:
        return super().get_queryset(request).select_related("account", "agency")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            agency = [] if self.agency_of(request) else ["agency"]
            start = [*agency, "metrica_id", "name", "account", "time_zone", "schedule", "currency"]
            return [(None, {"fields": start})]
        account = "account" if actor_of(request).counters is None else "login"
        return [
            (
                _("Settings"),
                {
                    "fields": [
                        ("name", "site", account),
                        ("schedule", "time_zone", "currency"),
                        ("delivery", "wave_pause_seconds"),
                        "hash_identifiers",
                    ]
                },
            ),
            (
                _("How long personal data is kept"),
                {"fields": [KEPT], "description": _("Only an owner of the agency changes this.")},
            ),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who is limited to counters sees no accounts: theirs is not to choose, nor a page to open. How long things are
        kept is for owners to say."""
        actor = actor_of(request)
        kept = () if actor.can(Right.ADMINISTER) else KEPT
        return (*self.readonly_fields, *kept, *(() if actor.counters is None else ("login",)))

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        if obj is None:
            return []
        return [*panels.counter_inlines, AttributeInline] if obj.is_detailed else panels.counter_inlines

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.agency_id = actor_of(request).agency_id
        return form

    def save_model(self, request: HttpRequest, obj: Counter, form: Any, change: bool) -> None:
        if change:
            services.update_counter(counter=obj, **form.written())
            return
        values = {name: form.cleaned_data[name] for name in SETTINGS if name in form.cleaned_data}
        agency = form.cleaned_data.get("agency") or self.agency_of(request)
        assert agency is not None  # the form asks for it where it is not clear
        created = services.create_counter(agency=agency, metrica_id=form.cleaned_data["metrica_id"], **values)
        obj.pk, obj.agency, obj._state.adding = created.pk, agency, False

    def response_add(self, request: HttpRequest, obj: Counter, post_url_continue: str | None = None) -> HttpResponse:
        """On to the counter's own page: mapping its statuses comes next."""
        self.message_user(request, _now("The counter is added. Now say what its CRM statuses mean."))
        return HttpResponseRedirect(reverse("admin:counters_counter_change", args=[obj.pk]))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        counter = context.get("original")
        if counter is not None:
            why, step, url = next_step(counter, request)
            context.update(
                **traffic_of(counter.account),
                tiles=draw(panels.counter_tiles, request, counter),
                panels=draw(panels.counter_panels, request, counter),
                may_operate=actor_of(request).can(Right.OPERATE),
                steps=(steps := _steps_for(request, counter)),
                steps_left=sum(step.level == checkup.Level.NEEDED for step in steps),
                all_steps_done=all(step.level == checkup.Level.DONE for step in steps),
                block_why=why,
                block_step=step,
                block_url=url,
                show_save_and_add_another=False,
            )
        return super().render_change_form(request, context, *args, **kwargs)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        for row in rows:
            row.marks = []
        for marks_of in panels.counter_marks:
            found = marks_of(rows)
            for row in rows:
                row.marks.extend(found.get(row.pk, ()))

    @display(description=_("Counter"), ordering="name")
    def show_counter(self, counter: Counter) -> str:
        return format_html(
            '<strong class="gp-strong">{}</strong><br><span class="gp-sub">{} {}</span>',
            counter.name,
            counter.metrica_id,
            counter.site,
        )

    @display(description=_("Metrica account"))
    def login(self, counter: Counter) -> str:
        return counter.account.login if counter.account else "—"

    @display(description=_("Metrica account"))
    def show_account(self, counter: Counter) -> str:
        account = counter.account
        if counter.paused_at is not None:
            return state_badge("paused", _now("Paused"), counter.pause_reason)
        if account is None:
            return badge(_now("Not chosen"), "warn", "link_off")
        if account.state == AccountState.CONNECTED:
            return state_badge(account.state, account.login, account.get_state_display())
        return state_badge(account.state, account.login, account.why_disconnected or account.get_state_display())

    @display(description=_("Schedule"))
    def show_schedule(self, counter: Counter) -> str:
        words = counter.schedule_words
        shown = words[:1].upper() + words[1:]
        return format_html("{}<br><span class='gp-sub'>{}</span>", shown, counter.time_zone or "—")

    @display(description=_("Mode"))
    def show_mode(self, counter: Counter) -> str:
        return format_html(
            "{}<br><span class='gp-sub'>{}</span>", counter.get_mode_display(), counter.get_delivery_display()
        )

    @display(description=_("Work"))
    def show_marks(self, counter: Any) -> str:
        drawn = [
            format_html('<a href="{}">{}</a>', mark.url, badge(mark.text, mark.tone, mark.icon))
            for mark in counter.marks
        ]
        return format_html_join(" ", "{}", ((mark,) for mark in drawn)) if drawn else "—"

    @display(description=_("Last passed upload"), ordering="last_passed_at")
    def show_last_passed(self, counter: Counter) -> str:
        return since(counter.last_passed_at, counter.zone)
