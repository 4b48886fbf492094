"""Values as Metrica's files hold them, in CSV cells and JSON strings alike: normalised already, so only checked.

Pages: simple-orders-data, contacts-data, orders-data, hashing, date.
"""

from collections.abc import Callable
from datetime import date
from zoneinfo import ZoneInfo

from apps.metrica.dates import Moment, parse_csv
from apps.metrica.identifiers import normalize_client_id, normalize_email, normalize_md5
from apps.metrica.phones import is_digits
from apps.metrica.problems import BadValue
from apps.metrica.text import Text, _
from apps.metrica.vocabulary import CLIENT_TYPE, CURRENCIES

_UTC_ZONE = ZoneInfo("UTC")


def client_id(text: str) -> str:
    return _as_it_is(text, normalize_client_id(text))


def email(text: str) -> str:
    return _as_it_is(text, normalize_email(text))


def phone(text: str) -> str:
    if not is_digits(text):
        raise BadValue("phone_format", _("A phone number has digits only here: country code first, no signs."))
    if not 7 <= len(text) <= 15:
        raise BadValue("phone_length", _("A phone number has 7 to 15 digits with its country code."))
    return text


def md5(text: str) -> str:
    return _as_it_is(text.lower(), normalize_md5(text))


IDENTIFIERS: dict[str, Callable[[str], str]] = {
    "client_ids": client_id,
    "emails": email,
    "phones": phone,
    "emails_md5": md5,
    "phones_md5": md5,
}
"""By field: what one value in it must be."""


def listed(parse: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """The parser of a cell that holds a list of such values."""

    def parse_list(text: str) -> tuple[str, ...]:
        if " " in text:
            raise BadValue("spaces", _("The values of a list are joined by commas without spaces."))
        return tuple(parse(item) for item in text.split(","))

    return parse_list


def moment(zone: ZoneInfo) -> Callable[[str], Moment]:
    """The parser of a date with or without time on the clock of `zone`."""
    return lambda text: parse_csv(text, zone)


def day(text: str) -> date:
    """A date alone, in one of the three forms of the CSV formats. Raises DateError, BadValue."""
    if len(text) > 10:
        raise BadValue("date_format", _("This is a date without a time: 2026-03-04 or 04.03.2026."))
    return parse_csv(text, _UTC_ZONE).at.date()


def currency(text: str) -> str:
    if text not in CURRENCIES:
        raise BadValue("currency", _("This is no currency code of ISO 4217, such as RUB."))
    return text


def client_type(text: str) -> str:
    if text != CLIENT_TYPE:
        raise BadValue("client_type", _("The only client type that Metrica takes is CONTACT."))
    return text


def plain_text(text: str) -> str:
    """Any text that a file and a database can hold."""
    if "\0" in text:
        raise nul()
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadValue("half_character", _("The text holds half a character (a lone surrogate).")) from None
    return text


def nul() -> BadValue:
    return BadValue("nul", _("The cell holds a NUL byte."))


REQUIRED: dict[str, Text] = {
    "create_date_time": _("The creation time is missing."),
    "uniq_id": _("The customer's identifier is missing."),
    "id": _("The order's identifier is missing."),
    "client_uniq_id": _("The identifier of the order's customer is missing."),
    "client_type": _("The client type is missing. It is always CONTACT."),
    "order_status": _("The order's status is missing."),
    "goal_action_id": _("The goal's identifier is missing."),
}
"""What is said where such a field is blank but must not be."""


def _as_it_is(text: str, normalised: str) -> str:
    if text != normalised:
        raise BadValue("not_normalised", _("The value must be lower-case and without outer spaces."))
    return text
