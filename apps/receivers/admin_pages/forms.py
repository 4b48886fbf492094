"""What a person says of a receiver: its CRM's side, what proves its posts, and where the fields stand in them."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.agencies.actor import NOBODY, Actor
from apps.counters.models import Counter
from apps.counters.ui.widgets import SuggestInput
from apps.receivers import mapping, services
from apps.receivers.models import Kind, Receiver

_STAYS = _("Left empty, what is kept stays. It is encrypted and not shown again.")
_NONE_YET = _("It is kept encrypted and not shown again.")


def _secret(label: Any) -> Any:
    # Not the browser's own password of the person.
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password", "spellcheck": "false"})
    return forms.CharField(label=label, required=False, max_length=5000, widget=widget)


class NewReceiverForm(forms.ModelForm):
    counter = forms.ModelChoiceField(
        label=_("Counter"), queryset=Counter.objects.none(), widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = Receiver
        fields = ("counter", "name", "kind")
        help_texts = {"name": _("What posts there: the CRM, the shop.")}

    actor: Actor = NOBODY

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["counter"].queryset = Counter.objects.visible_to(self.actor).order_by("name")

    def _post_clean(self) -> None:
        """The service checks the whole."""


class ReceiverForm(forms.ModelForm):
    """Which fields it has, the CRM says."""

    check_secret = _secret(_("Secret"))
    crm_url = forms.CharField(
        label=_("Address of the CRM"),
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    crm_token = _secret(_("Long-lived token"))
    status_lines = forms.CharField(
        label=_("Names of statuses"),
        required=False,
        help_text=_(
            "One a line: what the CRM writes = what it is called in the counter's mapping, as in 4740529:142 = Paid. "
            "What is not in the list keeps the CRM's own text."
        ),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false", "class": "gp-mono"}),
    )

    class Meta:
        model = Receiver
        fields = ("name", "active", "prefix", "check_kind", "check_name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        receiver: Receiver = self.instance
        fields: Any = self.fields
        if "status_lines" in fields:
            self.initial["status_lines"] = status_text(receiver.statuses)
        if "check_secret" in fields:
            fields["check_secret"].help_text = _STAYS if receiver.check_secret_encrypted else _NONE_YET
            if receiver.kind == Kind.BITRIX24:
                fields["check_secret"].label = _("Application token")
                own = _("It stands on the page of the outgoing webhook in Bitrix24.")
                fields["check_secret"].help_text = f"{own} {fields['check_secret'].help_text}"
        if "crm_url" in fields:
            self._explain_address(receiver, fields["crm_url"])
        if "crm_token" in fields:
            fields["crm_token"].help_text = _STAYS if receiver.crm_token_encrypted else _NONE_YET

    @staticmethod
    def _explain_address(receiver: Receiver, field: Any) -> None:
        known = services.masked_url(receiver)
        if receiver.kind == Kind.BITRIX24:
            field.label = _("REST address (incoming webhook)")
            field.help_text = _("Like https://portal.bitrix24.ru/rest/1/abc123/, with the right “CRM”. It is a secret.")
        else:
            field.help_text = _("Like https://account.amocrm.ru. With a token, contacts of deals are read there.")
        if known:
            kept = _now("Kept: %(address)s. Left empty, it stays.") % {"address": known}
            field.help_text = f"{field.help_text} {kept}"

    def clean_status_lines(self) -> str:
        text = self.cleaned_data["status_lines"]
        for line in text.splitlines():
            if line.strip() and "=" not in line:
                told = _("“%(line)s” has no “=”. Write a line as “code = name”.") % {"line": line.strip()[:60]}
                raise forms.ValidationError(told, code="invalid")
        return str(text)

    def _post_clean(self) -> None:
        """The service checks the whole."""

    def values(self) -> dict[str, Any]:
        """For the service: a secret that was left empty stays."""
        data = self.cleaned_data
        values: dict[str, Any] = {name: data[name] for name in services.FIELDS if name in data}
        values |= {name: data[name] for name in services.SECRETS if data.get(name)}
        if "status_lines" in data:
            values["statuses"] = statuses_of(data["status_lines"])
        return values


def status_text(statuses: Mapping[str, str]) -> str:
    return "\n".join(f"{code} = {name}" for code, name in statuses.items())


def statuses_of(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    return {code.strip(): name.strip() for code, _equals, name in pairs}


class MappingForm(forms.Form):
    """A path for each of our fields. `known`: the paths that the sample has, offered while one writes."""

    template_attributes = ("attributes", "client_attributes")

    def __init__(self, *args: Any, receiver: Receiver, known: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._examples = dict(known)
        kept = receiver.mapping
        offered = [path for path, _shown in known]
        if receiver.kind == Kind.GENERIC:
            self._add(
                mapping.ORDERS,
                _("Where the orders are"),
                kept.get(mapping.ORDERS, ""),
                offered,
                _("Only if one post has several: the path to their list. The paths below begin within each of them."),
            )
        for name, label in mapping.LABELS.items():
            self._add(name, label, kept.get("fields", {}).get(name, ""), offered)
        if receiver.kind == Kind.GENERIC:
            self._add(
                mapping.EVENT_ID,
                _("Id of the event"),
                kept.get(mapping.EVENT_ID, ""),
                offered,
                _("Only if the CRM gives each event an id of its own: the same id once more is not worked on again."),
            )
        for name, label in (("attributes", _("Attributes")), ("client_attributes", _("Client's attributes"))):
            given = kept.get(name, {})
            self.fields[name] = forms.CharField(
                label=label,
                required=False,
                initial="\n".join(f"{key} = {path}" for key, path in given.items()),
                help_text=_("One a line: name = path."),
                widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"}),
            )

    def _add(self, name: str, label: Any, initial: str, offered: list[str], help_text: Any = "") -> None:
        self.fields[name] = forms.CharField(
            label=label,
            required=False,
            max_length=500,
            initial=initial,
            help_text=help_text,
            widget=SuggestInput(offered, {"spellcheck": "false", "class": "gp-mono"}),
        )

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Each field with what the sample has at its path."""
        return [
            {
                "field": self[name],
                "needed": name in mapping.REQUIRED,
                "example": self._examples.get(str(self[name].value() or "").strip(), ""),
            }
            for name in self.fields
        ]

    def kept(self) -> dict[str, Any]:
        """The mapping as the service takes it."""
        data: Mapping[str, Any] = self.cleaned_data
        return {
            **{name: data.get(name, "") for name in (mapping.ORDERS, mapping.EVENT_ID)},
            "fields": {name: data.get(name, "") for name in mapping.LABELS},
            **{name: statuses_of(data.get(name, "")) for name in self.template_attributes},
        }
