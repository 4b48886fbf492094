"""The sandbox under gunicorn, as the demo runs it: cut connections, and a killed process leaves all or nothing."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx
import psutil
import pytest

from apps.metrica.client import MetricaClient
from apps.metrica.errors import MetricaError, UnknownOutcome
from tests import databases
from tests.sandbox.conftest import NUMBER, TOKEN, Api, csv

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parent.parent.parent
SMALL = csv("D-1,2026-03-10 11:30:00,,17,,,PAID,100,,,").encode()


@dataclass
class Server:
    api: Api
    master: psutil.Process
    media: Path

    def client(self, timeout: float = 60) -> MetricaClient:
        return MetricaClient(base_url=self.api.base, token=TOKEN, timeout=timeout)


@pytest.fixture(scope="module", params=["sync", "gthread"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("gunicorn")
    env = os.environ | {
        "DATABASE_URL": databases.in_file(folder / "sandbox.sqlite3"),
        "STORAGE_URL": f"file://{folder / 'media'}",
        "DEBUG": "on",
        "SANDBOX": "on",
        "DJANGO_SETTINGS_MODULE": "project.settings",
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-m", "gunicorn", "project.wsgi", "-b", f"127.0.0.1:{port}", "-w", "2", "-k", request.param]
    process = subprocess.Popen([sys.executable, *command, "--threads", "2", "--timeout", "120"], cwd=ROOT, env=env)
    try:
        with httpx.Client(headers={"Authorization": f"OAuth {TOKEN}"}, timeout=60) as client:
            api = Api(client, f"http://127.0.0.1:{port}/sandbox")
            _wait_for_answer(api)
            api.control("counters", metrica_id=NUMBER, token=TOKEN)
            yield Server(api, psutil.Process(process.pid), folder / "media")
    finally:
        process.terminate()
        process.wait(20)


def _wait_for_answer(api: Api) -> None:
    deadline = time.monotonic() + 40
    while True:
        try:
            api.look("switches")
        except httpx.TransportError:
            assert time.monotonic() < deadline, "gunicorn did not start"
            time.sleep(0.2)
        else:
            return


@pytest.mark.parametrize(("kind", "stored"), [("cut_before", 0), ("cut_after", 1)])
def test_the_connection_is_cut(server: Server, kind: str, stored: int) -> None:
    server.api.control("faults", kind=kind)
    before = len(server.api.uploadings("limit=1000").json()["uploadings"])
    with server.client(timeout=20) as client:
        started = time.monotonic()
        with pytest.raises(UnknownOutcome):
            client.upload_simple_orders(NUMBER, BytesIO(SMALL))
        assert time.monotonic() - started < 5, "the connection must break, not time out"
        assert len(client.last_uploadings(NUMBER)) == before + stored


@pytest.mark.parametrize("server", ["sync"], indirect=True)
def test_a_killed_process_leaves_nothing_and_the_next_upload_all(server: Server) -> None:
    """One transaction for an upload: `kill -9` in its middle leaves none of its rows."""
    rows = 40_000
    body = csv(*[f"K-{number},2026-03-10 11:30:00,,{number},,,PAID,100,,," for number in range(rows)]).encode()
    before = server.api.look("orders", counter=NUMBER, limit=0)["total"]
    uploads = server.api.uploadings("limit=1000").json()
    files = set(server.media.rglob("*.csv"))
    outcome: list[BaseException] = []

    def send() -> None:
        with server.client() as client:
            try:
                client.upload_simple_orders(NUMBER, BytesIO(body))
            except MetricaError as error:
                outcome.append(error)

    sending = threading.Thread(target=send)
    sending.start()
    # The file is stored right before the transaction begins, which then takes seconds.
    deadline = time.monotonic() + 60
    while set(server.media.rglob("*.csv")) == files:
        assert time.monotonic() < deadline, "the upload never began"
        time.sleep(0.02)
    time.sleep(0.5)
    for worker in server.master.children():
        os.kill(worker.pid, signal.SIGKILL)
    sending.join(60)
    assert isinstance(outcome[0], UnknownOutcome)
    _wait_for_answer(server.api)
    assert server.api.look("orders", counter=NUMBER, limit=0)["total"] == before
    assert server.api.uploadings("limit=1000").json() == uploads

    with server.client() as client:
        assert client.upload_simple_orders(NUMBER, BytesIO(body)).elements_count == rows
    for worker in server.master.children():
        os.kill(worker.pid, signal.SIGKILL)
    _wait_for_answer(server.api)
    assert server.api.look("orders", counter=NUMBER, limit=0)["total"] == before + rows
