"""Signatures of outgoing requests, by which a receiver knows that a request is ours, whole, and not an old one again.

The header `Goalpost-Signature: t=1764165600,v1=5f3a…` holds the time of sending (Unix seconds) and HMAC-SHA256, in hex,
of that time, a dot and the body. While a secret is being changed there is one `v1` for each secret. docs/webhooks.md
tells receivers how to check it.
"""

import hashlib
import hmac
import time
from collections.abc import Sequence
from secrets import token_urlsafe

HEADER = "Goalpost-Signature"
SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with, so that scanners of repositories know them


def new_secret() -> str:
    return SECRET_PREFIX + token_urlsafe(32)


def sign(*, body: bytes, secrets: Sequence[str], at: int | None = None) -> str:
    """The header's value, signed with each of `secrets`. `at`: Unix seconds, now if left out."""
    stamp = int(time.time()) if at is None else at
    return ",".join([f"t={stamp}", *(f"v1={_digest(body, secret, stamp)}" for secret in secrets)])


def _digest(body: bytes, secret: str, stamp: int) -> str:
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
