"""Starts Goalpost's own processes (web, worker) on this machine and stops them: for demo and tests."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

BASE_DIR = Path(__file__).resolve().parent.parent


def free_port(wanted: int = 0) -> int:
    """`wanted` if nobody listens there, else any free port of the loopback address."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port")


class Processes:
    """A web server and workers in one environment. Each leads its process group, so none of its children is left."""

    def __init__(
        self, *, environment: Mapping[str, str], log_dir: Path, port: int, settings: str = "project.settings"
    ) -> None:
        fixed = {"PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": settings}
        self.environment = {**os.environ, **environment, **fixed}
        self.log_dir = log_dir
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._running: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
        log_dir.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop_all()

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=BASE_DIR, env=self.environment, check=check, text=True, capture_output=True)

    def start_web(self, *, workers: int = 2, threads: int = 4) -> subprocess.Popen[bytes]:
        command = [
            *(sys.executable, "-m", "gunicorn", "project.wsgi", "--bind", f"127.0.0.1:{self.port}"),
            *(
                "--workers",
                str(workers),
                "--threads",
                str(threads),
                "--timeout",
                "120",
                "--graceful-timeout",
                "5",
                "--no-control-socket",
            ),
        ]
        return self._start("web", command)

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self._start("worker", [sys.executable, "manage.py", "worker"])

    def wait_for_web(self, *, seconds: float = 60) -> None:
        """Until /healthz answers. Raises TimeoutError, with the end of the server's log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=2):  # noqa: S310 - our own loopback address
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise TimeoutError(f"The web server did not answer within {seconds:.0f} s:\n{self.log('web')[-2000:]}")

    def log(self, name: str) -> str:
        path = self.log_dir / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """`kill -9` the process and all its children, at once."""
        self._signal(process, signal.SIGKILL)
        process.wait(timeout=30)
        # Its number may soon be another's, so nobody signals it any more.
        for one, log in self._running:
            if one is process:
                log.close()
        self._running = [each for each in self._running if each[0] is not process]

    def stop(self, process: subprocess.Popen[bytes], *, seconds: float = 20) -> None:
        """Ask the process to end; what has not ended after `seconds` is killed."""
        self._signal(process, signal.SIGTERM, group=False)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._signal(process, signal.SIGKILL)
            process.wait(timeout=30)

    def stop_all(self) -> None:
        for process, log in reversed(self._running):
            self.stop(process)
            log.close()
        self._running.clear()

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        log = (self.log_dir / f"{name}.log").open("ab")
        process = subprocess.Popen(
            command,
            cwd=BASE_DIR,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._running.append((process, log))
        return process

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], number: int, *, group: bool = True) -> None:
        try:
            if group:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
        except ProcessLookupError:
            pass
