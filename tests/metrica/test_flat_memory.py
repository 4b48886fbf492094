"""A file of 1 GB is sent in flat memory. 256 MB by default; GOALPOST_BIG_FILE_MB=1024 for the whole of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.metrica.servers import PASSED, ScriptedServer, Talk

ROOT = Path(__file__).resolve().parents[2]
MEGABYTES = int(os.environ.get("GOALPOST_BIG_FILE_MB", "256"))

# In a process of its own, so that the peak is the client's alone.
SCRIPT = """
import json, sys
from apps.metrica.client import MetricaClient

def peak():  # getrusage would count what the parent used before the script was started
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(lines["VmHWM"].split()[0]) // 1024

with MetricaClient(base_url=sys.argv[1], token="y0_t", timeout=30) as client, open(sys.argv[2], "rb") as file:
    before = peak()
    uploading = getattr(client, sys.argv[3])(40000001, file)
print(json.dumps({"before": before, "after": peak(), "status": uploading.status}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
@pytest.mark.parametrize("call", ["upload_simple_orders", "upload_contacts", "upload_orders_json"])
def test_a_big_file_is_sent_in_flat_memory(tmp_path: Path, call: str) -> None:
    lengths: list[int] = []

    def script(talk: Talk) -> None:
        request = talk.read_request(keep=False)
        lengths.append(int(request.headers["content-length"]))
        talk.answer(200, PASSED)

    path = tmp_path / "orders.csv"
    with path.open("wb") as file:
        file.truncate(MEGABYTES << 20)  # sparse: it takes no room on the disk
    with ScriptedServer(script) as server:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, server.url, str(path), call],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["status"] == "PASSED"
    framing = range(1) if call.endswith("json") else range(100, 400)
    assert lengths[0] - (MEGABYTES << 20) in framing, "the framing is all that is added"
    assert measured["after"] < 100, measured
    assert measured["after"] - measured["before"] < 15, measured
