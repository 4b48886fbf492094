"""What proves a post besides its address: Bitrix24's application token, or a header, parameter or signature. All are
compared in constant time."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from apps.counters.encryption import UnreadableSecret, decrypt
from apps.receivers.models import Check, Kind, Receiver


def refusal(
    receiver: Receiver, *, body: bytes, document: Any, headers: Mapping[str, str], query: Mapping[str, str]
) -> str:
    """Why the post is turned away (a code of `problems.REFUSALS`); empty where it has proven itself.

    `document`: the body, read; None where it cannot be. While no secret is written down, the address alone proves.
    """
    if not receiver.check_secret_encrypted:
        return ""
    try:
        secret = decrypt(receiver.check_secret_encrypted)
    except UnreadableSecret:
        # Nothing can be told apart: closed, rather than open to everybody who knows the address.
        secret = ""
    if receiver.kind == Kind.BITRIX24:
        auth = document.get("auth") if isinstance(document, Mapping) else None
        given = auth.get("application_token") if isinstance(auth, Mapping) else None
        return "" if _same(given, secret) else "bad_token"
    if receiver.kind != Kind.GENERIC:
        return ""
    if receiver.check_kind == Check.HEADER:
        return "" if _same(_bare(headers.get(receiver.check_name, "")), secret) else "bad_header"
    if receiver.check_kind == Check.QUERY:
        return "" if _same(query.get(receiver.check_name, ""), secret) else "bad_query"
    if receiver.check_kind == Check.HMAC:
        return "" if _signed(headers.get(receiver.check_name, ""), body, secret) else "bad_signature"
    return ""


def _same(given: Any, secret: str) -> bool:
    text = given if isinstance(given, str) else ""
    return hmac.compare_digest(text.encode("utf-8", "replace"), secret.encode()) and bool(secret)


def _bare(value: str) -> str:
    """`Authorization: Bearer …` holds the secret after its first word."""
    return value[7:].strip() if value[:7].lower() == "bearer " else value.strip()


def _signed(value: str, body: bytes, secret: str) -> bool:
    """In hex or base64, after `sha256=` or alone."""
    given = value.strip()
    if given.lower().startswith(("sha256=", "sha256:")):
        given = given[7:].strip()
    right = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    try:
        sent = bytes.fromhex(given) if len(given) == 64 else base64.b64decode(given, validate=True)
    except (ValueError, binascii.Error):
        sent = b""
    return hmac.compare_digest(sent, right) and bool(secret)
