"""What a person can do about a hold (R8), in one sentence for each reason: pages and API say the same."""

from django.utils.translation import gettext_lazy as _

from apps.metrica.text import Text
from apps.orders.models import HoldReason

_SENTENCES: dict[str, Text] = {
    HoldReason.COUNTER_PAUSED: _("Resume the counter: everything that its pause holds is released."),
    HoldReason.ACCOUNT_DISCONNECTED: _(
        "Connect the counter's Metrica account: everything that waits for it is released."
    ),
    HoldReason.UNKNOWN_TIME_ZONE: _("Read the counter from Metrica, or write its time zone: times are sent in it."),
    HoldReason.UNMAPPED_STATUS: _("Say what this status means: its type and goals. All orders with it are released."),
    HoldReason.STATUS_WITHOUT_GOAL: _("Name a goal for this status: in simple mode it is sent as its first goal."),
    HoldReason.NO_IDENTIFIERS: _("Add a ClientID, an e-mail or a phone: without one Metrica cannot find the visit."),
    HoldReason.FUTURE_DATE: _(
        "It goes by itself when its time has come. If the date is wrong, send the right one from the CRM."
    ),
    HoldReason.UPDATE_WINDOW_CLOSED: _(
        "Metrica changes orders for 111 days. Send it anyway, or reject it so that it leaves the list."
    ),
    HoldReason.CLIENT_REFUSED: _(
        "Correct the client in the CRM and send it again; why Metrica refused it stands on the client's page."
    ),
    HoldReason.CLIENT_FULL: _(
        "Metrica takes 100,000 orders of one client. Give the order a client of its own, or send it without client id."
    ),
    HoldReason.BY_HAND: _("Release it when it may go."),
}


def sentence(reason: str) -> Text:
    """What to do about all changes that are held for this reason."""
    return _SENTENCES.get(reason, "")
