"""Identifiers as Metrica matches them: normalised, checked, hashed. Pages: simple-orders-data, hashing."""

from collections.abc import Callable

from apps.metrica.text import Text


class IdentifierError(ValueError):
    """A text that is no identifier of its kind. `code` is stable, `message` is for people."""

    def __init__(self, code: str, message: Text) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def normalize_email(text: str) -> str:
    raise NotImplementedError


def normalize_phone(text: str) -> str:
    raise NotImplementedError


def normalize_client_id(text: str) -> str:
    raise NotImplementedError


def normalize_md5(text: str) -> str:
    raise NotImplementedError


def md5_of(normalised: str) -> str:
    raise NotImplementedError


NORMALIZERS: dict[str, Callable[[str], str]] = {
    "client_ids": normalize_client_id,
    "emails": normalize_email,
    "phones": normalize_phone,
    "emails_md5": normalize_md5,
    "phones_md5": normalize_md5,
}
