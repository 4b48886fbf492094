"""The processes of a run: the sandbox with a database of its own, web servers, workers; who dies is started again, as a
service manager would do it."""

import os
import secrets
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from cryptography.fernet import Fernet

from project.processes import Processes, free_port
from tests.chaos.script import Size

CALL_SECONDS = 3.0
"""The longest that a call to Metrica may take in a run."""

UNKNOWN_SECONDS = 5.0
"""How long a file is looked for after that. What the sandbox takes longer for, even where two faults meet, would come
after a later file, and nobody could prevent it."""


_NO_REUSE: Final = httpx.Limits(max_keepalive_connections=0)
"""A connection that has rested may be closed by the server in the moment in which it is used again."""


@dataclass
class Slot:
    """A place for one process."""

    name: str
    processes: Processes
    start: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    back_at: float = 0.0  # monotonic; not started again before
    killed: bool = False
    starts: int = 0
    started_at: float = 0.0

    @property
    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass
class Death:
    """A process that ended though nobody had killed it. `at`: seconds of the epoch."""

    name: str
    at: float
    status: int
    age: float


def environment(directory: Path, database_url: str, sandbox_url: str) -> dict[str, str]:
    """Goalpost's, as in production, with short waits."""
    return {
        "DEBUG": "off",
        "SANDBOX": "off",
        "OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8",
        "OUTGOING_PLAIN_HTTP": "on",
        "ENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_SSL_REDIRECT": "off",
        "DATABASE_URL": database_url,
        "STORAGE_URL": f"file://{directory / 'media'}",
        "METRICA_URL": sandbox_url,
        "METRICA_TIMEOUT_SECONDS": str(CALL_SECONDS),
        "UPLOAD_LEASE_SECONDS": "6",
        "UPLOAD_RETRY_SECONDS": "0.3",
        "UPLOAD_UNKNOWN_SECONDS": str(UNKNOWN_SECONDS),
        "TICK_SECONDS": "2",
        "WORKERS": "1",
    }


class Sandbox:
    """A Metrica of the run's own, which nobody kills."""

    def __init__(self, directory: Path) -> None:
        self.processes = Processes(
            environment={
                "SECRET_KEY": secrets.token_urlsafe(40),
                "DATABASE_URL": f"sqlite:///{directory / 'sandbox.sqlite3'}",
                "STORAGE_URL": f"file://{directory / 'sandbox-media'}",
            },
            log_dir=directory / "logs" / "sandbox",
            port=free_port(),
            settings="project.sandbox.settings",
        )
        self.url = self.processes.url
        self._http = httpx.Client(base_url=f"{self.url}/control", timeout=120, limits=_NO_REUSE)

    def start(self) -> None:
        self.processes.manage("migrate", "-v0")
        self.processes.start_web(workers=2, threads=8)
        self.processes.wait_for_web()

    def control(self, what: str, /, method: str = "POST", **body: Any) -> Any:
        answer = self._http.request(method, what, json=body)
        if answer.status_code != 200:
            raise RuntimeError(f"sandbox, {method} {what} {body}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    def all(self, what: str, **query: Any) -> list[dict[str, Any]]:
        """Every row of a list, page after page."""
        rows: list[dict[str, Any]] = []
        while True:
            answer = self._http.get(what, params={**query, "offset": len(rows), "limit": 1000})
            answer.raise_for_status()
            page = answer.json()
            rows += page[what]
            if len(page[what]) < 1000:
                return rows


@dataclass
class Stage:
    directory: Path
    size: Size
    environment: dict[str, str]
    slots: list[Slot] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _over: threading.Event = field(default_factory=threading.Event)
    _watch: threading.Thread | None = None

    def prepare(self) -> Processes:
        """The places for all processes; whoever gets the answer runs management commands with it."""
        logs = self.directory / "logs"
        for place in range(self.size.webs):
            web = Processes(environment=self.environment, log_dir=logs / f"web-{place}", port=free_port())
            self.slots.append(Slot(f"web {place}", web, lambda web=web: web.start_web(workers=1, threads=4)))  # type: ignore[misc]
        for place in range(self.size.workers):
            worker = Processes(environment=self.environment, log_dir=logs / f"worker-{place}", port=0)
            self.slots.append(Slot(f"worker {place}", worker, worker.start_worker))
        return self.slots[0].processes

    def start(self) -> None:
        for slot in self.slots:
            self._start(slot)
        for slot in self.of("web"):
            slot.processes.wait_for_web()
        self._watch = threading.Thread(target=self._keep_up, name="service manager", daemon=True)
        self._watch.start()

    def of(self, kind: str) -> list[Slot]:
        return [slot for slot in self.slots if slot.name.startswith(kind)]

    @property
    def urls(self) -> list[str]:
        return [slot.processes.url for slot in self.of("web")]

    def kill(self, slot: Slot, *, away: float) -> bool:
        """`kill -9` of the process with all its children; it is started again after `away` seconds. False if it was
        down already."""
        with self._lock:
            if not slot.lives:
                return False
            assert slot.process is not None
            slot.killed, slot.back_at = True, time.monotonic() + away
            slot.processes.kill(slot.process)
            return True

    def kill_part(self, slot: Slot, *, draw: float) -> str:
        """`kill -9` of one of the process's children, or of itself alone. Returns which, or "" where it is down."""
        with self._lock:
            if not slot.lives:
                return ""
            assert slot.process is not None
            parent = psutil.Process(slot.process.pid)
            family = [parent, *parent.children(recursive=True)]
            victim = family[int(draw * len(family))]
            if victim is parent:
                slot.killed, slot.back_at = True, time.monotonic() + 0.5
            try:
                victim.kill()
            except psutil.NoSuchProcess:
                return ""
            return "itself" if victim is parent else f"child {family.index(victim)} of {len(family) - 1}"

    def all_up(self) -> bool:
        with self._lock:
            return all(slot.lives for slot in self.slots)

    def stop(self) -> None:
        self._over.set()
        if self._watch is not None:
            self._watch.join()
        with self._lock:
            for slot in reversed(self.slots):
                slot.processes.stop_all()

    def _keep_up(self) -> None:
        while not self._over.wait(0.2):
            with self._lock:
                for slot in self.slots:
                    self._look_after(slot)

    def _look_after(self, slot: Slot) -> None:
        if slot.lives:
            return
        if slot.process is not None:
            status = slot.process.returncode
            if not slot.killed:
                age = time.monotonic() - slot.started_at
                self.deaths.append(Death(slot.name, time.time(), status, age))
                slot.back_at = time.monotonic() + 0.5
            slot.processes.kill(slot.process)  # whoever of its family is left
            slot.process = None
        if time.monotonic() >= slot.back_at:
            self._start(slot)

    def _start(self, slot: Slot) -> None:
        slot.process = slot.start()
        slot.killed = False
        slot.starts += 1
        slot.started_at = time.monotonic()
