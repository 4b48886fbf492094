"""A server on the loopback address that takes any upload, keeps nothing, and answers as Metrica does.

`python -m tests.benchmarks.sink` prints its address and serves until its input ends.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from project.processes import BASE_DIR

_ANSWER = json.dumps(
    {
        "uploading": {
            "uploading_id": "00000000-0000-0000-0000-000000000000",
            "datetime": "2026-01-01 00:00:00",
            "api_validation_status": "PASSED",
            "elements_count": 0,
            "entity_type": "SIMPLE_ORDERS",
            "uploading_format": "CSV",
            "uploading_source": "API",
        }
    }
).encode()


class _Taker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        while left and (piece := self.rfile.read(min(left, 1 << 18))):
            left -= len(piece)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(_ANSWER)))
        self.end_headers()
        self.wfile.write(_ANSWER)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def running() -> Iterator[str]:
    """The sink in a process of its own; gives its address."""
    command = [sys.executable, "-m", "tests.benchmarks.sink"]
    with subprocess.Popen(
        command, cwd=BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(timeout=10)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()
