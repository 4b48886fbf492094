"""What the ledger may keep of a request and an answer: no token, no address, no number of a person."""

import re
from collections.abc import Iterable

HIDDEN = "•••"

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})

_EMAIL = re.compile(r"[^\s@,;:\"'<>()\[\]|]{1,64}@(?=[^\s@,;:\"'<>()\[\]|]+)")
_HASH = re.compile(r"(?<![0-9A-Za-z-])([0-9A-Fa-f]{4})[0-9A-Fa-f]{28}(?![0-9A-Za-z-])")
# Bare digits: 10 as Russian mobiles are written, or 11 to 20 as phones with a code and ClientIDs are. A hyphen
# before or after belongs to a UUID or to an order's number, which must stay readable.
_DIGITS = re.compile(r"(?<![0-9A-Za-z.-])(?:9\d{2}|\d{4})\d{5,14}(\d{2})(?![0-9A-Za-z.-])", re.ASCII)
_SPELLED_PHONE = re.compile(
    r"(?:\+\d{1,3}|(?<![0-9A-Za-z-])[78])[ (.-]{1,3}\d{2,5}[ ).-]{1,3}\d{2,4}[ .-]?\d{2}[ .-]?(\d{2})(?![0-9])",
    re.ASCII,
)


def mask_personal(text: str) -> str:
    """`text` with e-mails, phones, ClientIDs and hashes masked; enough stays to recognise a value one knows."""
    if "@" in text:
        text = _EMAIL.sub(f"{HIDDEN}@", text)
    text = _HASH.sub(rf"\1{HIDDEN}", text)
    text = _SPELLED_PHONE.sub(rf"{HIDDEN}\1", text)
    return _DIGITS.sub(rf"{HIDDEN}\1", text)


def redact_headers(headers: Iterable[tuple[str, str]], *, secret: str) -> dict[str, str]:
    """Headers for the ledger: those that carry credentials hidden, `secret` hidden wherever else it stands."""
    return {name: HIDDEN if name.lower() in _SECRET_HEADERS else hide(value, secret) for name, value in headers}


def hide(text: str, secret: str) -> str:
    return text.replace(secret, HIDDEN) if secret else text
