"""One HTTP call from its record in the ledger to a value or an error (R6). Pages: authorization, errors.

What is known about a call that broke hangs on one question: had its first byte left? The connection pool tells when
it starts to write the request, so the answer is exact and does not rest on the kind of exception.
"""

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from ssl import SSLContext
from typing import TypeVar

import httpcore
import httpx

from apps.metrica import catalogue
from apps.metrica.bodies import Body
from apps.metrica.errors import Effect, error_from_answer, parsed_json
from apps.metrica.exceptions import MetricaError
from apps.metrica.guarded import GuardedBackend, Reach
from apps.metrica.ledger import (
    MAX_EXCERPT_CHARACTERS,
    MAX_RESPONSE_CHARACTERS,
    Exchange,
    NoRecorder,
    Outcome,
    Recorder,
    kept_text,
    outcome_of,
)
from apps.metrica.parts import Unreadable
from apps.metrica.redact import HIDDEN, hide, redact_headers

MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_UPLOAD_ANSWER_BYTES = 1024 * 1024
CONNECT_TIMEOUT = 10.0

T = TypeVar("T")


_STEADY: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def _seconds() -> float:
    """Of a clock that never goes back, and that does not stand still while the machine sleeps."""
    return time.clock_gettime(_STEADY) if _STEADY is not None else time.monotonic()


class _Broken(Exception):
    """Our own reasons to give a call up: the whole time is over, or the answer is too large."""


@dataclass
class _Attempt:
    """How far one call has come."""

    deadline: float
    step: float
    sending: bool = False
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytearray = field(default_factory=bytearray, repr=False)

    def __post_init__(self) -> None:
        connect = min(self.step, CONNECT_TIMEOUT)
        self.timeouts = {"connect": connect, "read": self.step, "write": self.step, "pool": self.step}

    def trace(self, event: str, _info: Mapping[str, object]) -> None:
        """Called by the connection pool before and after each of its steps, which then looks up its `timeouts`."""
        if event.endswith(".send_request_headers.started"):
            # Who was stopped for longer than the call may take sends nothing any more: by now somebody else does.
            self.check_time()
            self.sending = True
        if event.endswith(".started"):
            left = max(self.deadline - _seconds(), 0.001)
            self.timeouts["read"] = self.timeouts["write"] = min(self.step, left)

    def check_time(self) -> None:
        if _seconds() > self.deadline:
            raise _Broken("The time for the whole call is over.")


class Transport:
    """Makes calls on behalf of one token, which it shows to nobody but the server it was made for."""

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        recorder: Recorder | None,
        timeout: float,
        total_timeout: float | None,
        user_agent: str,
        may_reach: Reach | None = None,
    ) -> None:
        self.base_url = _checked_url(base_url)
        self.server_date: datetime | None = None  # of the newest answer, as the server's own clock told it
        self._token = token
        self._recorder = recorder or NoRecorder()
        self._total_timeout = total_timeout
        self._step = timeout if total_timeout is None else min(timeout, total_timeout)
        self._http = httpx.Client(
            # A connection that was kept may have died unnoticed, which would make an upload's outcome unknown for
            # nothing. So each call has its own; connecting, and only that, is tried twice.
            transport=_Connecting(may_reach),
            headers={"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )

    def __repr__(self) -> str:
        return f"Transport({self.base_url!r})"

    def close(self) -> None:
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str],
        read: Callable[[object], T],
        body: Body | None = None,
        effect: Effect = Effect.READS,
    ) -> T:
        """The value that `read` makes of the answer's JSON. Raises MetricaError.

        `effect` says what it means if the answer is lost. `read` raises Unreadable for an answer of the wrong shape,
        or the MetricaError that the answer means.
        """
        if not _is_token(self._token):
            raise catalogue.BAD_TOKEN.error()
        attempt = _Attempt(_seconds() + (self._total_timeout or float("inf")), self._step)
        request = self._request(method, path, params=params, body=body, attempt=attempt)
        exchange = self._exchange(request, body)
        self._recorder.started(exchange)
        try:
            result = self._made(request, attempt, read, effect)
        except BaseException:
            # Not a broken call but a broken program, or a task that is being stopped. The ledger still says how far
            # it came. Whoever catches this must take an upload for one of unknown outcome.
            with suppress(Exception):
                self._finish(exchange, attempt, "unknown" if attempt.sending else "transient", "interrupted")
            raise
        if isinstance(result, MetricaError):
            self._finish(exchange, attempt, outcome_of(result), result.code)
            raise result
        self._finish(exchange, attempt, "ok", "")
        return result

    def _request(
        self, method: str, path: str, params: Mapping[str, str], body: Body | None, attempt: _Attempt
    ) -> httpx.Request:
        # httpx.Headers keeps the token out of its own repr, and so out of error reports that show local variables.
        headers = httpx.Headers({"Authorization": f"OAuth {self._token}"})
        if body is not None:
            headers["Content-Type"] = body.content_type
            headers["Content-Length"] = str(body.length)
        return self._http.build_request(
            method,
            self.base_url + path,
            params=params,
            headers=headers,
            content=_timed(body, attempt) if body is not None else None,
            extensions={"trace": attempt.trace, "timeout": attempt.timeouts},
        )

    def _exchange(self, request: httpx.Request, body: Body | None) -> Exchange:
        exchange = Exchange(
            method=request.method,
            url=hide(str(request.url), self._token),
            request_headers=redact_headers(request.headers.items(), secret=self._token),
        )
        if body is not None:
            exchange.request_size = body.length
            start = body.excerpt(4 * MAX_EXCERPT_CHARACTERS)
            exchange.request_excerpt = kept_text(start, limit=MAX_EXCERPT_CHARACTERS, secret=self._token)
        return exchange

    def _made(
        self, request: httpx.Request, attempt: _Attempt, read: Callable[[object], T], effect: Effect
    ) -> T | MetricaError:
        """The value, or the error. It is returned, not raised, so that it does not drag along a traceback whose
        frames hold the token.
        """
        try:
            self._send(request, attempt, MAX_UPLOAD_ANSWER_BYTES if effect is Effect.UPLOADS else MAX_ANSWER_BYTES)
        except Exception as problem:
            # A file that cannot be read on may raise anything; once sending has begun, it leaves the same question.
            if not isinstance(problem, _CONNECTION_PROBLEMS) and not (effect is Effect.UPLOADS and attempt.sending):
                raise
            return self._broken(attempt, problem, effect)
        status, body = attempt.status, bytes(attempt.body)
        assert status is not None
        if 200 <= status < 300:
            try:
                return read(parsed_json(body))
            except MetricaError as error:
                return error
            except Unreadable:
                pass
        return self._refusal(attempt, status, effect)

    def _send(self, request: httpx.Request, attempt: _Attempt, limit: int) -> None:
        response = self._http.send(request, stream=True)
        try:
            attempt.status = response.status_code
            attempt.headers = {name.lower(): value for name, value in response.headers.items()}
            self.server_date = _date(attempt.headers.get("date", ""))
            inflate = _inflater(attempt.headers.get("content-encoding", ""))
            for piece in response.iter_raw():
                attempt.check_time()
                attempt.body += inflate(piece, limit)
                if len(attempt.body) >= limit:
                    if response.status_code < 300:
                        raise _Broken("The answer is larger than any that Metrica gives.")
                    return  # a refusal that is long-winded is a refusal
        finally:
            response.close()

    def _broken(self, attempt: _Attempt, problem: Exception, effect: Effect) -> MetricaError:
        detail = hide(f"{type(problem).__name__}: {problem}", self._token)
        if not attempt.sending:
            return catalogue.NOT_SENT.error(detail=detail)
        status = attempt.status
        if status is not None and 400 <= status < 500 and status not in _STATUS_SAYS_ALL:
            return catalogue.REFUSAL_CUT.error(http_status=status, detail=detail)
        if status is not None and status >= 300:
            return self._refusal(attempt, status, effect)
        return effect.lost.error(http_status=status, detail=detail)

    def _refusal(self, attempt: _Attempt, status: int, effect: Effect) -> MetricaError:
        body = bytes(attempt.body).replace(self._token.encode(), HIDDEN.encode())
        return error_from_answer(status=status, headers=attempt.headers, body=body, effect=effect)

    def _finish(self, exchange: Exchange, attempt: _Attempt, outcome: Outcome, error_code: str) -> None:
        exchange.finished_at = datetime.now(UTC)
        exchange.status = attempt.status
        exchange.response_headers = redact_headers(attempt.headers.items(), secret=self._token)
        exchange.response_body = kept_text(_decoded(attempt.body), limit=MAX_RESPONSE_CHARACTERS, secret=self._token)
        exchange.outcome = outcome
        exchange.error_code = error_code
        self._recorder.finished(exchange)


class _Connecting(httpx.HTTPTransport):
    """httpx lets nobody choose how a connection comes about, so the pool that does it is put in place of its own."""

    def __init__(self, may_reach: Reach | None) -> None:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
        super().__init__(verify=_tls(), retries=1, limits=limits)
        if may_reach is not None:
            self._pool = httpcore.ConnectionPool(
                ssl_context=_tls(),
                max_connections=limits.max_connections,
                max_keepalive_connections=limits.max_keepalive_connections,
                retries=1,
                network_backend=GuardedBackend(may_reach),
            )


_CONNECTION_PROBLEMS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, zlib.error, _Broken)
_STATUS_SAYS_ALL = frozenset({413, 420, 429})


def _decoded(body: bytearray) -> str:
    return body.decode("utf-8", errors="replace")


def _date(header: str) -> datetime | None:
    try:
        told = parsedate_to_datetime(header)
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _timed(body: Body, attempt: _Attempt) -> Iterator[bytes]:
    for piece in body:
        attempt.check_time()
        yield piece


def _inflater(encoding: str) -> Callable[[bytes, int], bytes]:
    """Metrica is asked not to compress; should something between do so, the answer is unpacked within the limit."""
    if encoding not in ("gzip", "deflate"):
        return lambda data, _limit: data
    return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress


def _is_token(token: str) -> bool:
    return token.isascii() and token.isprintable() and " " not in token and token != ""


def _checked_url(base_url: str) -> str:
    url = httpx.URL(base_url)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("The base URL must look like https://api-metrika.yandex.net.")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("The base URL must hold no user name, password, query or fragment.")
    return base_url.rstrip("/")


@lru_cache(maxsize=1)
def _tls() -> SSLContext:
    """Loading the certificates takes longer than a call does."""
    return httpx.create_ssl_context()
