"""JSON bodies of the management API (formats page): read whole, with the documented errors for what is none."""

import json
from decimal import Decimal
from typing import Any, NoReturn

from django.http import UnreadablePostError

from apps.sandbox.api.endpoint import Call
from apps.sandbox.envelope import ApiError

_TYPES = ("application/json", "application/x-yametrika+json")
_MOST_BYTES = 1024 * 1024


def json_object(call: Call, name: str) -> dict[str, Any]:
    """The object `name` of the body, as in `{"goal": {…}}`. Numbers with a fraction come as Decimal."""
    if call.request.content_type not in _TYPES:
        raise ApiError("not_acceptable", f"The body must be {_TYPES[0]}.")
    try:
        body = json.loads(_bytes(call), parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ApiError("invalid_json", "The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise ApiError("invalid_json", "The body must be a JSON object.")
    if name not in body:
        raise ApiError("missing_parameter", f"The body has no {name}.", location=name)
    found = body[name]
    if not isinstance(found, dict):
        raise ApiError("invalid_parameter", f"{name} must be an object.", location=name)
    return found


def _bytes(call: Call) -> bytes:
    parts = []
    try:
        while part := call.body.read():
            parts.append(part)
            if call.body.received > _MOST_BYTES:
                raise ApiError("invalid_parameter", f"The body is larger than {_MOST_BYTES} bytes.")
    except UnreadablePostError:
        raise ApiError("invalid_json", "The body ended before its end.") from None
    return b"".join(parts)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON.")


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
