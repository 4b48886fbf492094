"""Forms of agencies' pages. What they collect goes to the services, which check it."""

import re
from collections.abc import Iterable
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from apps.agencies import panels, services
from apps.agencies.actor import Actor
from apps.agencies.models import Agency, ApiKey, Invitation, Membership, SecondStepFor, User
from apps.agencies.networks import checked_networks, words_of

SCOPES = [("read", _("Read: orders, uploads, holds, the log")), ("write", _("Write: send orders, ask for uploads"))]


ALL, THESE = "all", "these"


class MemberForm(forms.ModelForm):
    """A person's role in the agency, and the counters that they are limited to.

    Whether there is a limit is asked for itself: taking away the last of the chosen counters is not to give all.
    """

    reach = forms.ChoiceField(
        label=_("Counters"),
        choices=[(ALL, _("All counters, those that are added later too")), (THESE, _("Only those chosen below"))],
        initial=ALL,
        required=False,
        help_text=_("An owner has all counters; managers and analysts can be limited to some."),
        widget=UnfoldAdminRadioSelectWidget,
    )
    counter_ids = forms.TypedMultipleChoiceField(
        label=_("Only these counters"),
        required=False,
        coerce=int,
        empty_value=None,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = Membership
        fields = ("agency", "role")

    agency_id: int | None = None  # whose counters are offered

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (field := self.fields.get("counter_ids")) is not None:
            limit = self.instance.counter_ids or []
            field.choices = counter_choices(self.agency_id, also=limit)  # type: ignore[attr-defined]
            self.initial["counter_ids"] = limit
            self.initial["reach"] = ALL if self.instance.counter_ids is None else THESE

    def clean(self) -> Any:
        values = super().clean() or {}
        if "counter_ids" not in self.fields or {"reach", "counter_ids"} & set(self.errors):
            return values
        chosen = values.get("counter_ids")
        # A program that does not say it may still name counters, or leave who has all of them as they are.
        reach = values.get("reach") or (THESE if chosen or self.instance.counter_ids is not None else ALL)
        if reach == ALL:
            values["counter_ids"] = None
        elif not chosen:
            message = _("Choose at least one counter, or all of them.")
            self.add_error("counter_ids", ValidationError(message, code="none_chosen"))
        return values


def counter_choices(agency_id: int | None, *, also: Iterable[int] = ()) -> list[tuple[int, str]]:
    """The agency's counters by their names; `also`: numbers that stay chosen though no counter has them any more."""
    known = [] if agency_id is None else [pair for names_of in panels.counter_names for pair in names_of(agency_id)]
    gone = set(also).difference(number for number, _name in known)
    return [*known, *((number, str(number)) for number in sorted(gone))]


class InviteForm(MemberForm):
    """Whom an owner asks in, as what, and to which counters."""

    email = forms.EmailField(label=_("E-mail"), widget=UnfoldAdminEmailInputWidget)

    class Meta:
        model = Invitation
        fields = ("agency", "email", "role")
        widgets = {"agency": UnfoldAdminSelectWidget, "role": UnfoldAdminSelectWidget}

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        self.agency_id = actor.agency_id
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        if self.agency_id is not None:
            del fields["agency"]  # in one of them it goes without saying
        else:
            fields["agency"].queryset = Agency.objects.visible_to(actor)
        if not fields["counter_ids"].choices:
            del fields["counter_ids"], fields["reach"]
        self.order_fields(["agency", "email", "role", "reach", "counter_ids"])

    def _post_clean(self) -> None:
        """The service checks the whole."""


class JoiningForm(forms.Form):
    """What a person who is new says of themselves."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=150,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        help_text=_("At least twelve characters, not only digits, and nothing that many people use."),
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("Password once more"),
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> Any:
        values = super().clean() or {}
        if values.get("password") and values.get("again") and values["password"] != values["again"]:
            self.add_error("again", forms.ValidationError(_("The two passwords are not the same."), code="differs"))
        return values


class RequirementForm(forms.Form):
    """Of whom an agency requires the second step of logging in."""

    of = forms.ChoiceField(
        label=_("Second step of logging in is required of"),
        required=False,
        choices=SecondStepFor.choices,
        widget=UnfoldAdminRadioSelectWidget,
    )


class CodeForm(forms.Form):
    """A code of the second step."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        help_text=_("Six digits from the app, or a backup code."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "autofocus": True}),
    )


class NetworksField(forms.CharField):
    """Networks with commas between them; None where there are none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label=_("Only from"),
            required=False,
            help_text=_("Addresses or networks, separated by commas, like 192.0.2.0/24. Empty: from anywhere."),
            widget=UnfoldAdminTextInputWidget,
            **kwargs,
        )

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str] | None:
        return checked_networks(words_of(super().clean(value)) or None)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class NewKeyForm(forms.ModelForm):
    """A key's name and what it opens."""

    scopes = forms.MultipleChoiceField(
        label=_("Scopes"), choices=SCOPES, initial=["read", "write"], widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    counter_ids = forms.CharField(
        label=_("Only counters"),
        required=False,
        help_text=_("Numbers of counters, separated by commas. Empty: all counters of the agency."),
        widget=UnfoldAdminTextInputWidget,
    )
    networks = NetworksField()

    class Meta:
        model = ApiKey
        fields = ("agency", "name", "scopes", "counter_ids", "networks", "expires_at")

    def clean_counter_ids(self) -> list[int] | None:
        words = re.split(r"[\s,;]+", self.cleaned_data["counter_ids"].strip())
        if words == [""]:
            return None
        if not all(word.isascii() and word.isdigit() and len(word) <= 10 for word in words):
            raise ValidationError(_("Write whole numbers, separated by commas."), code="invalid")
        return [int(word) for word in words]


class KeyForm(forms.ModelForm):
    """What may be changed of a key that is in use: from where, and until when."""

    networks = NetworksField()

    class Meta:
        model = ApiKey
        fields = ("networks", "expires_at")


class RotationForm(forms.Form):
    """A new secret for a key: how long the old one goes on, and when the new one ends."""

    overlap = forms.ChoiceField(
        label=_("The old secret goes on for"),
        choices=[
            ("0", _("not at all: it opens nothing from now on")),
            ("1", _("an hour")),
            ("24", _("a day")),
            ("72", _("three days")),
            ("168", _("a week")),
        ],
        initial="24",
        help_text=_("Until then both open, so that the CRM can be given the new one without a gap."),
        widget=UnfoldAdminSelectWidget,
    )
    expires_at = forms.SplitDateTimeField(
        label=_("The new one expires"),
        required=False,
        help_text=_("Left empty: never."),
        widget=UnfoldAdminSplitDateTimeWidget,
    )


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """A person's new password, told to the log (never what it is)."""

    def save(self, commit: bool = True) -> Any:
        user = super().save(commit)
        services.tell_password_chosen(user=user)
        return user


class ProfileForm(forms.ModelForm):
    """How Goalpost speaks to a person."""

    language = forms.ChoiceField(label=_("Language"), required=False, widget=UnfoldAdminSelectWidget)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = User
        fields = ("name", "language", "time_zone")
        widgets = {"name": UnfoldAdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        languages = [("", _("As the browser asks")), *settings.LANGUAGES]
        zones = [("", _("The platform's: %(zone)s") % {"zone": settings.TIME_ZONE})]
        self.fields["language"].choices = languages  # type: ignore[attr-defined]
        self.fields["time_zone"].choices = [*zones, *((zone, zone) for zone in sorted(available_timezones()))]  # type: ignore[attr-defined]
