"""Real processes on a database of their own: web (with the sandbox in it), worker, and a caller that speaks HTTP."""

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from project.processes import Processes, free_port
from tests import databases

TOKEN = "sandbox-token-for-tests"


@dataclass
class Installation:
    """One installed Goalpost with an agency, a key and as many counters as a test asks for."""

    processes: Processes
    key: str
    directory: Path
    numbers: Iterator[int]
    web: subprocess.Popen[bytes]
    worker: subprocess.Popen[bytes]
    sandbox: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=self.processes.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=30
        )

    def counter(
        self, *, statuses: str = "", settings: str = "", goals: tuple[str, ...] = (), zone: str = "Europe/Moscow"
    ) -> int:
        """A new counter, known to the sandbox (with these goals) and provisioned with this mapping (TOML)."""
        number = next(self.numbers)
        self.control(
            "counters", metrica_id=number, name=f"Site {number}", time_zone_name=zone, token=TOKEN, goals=list(goals)
        )
        path = self.directory / f"{number}.toml"
        path.write_text(
            f"""
[[agencies]]
slug = "north"
name = "North"
  [[agencies.accounts]]
  login = "north-metrica"
  token_env = "TEST_TOKEN"
  base_url = "{self.sandbox}"
  [[agencies.api_keys]]
  name = "crm"
  scopes = ["read", "write"]
  secret_env = "TEST_KEY"
  [[agencies.counters]]
  metrica_id = {number}
  account = "north-metrica"
  name = "Site {number}"
  time_zone = "{zone}"
  {settings}
{statuses}
"""
        )
        done = self.processes.manage("provision", str(path), check=False)
        assert done.returncode == 0, done.stderr
        return number

    def restart_worker(self) -> None:
        self.worker = self.processes.start_worker()

    def restart_web(self) -> None:
        self.web = self.processes.start_web()
        self.processes.wait_for_web()

    def control(self, what: str, **body: Any) -> Any:
        answer = httpx.post(f"{self.sandbox}/control/{what}", json=body, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def seen(self, what: str, **query: Any) -> Any:
        answer = httpx.get(f"{self.sandbox}/control/{what}", params=query, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def push(self, counter: int, *rows: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.post(f"/api/v1/counters/{counter}/orders/", json=list(rows))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def upload(self, counter: int) -> str:
        answer = self.http.post(f"/api/v1/counters/{counter}/uploads/", json={})
        assert answer.status_code in (201, 202), answer.text
        return str(answer.json()["id"])

    def finished(self, job: str, *, seconds: float = 60) -> dict[str, Any]:
        """The job once it has ended."""

        def ended() -> dict[str, Any] | None:
            state = self.http.get(f"/api/v1/uploads/{job}/").json()
            return state if state["state"] not in ("queued", "running") else None

        try:
            return dict(wait_for(ended, seconds=seconds, what=f"the end of upload job {job}"))
        except AssertionError as error:
            state = self.http.get(f"/api/v1/uploads/{job}/").json()
            raise AssertionError(f"{error}: {state}\n{self.processes.log('worker')[-4000:]}") from None

    def order(self, counter: int, order_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/api/v1/counters/{counter}/orders/{order_id}/")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def wait_for(question: Callable[[], Any], *, seconds: float = 60, what: str = "it") -> Any:
    """Ask until the answer is true; returns it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := question():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s")


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with databases.new(tmp_path_factory.mktemp("database")) as url:
        yield url


@contextmanager
def installed(
    database_url: str,
    directory: Path,
    *,
    sandbox: str = "",
    numbers: Iterator[int] | None = None,
    port: int = 0,
    **more: str,
) -> Iterator[Installation]:
    """A fresh installation on this database, which is migrated. `sandbox`: its Metrica, by default the one within its
    web processes; `numbers`: of the counters that it is asked for; `port`: on which it answers, by default any that is
    free; `more`: further settings."""
    key = f"test-key-{secrets.token_urlsafe(24)}"
    environment = {
        "DATABASE_URL": database_url,
        "DEBUG": "on",
        "SANDBOX": "on",
        "ENV_FILE": os.devnull,
        "STORAGE_URL": f"file://{directory / 'media'}",
        "TEST_TOKEN": TOKEN,
        "TEST_KEY": key,
        "UPLOAD_LEASE_SECONDS": "3",
        "UPLOAD_RETRY_SECONDS": "0.2",
        "UPLOAD_UNKNOWN_SECONDS": "1",
        "METRICA_TIMEOUT_SECONDS": "5",
        "TICK_SECONDS": "1",
        **more,
    }
    with Processes(environment=environment, log_dir=directory / "logs", port=port or free_port()) as processes:
        web, worker = processes.start_web(), processes.start_worker()
        processes.wait_for_web()
        yield Installation(
            processes=processes,
            key=key,
            directory=directory,
            numbers=numbers or iter(range(40000001, 40009999)),
            web=web,
            worker=worker,
            sandbox=sandbox or f"{processes.url}/sandbox",
        )


@pytest.fixture(scope="module")
def installation(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(database_url, tmp_path_factory.mktemp("installation")) as running:
        yield running
