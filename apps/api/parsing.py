"""JSON in, read once and strictly: money stays exact, and whatever is no plain JSON is refused with its place."""

import codecs
import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any, NamedTuple

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from apps.api import bodies
from apps.api.problems import Problem, bad_request
from apps.metrica.text import Text

_HALF_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
MAX_NUMBER = 100  # characters


class _Refused(ValueError):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class StrictJSONParser(BaseParser):
    """Numbers with a point become Decimal. Raises a Problem: 400 for what is no good JSON, 413 for too much of it."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        request: Request | None = (parser_context or {}).get("request")
        if request is None:
            return read_json(stream.read())
        check_charset(request)
        return read_json(bodies.whole(request._request))


class Place(NamedTuple):
    """How that which is read is called to whoever sent it."""

    not_utf8: Text
    malformed: Text


BODY = Place(_("Byte %(byte)s of the body is not UTF-8."), _("The body is no JSON: line %(line)s, column %(column)s."))


def read_json(body: bytes, place: Place = BODY) -> Any:
    """The one value that the body, or a line of it, holds. Raises a Problem (400)."""
    try:
        text = body.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise bad_request(
            "not_utf8",
            place.not_utf8 % {"byte": error.start + 1},
            _("Send the JSON in UTF-8."),
        ) from None
    if not text.strip():
        raise bad_request("empty_body", _("The body is empty."), _("Send JSON."))
    try:
        value = json.loads(
            text,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except _Refused as refused:
        raise refused.problem from None
    except json.JSONDecodeError as error:
        message = place.malformed % {"line": error.lineno, "column": error.colno}
        raise bad_request("malformed_json", message, _("Correct the JSON at this place.")) from None
    except RecursionError:
        message = _("The JSON is nested too deeply.")
        raise bad_request("too_deep", message, _("An order has no more than a few levels.")) from None
    if _HALF_SURROGATE.search(body):
        try:
            json.dumps(value, ensure_ascii=False, default=str).encode()
        except (UnicodeEncodeError, RecursionError):
            message = _("The JSON holds half of a surrogate pair, which is no character.")
            raise bad_request("half_surrogate", message, _("Write the character itself in UTF-8.")) from None
    return value


def check_charset(request: Request) -> None:
    charset = (request._request.content_params or {}).get("charset", "utf-8").strip("\"' ").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType(request.content_type)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _value in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        message = _("The name “%(name)s” stands twice in one object.") % {"name": twice[:100]}
        raise _Refused(bad_request("duplicate_name", message, _("Keep one of the two."), field=twice[:100]))
    return made


def _decimal(text: str) -> Decimal:
    _check_length(text)
    try:
        return Decimal(text)
    except InvalidOperation:
        message = _("%(text)s is larger or smaller than any number that can be read.") % {"text": text}
        raise _Refused(bad_request("not_a_number", message, _("Leave the field out or send null."))) from None


def _integer(text: str) -> int:
    _check_length(text)
    return int(text)


def _check_length(text: str) -> None:
    if len(text) > MAX_NUMBER:
        message = _("A number is longer than %(limit)s characters.") % {"limit": MAX_NUMBER}
        raise _Refused(bad_request("number_too_long", message, _("Send identifiers as strings.")))


def _constant(text: str) -> None:
    message = _("%(text)s is no JSON number.") % {"text": text}
    raise _Refused(bad_request("not_a_number", message, _("Leave the field out or send null.")))
