"""Personal values at rest: AES-256-GCM under keys derived from ENCRYPTION_KEYS.

Secrets are few and go through Fernet (`encryption`); what people are found by comes by the thousand a second, so this
is the fast way: the first key seals, all open, and each sealed text names its key. `place` is bound to it as well (the
table and column), so that a sealed value copied into another column does not open there. The row is not: COPY and
UPDATE take columns, whose values do not know their row's counter.
"""

import binascii
import os
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from apps.counters.encryption import UnreadableSecret

MARK: Final = "gp1."
"""How a sealed text begins; then the key's id, a dot, and the rest in base64."""

_MARK_BYTES: Final = b"\x00gp1."
_NONCE: Final = 12
_ID: Final = 8  # characters
_BODY: Final = len(MARK) + _ID + 1


@dataclass(frozen=True, slots=True)
class Key:
    """One of ENCRYPTION_KEYS, as it seals. `id` tells nothing of it."""

    id: str
    cipher: AESGCM


def wanted() -> bool:
    """Whether identifiers are to be sealed when they are written; both are read, whatever is written."""
    return bool(settings.ENCRYPT_IDENTIFIERS)


def current() -> Key:
    """The key that seals."""
    return _ring(tuple(settings.ENCRYPTION_KEYS))[0]


def sealer(place: bytes) -> Callable[[str], str]:
    """What seals texts for this place with the current key."""
    key = current()
    start, encrypt = f"{MARK}{key.id}.", key.cipher.encrypt

    def seal(text: str) -> str:
        nonce = os.urandom(_NONCE)
        sealed = nonce + encrypt(nonce, text.encode(), place)
        return start + binascii.b2a_base64(sealed, newline=False).decode("ascii")

    return seal


def opener(place: bytes) -> Callable[[str], str]:
    """What opens texts sealed for this place. It raises UnreadableSecret."""
    by_id = {key.id: key.cipher.decrypt for key in _ring(tuple(settings.ENCRYPTION_KEYS))}

    def unseal(text: str) -> str:
        decrypt = by_id.get(text[len(MARK) : _BODY - 1])
        if decrypt is None:
            raise _unknown_key(text)
        try:
            sealed = binascii.a2b_base64(text[_BODY:])
            return decrypt(sealed[:_NONCE], sealed[_NONCE:], place).decode()
        except (InvalidTag, ValueError) as error:
            raise UnreadableSecret(
                "A sealed value does not open: it was changed, or belongs to another place."
            ) from error

    return unseal


def key_of(text: str) -> str:
    """The id of the key that sealed the text."""
    return text[len(MARK) : _BODY - 1]


def seal_bytes(data: bytes, place: bytes) -> bytes:
    """For columns and files of bytes; what is sealed begins with a mark that neither zlib nor gzip writes."""
    key, nonce = current(), os.urandom(_NONCE)
    return b"".join([_MARK_BYTES, key.id.encode(), nonce, key.cipher.encrypt(nonce, data, place)])


def open_bytes(data: bytes, place: bytes) -> bytes:
    """What was sealed, and what never was, as it is. Raises UnreadableSecret."""
    if not data.startswith(_MARK_BYTES):
        return data
    start = len(_MARK_BYTES) + _ID
    name = data[len(_MARK_BYTES) : start].decode("ascii", "replace")
    for key in _ring(tuple(settings.ENCRYPTION_KEYS)):
        if key.id == name:
            try:
                return key.cipher.decrypt(data[start : start + _NONCE], data[start + _NONCE :], place)
            except InvalidTag as error:
                raise UnreadableSecret("Sealed bytes do not open: they were changed.") from error
    raise _unknown_key(f"{MARK}{name}.")


def key_of_bytes(data: bytes) -> str:
    """The id of the key that sealed these bytes; empty where they are not sealed."""
    start = len(_MARK_BYTES)
    return data[start : start + _ID].decode("ascii", "replace") if data.startswith(_MARK_BYTES) else ""


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> tuple[Key, ...]:
    return tuple(map(_derived, keys))


def _derived(fernet_key: str) -> Key:
    material = urlsafe_b64decode(fernet_key)
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"goalpost: identifiers at rest, 1").derive(material)
    return Key(blake2b(derived, digest_size=_ID // 2, person=b"goalpost key id").hexdigest(), AESGCM(derived))


def _unknown_key(text: str) -> UnreadableSecret:
    return UnreadableSecret(
        f"No key of ENCRYPTION_KEYS is the one that sealed this (its id is {key_of(text)}). Put the key that was "
        "removed back at the end of the list; `manage.py rotate_keys` tells when a key is needed no more."
    )
