"""`make sandbox`: the sandbox alone in processes of its own, at the root, and gone when it is ended."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from project.processes import free_port
from tests import databases

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parent.parent.parent


def test_it_checks_itself_and_ends() -> None:
    command = ["make", "--no-print-directory", "sandbox", "ONCE=1", "PORT=0"]
    # make decides by the age of the installed requirements; here they are what runs this test.
    done = subprocess.run(
        [*command, "-o", "install"], cwd=ROOT, env=_environment(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Checked   counter, goal, upload, report, pages" in done.stdout
    assert re.search(r"Token     sandbox-\S+", done.stdout)


def test_it_serves_keeps_what_it_holds_and_ends_with_its_children(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "sandbox").mkdir()
    databases.in_file(tmp_path / "sandbox" / "sandbox.sqlite3", settings="project.sandbox.settings")
    answers = [_serve(port, tmp_path / "sandbox", tmp_path / f"log{start}") for start in range(2)]
    assert answers[0] == answers[1], "the token and the counter are those of the first start"


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        command = [sys.executable, "-m", "project.sandbox", "--once", "--port", str(port)]
        done = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert f"The port {port} is taken" in done.stdout


def _environment() -> dict[str, str]:
    """Without what the tests themselves set: a fresh clone knows nothing of it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "DATABASE", "PYTEST"))}


def _serve(port: int, directory: Path, log: Path) -> tuple[str, int]:
    command = [sys.executable, "-m", "project.sandbox", "--port", str(port), "--directory", str(directory)]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=_environment(), stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 120
        while "Ctrl-C" not in (said := log.read_text()):
            assert process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.2)
        token = re.search(r"Token     (\S+)", said)[1]  # type: ignore[index]
        url = f"http://127.0.0.1:{port}"
        counters = httpx.get(f"{url}/management/v1/counters", headers={"Authorization": f"OAuth {token}"}).json()
        assert httpx.get(f"{url}/static/sandbox/sandbox.css").status_code == 200
        assert httpx.get(f"{url}/admin/").status_code == 404, "there is nothing else here"
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert process.returncode == 0, log.read_text()
    _gone, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    return token, counters["counters"][0]["id"]
