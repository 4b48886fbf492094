"""Why a post waits for a person, or is tried again: a stable code, a sentence and the next step, in the language of
whoever reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext_lazy as _

from apps.metrica.text import Text


@dataclass(frozen=True, slots=True)
class Problem:
    message: Text
    step: Text


PROBLEMS: Final[Mapping[str, Problem]] = {
    "unreadable_body": Problem(
        _("The post is neither JSON nor a form in UTF-8."),
        _("Let the CRM send JSON or a form in UTF-8. This post is kept as it came."),
    ),
    "no_mapping": Problem(
        _("It is not said yet where the order's id and status stand in the post."),
        _("Open “Map fields” of the receiver, try the mapping on this post and save it. Then process the post again."),
    ),
    "no_orders": Problem(
        _("No order was found where the mapping looks for one."),
        _("Open “Map fields” of the receiver and correct the path to the orders. Then process the post again."),
    ),
    "too_many_rows": Problem(
        _("The post holds more than 10,000 orders."), _("Send fewer at a time, or import them as a file.")
    ),
    "rows_rejected": Problem(
        _("Some orders of the post were not taken."),
        _("See below what is wrong. Correct the mapping or the CRM's data, and process the post again."),
    ),
    "not_set_up": Problem(
        _("The address by which the CRM is read is not written down yet, and the post itself holds no deal."),
        _("Write the address of an incoming webhook with the right “CRM” on the receiver's page. Then process again."),
    ),
    "unreadable_secret": Problem(
        _("What is kept of the CRM's side cannot be read: a key is missing in ENCRYPTION_KEYS."),
        _("Bring the key back, or write the CRM's address and token anew on the receiver's page."),
    ),
    "unreadable_post": Problem(
        _("The post cannot be read: a key is missing in ENCRYPTION_KEYS."),
        _("Bring the key back, then process the post again."),
    ),
    "other_portal": Problem(
        _("The post comes from another portal than the one whose REST address is written down."),
        _("Write the REST address of the portal that posts, or give that portal a receiver of its own."),
    ),
    "crm_token": Problem(
        _("The CRM does not accept the token or the address any more."),
        _("Make a new one in the CRM, write it on the receiver's page, and process the held posts again."),
    ),
    "crm_refused": Problem(
        _("The CRM refused to give the deal."),
        _("See whether the CRM's user may read deals, contacts and directories, then process the post again."),
    ),
    "crm_unreachable": Problem(
        _("The CRM was not reached for a long time."),
        _("See whether its address is right and the CRM works, then process the held posts again."),
    ),
    "crm_silent": Problem(
        _("The CRM is not reached, or asks to be left alone for a while."), _("It is tried again by itself.")
    ),
    "crm_answer": Problem(
        _("The CRM's answer cannot be understood."), _("It is tried again by itself. See whether the address is right.")
    ),
    "crm_moved": Problem(
        _("The CRM has another address now: it leads on elsewhere."),
        _("Write the new address on the receiver's page, then process the held posts again."),
    ),
    "bad_crm_address": Problem(
        _("The address of the CRM may not be called."),
        _("Write the CRM's public https address on the receiver's page, then process the held posts again."),
    ),
    "internal_error": Problem(
        _("Something went wrong on our side."), _("It is tried again by itself; the log tells more by the request id.")
    ),
    "gave_up": Problem(
        _("It could not be worked on, again and again."),
        _("The log tells more by the request id. Once it is mended, process the post again."),
    ),
    "empty_body": Problem(
        _("The post was empty, as when a CRM tries whether somebody is there."), _("Nothing is to be done.")
    ),
    "other_event": Problem(
        _("The post tells of something else than a deal that was made or changed."),
        _("Nothing is to be done. Let the CRM post only what concerns deals, if there are many."),
    ),
    "deal_gone": Problem(
        _("The deal is not in the CRM any more."), _("Nothing is to be done: its order stays as it is.")
    ),
}

REFUSALS: Final[Mapping[str, Text]] = {
    "bad_token": _("the application token was another one"),
    "bad_header": _("the header was missing or held another secret"),
    "bad_query": _("the parameter was missing or held another secret"),
    "bad_signature": _("the signature was missing or did not fit the body"),
}
"""Why a post with the right address was turned away."""


def describe(code: str) -> Problem | None:
    if not code:
        return None
    return PROBLEMS.get(code, PROBLEMS["internal_error"])
