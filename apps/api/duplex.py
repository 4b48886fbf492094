"""An answer that is written while its request is still being read.

A client may send everything before it reads a byte, as most libraries do. Whoever waits for it to read stops reading
what it sends, and both wait for ever. So a thread of its own reads and works, and what it has to tell waits on disk
until the client takes it. Where the server has no connection to share (another server than gunicorn, or TLS within it),
the whole request is read first.
"""

import contextlib
import contextvars
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import structlog
from django.db import connections
from django.http import HttpRequest
from django.utils import translation

from apps.api.spool import Spool

log = structlog.get_logger(__name__)

STALLED_AFTER: Final = 120.0
"""Seconds without a byte of the request after which it is given up: it keeps a thread of the server busy."""

MOST_WAITING: Final = 1024**3
"""Bytes of an answer that may wait on disk."""

Work = Callable[[Callable[[], bool]], Iterator[bytes]]
"""Gives the answer in pieces; asks whether too much of it waits already."""


class Duplex:
    """Iterable once, and to be closed, as Django does with what a StreamingHttpResponse is made of. The work happens
    under the trace and in the language of whoever made it."""

    def __init__(self, request: HttpRequest, work: Work) -> None:
        self._work = work
        self._spool = Spool()
        self._context = contextvars.copy_context()
        self._language = translation.get_language()
        self._socket = _own_socket(request)
        self._stopped, self._done = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def __iter__(self) -> Iterator[bytes]:
        if self._socket is None:
            self._run()
        else:
            _give_up_after(self._socket, STALLED_AFTER)
            self._thread = threading.Thread(target=self._run_in_thread, name="stream", daemon=True)
            self._thread.start()
        yield from self._spool

    def close(self) -> None:
        """Ends once the work has: what is being committed is committed."""
        self._stopped.set()
        if self._thread is not None and self._socket is not None:
            if not self._done.is_set():
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RD)  # it may be waiting for what will never come
            self._thread.join()
            _give_up_after(self._socket, 0)
        self._spool.close()

    def _run_in_thread(self) -> None:
        try:
            self._context.run(self._run)
        finally:
            connections.close_all()
            self._done.set()
            self._spool.end()

    def _run(self) -> None:
        # The language does not come along with the context: Django ties it to the thread.
        with translation.override(self._language):
            try:
                with contextlib.closing(self._work(self._is_full)) as pieces:  # type: ignore[type-var]
                    for piece in pieces:
                        self._spool.write(piece)
                        if self._stopped.is_set():
                            break
            except Exception:
                log.exception("an answer broke off")
            finally:
                if self._thread is None:
                    self._spool.end()

    def _is_full(self) -> bool:
        return self._spool.waiting > MOST_WAITING


def _own_socket(request: HttpRequest) -> socket.socket | None:
    """The connection, if two threads may use it at once: one reads, one writes."""
    found: Any = request.META.get("gunicorn.socket")
    if isinstance(found, ssl.SSLSocket) or request.META.get("HTTP_VERSION") == "2":
        return None
    return found if isinstance(found, socket.socket) else None


def _give_up_after(connection: socket.socket, seconds: float) -> None:
    """Of reading alone: to write may take as long as the client sends. 0: never."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(seconds), 0))
