"""Secrets at rest: Fernet with a list of keys.

The first key encrypts, all decrypt, so a key is rotated by adding one in front.
"""

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class UnreadableSecret(Exception):
    """None of ENCRYPTION_KEYS opens this secret: a key was removed too early. Whoever meets it on the way to an answer
    answers with status 503 and these."""

    status = 503
    code = "unreadable_secret"
    message = _("What is kept here was encrypted with a key that this server does not have.")
    next_step = _(
        "Whoever runs this installation puts the key that was taken out back at the end of ENCRYPTION_KEYS and "
        "restarts it; `manage.py doctor` tells what cannot be read. Until then it stays as it is."
    )


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    return _fernet(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Raises UnreadableSecret."""
    try:
        return _fernet(tuple(settings.ENCRYPTION_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise UnreadableSecret from error


def seal_bytes(content: bytes) -> bytes:
    return _fernet(tuple(settings.ENCRYPTION_KEYS)).encrypt(content)


def open_bytes(sealed: bytes) -> bytes:
    """Raises UnreadableSecret."""
    try:
        return _fernet(tuple(settings.ENCRYPTION_KEYS)).decrypt(sealed)
    except InvalidToken as error:
        raise UnreadableSecret from error
