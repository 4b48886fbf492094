"""Small parts of Metrica's answers. They differ from the pages in types (0/1 for a boolean, a number for a text), so
what can be understood is understood; where the shape itself is wrong, Unreadable is raised.
"""

from decimal import Decimal, InvalidOperation
from typing import Any


class Unreadable(ValueError):
    """The answer is JSON, but not what the page describes."""


def inner(answer: object, key: str) -> dict[str, Any]:
    """The object under `key`. Raises Unreadable."""
    value = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(value, dict):
        raise Unreadable(key)
    return value


def entries(answer: object, key: str) -> list[dict[str, Any]]:
    """The list of objects under `key`. Raises Unreadable."""
    value = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise Unreadable(key)
    return value


def number(raw: dict[str, Any], key: str = "id") -> int:
    """The whole number under `key`. Raises Unreadable."""
    value = raw.get(key)
    if not isinstance(value, int):
        raise Unreadable(key)
    return value


def text(value: object) -> str:
    """A text, "" for null and for what is none."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) else ""


def texts(value: object) -> tuple[str, ...]:
    """A list of texts; a bare text, which official samples show in its place, is a list of one."""
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(text(item) for item in value) if isinstance(value, list) else ()


def flag(value: object) -> bool | None:
    """True or False for a boolean or 0 and 1, None for null and for what is none."""
    return bool(value) if isinstance(value, int) else None


def decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
