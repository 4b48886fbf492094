"""From an answer of Metrica to the error that it means (R6, R7). Pages: errors, quotas, uploadSimpleOrders.

The classes are in exceptions.py and the words in catalogue.py; both are had from here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING

from apps.metrica import catalogue
from apps.metrica.catalogue import CATALOGUE, ErrorKind
from apps.metrica.exceptions import (
    AccessDenied,
    AuthorizationError,
    InvalidRequest,
    MetricaError,
    NoAnswer,
    NotFound,
    NotSent,
    PermanentError,
    QuotaExceeded,
    ServerError,
    TransientError,
    UnknownOutcome,
    UploadRefused,
)
from apps.metrica.redact import mask_personal

if TYPE_CHECKING:
    import httpx

__all__ = [
    "CATALOGUE",
    "AccessDenied",
    "AuthorizationError",
    "Effect",
    "ErrorKind",
    "InvalidRequest",
    "MetricaError",
    "NoAnswer",
    "NotFound",
    "NotSent",
    "PermanentError",
    "QuotaExceeded",
    "ServerError",
    "TransientError",
    "UnknownOutcome",
    "UploadRefused",
    "error_from_answer",
    "error_from_response",
    "parsed_json",
    "seconds_to_wait",
]

MAX_DETAIL = 1000
MAX_PLACES = 100
MAX_RETRY_AFTER = 86_400.0

_INTO_THE_FILE = re.compile(r"\[\d+\]|\b(?:line|row|file)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The first error that Metrica names, and all of its texts and places."""

    error_type: str
    location: str
    detail: str
    locations: tuple[str, ...] = ()


class Effect(Enum):
    """What a call does, which decides what it means when its answer is lost."""

    READS = "reads"
    CHANGES = "changes"
    UPLOADS = "uploads"

    @property
    def lost(self) -> ErrorKind:
        """The error when nothing proves what came of the call."""
        return {Effect.READS: catalogue.NO_ANSWER, Effect.CHANGES: catalogue.UNKNOWN_CHANGE}.get(
            self, catalogue.UNKNOWN
        )


def error_from_response(response: "httpx.Response", *, effect: Effect) -> MetricaError:
    """The error for an answer that is no success. The response must have been read."""
    return error_from_answer(
        status=response.status_code, headers=response.headers, body=response.content, effect=effect
    )


def error_from_answer(*, status: int, headers: Mapping[str, str], body: bytes, effect: Effect) -> MetricaError:
    """The error for an answer that is no success, or a 2xx whose body is of no use.

    `headers` by lower-case name. A refusal in Metrica's own words is believed. For an upload or a change, whatever
    could have been written after Metrica took it in (502, 504, `timeout`, a 5xx without Metrica's words, an
    unreadable 2xx) is an UnknownOutcome.
    """
    envelope = _read_envelope(body)
    return _kind(status, envelope, effect).error(
        http_status=status,
        error_type=envelope.error_type,
        location=envelope.location,
        locations=envelope.locations,
        detail=envelope.detail,
        retry_after=seconds_to_wait(headers.get("retry-after", "")),
    )


def parsed_json(body: bytes) -> object:
    """The JSON value in `body`, or None if there is none that can be read."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _kind(status: int, envelope: _Envelope, effect: Effect) -> ErrorKind:
    documented = CATALOGUE.get(envelope.error_type)
    if status < 300:
        return effect.lost
    if status < 400:
        return catalogue.REDIRECT
    if effect is not Effect.READS:
        if status in (502, 504) or envelope.error_type == "timeout":
            return effect.lost
        if status >= 500:
            return documented or effect.lost
    if effect is Effect.UPLOADS:
        if status == 400 and _points_into_the_file(envelope):
            return CATALOGUE["invalid_uploading"]
        return documented or catalogue.BY_STATUS.get(status, catalogue.REFUSED)
    kind = documented or catalogue.BY_STATUS.get(status, catalogue.SERVER if status >= 500 else catalogue.REFUSED)
    if kind is catalogue.FILE_TOO_LARGE:
        return catalogue.REFUSED  # there is no file to split
    if effect is Effect.CHANGES and kind is CATALOGUE["access_denied"]:
        return catalogue.CHANGE_DENIED
    return kind


def _points_into_the_file(envelope: _Envelope) -> bool:
    """The documented sample of a bad element is `invalid_parameter` at `orders[0].id`: the file, not the call."""
    return (
        envelope.error_type in ("invalid_parameter", "missing_parameter")
        and _INTO_THE_FILE.search(envelope.location) is not None
    )


def _read_envelope(body: bytes) -> _Envelope:
    answer = parsed_json(body)
    if not isinstance(answer, dict):
        return _Envelope("", "", "")
    listed = answer.get("errors")
    errors = [error for error in listed if isinstance(error, dict)] if isinstance(listed, list) else []
    first = errors[0] if errors else {}
    said = [_text(error.get("message")) for error in errors] + [_text(answer.get("message"))]
    detail = "; ".join(dict.fromkeys(text for text in said if text))
    return _Envelope(
        _text(first.get("error_type")),
        mask_personal(_text(first.get("location")))[:MAX_DETAIL],
        mask_personal(detail)[:MAX_DETAIL],
        tuple(
            place[:MAX_DETAIL]
            for error in errors[:MAX_PLACES]
            if (place := mask_personal(_text(error.get("location"))))
        ),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def seconds_to_wait(value: str) -> float | None:
    """Of a Retry-After, which holds seconds or a date. Metrica documents none, but proxies before it may send one."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), MAX_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max((until - datetime.now(UTC)).total_seconds(), 0.0), MAX_RETRY_AFTER)
