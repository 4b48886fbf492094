"""Identifiers as Metrica matches them: normalised, checked, hashed. Pages: simple-orders-data, hashing.

Each function takes what a CRM wrote and gives back the one spelling that is sent, or raises IdentifierError.
"""

import hashlib
import re
from collections.abc import Callable

from apps.metrica import phones
from apps.metrica.problems import BadValue
from apps.metrica.text import Text, _

MAX_EMAIL_LENGTH = 254
MAX_CLIENT_ID_DIGITS = 20

# Spaces of every kind and marks that nobody sees but that are copied along with a value.
_INVISIBLE = " \t\r\n\v\f\xa0\u2007\u202f\u200b\u200e\u200f\u2060\ufeff"

_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})"
)
_MD5 = re.compile(r"[0-9a-f]{32}")
_SPREADSHEET_NUMBER = re.compile(r"\d+(?:[.,]\d+)?[eE]\+?\d+|\d+[.,]0*")
_MD5_OF_NOTHING = hashlib.md5(b"", usedforsecurity=False).hexdigest()


class IdentifierError(BadValue):
    """A text that is no identifier of its kind. `code` is stable, `message` is for people."""


def normalize_email(text: str) -> str:
    """Trimmed, lower case, Latin letters only (pages: simple-orders-data, hashing).

    Codes: empty, nul, too_long, email_not_latin, email_format.
    """
    email = _trimmed(text).lower()
    if len(email) > MAX_EMAIL_LENGTH:
        raise IdentifierError("too_long", _("An e-mail address has at most 254 characters."))
    if not email.isascii():
        raise IdentifierError(
            "email_not_latin", _("Metrica takes e-mail addresses in Latin letters only. Check the spelling.")
        )
    if _EMAIL.fullmatch(email) is None or email.index("@") > 64:
        raise IdentifierError("email_format", _("This is no e-mail address: name@domain.zone is expected."))
    return email


def normalize_phone(text: str) -> str:
    """Digits only, with the country code: `79031234567` (pages: simple-orders-data, hashing).

    Russian spellings are understood: `8 (903) …` and ten digits that start with 9 become `7…`.
    Codes: empty, nul, phone_format, phone_length, phone_country.
    """
    # Most CRMs send these already, and a hundred thousand rows pass here at a time.
    if len(text) == 11 and text[0] == "7" and text[1] in phones.RUSSIAN_AREA_STARTS and phones.is_digits(text):
        return text
    phone = _trimmed(text)
    try:
        return phones.to_digits(phone)
    except phones.NotAPhone as problem:
        raise IdentifierError(problem.code, _PHONE_PROBLEMS[problem.code]) from None


_PHONE_PROBLEMS: dict[str, Text] = {
    "phone_format": _("This is no phone number: digits with a country code are expected, one number at a time."),
    "phone_length": _("This phone number has too few or too many digits for its country."),
    "phone_country": _(
        "It is not clear which country this phone number belongs to. Write it with a plus and the country code: "
        "+7 903 123-45-67."
    ),
}


def normalize_client_id(text: str) -> str:
    """Metrica's ClientID: 1 to 20 digits, kept as text because it exceeds 2^53 (page: simple-orders-data).

    Codes: empty, nul, client_id_number, client_id_format, too_long.
    """
    client_id = _trimmed(text)
    if client_id.isascii() and client_id.isdigit():
        if len(client_id) > MAX_CLIENT_ID_DIGITS:
            raise IdentifierError("too_long", _("A ClientID has at most 20 digits."))
        return client_id
    if _SPREADSHEET_NUMBER.fullmatch(client_id):
        raise IdentifierError(
            "client_id_number",
            _("A spreadsheet turned this ClientID into a number and lost digits. Export the column as text."),
        )
    raise IdentifierError("client_id_format", _("A ClientID consists of digits only."))


def normalize_md5(text: str) -> str:
    """An MD5 in lower-case hex; the identifier must have been normalised before it was hashed (page: hashing).

    Codes: empty, nul, md5_format, md5_of_nothing.
    """
    digest = _trimmed(text).lower()
    if _MD5.fullmatch(digest) is None:
        raise IdentifierError("md5_format", _("An MD5 hash has 32 characters: digits and letters from a to f."))
    if digest == _MD5_OF_NOTHING:
        raise IdentifierError("md5_of_nothing", _("This is the hash of an empty text, so it identifies nobody."))
    return digest


def md5_of(normalised: str) -> str:
    """MD5 of the UTF-8 bytes in lower-case hex, of a value that is normalised already (page: hashing)."""
    return hashlib.md5(normalised.encode(), usedforsecurity=False).hexdigest()


NORMALIZERS: dict[str, Callable[[str], str]] = {
    "client_ids": normalize_client_id,
    "emails": normalize_email,
    "phones": normalize_phone,
    "emails_md5": normalize_md5,
    "phones_md5": normalize_md5,
}
"""By kind of identifier, as the columns of the simple format name them."""


def _trimmed(text: str) -> str:
    trimmed = text.strip(_INVISIBLE)
    if not trimmed:
        raise IdentifierError("empty", _("The value is empty."))
    if "\0" in trimmed:
        raise IdentifierError("nul", _("The value holds a NUL byte, which no identifier can hold."))
    return trimmed
