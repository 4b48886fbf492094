"""What is done to a link from its page: the letter now, more time, another address, an end."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminSelectWidget

from apps.counters.ui.acts import Act, ActForm
from apps.reports import services
from apps.reports.letters.tick import wake
from apps.reports.models import ReportLink

GOOD_FOR: Final = ((30, _("30 days")), (90, _("90 days")), (180, _("Half a year")), (365, _("A year")))
USUAL_DAYS: Final = 90


class DaysForm(ActForm):
    days = forms.TypedChoiceField(
        label=_("Good for"), choices=GOOD_FOR, coerce=int, initial=USUAL_DAYS, widget=UnfoldAdminSelectWidget
    )


def _is_open(request: HttpRequest, link: ReportLink) -> bool:
    return not link.is_withdrawn


def _has_readers(request: HttpRequest, link: ReportLink) -> bool:
    return link.is_good and link.subscribers().exists()


def _send_now(request: HttpRequest, link: ReportLink, values: Mapping[str, Any]) -> str:
    number = services.ask_for_letters(link=link)
    wake(link)
    return ngettext(
        "The letter goes to %(number)s recipient. This page tells whether it was taken.",
        "The letter goes to %(number)s recipients. This page tells whether it was taken.",
        number,
    ) % {"number": number}


def _prolong(request: HttpRequest, link: ReportLink, values: Mapping[str, Any]) -> str:
    services.prolong(link=link, days=values["days"])
    return _now("The link is good for longer. Its address stays as it was.")


def _new_address(request: HttpRequest, link: ReportLink, values: Mapping[str, Any]) -> str:
    services.renew_address(link=link)
    return _now("The report has a new address. Copy it below; the one before opens nothing any more.")


def _withdraw(request: HttpRequest, link: ReportLink, values: Mapping[str, Any]) -> str:
    services.withdraw(link=link)
    return _now("Withdrawn. The address opens nothing any more, and no letters leave.")


SEND_NOW = Act(
    name="send-now",
    title=_("Send the letter now"),
    icon="send",
    question=lambda request, link: _("Everybody on the list gets the letter of the last seven days, without today."),
    do=_send_now,
    shown=_has_readers,
    button=_("Send"),
)
PROLONG = Act(
    name="prolong",
    title=_("Prolong"),
    icon="more_time",
    question=lambda request, link: _("Counted from today. The address stays as it is."),
    form=DaysForm,
    do=_prolong,
    shown=_is_open,
)
NEW_ADDRESS = Act(
    name="new-address",
    title=_("New address"),
    icon="link",
    question=lambda request, link: _(
        "For when the address came into wrong hands. The one before opens nothing any more; letters carry the new one."
    ),
    do=_new_address,
    shown=_is_open,
)
WITHDRAW = Act(
    name="take-back",
    title=_("Withdraw"),
    icon="block",
    question=lambda request, link: _(
        "The address opens nothing from now on, and no letters leave. This cannot be undone; a new link can be made."
    ),
    do=_withdraw,
    shown=_is_open,
    danger=True,
)
