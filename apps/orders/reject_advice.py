"""What a rejection means and what a person can do about it: pages and API say the same, in the reader's language.
Beside it stands what was said by whoever refused the row, in their own words.

A refusal is told by its code, and by the field that Metrica named if it named one.
"""

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext_lazy as _

from apps.metrica.catalogue import CATALOGUE, FILE_TOO_LARGE
from apps.metrica.text import Text
from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.orders.models import GIVEN_UP, StatusChange

MONEY: Final = ("revenue", "cost", "currency", "goals")
CORRECTABLE: Final = (*IDENTIFIER_KINDS[:3], *MONEY)
"""Fields that a person can correct here."""


@dataclass(frozen=True, slots=True)
class Advice:
    """`means`: what the refusal means; `next_step`: what to do. Sentences."""

    means: Text
    next_step: Text


_IN_THE_CRM = _("Correct it in the CRM and send the order again.")
_HERE_OR_THERE = _("Correct it here, or in the CRM and send the order again.")

_BY_FIELD: dict[str, Advice] = {
    "id": Advice(
        _("Metrica does not take the order's id."),
        _("The id is the CRM's own: give the order another one there, and leave this one as it is."),
    ),
    "create_date_time": Advice(
        _("Metrica does not take the time at which the order was created."),
        _("Compare it with the CRM. Once an order was sent its creation time stays; then only a new order helps."),
    ),
    "order_status": Advice(
        _("Metrica does not take the status that was sent."),
        _("Look at what the status means for this counter: its goal must be there in Metrica. Map it anew if need be."),
    ),
    "client_uniq_id": Advice(_("Metrica does not take the id of the client."), _IN_THE_CRM),
    "client_ids": Advice(
        _("Metrica does not take a ClientID of the order."),
        _("A ClientID is the number in the visitor's cookie _ym_uid. Correct it here or in the CRM."),
    ),
    "emails": Advice(_("Metrica does not take an e-mail address of the order."), _HERE_OR_THERE),
    "phones": Advice(_("Metrica does not take a phone number of the order."), _HERE_OR_THERE),
    "emails_md5": Advice(_("Metrica does not take a hashed e-mail address of the order."), _IN_THE_CRM),
    "phones_md5": Advice(_("Metrica does not take a hashed phone number of the order."), _IN_THE_CRM),
    "revenue": Advice(_("Metrica does not take the revenue."), _HERE_OR_THERE),
    "cost": Advice(_("Metrica does not take the cost."), _HERE_OR_THERE),
    "currency": Advice(_("Metrica does not take the currency."), _HERE_OR_THERE),
    "goals": Advice(
        _("Metrica does not take a goal of the row, or its price."),
        _("Correct the order's extra goals here, or the goals of the status in the status map; then send it again."),
    ),
    "products": Advice(_("Metrica does not take the products of the order."), _IN_THE_CRM),
}
for _field in ("update_date_time", "finish_date_time"):
    _BY_FIELD[_field] = Advice(_("Metrica does not take a date of the status."), _IN_THE_CRM)

_OF_ROW = Advice(
    _("Metrica does not take this row, and does not name the field that is wrong."),
    _("Correct what is wrong here or in the CRM. If nothing is, send it again as it is."),
)
_BY_CODE: dict[str, Advice] = {
    GIVEN_UP: Advice(
        _("A person decided that this status is not sent."), _("Nothing needs to be done. It can still be sent again.")
    ),
    "unwritable": Advice(_("The order holds something that no upload file can say."), _HERE_OR_THERE),
    FILE_TOO_LARGE.code: Advice(
        _("The row alone is larger than any file that Metrica takes."),
        _("Shorten what the CRM sends with this order, and send it again."),
    ),
}
OVERTAKEN: Final = _("Overtaken by a newer status of this order: nobody needs to do anything.")


def advice(*, code: str, field: str = "") -> Advice:
    """What to say of a rejection."""
    if known := _BY_CODE.get(code):
        return known
    if field in _BY_FIELD:
        return _BY_FIELD[field]
    kind = CATALOGUE.get(code)
    if kind is None or code == "invalid_uploading":
        return _OF_ROW
    return Advice(kind.message, kind.next_step)


def advice_for(change: StatusChange) -> Advice:
    """What to say of a rejected change."""
    return advice(code=change.reject_code, field=change.reject_field)
