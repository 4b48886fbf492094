"""The CRM's own side on the loopback: Bitrix24's REST or amoCRM's API, answering as their recorded samples do."""

import copy
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


@dataclass
class Asked:
    """One request. `path`: with its query, decoded."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Crm:
    """`answer(asked)` gives (status, content); `answers` are what the samples say, for a test to change."""

    answers: dict[str, Any]
    answer: Callable[[Asked], tuple[int, Any]] | None = None
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> Self:
        crm = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                self._respond("POST", json.loads(self.rfile.read(length) or b"{}"))

            def do_GET(self) -> None:
                self._respond("GET", None)

            def _respond(self, method: str, body: Any) -> None:
                names = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(method, unquote(self.path), names, body)
                crm.asked.append(asked)
                status, content = (crm.answer or crm.said)(asked)
                text = json.dumps(content).encode() if not isinstance(content, bytes) else content
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def said(self, asked: Asked) -> tuple[int, Any]:
        path = urlsplit(asked.path).path
        if path in self.answers:
            return 200, self.answers[path]
        method = path.rsplit("/", 1)[-1].removesuffix(".json")
        named = f"{method}:{asked.body.get('id')}" if isinstance(asked.body, dict) else ""
        if named in self.answers:
            return 200, self.answers[named]
        if method in self.answers:
            return 200, self.answers[method]
        return 400, {"error": "", "error_description": "Not found"}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def methods(self) -> list[str]:
        return [urlsplit(asked.path).path.rsplit("/", 1)[-1].removesuffix(".json") for asked in self.asked]


def bitrix24() -> Crm:
    return Crm(copy.deepcopy(json.loads(sample("bitrix24_rest.json"))))


def amocrm() -> Crm:
    return Crm(copy.deepcopy(json.loads(sample("amocrm_api.json"))))
