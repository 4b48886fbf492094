"""Cuts the TCP connection of a request, so that its client gets no answer at all."""

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse


class CutResponse(HttpResponse):
    """Given to the server after the connection was shut down: it must end the request quietly, and sends nothing.

    gunicorn's sync worker and wsgiref (runserver, live server) both take a connection reset while they write
    the body for a client that went away. Nothing was written before, so no header went out either.
    """

    def __init__(self) -> None:
        super().__init__(status=500)

    def __iter__(self) -> Iterator[bytes]:
        raise ConnectionResetError(errno.ECONNRESET, "cut by the sandbox")


def cut(request: HttpRequest) -> CutResponse:
    """Shuts down the connection of `request` both ways. Raises RuntimeError under a server that hides its socket."""
    connection = _socket(request.META)
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the client went first
    finally:
        connection.close()
    return CutResponse()


def _socket(environ: dict[str, Any]) -> socket.socket:
    """A second handle of the connection; shutting it down shuts down the connection itself."""
    if "gunicorn.socket" in environ:
        return environ["gunicorn.socket"].dup()
    stream = environ.get("wsgi.input")
    # runserver and the live server wrap the socket's file, to count what is read from it.
    stream = getattr(getattr(stream, "_read", None), "__self__", stream)
    try:
        return socket.socket(fileno=os.dup(stream.fileno()))  # type: ignore[union-attr]
    except (AttributeError, OSError) as error:
        raise RuntimeError("This server does not show its connection: it cannot be cut.") from error
