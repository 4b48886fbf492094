"""Query parameters, read strictly: a value that is not as documented is 400 invalid_parameter, never guessed."""

from collections.abc import Collection, Sequence
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from apps.metrica.problems import BadValue
from apps.metrica.serving.envelope import ApiError
from apps.metrica.wire.header import parse_columns_mapping

if TYPE_CHECKING:
    from django.http import QueryDict

E = TypeVar("E", bound=Enum)


def whole_number(query: "QueryDict", name: str, *, default: int, least: int = 1, most: int = 2**31 - 1) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or not least <= int(text) <= most:
        raise ApiError("invalid_parameter", f"{name} must be a number from {least} to {most}.", location=name)
    return int(text)


def one_of(query: "QueryDict", name: str, kind: type[E], *, default: E | None = None) -> E:
    """A member of `kind` by value. Without a default the parameter is required."""
    text = query.get(name, "")
    if not text:
        if default is None:
            raise ApiError("missing_parameter", f"{name} is required.", location=name)
        return default
    try:
        return kind(text)
    except ValueError:
        listed = ", ".join(str(member.value) for member in kind)
        raise ApiError("invalid_parameter", f"{name} must be one of {listed}.", location=name) from None


def some_of(query: "QueryDict", name: str, allowed: Collection[str]) -> Sequence[str]:
    """A comma list without spaces."""
    text = query.get(name, "")
    parts = text.split(",") if text else []
    for part in parts:
        if part not in allowed:
            raise ApiError("invalid_parameter", f"{name} does not know {part!r}.", location=name)
    return parts


def flag(query: "QueryDict", name: str, *, default: bool) -> bool:
    """A boolean: true and false, or 1 and 0."""
    text = query.get(name, "").lower()
    if not text:
        return default
    if text not in ("true", "false", "1", "0"):
        raise ApiError("invalid_parameter", f"{name} must be true or false.", location=name)
    return text in ("true", "1")


def numbers(query: "QueryDict", name: str, *, most: int) -> list[int]:
    """A comma list of int32 numbers, at most `most` of them; empty where the parameter is left out."""
    parts = query.get(name, "").split(",") if query.get(name) else []
    if len(parts) > most:
        raise ApiError("invalid_parameter", f"{name} takes at most {most} numbers.", location=name)
    for part in parts:
        if not (part.isascii() and part.isdigit()) or len(part) > 10 or not 0 < int(part) < 2**31:
            raise ApiError("invalid_parameter", f"{name} must be numbers with commas between them.", location=name)
    return [int(part) for part in parts]


def columns_mapping(query: "QueryDict") -> dict[str, str]:
    """`"attribute":"Column title"` pairs joined by commas (uploadContacts page); each attribute and title once."""
    try:
        return parse_columns_mapping(query.get("columns_mapping", ""))
    except BadValue as error:
        raise ApiError("invalid_parameter", error.message, location="columns_mapping") from error
