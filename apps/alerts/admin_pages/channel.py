"""Channels: whom alerts reach, which, and when; a test; how the last messages went."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import get_language
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.agencies import shown_once
from apps.agencies.access import actor_of
from apps.agencies.actor import NOBODY, Actor, Right
from apps.agencies.exporting import Cell
from apps.agencies.models import Agency, Membership
from apps.agencies.tenant_admin import TenantAdmin, become
from apps.alerts import channels, services, telling
from apps.alerts.causes import choices
from apps.alerts.channels import NotSent, telegram
from apps.alerts.models import AlertDelivery, Channel, ChannelKind, DeliveryState
from apps.alerts.readers import recipients
from apps.counters.models import Counter
from apps.counters.templatetags.goalpost import badge, since
from apps.counters.ui.acts import Act, ActForm, ActingMixin, Outcome
from apps.counters.ui.lists import PreparedListMixin
from apps.counters.ui.widgets import SuggestInput
from apps.hooks import door
from apps.hooks.admin_pages.addresses import AddressMixin

LOG_SHOWN = 30
KINDS = {
    ChannelKind.EMAIL: ("members", "addresses"),
    ChannelKind.TELEGRAM: ("chat_id",),
    ChannelKind.WEBHOOK: ("url",),
}
"""What says whom it reaches."""

COMMON = (
    *("name", "is_active", "language", "time_zone", "urgent_only", "causes", "counters"),
    *("quiet_from", "quiet_to", "urgent_breaks_quiet"),
)
BOT_NAME_KEPT = 24 * 3600
BOT_ASKED_FOR = 3.0


class ChannelForm(forms.ModelForm):
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget)
    members = forms.ModelMultipleChoiceField(
        label=_("People of the agency"),
        queryset=Membership.objects.none(),
        required=False,
        help_text=_(
            "They get it at the address of their login, for as long as they are in the agency. Who is limited to some "
            "counters is told of these alone."
        ),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    addresses = forms.CharField(
        label=_("Other addresses"),
        required=False,
        help_text=_("One a line. They need no login here; the messages hold numbers, and no personal data of orders."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
    causes = forms.MultipleChoiceField(
        label=_("Only these causes"),
        required=False,
        help_text=_("None chosen: all of them."),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    counters = forms.ModelMultipleChoiceField(
        label=_("Only these counters"),
        queryset=Counter.objects.none(),
        required=False,
        help_text=_("None chosen: all of them. What concerns all of the agency comes in any case."),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    quiet_from = forms.TimeField(
        label=_("Quiet from"),
        required=False,
        help_text=_("What arises in quiet hours is told at their end, if it is still so."),
        widget=UnfoldAdminTextInputWidget(attrs={"type": "time"}),
    )
    quiet_to = forms.TimeField(
        label=_("Quiet until"), required=False, widget=UnfoldAdminTextInputWidget(attrs={"type": "time"})
    )

    class Meta:
        model = Channel
        fields = ("agency", "members", "addresses", "chat_id", "url", *COMMON)
        help_texts = {
            "name": _("As people here call it: “Night duty”, “Managers' chat”."),
            "chat_id": _("May stay empty: the next page shows how the bot finds the chat by itself."),
            "url": _("Gets a signed POST of JSON for each message."),
            "time_zone": _("Of times in the messages, and of the quiet hours."),
        }
        widgets = {"time_zone": SuggestInput(sorted(zone for zone in available_timezones() if "/" in zone))}

    actor: Actor = NOBODY

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["causes"].choices = choices()
        fields["counters"].queryset = Counter.objects.visible_to(self.actor)
        if "members" in fields:
            people = Membership.objects.visible_to(self.actor).select_related("user").order_by("user__email")
            fields["members"].queryset = people
        if self.instance.pk:
            self.initial["addresses"] = "\n".join(self.instance.addresses)

    def clean_addresses(self) -> list[str]:
        return self.cleaned_data["addresses"].replace(",", "\n").replace(";", "\n").splitlines()

    def clean(self) -> Any:
        values = super().clean() or {}
        agency = values.get("agency") or self.actor.agency_id or self.instance.agency_id
        named = Channel.objects.filter(agency=agency, name=values.get("name", "").strip()).exclude(pk=self.instance.pk)
        if named.exists():
            self.add_error("name", forms.ValidationError(_("Another channel has this name."), code="taken"))
        return values

    def _post_clean(self) -> None:
        """The service checks the whole; lists from text are nothing for the model's own fields."""


def _test(request: HttpRequest, channel: Channel, values: Mapping[str, Any]) -> Outcome:
    delivery = telling.send_test(channel)
    page = reverse("admin:alerts_channel_change", args=[channel.pk])
    if delivery.state != DeliveryState.SENT:
        messages.error(request, _now("The test did not arrive. %(why)s") % {"why": delivery.error_message})
        return HttpResponseRedirect(page)
    if delivery.error_message:
        messages.warning(request, _now("The test was sent, but not to all. %(why)s") % {"why": delivery.error_message})
        return HttpResponseRedirect(page)
    return _now("The test was sent and accepted. See whether it has arrived.")


def _find_chat(request: HttpRequest, channel: Channel, values: Mapping[str, Any]) -> str:
    return _now("Found: alerts go to the chat “%(title)s”. Send a test.") % {
        "title": services.find_chat(channel=channel)
    }


def _new_secret(request: HttpRequest, channel: Channel, values: Mapping[str, Any]) -> Outcome:
    return _secret_page(request, channel, services.renew_secret(channel=channel))


def _secret_page(request: HttpRequest, channel: Channel, secret: str) -> HttpResponse:
    return shown_once.page(
        request,
        model=Channel,
        title=_now("The secret of “%(name)s”") % {"name": channel.name},
        why=_now(
            "Copy it now into the receiver: each message is signed with it. It is kept encrypted and not shown again."
        ),
        secret=secret,
        back=reverse("admin:alerts_channel_change", args=[channel.pk]),
    )


TEST = Act(
    name="test",
    title=_("Send a test"),
    icon="send",
    question=lambda request, channel: _("A real message leaves now, whatever the hour. You see what came of it."),
    do=_test,
    shown=lambda request, channel: not channels.problem(channel),
    main=True,
)
FIND_CHAT = Act(
    name="find-chat",
    title=_("Find the chat"),
    icon="person_search",
    question=lambda request, channel: (
        _("Write “%(code)s” to the bot in the chat first: here it looks for that.")
        % {"code": telegram.code_of(channel)}
    ),
    form=ActForm,
    do=_find_chat,
    right=Right.ADMINISTER,
    shown=lambda request, channel: channel.kind == ChannelKind.TELEGRAM and bool(settings.TELEGRAM_BOT_TOKEN),
)
NEW_SECRET = Act(
    name="new-secret",
    title=_("New secret"),
    icon="key",
    question=lambda request, channel: _("From now on messages are signed with a new secret; the old one is forgotten."),
    do=_new_secret,
    right=Right.ADMINISTER,
    shown=lambda request, channel: channel.kind == ChannelKind.WEBHOOK,
)


class ChannelAdmin(AddressMixin, PreparedListMixin, ActingMixin, TenantAdmin):
    form = ChannelForm
    add_right = change_right = delete_right = Right.ADMINISTER
    list_display = ("name", "show_kind", "show_whom", "show_state", "show_last")
    list_filter = ("kind", "is_active")
    search_fields = ("name",)
    search_help_text = _("Name of the channel")
    ordering = ("name",)
    sortable_by = ("name",)
    change_form_outer_before_template = "admin/alerts/channel_before.html"
    change_form_outer_after_template = "admin/alerts/channel_after.html"
    export_cells = {
        "show_whom": (Cell(_("To whom"), lambda channel: whom(channel)),),
        "show_last": (Cell(_("Last sent"), lambda channel: channel.last_sent_at),),
    }
    empty_icon = "notifications"
    empty_title = _("Nobody is told of alerts yet")
    empty_text = _("Add a channel: an e-mail to people of the agency, a Telegram chat, or a webhook for a program.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        return super().get_queryset(request).select_related("agency").prefetch_related("members__user")

    def kind_of(self, request: HttpRequest, obj: Any = None) -> ChannelKind:
        """The channel's; of a new one what its page was opened for."""
        chosen = obj.kind if obj is not None else request.GET.get("kind", "")
        return ChannelKind(chosen) if chosen in ChannelKind.values else ChannelKind.EMAIL

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        agency = ["agency"] if obj is None and self.agency_of(request) is None else []
        kind = self.kind_of(request, obj)
        whom = [self.address_field(request)] if kind == ChannelKind.WEBHOOK else KINDS[kind]
        return [
            (_("To whom"), {"fields": [*agency, "name", *whom, "is_active"]}),
            (_("Words and clock"), {"fields": [("language", "time_zone")]}),
            (_("What"), {"fields": ["urgent_only", "causes", "counters"]}),
            (_("Quiet hours"), {"fields": [("quiet_from", "quiet_to"), "urgent_breaks_quiet"]}),
        ]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "language": get_language() or settings.LANGUAGE_CODE,
            "time_zone": timezone.get_current_timezone_name(),
            **super().get_changeform_initial_data(request),
        }

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.actor = actor_of(request)
        return form

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:
        kind = self.kind_of(request, Channel.objects.get(pk=obj.pk) if change else None)
        values = {name: form.cleaned_data[name] for name in (*KINDS[kind], *COMMON)}
        agency: Agency = obj.agency if change else self.agency_for_new(request, form)
        before = Channel.objects.get(pk=obj.pk) if change else None
        saved, secret = services.save_channel(agency=agency, channel=before, kind=kind, **values)
        become(obj, saved)
        request.shown_once = secret  # type: ignore[attr-defined]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The service has saved the people and the counters along with the channel."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return ""

    def response_add(self, request: HttpRequest, obj: Channel, post_url_continue: str | None = None) -> HttpResponse:
        """On to the channel's own page, where it is tried out; a webhook's secret comes first."""
        if secret := getattr(request, "shown_once", ""):
            return _secret_page(request, obj, secret)
        self.message_user(request, _now("The channel is made. Send a test, to see that it arrives."))
        return HttpResponseRedirect(reverse("admin:alerts_channel_change", args=[obj.pk]))

    def delete_model(self, request: HttpRequest, obj: Channel) -> None:
        services.delete_channel(channel=obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The log of its messages goes along; nobody needs a list of it."""
        return [str(obj) for obj in objs], {}, set(), []

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        channel: Channel | None = context.get("original")
        context["site_url"] = settings.SITE_URL
        context["show_save_and_add_another"] = False
        if channel is None:
            context["kinds"] = [(kind.value, kind.label, kind == self.kind_of(request)) for kind in ChannelKind]
        else:
            context.update(
                problem=channels.problem(channel),
                next_attempt=channel.not_before if channel.due and channel.failures else None,
                quiet_now=channel.is_quiet(timezone.now()),
                deliveries=AlertDelivery.objects.filter(channel=channel).defer("html")[:LOG_SHOWN],
                may_administer=actor_of(request).can(Right.ADMINISTER),
                find_chat_url=reverse("admin:alerts_channel_find-chat", args=[channel.pk]),
            )
            looks_for_chat = channel.kind == ChannelKind.TELEGRAM and not channel.chat_id
            if looks_for_chat and settings.TELEGRAM_BOT_TOKEN and request.method == "GET":
                context.update(code=telegram.code_of(channel), bot=_bot_name())
        return super().render_change_form(request, context, *args, **kwargs)

    def prepare_export(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Whom a channel reaches depends on its counters."""
        prefetch_related_objects(rows, "counters")

    @display(description=_("Kind"), ordering="kind")
    def show_kind(self, channel: Channel) -> str:
        icons = {"email": "mail", "telegram": "chat", "webhook": "webhook"}
        return badge(channel.get_kind_display(), "quiet", icons[channel.kind])

    @display(description=_("To whom"))
    def show_whom(self, channel: Channel) -> str:
        if channel.kind == ChannelKind.EMAIL:
            found = recipients(channel)
            more = f" +{len(found) - 2}" if len(found) > 2 else ""
            return format_html('<span class="gp-wrap">{}{}</span>', ", ".join(found[:2]) or "—", more)
        if channel.kind == ChannelKind.TELEGRAM:
            return channel.chat_title or channel.chat_id or "—"
        return format_html('<span class="gp-wrap">{}</span>', self.show_address(channel))

    @display(description=_("State"))
    def show_state(self, channel: Channel) -> str:
        return state_of(channel)

    @display(description=_("Last sent"))
    def show_last(self, channel: Channel) -> str:
        return since(channel.last_sent_at)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """All columns come with the rows."""


def whom(channel: Channel) -> Any:
    """Whom it reaches now: addresses, a chat, or an address without the secrets that stand in it."""
    if channel.kind == ChannelKind.EMAIL:
        return recipients(channel)
    return channel.chat_title or channel.chat_id if channel.kind == ChannelKind.TELEGRAM else door.shown(channel.url)


def state_of(channel: Channel) -> str:
    """The channel in one badge."""
    if not channel.is_active:
        return badge(_now("Switched off"), "quiet", "notifications_off")
    if missing := channels.problem(channel):
        return badge(_now("Not set up"), "warn", "build", missing)
    if channel.failures:
        return badge(_now("Does not arrive"), "bad", "error", channel.error_message)
    return (
        badge(_now("Works"), "good", "check_circle") if channel.last_sent_at else badge(_now("Not used yet"), "quiet")
    )


def _bot_name() -> str:
    """The bot's name as Telegram tells it; asked once a day, and not waited for long. Empty where it did not tell."""
    key = f"alerts.bot.{zlib.crc32(settings.TELEGRAM_BOT_TOKEN.encode())}"
    name = cache.get(key)
    if name is None:
        try:
            name = telegram.bot_name(timeout=BOT_ASKED_FOR)
        except NotSent:
            return ""
        cache.set(key, name, BOT_NAME_KEPT)
    return str(name)
