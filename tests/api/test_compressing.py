"""Answers as gzip: where it is asked for and worth it, and only in the API."""

import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from apps.api.compressing import takes_gzip

PATH = "counters/40000001/orders/"
WHEN = (datetime.now(UTC) - timedelta(days=3)).isoformat()


def order(number=1):
    return {"id": f"D-{number}", "create_date_time": WHEN, "order_status": "PAID", "client_ids": ["17000000001"]}


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("GZIP", True),
        ("*", True),
        ("identity, *;q=0.1", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("gzip;q=x", False),
        ("xgzip", False),
    ],
)
def test_what_a_caller_takes(accepted, takes):
    assert takes_gzip(accepted) is takes


def test_long_answers_are_compressed_and_short_ones_are_not(api, counter):
    api.post(PATH, [order(n) for n in range(50)])
    plain = api.get(PATH)
    assert "Content-Encoding" not in plain.headers and "Accept-Encoding" in plain.headers["Vary"]
    answer = api.client.get(api.base + PATH, headers={"authorization": f"Bearer {api.key}", "accept-encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert int(answer.headers["Content-Length"]) == len(answer.content) < len(json.dumps(plain.body)) / 3
    assert json.loads(gzip.decompress(answer.content)) == plain.body
    short = api.get("counters/7/", **{"Accept-Encoding": "gzip"})
    assert short.status == 404 and "Content-Encoding" not in short.headers


def test_problems_and_kept_answers_are_compressed_too(api, counter):
    headers = {"authorization": f"Bearer {api.key}", "accept-encoding": "gzip", "idempotency-key": "k"}

    def post(rows):
        return api.client.post(api.base + PATH, data=json.dumps(rows), content_type="application/json", headers=headers)

    first, again = (post([order(n) for n in range(30)]) for _time in range(2))
    assert first.headers["Content-Encoding"] == again.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(first.content) == gzip.decompress(again.content)
    answer = api.client.post(
        api.base + PATH + "?atomic=true",
        data=json.dumps([{} for _row in range(30)]),
        content_type="application/json",
        headers=headers | {"idempotency-key": "other"},
    )
    assert answer.status_code == 400 and json.loads(gzip.decompress(answer.content))["code"] == "rows_rejected"


def test_a_stream_is_compressed_piece_by_piece(api, counter):
    raw = b"\n".join(json.dumps(order(n)).encode() for n in range(1200))
    answer = api.client.generic(
        "POST",
        api.base + PATH,
        data=raw,
        content_type="application/x-ndjson",
        headers={"authorization": f"Bearer {api.key}", "accept-encoding": "gzip"},
    )
    assert answer.headers["Content-Encoding"] == "gzip"
    pieces = list(answer.streaming_content)
    first = zlib.decompressobj(31).decompress(pieces[0])
    assert first.count(b"\n") > 100  # what was told can be read before anything more comes
    lines = gzip.decompress(b"".join(pieces)).splitlines()
    assert len(lines) == 1201 and json.loads(lines[-1])["created"] == 1200


def test_pages_are_left_as_they_are(client, db):
    answer = client.get("/admin/login/", headers={"accept-encoding": "gzip"})
    assert answer.status_code == 200 and "Content-Encoding" not in answer.headers
