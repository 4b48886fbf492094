"""Orders by the line: what any bytes come to. Each line is told of, and what is told is what is kept."""

import gzip
import json
import socket
import struct
import zlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.test import RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.api import bodies, duplex, lines
from apps.api.lines import Lines
from apps.api.problems import Problem
from apps.api.spool import Spool
from apps.audit.models import AuditEntry
from apps.orders.models import Order, StatusChange

PATH = "counters/40000001/orders/"
WHEN = (datetime.now(UTC) - timedelta(days=3)).strftime("%Y-%m-%dT12:00:00+03:00")
NDJSON = "application/x-ndjson"


def order(number=1, **fields):
    row = {"id": f"D-{number}", "create_date_time": WHEN, "order_status": "PAID", "client_ids": ["17000000001"]}
    return {**row, **fields}


def body_of(*rows):
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def send(api, raw, path=PATH, **headers):
    """(status, results, last line) of a stream; of a refusal (status, problem, None)."""
    answer = api("POST", path, raw=raw, content_type=NDJSON, **headers)
    if answer.status != 200:
        return answer.status, answer.body, None
    assert answer.headers["Content-Type"] == NDJSON
    *results, last = [json.loads(line) for line in answer.body.splitlines()]
    return answer.status, results, last


def test_each_line_has_its_own_result(api, counter):
    raw = body_of(
        order(1), b"", b"{", b"17", order(1), b'{"id": "x", "id": "y"}', order(2, revenue="x"), b"\xff", order(3)
    )
    status, results, last = send(api, raw.rstrip(b"\n"))
    assert status == 200
    assert [(row["index"], row["line"], row["result"]) for row in results] == [
        (0, 1, "created"),
        (1, 3, "rejected"),
        (2, 4, "rejected"),
        (3, 5, "unchanged"),
        (4, 6, "rejected"),
        (5, 7, "rejected"),
        (6, 8, "rejected"),
        (7, 9, "created"),
    ]
    codes = {row["line"]: row["errors"][0]["code"] for row in results if "errors" in row}
    assert codes == {3: "malformed_json", 4: "wrong_type", 6: "duplicate_name", 7: "money_format", 8: "not_utf8"}
    assert "column 2" in results[1]["errors"][0]["message"]
    assert (results[0]["id"], results[5]["id"]) == ("D-1", "D-2")
    assert last == {
        "complete": True,
        "rows": 8,
        "created": 2,
        "updated": 0,
        "unchanged": 1,
        "rejected": 5,
        "error": None,
    }
    assert set(Order.objects.values_list("order_id", flat=True)) == {"D-1", "D-3"}


def test_it_leaves_one_entry_under_the_request_and_the_key(api, counter, monkeypatch):
    monkeypatch.setattr("apps.api.streams.CHUNK", 500)
    answer = api("POST", PATH, raw=body_of(*(order(n) for n in range(1200))), content_type=NDJSON)
    assert json.loads(answer.body.splitlines()[-1])["created"] == 1200
    entry = AuditEntry.objects.get(action="orders.accepted")
    assert (entry.details["created"], entry.actor_kind, entry.source) == (1200, "key", "api")
    assert entry.request_id == answer.headers["X-Request-ID"]
    change = StatusChange.objects.first()
    assert change.request_id == entry.request_id and change.received_by.startswith("key ")


def test_messages_come_in_the_callers_language(api, counter):
    from django.utils import translation

    _status, results, _last = send(api, body_of({}), **{"Accept-Language": "ru"})
    with translation.override("ru"):
        assert results[0]["errors"][0]["message"] == translation.gettext("This field is required.")


def test_a_line_that_is_too_long_is_rejected_and_the_others_go_on(api, counter, monkeypatch):
    monkeypatch.setattr(lines.Lines.__init__, "__kwdefaults__", {"longest": 1000})
    raw = body_of(order(1), order(2, client_name="x" * 5000), order(3), b"y" * 2000)
    _status, results, last = send(api, raw)
    assert [row["result"] for row in results] == ["created", "rejected", "created", "rejected"]
    assert {row["errors"][0]["code"] for row in results if "errors" in row} == {"line_too_long"}
    assert last["complete"] and (last["created"], last["rejected"]) == (2, 2)


def test_what_cannot_be_had_with_a_stream_is_refused_with_the_next_step(api, counter):
    status, problem, _ = send(api, body_of(order(1)), PATH + "?atomic=true")
    assert (status, problem["code"], problem["errors"][0]["field"]) == (400, "atomic_not_for_streams", "atomic")
    assert problem["next_step"]
    status, problem, _ = send(api, body_of(order(1)), **{"Idempotency-Key": "k"})
    assert (status, problem["code"]) == (400, "idempotency_not_for_streams")
    status, problem, _ = send(api, b"")
    assert (status, problem["code"]) == (400, "empty_body")
    assert not Order.objects.exists()
    answer = api("POST", PATH, raw=body_of(order(1)), content_type=NDJSON + "; charset=utf-16")
    assert answer.status == 415
    assert api("POST", PATH, raw=body_of(order(1)), content_type="application/ndjson; charset=utf-8").status == 200
    assert api("PUT", "counters/40000001/statuses/x/", raw=b"{}", content_type=NDJSON).status == 415


def test_nobody_elses_counter_takes_lines(outsider, caller_for, agency, counter):
    assert send(outsider, body_of(order(1)))[0] == 404
    assert send(caller_for(agency, scopes=["read"]), body_of(order(1)))[0] == 403
    assert not Order.objects.exists()


def test_a_fault_of_ours_tells_what_is_kept_and_where_it_broke(api, counter, monkeypatch):
    """The one fault that no input should bring about, so it is made by hand."""
    from apps.orders.chunks import Chunk

    whole = Chunk.apply

    def broken(self):
        if self._start >= 500:
            raise RuntimeError("boom")
        return whole(self)

    monkeypatch.setattr("apps.api.streams.CHUNK", 500)
    monkeypatch.setattr(Chunk, "apply", broken)
    _status, results, last = send(api, body_of(*(order(n) for n in range(1200))))
    assert [row["result"] for row in results] == ["created"] * 500 and Order.objects.count() == 500
    assert not last["complete"] and last["created"] == 500
    assert (last["error"]["code"], last["error"]["line"]) == ("server_error", 501)


def test_a_body_of_which_nothing_more_comes_is_given_up():
    near, far = socket.socketpair()
    request = RequestFactory().generic("POST", "/", CONTENT_LENGTH="100")
    request._stream = SimpleNamespace(read=near.recv)
    with near, far:
        far.sendall(b"12345")
        duplex._give_up_after(near, 1)
        pieces = bodies.pieces(request)
        assert next(pieces) == b"12345"
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
        with pytest.raises(Problem) as found:
            next(pieces)
    assert (found.value.status, found.value.code) == (408, "stalled")


def test_what_waits_for_a_reader_waits_on_disk_in_its_order():
    spool = Spool(in_memory=100)
    written = [bytes([number % 256]) * (number * 37 % 3000 + 1) for number in range(200)]
    for piece in written[:100]:
        spool.write(piece)
    assert spool.waiting == sum(map(len, written[:100]))
    reader = iter(spool)
    found = [next(reader)]
    for piece in written[100:]:
        spool.write(piece)
    spool.end()
    found += reader
    assert b"".join(found) == b"".join(written) and spool.waiting == 0
    spool.close()
    spool.write(b"more")  # nobody reads it any more
    assert list(spool) == []


def test_an_answer_that_nobody_reads_ends_the_stream(api, counter, monkeypatch):
    monkeypatch.setattr("apps.api.streams.CHUNK", 500)
    monkeypatch.setattr("apps.api.duplex.MOST_WAITING", 50_000)
    _status, results, last = send(api, body_of(*(order(n) for n in range(3000))))
    assert not last["complete"] and last["error"]["code"] == "answer_not_read"
    assert len(results) == last["created"] == Order.objects.count() == last["error"]["line"] - 1 < 3000


# Compressed


def test_json_and_lines_may_come_compressed(api, counter):
    raw = gzip.compress(body_of(order(1)), mtime=0) + gzip.compress(body_of(order(2)), mtime=0) + b"\0" * 100
    _status, results, last = send(api, raw, **{"Content-Encoding": "gzip"})
    assert [row["id"] for row in results] == ["D-1", "D-2"] and last["complete"]
    raw = gzip.compress(json.dumps([order(3), order(4)]).encode())
    answer = api("POST", PATH, raw=raw, **{"Content-Encoding": "gzip"})
    assert (answer.status, answer.body["created"]) == (200, 2)


@pytest.mark.parametrize("content_type", ["application/json", NDJSON])
def test_what_is_no_gzip_or_a_bomb_is_refused(api, counter, content_type, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 8_000_000

    def refusal(raw, coding="gzip"):
        answer = api("POST", PATH, raw=raw, content_type=content_type, **{"Content-Encoding": coding})
        return answer.status, answer.body["code"] if isinstance(answer.body, dict) else answer.body

    assert refusal(b"[]") == (400, "bad_gzip")
    assert refusal(gzip.compress(b"[]") + b"rest") == (400, "bad_gzip")
    assert refusal(gzip.compress(b" " * 7_000_000)) == (413, "compressed_too_much")
    assert refusal(b"\x1b", "br") == (415, "unsupported_content_encoding")
    if content_type == "application/json":
        assert refusal(gzip.compress(b" " * 100 + b"[]")[:-4]) == (400, "cut_off")
        many = json.dumps([order(n) for n in range(60_000)]).encode()
        assert len(many) > 6_000_000
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
        assert refusal(gzip.compress(many)) == (413, "too_large")
    assert not Order.objects.exists()


def test_a_bomb_of_lines_ends_the_stream(api, counter):
    raw = gzip.compress(body_of(order(1)) + b"\n" * 7_000_000)
    _status, results, last = send(api, raw, **{"Content-Encoding": "gzip"})
    assert [row["id"] for row in results] == ["D-1"]
    assert not last["complete"] and last["error"]["code"] == "compressed_too_much"


def test_gzip_that_breaks_in_the_middle_tells_what_was_taken(api, counter):
    rows = [order(n, client_name=f"{n * 7919 % 100_003}" * 40) for n in range(3000)]
    raw = gzip.compress(body_of(*rows), 1)
    _status, results, last = send(api, raw[: len(raw) // 2], **{"Content-Encoding": "gzip"})
    assert 0 < len(results) == last["created"] == Order.objects.count() < 3000
    assert not last["complete"]
    assert (last["error"]["code"], last["error"]["line"]) == ("cut_off", len(results) + 1)


@given(parts=st.lists(st.binary(max_size=3000), max_size=4), size=st.integers(1, 500))
def test_gzip_is_opened_whatever_its_pieces(parts, size):
    raw = b"".join(map(gzip.compress, parts)) or gzip.compress(b"")
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    assert b"".join(bodies.opened(pieces)) == b"".join(parts)


@given(raw=st.binary(min_size=1, max_size=200), head=st.sampled_from([b"", gzip.compress(b"x")[:10]]))
def test_bytes_that_are_no_gzip_are_a_problem_and_never_a_crash(raw, head):
    try:
        opened = b"".join(bodies.opened([head + raw]))
    except Problem as problem:
        assert problem.status in (400, 413)
    else:
        assert zlib.decompressobj(31).decompress(head + raw) in opened


# Any bytes

ROWS = st.one_of(
    st.builds(lambda n, status: order(n, order_status=status), st.integers(0, 5), st.sampled_from(["PAID", "SPAM"])),
    st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=3),
    st.just({"id": "deep", "attributes": {"a": [[[[1]]]]}}),
).map(lambda row: json.dumps(row).encode())
ODD = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"[" * 3000,
            b'{"a":' * 1000,
            b'{"id": "a", "id": "a"}',
            b'{"id": 1e999999, "revenue": 1e400}',
            b'{"id": "n", "revenue": ' + b"9" * 200 + b"}",
            b'{"id": "\\ud800"}',
            b'{"id": "s", "order_status": "\\ud83d\\ude00"}',
            b"\xef\xbb\xbf{}",
            b"NaN",
            b"null",
            b"\r",
            b"  \t",
            b"[{}]",
            b"x" * 5000,
        ]
    ),
)


@given(texts=st.lists(ROWS | ODD, max_size=12), cut=st.integers(0, 40), size=st.integers(1, 100))
def test_lines_are_numbered_and_read_alone_whatever_their_pieces(texts, cut, size):
    raw = b"\n".join(texts)
    raw = raw[: len(raw) - cut] if cut < len(raw) else raw
    found = list(Lines([raw[at : at + size] for at in range(0, len(raw), size)], longest=2000))
    expected = [(number, text) for number, text in enumerate(raw.split(b"\n"), start=1) if text.strip(b" \t\r")]
    assert [line.number for line in found] == [number for number, _text in expected]
    for line, (_number, text) in zip(found, expected, strict=True):
        assert (line.problem is not None and line.problem.code == "line_too_long") == (len(text) > 2000)
        if line.problem is None:
            assert json.loads(text.decode("utf-8-sig"), parse_float=str) is not None or line.value is None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(texts=st.lists(ROWS | ODD, min_size=1, max_size=12), cut=st.integers(0, 60), short=st.booleans())
def test_any_body_is_told_row_by_row_and_never_half_kept(api, counter, texts, cut, short):
    """`short`: the body ends before Content-Length says; whole lines are taken then, the begun one is not."""
    Order.objects.all().delete()
    raw = b"\n".join(texts)
    sent = raw[: max(1, len(raw) - cut)] if short else raw
    answer = api.client.generic(
        "POST",
        api.base + PATH,
        data=sent,
        content_type=NDJSON,
        headers={"authorization": f"Bearer {api.key}"},
        CONTENT_LENGTH=str(len(raw)),
    )
    if answer.status_code == 400:
        assert answer.json()["code"] in ("empty_body", "cut_off") and not Order.objects.exists()
        return
    assert answer.status_code == 200
    *results, last = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert last["complete"] == (len(sent) == len(raw))
    of_lines = sent.split(b"\n") if last["complete"] else sent.split(b"\n")[:-1]
    assert [row["line"] for row in results] == [
        number for number, text in enumerate(of_lines, start=1) if text.strip(b" \t\r")
    ]
    assert [row["index"] for row in results] == list(range(len(results)))
    assert last["rows"] == len(results)
    told = {row["id"] for row in results if row["result"] == "created"}
    assert told == set(Order.objects.values_list("order_id", flat=True))
    changes = {row["change"] for row in results if row.get("change")}
    assert changes == {
        str(pk) for pk in StatusChange.objects.filter(order__order_id__in=told).values_list("pk", flat=True)
    }
