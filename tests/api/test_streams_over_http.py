"""Orders by the line over real HTTP, by gunicorn as in production: bodies without a length, clients that do not read,
connections that break."""

import json
import shutil
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from apps.audit.models import AuditEntry
from apps.orders.models import Order, StatusChange
from tests.factories import make_agency, make_counter, make_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

WHEN = (datetime.now(UTC) - timedelta(days=3)).isoformat()
NDJSON = "application/x-ndjson"
PATH = "/api/v1/counters/40000001/orders/"


def order(number, **fields):
    row = {"id": f"D-{number}", "create_date_time": WHEN, "order_status": "PAID", "client_ids": ["17000000001"]}
    return {**row, **fields}


def line(number, **fields):
    return json.dumps(order(number, **fields)).encode() + b"\n"


@pytest.fixture(scope="module")
def web(gunicorn):
    with gunicorn(workers=1, threads=4) as started:
        yield started


@pytest.fixture
def key(db):
    agency = make_agency("north")
    make_counter(agency, metrica_id=40000001)
    return make_key(agency)[1]


@pytest.fixture
def http(web, key):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": NDJSON}
    with httpx.Client(base_url=web.url, headers=headers, timeout=120, trust_env=False) as client:
        yield client


def told(text):
    *results, last = [json.loads(one) for one in text.splitlines()]
    return results, last


class Wire:
    """A connection on which one writes and reads by hand."""

    def __init__(self, web, key, *, length=None):
        address = urlsplit(web.url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=60)
        size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nContent-Type: {NDJSON}\r\n"
        self.socket.sendall(f"{head}{size}\r\n\r\n".encode())

    def chunk(self, text):
        self.socket.sendall(f"{len(text):x}\r\n".encode() + text + b"\r\n")

    def end(self):
        self.socket.sendall(b"0\r\n\r\n")

    def read_until(self, text, *, seconds=60):
        found, end, looked_at = bytearray(), time.monotonic() + seconds, 0
        while found.find(text, looked_at) < 0:
            assert time.monotonic() < end, found[-500:]
            looked_at = max(0, len(found) - len(text))
            piece = self.socket.recv(65536)
            if not piece:
                break
            found += piece
        return bytes(found)


def test_a_generator_without_a_length_is_answered_row_by_row(http):
    """As most libraries do, httpx sends all before it reads anything."""
    with http.stream("POST", PATH, content=(line(n) for n in range(5000))) as answer:
        assert answer.status_code == 200 and answer.headers["Content-Type"] == NDJSON
        results, last = told(answer.read())
    assert [row["line"] for row in results] == list(range(1, 5001))
    assert last["complete"] and last["created"] == 5000 == Order.objects.count()
    entry = AuditEntry.objects.get(action="orders.accepted")
    assert (entry.request_id, entry.actor_kind) == (answer.headers["X-Request-ID"], "key")
    assert set(StatusChange.objects.values_list("request_id", flat=True)) == {entry.request_id}


def test_the_language_holds_in_the_middle_of_a_stream(http):
    from django.utils import translation

    answer = http.post(PATH, content=iter([b"{}\n"] * 3), headers={"Accept-Language": "ru"})
    results, _last = told(answer.content)
    with translation.override("ru"):
        expected = translation.gettext("This field is required.")
    assert results[2]["errors"][0]["message"] == expected


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("options", [["-T", "-"], ["--data-binary", "@{file}"]])
def test_curl_sends_a_file_or_what_comes_through_a_pipe(web, key, tmp_path, options):
    path: Path = tmp_path / "orders.ndjson"
    path.write_bytes(b"".join(line(n) for n in range(3000)))
    arguments = [option.replace("{file}", str(path)) for option in options]
    with path.open("rb") as file:
        done = subprocess.run(
            [
                *("curl", "-sS", "-N", "-X", "POST", "-H", f"Authorization: Bearer {key}"),
                *("-H", f"Content-Type: {NDJSON}", *arguments, web.url + PATH),
            ],
            stdin=file,
            capture_output=True,
            timeout=120,
            check=True,
        )
    results, last = told(done.stdout)
    assert len(results) == last["created"] == 3000 and last["complete"]


def test_results_come_while_more_is_still_to_be_sent(web, key, db):
    """A chunk is told as soon as it is kept, and one row more has come."""
    wire = Wire(web, key)
    wire.chunk(b"".join(line(n) for n in range(2300)))
    found = wire.read_until(b'"line":2000}')
    assert b'"complete"' not in found and Order.objects.count() == 2000
    wire.chunk(line(2300))
    wire.end()
    assert b'"complete":true' in wire.read_until(b'"complete"')
    assert Order.objects.count() == 2301
    wire.socket.close()


def test_who_sends_all_and_reads_nothing_until_then_does_not_wait_for_ever(web, key):
    """The answer is far longer than all buffers between us: 40,000 results of what cannot be taken."""
    wire = Wire(web, key)
    bad = b'{"id":"' + b"x" * 200 + b'"}\n'
    block = bad * 500
    for _block in range(80):
        wire.chunk(block)
    wire.end()
    found = wire.read_until(b'"complete"', seconds=120)
    assert b'"complete":true,"rows":40000,"created":0,"updated":0,"unchanged":0,"rejected":40000' in found
    assert len(found) > 12_000_000
    wire.socket.close()


def test_a_body_that_breaks_off_tells_what_was_kept(web, key):
    text = b"".join(line(n) for n in range(30))
    wire = Wire(web, key, length=len(text) + 1000)
    wire.socket.sendall(text + b'{"id": "half')
    wire.socket.shutdown(socket.SHUT_WR)
    found = wire.read_until(b'"complete"')
    assert b'"complete":false' in found
    assert b'"code":"cut_off"' in found and b'"line":31}' in found
    assert Order.objects.count() == 30
    wire.socket.close()


@pytest.mark.parametrize("bad", [b"zz\r\n", b"5\r\nabcdefgh\r\n"])
def test_chunks_that_are_none_end_the_stream(web, key, bad):
    wire = Wire(web, key)
    wire.chunk(b"".join(line(n) for n in range(500)))
    wire.socket.sendall(bad)
    found = wire.read_until(b'"complete"')
    assert b'"complete":false' in found and b'"code":"cut_off"' in found
    kept = Order.objects.count()
    assert 0 < kept == found.count(b'"result":"created"') <= 500 and b'"line":%d}' % (kept + 1) in found
    wire.socket.close()


def test_who_goes_away_leaves_whole_rows_and_a_free_server(web, key, http):
    wire = Wire(web, key)
    wire.chunk(b"".join(line(n) for n in range(5000)))
    time.sleep(0.2)
    wire.socket.close()
    end = time.monotonic() + 60
    while not AuditEntry.objects.filter(action="orders.accepted").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    entry = AuditEntry.objects.get(action="orders.accepted")
    assert entry.details["created"] == Order.objects.count() == StatusChange.objects.count() > 0
    # All four threads answer again.
    answers = [threading.Thread(target=lambda: http.get("/api/v1/counters/")) for _thread in range(4)]
    for thread in answers:
        thread.start()
    for thread in answers:
        thread.join(30)
    assert not any(thread.is_alive() for thread in answers)


def test_a_connection_goes_on_being_used_after_a_stream(http):
    for number in range(3):
        answer = http.post(PATH, content=iter([line(number)]))
        assert told(answer.content)[1]["created"] == 1
    assert Order.objects.count() == 3


def test_a_server_that_hands_over_no_chunks_says_so(live_server, key):
    answer = httpx.post(
        live_server.url + PATH,
        content=iter([line(1)]),
        headers={"Authorization": f"Bearer {key}", "Content-Type": NDJSON},
        timeout=30,
    )
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")
    answer = httpx.post(
        live_server.url + PATH,
        content=line(1) + line(2),
        headers={"Authorization": f"Bearer {key}", "Content-Type": NDJSON},
        timeout=30,
    )
    assert told(answer.content)[1]["created"] == 2


def test_as_many_lines_as_one_likes_in_flat_memory(web, http):
    """The benchmark sends a million; here it is enough to see that nothing grows with the lines."""

    def send(first, count):
        with http.stream("POST", PATH, content=(line(n) for n in range(first, first + count))) as answer:
            last = b""
            for text in answer.iter_lines():
                last = text
        assert json.loads(last)["created"] == count

    send(0, 4000)
    before = _resident(web)
    send(4000, 16_000)
    assert _resident(web) - before < 20


def _resident(web):
    """Megabytes at most of the one web process, so far."""
    [(process, _log)] = web._running
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    [status] = [Path(f"/proc/{child}/status").read_text() for child in children]
    return int(next(one for one in status.splitlines() if one.startswith("VmHWM")).split()[1]) / 1024
