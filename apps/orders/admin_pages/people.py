"""What a person does to a client: says that another one is the same, or has them forgotten."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.agencies.actor import Right
from apps.clients import contacts
from apps.clients.models import Client
from apps.counters.ui.acts import Act, ActForm
from apps.orders import people
from apps.orders.models import Order

_MANY = 1000


class MergeForm(ActForm):
    """Who is the same person as the client `obj`. Others that share an identifier are offered, and no more than that:
    who they are is not guessed."""

    template_after = "admin/orders/alike.html"

    uniq_id = forms.CharField(
        label=_("Client id of the duplicate"),
        max_length=255,
        widget=UnfoldAdminTextInputWidget({"list": "gp-alike", "autocomplete": "off"}),
        help_text=_("As the CRM writes it. Its orders and identifiers become those of this client."),
    )

    @property
    def alike(self) -> list[Client]:
        return contacts.alike(self.obj)

    def clean_uniq_id(self) -> Client:
        said = self.cleaned_data["uniq_id"].strip()
        found = Client.objects.present().filter(counter=self.obj.counter_id, uniq_id=said, erased_at=None).first()
        if found is None:
            raise ValidationError(_("This counter has no client of that id. Look it up in the list of clients."))
        return found


def _merge(request: HttpRequest, client: Client, values: Mapping[str, Any]) -> str:
    moved = people.merge_clients(kept=client, duplicate=values["uniq_id"])
    text = ngettext(
        "The two are one client now; %(count)s order moved.",
        "The two are one client now; %(count)s orders moved.",
        moved,
    )
    return text % {"count": moved}


def _ask_erase(request: HttpRequest, client: Client) -> str:
    number = len(Order.objects.filter(client=client).order_by().values_list("pk")[:_MANY])
    orders = ngettext("%(count)s order", "%(count)s orders", number) % {"count": number}
    if number >= _MANY:
        orders = ngettext("%(count)s order or more", "%(count)s orders or more", number) % {"count": number}
    return "\n".join(
        [
            _now("This cannot be undone."),
            _now(
                "Erased: the name, the client id, all identifiers and attributes of this client and of its orders "
                "(%(orders)s). Nobody is found by them any more."
            )
            % {"orders": orders},
            _now("What of them still waits to be sent is held: nobody can be found by it any more."),
            _now(
                "In kept files of uploads the client's rows are blanked; files of imports and posts of CRMs that name "
                "it are deleted, and so are all answers that the API keeps for requests sent again. That may take some "
                "minutes, and the client's page tells when it is done."
            ),
            _now(
                "Not erased: the orders with their ids, statuses and money; what the audit log said of the client "
                "before names were left out of it; backups; what Metrica and the CRM have. If the CRM sends this "
                "client again, it is taken in again."
            ),
        ]
    )


class EraseForm(ActForm):
    sure = forms.BooleanField(label=_("I have read what will be erased and what will not"))


def _erase(request: HttpRequest, client: Client, values: Mapping[str, Any]) -> str:
    people.erase_client(client=client)
    return _now(
        "The client is erased. The orders stay. Kept files are gone through now; this page tells when it is done."
    )


def _is_somebody(request: HttpRequest, client: Client) -> bool:
    return client.erased_at is None


MERGE = Act(
    name="merge",
    title=_("Merge a duplicate"),
    icon="merge",
    question=lambda request, client: _(
        "Two clients of this counter are one person? This one stays. The orders of the other move here, identifiers "
        "are united, and what the CRM sends under the other id comes here too. In detailed mode the client and the "
        "orders that moved are sent to Metrica again. This cannot be undone."
    ),
    form=MergeForm,
    do=_merge,
    button=_("Merge"),
    shown=_is_somebody,
)
ERASE = Act(
    name="erase",
    title=_("Erase the person"),
    icon="person_remove",
    question=_ask_erase,
    form=EraseForm,
    do=_erase,
    right=Right.ADMINISTER,
    button=_("Erase for good"),
    shown=_is_somebody,
    danger=True,
)
