"""The commands of docs/api.md, run as they stand: by curl, or where there is none, read and sent by httpx."""

import argparse
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.api.world import make_world

ROOT = Path(__file__).parent.parent.parent
COMMANDS = [
    line
    for block in re.findall(r"^```\n(.*?)^```", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("curl ")
]


def test_each_command_stands_on_a_line_of_its_own():
    assert len(COMMANDS) > 20
    assert not [command for command in COMMANDS if command.endswith("\\")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by", ["curl", "httpx"])
def test_the_commands_do_what_they_say(live_server, tmp_path, by):
    if by == "curl" and not shutil.which("curl"):
        pytest.skip("there is no curl here; httpx sends the same commands")
    world = make_world(live_server.url)
    (tmp_path / "orders.csv").write_text(
        "Order number;create_date_time;order_status;client_ids\nD-7;2026-11-04 14:05:00;PAID;1700000000123456789\n"
    )
    variables = {"KEY": world.key, "BASE": f"{live_server.url}/api/v1"}
    run = _by_curl if by == "curl" else _by_httpx
    for command in COMMANDS:
        status, body = run(command, variables, tmp_path)
        assert 200 <= status < 300, (command, body)
    assert set(world.counter.orders.values_list("order_id", flat=True)) == {"D-1", "D-1002"}


def _by_curl(command, variables, directory):
    done = subprocess.run(
        ["sh", "-c", command.replace("curl ", "curl --silent --show-error --write-out '\\n%{http_code}' ", 1)],
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", **variables},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    body, _line, status = done.stdout.rpartition("\n")
    return int(status), body


def _by_httpx(command, variables, directory):
    reader = argparse.ArgumentParser()
    reader.add_argument("-X", dest="method")
    reader.add_argument("-H", dest="headers", action="append", default=[])
    reader.add_argument("-F", dest="form", action="append", default=[])
    reader.add_argument("-d", dest="data")
    reader.add_argument("address")
    words = [re.sub(r"\$(\w+)", lambda found: variables[found[1]], word) for word in shlex.split(command)[1:]]
    given = reader.parse_args(words)
    headers = dict(header.split(": ", 1) for header in given.headers)
    form = dict(field.split("=", 1) for field in given.form)
    files = {name: (value[1:], (directory / value[1:]).read_bytes()) for name, value in form.items() if value[0] == "@"}
    answer = httpx.request(
        given.method or ("POST" if given.data or form else "GET"),
        given.address,
        headers=headers,
        content=given.data.encode() if given.data else None,
        data={name: value for name, value in form.items() if name not in files} or None,
        files=files or None,
        timeout=60,
    )
    return answer.status_code, answer.text
