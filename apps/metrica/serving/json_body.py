"""JSON bodies, read strictly (formats page), and their fields by the limits of the schema."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from apps.metrica.serving.envelope import ApiError
from apps.metrica.vocabulary import ID_PATTERN, MAX_HUMANIZED_LENGTH

if TYPE_CHECKING:
    from django.http import HttpRequest

    from apps.metrica.serving.body import BodyReader

E = TypeVar("E", bound=Enum)

JSON_TYPES = ("application/json", "application/x-yametrika+json")
# The longest body that the schema allows is read whole: 160,000 products with names.
_MAX_BYTES = 100_000_000
_MAX_SETTING_BYTES = 1024 * 1024
_STEP = 64 * 1024


class Call(Protocol):
    """A request with its body, which may be read once."""

    @property
    def request(self) -> "HttpRequest": ...

    @property
    def body(self) -> "BodyReader": ...


def read_object(call: Call, *, most: int = _MAX_BYTES, strict: bool = True) -> tuple[dict[str, Any], bytes]:
    """The body as an object, and its very bytes; numbers with a fraction come as Decimal. `strict`: only where its
    type says that it is JSON.

    Raises ApiError for all that is not a JSON object in UTF-8.
    """
    from django.http import UnreadablePostError

    if strict and call.request.content_type not in JSON_TYPES:
        raise ApiError("not_acceptable", f"The body must be {JSON_TYPES[0]}.")
    parts: list[bytes] = []
    try:
        while data := call.body.read(_STEP):
            parts.append(data)
            if call.body.received > most:
                raise ApiError("invalid_parameter", f"The body is larger than {most} bytes.")
    except UnreadablePostError as error:
        raise ApiError("invalid_json", "The body ended before its end.") from error
    raw = b"".join(parts)
    if len(raw) < int(call.request.META.get("CONTENT_LENGTH") or 0):
        raise ApiError("invalid_json", "The body ended before its end.")
    try:
        body = json.loads(raw.decode(), parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, InvalidOperation, RecursionError):
        raise ApiError("invalid_json", "The body is not valid JSON in UTF-8.") from None
    if not isinstance(body, dict):
        raise ApiError("invalid_json", "The body must be a JSON object.")
    return body, raw


def json_object(call: Call, name: str) -> dict[str, Any]:
    """The object `name` of the body, as in `{"goal": {…}}`."""
    body, _raw = read_object(call, most=_MAX_SETTING_BYTES)
    if name not in body:
        raise ApiError("missing_parameter", f"The body has no {name}.", location=name)
    found = body[name]
    if not isinstance(found, dict):
        raise ApiError("invalid_parameter", f"{name} must be an object.", location=name)
    return found


def objects(body: Mapping[str, Any], name: str, *, most: int | None = None) -> list[dict[str, Any]]:
    """A required list of objects."""
    if name not in body:
        raise ApiError("missing_parameter", f"{name} is required.", location=name)
    rows = body[name]
    if not isinstance(rows, list):
        raise ApiError("invalid_parameter", f"{name} must be a list.", location=name)
    if most is not None and len(rows) > most:
        raise ApiError("invalid_parameter", f"{name} has at most {most} elements.", location=name)
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ApiError("invalid_parameter", "An object is expected.", location=f"{name}[{number}]")
    return rows


def identifier(row: Mapping[str, Any], name: str, place: str) -> str:
    """A required text of 1 to 255 characters of the pattern `^[\\w-:]+$`."""
    location = f"{place}.{name}"
    if row.get(name) is None:
        raise ApiError("missing_parameter", f"{name} is required.", location=location)
    value = row[name]
    if not isinstance(value, str) or not ID_PATTERN.match(value):
        message = f"{name} must have 1 to 255 characters: Latin letters, digits, “_”, “-” and “:”."
        raise ApiError("invalid_parameter", message, location=location)
    return value


def text(row: Mapping[str, Any], name: str, place: str, *, most: int = MAX_HUMANIZED_LENGTH) -> str:
    """A text that may be left out."""
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most or not is_plain(value):
        raise ApiError(
            "invalid_parameter", f"{name} must be a text of at most {most} characters.", location=f"{place}.{name}"
        )
    return value


def boolean(row: Mapping[str, Any], name: str, place: str) -> bool:
    """A required true or false; real answers write 0 and 1, so these are taken too."""
    value = row.get(name)
    if value is None:
        raise ApiError("missing_parameter", f"{name} is required.", location=f"{place}.{name}")
    if value not in (True, False):
        raise ApiError("invalid_parameter", f"{name} must be true or false.", location=f"{place}.{name}")
    return bool(value)


def one_of(row: Mapping[str, Any], name: str, place: str, kind: type[E]) -> E:
    """A required member of `kind` by value."""
    value = row.get(name)
    if value is None:
        raise ApiError("missing_parameter", f"{name} is required.", location=f"{place}.{name}")
    try:
        return kind(value)
    except ValueError:
        listed = ", ".join(str(member.value) for member in kind)
        raise ApiError("invalid_parameter", f"{name} must be one of {listed}.", location=f"{place}.{name}") from None


def text_of(
    fields: dict[str, Any], name: str, *, where: str, most: int = 255, default: str | None = None, least: int = 0
) -> str:
    """A text field. Without a default it is required; null is as good as left out."""
    location = f"{where}.{name}"
    value = fields.get(name)
    if value is None:
        if default is None:
            raise ApiError("missing_parameter", f"{name} is required.", location=location)
        return default
    if not isinstance(value, str) or not least <= len(value) <= most or "\x00" in value:
        message = f"{name} must be a text of {least} to {most} characters."
        raise ApiError("invalid_parameter", message, location=location)
    return value


def flag_of(fields: dict[str, Any], name: str, *, where: str, default: bool = False) -> bool:
    """A boolean, which Metrica's answers write as 0 and 1."""
    value = fields.get(name, default)
    if not isinstance(value, (bool, int)) or value not in (0, 1):
        raise ApiError("invalid_parameter", f"{name} must be true or false.", location=f"{where}.{name}")
    return bool(value)


def is_plain(value: str) -> bool:
    """Whether a database can hold the text: no NUL, no half of a character."""
    return "\0" not in value and _LONE.search(value) is None


_LONE = re.compile("[\ud800-\udfff]")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON.")
