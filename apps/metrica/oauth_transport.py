"""One call to Yandex OAuth, from its record in the ledger to a JSON object or an error.

Forms that carry secrets go in and answers that carry tokens come out, so the ledger gets neither: of the form only
the names of its fields, of the answer only what is no secret.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote, urlencode

import httpx

from apps.metrica.errors import MAX_DETAIL, parsed_json
from apps.metrica.exceptions import MetricaError
from apps.metrica.ledger import MAX_RESPONSE_CHARACTERS, Exchange, NoRecorder, Outcome, Recorder, outcome_of
from apps.metrica.oauth_errors import OAUTH_NO_ANSWER, OAUTH_NOT_SENT, Step, kind_of
from apps.metrica.parts import Unreadable
from apps.metrica.redact import HIDDEN, mask_personal, redact_headers

MAX_ANSWER_BYTES = 64 * 1024
CONNECT_TIMEOUT = 10.0
SHOWN_FIELDS = frozenset(
    {"token_type", "expires_in", "scope", "error", "error_description", "status", "interval", "client_id"}
)

T = TypeVar("T")


class _Broken(Exception):
    """Our own reasons to give a call up: the whole time is over, or the answer is too large."""


@dataclass
class _Attempt:
    """How far one call has come."""

    deadline: float
    sending: bool = False
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytearray = field(default_factory=bytearray, repr=False)

    def trace(self, event: str, _info: Mapping[str, object]) -> None:
        if event.endswith(".send_request_headers.started"):
            self.sending = True


class OAuthTransport:
    """Makes calls and forgets them. `timeout`: seconds for each step of a call; `total_timeout`: for a whole one."""

    def __init__(self, *, recorder: Recorder | None, timeout: float, total_timeout: float, user_agent: str) -> None:
        self._recorder = recorder or NoRecorder()
        self._timeout = min(timeout, total_timeout)
        self._total_timeout = total_timeout
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(
                retries=1, limits=httpx.Limits(max_connections=1, max_keepalive_connections=0)
            ),
            headers={"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        self._http.close()

    def call(
        self,
        step: Step,
        url: str,
        *,
        read: Callable[[dict[str, object]], T],
        form: Mapping[str, str] | None = None,
        token: str = "",
    ) -> T:
        """POSTs the form, or GETs with the token. The value that `read` makes of the answer. Raises MetricaError."""
        attempt = _Attempt(time.monotonic() + self._total_timeout)
        # httpx.Headers keeps the token out of its own repr, and so out of error reports that show local variables.
        headers = httpx.Headers({"Authorization": f"OAuth {token}"} if token else {})
        content = None
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            content = urlencode(form).encode()
        request = self._http.build_request(
            "GET" if form is None else "POST",
            url,
            headers=headers,
            content=content,
            extensions={"trace": attempt.trace, "timeout": self._timeouts()},
        )
        exchange = Exchange(
            method=request.method,
            url=url,
            request_headers=redact_headers(request.headers.items(), secret=token),
            request_size=len(content or b""),
            request_excerpt=_fields_of(form or {}),
        )
        secrets = _secrets_of(form or {}, token)
        self._recorder.started(exchange)
        try:
            result = self._made(step, request, attempt, read, secrets)
        except BaseException:
            with suppress(Exception):
                self._finish(exchange, attempt, "unknown" if attempt.sending else "transient", "interrupted", secrets)
            raise
        if isinstance(result, MetricaError):
            self._finish(exchange, attempt, outcome_of(result), result.code, secrets)
            raise result
        self._finish(exchange, attempt, "ok", "", secrets)
        return result

    def _timeouts(self) -> dict[str, float]:
        connect = min(self._timeout, CONNECT_TIMEOUT)
        return {"connect": connect, "read": self._timeout, "write": self._timeout, "pool": self._timeout}

    def _made(
        self,
        step: Step,
        request: httpx.Request,
        attempt: _Attempt,
        read: Callable[[dict[str, object]], T],
        secrets: tuple[str, ...],
    ) -> T | MetricaError:
        """The value, or the error: returned, so that it drags along no traceback whose frames hold secrets."""
        try:
            self._send(request, attempt)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, _Broken) as problem:
            detail = _hidden(f"{type(problem).__name__}: {problem}", secrets)
            return (OAUTH_NO_ANSWER if attempt.sending else OAUTH_NOT_SENT).error(
                http_status=attempt.status, detail=detail
            )
        status = attempt.status
        assert status is not None
        answer = parsed_json(bytes(attempt.body))
        answer = answer if isinstance(answer, dict) else {}
        if 200 <= status < 300 and "error" not in answer:
            with suppress(Unreadable):
                return read(answer)
        error, description = _text(answer.get("error")), _text(answer.get("error_description"))
        return kind_of(step=step, status=status, error=error, description=description).error(
            http_status=status,
            error_type=_hidden(error, secrets)[:100],
            detail=mask_personal(_hidden(description, secrets))[:MAX_DETAIL],
            retry_after=_seconds(attempt.headers.get("retry-after", "")),
        )

    def _send(self, request: httpx.Request, attempt: _Attempt) -> None:
        response = self._http.send(request, stream=True)
        try:
            attempt.status = response.status_code
            attempt.headers = {name.lower(): value for name, value in response.headers.items()}
            for piece in response.iter_raw():
                attempt.body += piece
                if len(attempt.body) > MAX_ANSWER_BYTES:
                    raise _Broken("The answer is larger than any that Yandex OAuth gives.")
                if time.monotonic() > attempt.deadline:
                    raise _Broken("The time for the whole call is over.")
        finally:
            response.close()

    def _finish(
        self, exchange: Exchange, attempt: _Attempt, outcome: Outcome, error_code: str, secrets: tuple[str, ...]
    ) -> None:
        exchange.finished_at = datetime.now(UTC)
        exchange.status = attempt.status
        headers = redact_headers(attempt.headers.items(), secret="")
        exchange.response_headers = {name: _hidden(value, secrets) for name, value in headers.items()}
        exchange.response_body = _shown(bytes(attempt.body), secrets)
        exchange.outcome = outcome
        exchange.error_code = error_code
        self._recorder.finished(exchange)


def _fields_of(form: Mapping[str, str]) -> str:
    """`grant_type=refresh_token&refresh_token=•••&…`"""
    return "&".join(f"{name}={value if name == 'grant_type' else HIDDEN}" for name, value in form.items())


def _secrets_of(form: Mapping[str, str], token: str) -> tuple[str, ...]:
    values = {token, *(value for name, value in form.items() if name not in ("grant_type", "client_id"))} - {""}
    return tuple(sorted(values | {quote(value, safe="") for value in values}, key=len, reverse=True))


def _hidden(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _shown(body: bytes, secrets: tuple[str, ...]) -> str:
    """The answer as the ledger may keep it. What is no JSON object could hold a token anywhere, so it is left out."""
    answer = parsed_json(body)
    if not isinstance(answer, dict):
        return ""
    kept = {str(name): value if name in SHOWN_FIELDS else HIDDEN for name, value in answer.items()}
    text = _hidden(json.dumps(kept, ensure_ascii=False), secrets)
    return mask_personal(text)[:MAX_RESPONSE_CHARACTERS]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(value: str) -> float | None:
    value = value.strip()
    return min(float(value[:9]), 86_400.0) if value.isascii() and value.isdigit() else None
