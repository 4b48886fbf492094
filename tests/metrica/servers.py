"""A real server on the loopback that does exactly what a test scripts, down to where it cuts the connection."""

import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

PASSED = {
    "uploading": {
        "uploading_id": "0b7e3c52-98d4-4c8e-9d0a-612345678901",
        "datetime": "2026-03-04 15:06:07",
        "api_validation_status": "PASSED",
        "elements_count": 3,
        "entity_type": "SYSTEM",
        "uploading_format": "CSV",
        "uploading_source": "API",
    }
}
FAILED = {"uploading": {**PASSED["uploading"], "api_validation_status": "FAILED"}}


@dataclass
class Seen:
    """One request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes = b""


class Talk:
    """One connection, from the server's side."""

    def __init__(self, connection: socket.socket, seen: list[Seen]) -> None:
        self.connection = connection
        self._seen = seen
        self._rest = b""

    def read_head(self) -> Seen:
        data = self._rest
        while b"\r\n\r\n" not in data:
            piece = self.connection.recv(65536)
            if not piece:
                raise ConnectionError("no complete head came")
            data += piece
        head, _, self._rest = data.partition(b"\r\n\r\n")
        line, *headers = head.decode().split("\r\n")
        request = Seen(line, {k.lower(): v for k, v in (header.split(": ", 1) for header in headers)})
        self._seen.append(request)
        return request

    def read_request(self, *, keep: bool = True) -> Seen:
        """Reads head and body; with `keep=False` the body is only counted off."""
        request = self.read_head()
        left = int(request.headers.get("content-length", 0)) - len(self._rest)
        pieces = [self._rest]
        while left > 0:
            piece = self.connection.recv(min(left, 262144))
            if not piece:
                raise ConnectionError("the body is cut")
            left -= len(piece)
            if keep:
                pieces.append(piece)
        self._rest = b""
        request.body = b"".join(pieces)
        return request

    def read_some(self, size: int) -> None:
        while len(self._rest) < size:
            self._rest += self.connection.recv(size)

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self, status: int, body: object = None, *, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.send("\r\n".join([*lines, "", ""]).encode() + content)

    def reset(self) -> None:
        """Ends the connection with a TCP reset instead of an orderly close."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


@dataclass
class ScriptedServer:
    """Runs `script` for every connection, in a thread of its own, and closes the connection after it."""

    script: Callable[[Talk], None]
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            connection.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            self.script(Talk(connection, self.seen))
        except OSError:
            pass  # the client went away, which some tests want
        finally:
            connection.close()


def answering(status: int, body: object = None, *, headers: dict[str, str] | None = None) -> ScriptedServer:
    """A server that reads the whole request and always answers the same."""

    def script(talk: Talk) -> None:
        talk.read_request()
        talk.answer(status, body, headers=headers)

    return ScriptedServer(script)


def envelope(error_type: str, *, code: int = 400, message: str = "text", location: str = "") -> dict[str, object]:
    """A refusal in the documented form."""
    error = {"error_type": error_type, "message": message}
    if location:
        error["location"] = location
    return {"errors": [error], "code": code, "message": message}
