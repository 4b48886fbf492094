"""The one door for requests to addresses that people write down: webhooks, alerts. Whoever writes an address must not
reach through it what only this machine can reach.

A name is resolved once, all of its addresses are checked, and the connection goes to a checked address itself; TLS and
the Host header keep the name. So a name that means another address a moment later gains nothing. Redirects are not
followed, proxies of the environment are not used, the whole call has one deadline, and of the answer only its beginning
is read.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpcore
import httpx
from django.conf import settings
from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.agencies.outgoing import Address, may_be_reached
from apps.metrica.errors import seconds_to_wait

USER_AGENT = "Goalpost-Webhooks/1"
TIMEOUT = 10.0
RESOLVE_TIMEOUT = 5.0
MAX_URL_LENGTH = 2000
MAX_ANSWER_BYTES = 4096
MOST_ADDRESSES_TRIED = 3

# From 1024 upward any port may be a web server, but for those on which others listen that take a request's lines for
# commands of theirs.
_NOT_WEB = frozenset(
    {2049, 3306, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
    | {11211, 27017}
)

Text = str | Promise


class DoorClosed(Exception):
    """The address is refused; nothing has left. `code` is stable, the rest are sentences for people."""

    def __init__(self, code: str, message: Text, next_step: Text) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}"


class NotReached(Exception):
    """No whole answer came. The other side may have got the request all the same. `code` is stable."""

    def __init__(self, code: str, message: Text) -> None:
        super().__init__(code)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return str(self.message)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body`: the beginning of it as text; `seconds`: how long the whole call took; `retry_after`: how
    long (seconds) the other side asks to be left alone, as it says itself: a caller keeps to a bound of its own."""

    status: int
    body: str
    seconds: float
    retry_after: float | None = None


def shown(url: str) -> str:
    """The address as logs, lists and readers may show it: what stands after “?” is often a password of sorts."""
    parts = urlsplit(url)
    return parts._replace(query="…" if parts.query else "").geturl()


def check_text(url: str) -> None:
    """Whether the address is one that could be called, as it is written; nothing is looked up. Raises DoorClosed."""
    _parts(url)


def check(url: str) -> None:
    """Whether a request to this address may leave now; the name is looked up, which takes its time: not to be called
    inside a transaction. Raises DoorClosed, NotReached."""
    parts = _parts(url)
    _addresses(parts.host, parts.port, deadline=time.monotonic() + RESOLVE_TIMEOUT)


def post(
    url: str, *, body: bytes, headers: Mapping[str, str], timeout: float = TIMEOUT, most_bytes: int = MAX_ANSWER_BYTES
) -> Answer:
    """POST the body; `timeout` is for the whole of it, in seconds; `most_bytes`: of the answer. Raises DoorClosed,
    NotReached.

    Not to be called inside a transaction: it would be open for as long as somebody else's server likes.
    """
    return _call("POST", url, body=body, headers=headers, timeout=timeout, most_bytes=most_bytes)


def get(
    url: str, *, headers: Mapping[str, str], timeout: float = TIMEOUT, most_bytes: int = MAX_ANSWER_BYTES
) -> Answer:
    """GET, otherwise as `post`."""
    return _call("GET", url, body=None, headers=headers, timeout=timeout, most_bytes=most_bytes)


def _call(
    method: str, url: str, *, body: bytes | None, headers: Mapping[str, str], timeout: float, most_bytes: int
) -> Answer:
    if connection.in_atomic_block:
        raise RuntimeError("A request must not leave inside a transaction.")
    parts = _parts(url)
    began = time.monotonic()
    backend = _Guarded(deadline=began + timeout)
    sent = httpx.Headers({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
    sent.update(headers)
    sent["Host"] = parts.netloc
    # Each wait is bounded by the deadline in `_Stream`; httpcore's own timeouts are not needed.
    with (
        _troubles(),
        httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend, max_connections=1) as pool,
        pool.stream(method, parts.core_url, headers=sent.raw, content=body) as response,
    ):
        said = httpx.Headers(response.headers)
        # What was compressed unasked is not unpacked.
        plain = said.get("Content-Encoding", "identity").lower() == "identity"
        text = _beginning(response, most_bytes) if plain else ""
        took = time.monotonic() - began
        return Answer(response.status, text, took, seconds_to_wait(said.get("Retry-After", "")))


@dataclass(frozen=True, slots=True)
class _Parts:
    host: str
    port: int
    netloc: str
    core_url: httpcore.URL


def _parts(url: str) -> _Parts:
    """The address, read the same way for checking and for connecting. Raises DoorClosed."""
    try:
        # What browsers would silently repair, two readers might repair differently.
        if len(url) > MAX_URL_LENGTH or not url.isprintable() or " " in url or "\\" in url:
            raise ValueError
        read = httpx.URL(url)
        host = read.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError, UnicodeError):
        _refuse("bad_address", _("This is no web address."), _("Write an address like https://crm.example/goalpost."))
    if read.scheme not in ("http", "https") or not host:
        _refuse("bad_scheme", _("Only web addresses are called."), _("Write an address that begins with https://."))
    if read.scheme == "http" and not settings.OUTGOING_PLAIN_HTTP:
        _refuse(
            "plain_http", _("The address is not encrypted."), _("Give the server a certificate and write https://.")
        )
    if read.userinfo:
        _refuse(
            "user_in_address",
            _("The address holds a user name or a password."),
            _("Leave them out: each request is signed, so the receiver knows whose it is."),
        )
    if read.fragment:
        _refuse("fragment", _("The address holds a part after “#”."), _("Leave it out: no server gets to see it."))
    port = (443 if read.scheme == "https" else 80) if read.port is None else read.port
    if (port < 1024 and port not in (80, 443)) or port in _NOT_WEB or port > 65535:
        _refuse(
            "bad_port",
            _("No web server is expected at this port."),
            _("Use port 443 or 80, or one from 1024 that no other service is known for."),
        )
    core_url = httpcore.URL(scheme=read.raw_scheme, host=read.raw_host, port=read.port, target=read.raw_path)
    return _Parts(host, port, read.netloc.decode("ascii"), core_url)


def _refuse(code: str, message: Text, next_step: Text) -> NoReturn:
    raise DoorClosed(code, message, next_step)


def _addresses(host: str, port: int, *, deadline: float) -> list[Address]:
    """All addresses of the name, each of them allowed. Raises DoorClosed, NotReached."""
    found = [_address(text) for text in dict.fromkeys(_look_up(host, port, deadline=deadline))]
    if not all(may_be_reached(address, allowed=settings.OUTGOING_ALLOWED_NETWORKS) for address in found):
        # Which one it was stays unsaid: the names of an inner network are not to be explored from here.
        _refuse(
            "not_public",
            _("The address leads into a private network."),
            _("Use an address that the internet can reach, or ask the platform's owner to allow its network."),
        )
    return found


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise NotReached("no_such_name", _("The name of the server has no address that can be read.")) from None


def _look_up(host: str, port: int, *, deadline: float) -> list[str]:
    """The system's resolver knows no deadline, so it is asked in a thread that nobody waits for any longer."""
    found: list[str] = []
    trouble: list[Exception] = []

    def ask() -> None:
        try:
            found.extend(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            trouble.append(error)

    asking = threading.Thread(target=ask, name="resolver", daemon=True)
    asking.start()
    asking.join(max(0.0, min(RESOLVE_TIMEOUT, deadline - time.monotonic())))
    if asking.is_alive():
        raise NotReached("name_timeout", _("The name of the server could not be looked up in time."))
    if trouble or not found:
        raise NotReached("no_such_name", _("The name of the server is not known."))
    return found


class _Guarded(httpcore.NetworkBackend):
    """Connects to checked addresses and to nothing else."""

    def __init__(self, *, deadline: float) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        trouble: OSError | None = None
        for address in _addresses(host, port, deadline=self._deadline)[:MOST_ADDRESSES_TRIED]:
            try:
                connected = socket.create_connection((str(address), port), timeout=_left(self._deadline))
            except OSError as error:
                trouble = error
                continue
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _Stream(connected, self._deadline)
        assert trouble is not None, "a name that was found has an address"
        raise trouble


class _Stream(httpcore.NetworkStream):
    """A connection of which no step outlasts the deadline, however slowly the other side drips."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket = connected
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._socket.settimeout(_left(self._deadline))
        return self._socket.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        try:
            while rest:
                self._socket.settimeout(_left(self._deadline))
                rest = rest[self._socket.send(rest) :]
        except TimeoutError:
            raise
        except OSError as error:
            # Who has read enough answers and hangs up. After this error httpcore looks for that answer.
            raise httpcore.WriteError from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        self._socket.settimeout(_left(self._deadline))
        return _Stream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname), self._deadline)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


_BROKEN = (OSError, httpcore.ProtocolError, httpcore.NetworkError)


@contextmanager
def _troubles() -> Iterator[None]:
    """What the network does is told in our words: others' texts may hold addresses of inner networks."""
    try:
        yield
    except TimeoutError as error:
        raise NotReached("timeout", _("No answer came in time.")) from error
    except ssl.SSLCertVerificationError as error:
        message = _("The server's certificate was not accepted: %(why)s.") % {"why": error.verify_message}
        raise NotReached("bad_certificate", message) from error
    except ssl.SSLError as error:
        raise NotReached("no_encryption", _("No encrypted connection came about.")) from error
    except ConnectionRefusedError as error:
        raise NotReached("refused", _("Nobody listens at this address.")) from error
    except _BROKEN as error:
        raise NotReached(
            "no_answer", _("The connection broke off before an answer of a web server had come.")
        ) from error


def _beginning(response: httpcore.Response, most_bytes: int) -> str:
    """The first bytes of the answer as text.

    The status has come and counts, so a body that breaks off or takes too long does no harm.
    """
    body = bytearray()
    with suppress(*_BROKEN):
        for piece in response.iter_stream():
            body += piece
            if len(body) >= most_bytes:
                break
    text = bytes(body[:most_bytes]).decode("utf-8", errors="replace")
    return "".join(mark if mark.isprintable() or mark in "\n\t" else " " for mark in text).strip()


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """The authorities that calls to Metrica trust as well; loading them takes longer than a call does."""
    return httpx.create_ssl_context()
