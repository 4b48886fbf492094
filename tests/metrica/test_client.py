"""The five calls: what goes over the wire, what comes back, and what the ledger may see of it."""

import gzip
import io
import logging
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest

from apps.metrica.client import Exchange, MetricaClient
from apps.metrica.errors import (
    AuthorizationError,
    InvalidRequest,
    MetricaError,
    NoAnswer,
    NotFound,
    UnknownOutcome,
    UploadRefused,
)
from apps.metrica.vocabulary import Delimiter, MergeMode
from tests.metrica.servers import FAILED, PASSED, ScriptedServer, Talk, answering, envelope
from tests.metrica.test_outcomes import FILE, Ledger

TOKEN = "y0_AgAAAAsecretsecretsecret"


def client_for(server: ScriptedServer, ledger: Ledger | None = None) -> MetricaClient:
    return MetricaClient(base_url=server.url, token=TOKEN, recorder=ledger, timeout=5)


def parts_of(headers: dict[str, str], body: bytes) -> list[EmailMessage]:
    """The multipart body as an independent parser understands it."""
    head = f"Content-Type: {headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    return [part for part in message.iter_parts() if isinstance(part, EmailMessage)]


def test_an_upload_is_one_part_named_file_with_the_exact_bytes() -> None:
    data = FILE + "D-2,Привет 🎯\r\n".encode()
    with answering(200, PASSED) as server, client_for(server) as client:
        uploading = client.upload_simple_orders(40000001, io.BytesIO(data))
    (seen,) = server.seen
    assert seen.line == (
        "POST /cdp/api/v1/counter/40000001/data/simple_orders?merge_mode=SAVE&delimiter_type=COMMA HTTP/1.1"
    )
    assert seen.headers["authorization"] == f"OAuth {TOKEN}"
    assert "transfer-encoding" not in seen.headers
    assert int(seen.headers["content-length"]) == len(seen.body)
    (part,) = parts_of(seen.headers, seen.body)
    assert part.get_param("name", header="content-disposition") == "file"
    assert part.get_filename() == "orders.csv"
    assert part.get_content_type() == "text/csv"
    assert data in seen.body
    assert part.get_payload(decode=True) == data
    assert uploading.uploading_id == "0b7e3c52-98d4-4c8e-9d0a-612345678901"
    assert (uploading.status, uploading.elements_count, uploading.entity_type) == ("PASSED", 3, "SYSTEM")
    assert (uploading.uploading_format, uploading.uploading_source) == ("CSV", "API")
    assert uploading.raw == PASSED["uploading"]


def test_merge_mode_and_delimiter_and_file_name_are_passed_on() -> None:
    with answering(200, PASSED) as server, client_for(server) as client:
        client.upload_simple_orders(
            1,
            io.BytesIO(b"x"),
            filename='a"b\r\nX-Evil: 1.csv',
            merge_mode=MergeMode.APPEND,
            delimiter=Delimiter.SEMICOLON,
        )
    assert "?merge_mode=APPEND&delimiter_type=SEMICOLON " in server.seen[0].line
    assert b'filename="a%22b%0D%0AX-Evil: 1.csv"' in server.seen[0].body


def test_a_file_is_sent_from_where_it_stands() -> None:
    file = io.BytesIO(b"skipped" + FILE)
    file.seek(7)
    with answering(200, PASSED) as server, client_for(server) as client:
        client.upload_simple_orders(1, file)
    assert parts_of(server.seen[0].headers, server.seen[0].body)[0].get_payload(decode=True) == FILE


def test_failed_is_a_refused_file() -> None:
    with answering(200, FAILED) as server, client_for(server) as client, pytest.raises(UploadRefused) as caught:
        client.upload_simple_orders(1, io.BytesIO(FILE))
    assert caught.value.code == "upload_failed"
    assert "0b7e3c52" in caught.value.detail


def test_last_uploadings() -> None:
    body = {"uploadings": [PASSED["uploading"], {"uploading_id": "b", "api_validation_status": "FAILED"}]}
    with answering(200, body) as server, client_for(server) as client:
        first, second = client.last_uploadings(40000001, limit=2, before="2020-02-10 10:00:00")
    path, _, query = server.seen[0].line.split()[1].partition("?")
    assert path == "/cdp/api/v1/counter/40000001/last_uploadings"
    assert parse_qs(query) == {"limit": ["2"], "datetime_offset": ["2020-02-10 10:00:00"]}
    assert first.datetime == "2026-03-04 15:06:07"
    assert first.moment(ZoneInfo("Europe/Moscow")).at == datetime(2026, 3, 4, 12, 6, 7, tzinfo=UTC)
    assert first.moment(ZoneInfo("Asia/Omsk")).at == datetime(2026, 3, 4, 9, 6, 7, tzinfo=UTC)
    assert (second.elements_count, second.datetime, second.passed) == (None, "", False)


@pytest.mark.parametrize("limit", [0, 1001, -1])
def test_last_uploadings_takes_at_most_a_thousand(limit: int) -> None:
    with pytest.raises(ValueError, match="1000"):
        MetricaClient(base_url="http://127.0.0.1:9", token=TOKEN).last_uploadings(1, limit=limit)


def test_counters() -> None:
    counter = {
        "id": 40000001,
        "name": "Зубы",
        "site2": {"site": "teeth.example", "domain": "teeth.example"},
        "time_zone_name": "Europe/Moscow",
        "permission": "own",
        "owner_login": "north",
        "status": "Active",
        "favorite": 0,
    }
    with answering(200, {"rows": 1500, "counters": [counter]}) as server, client_for(server) as client:
        page = client.counters(search="зуб", permission="own,edit", offset=1001, field=("goals", "grants"))
    assert server.seen[0].line.startswith("GET /management/v1/counters?per_page=1000&offset=1001&search_string=%D0%B7")
    assert "field=goals%2Cgrants" in server.seen[0].line or "field=goals,grants" in server.seen[0].line
    assert page.rows == 1500
    (info,) = page.counters
    assert (info.id, info.name, info.site, info.time_zone_name) == (40000001, "Зубы", "teeth.example", "Europe/Moscow")
    assert (info.permission, info.owner_login, info.status) == ("own", "north", "Active")


def test_counter_prefers_the_site_of_real_answers() -> None:
    body = {"counter": {"id": 7, "site": "a.example", "site2": {"site": "b.example"}}}
    with answering(200, body) as server, client_for(server) as client:
        assert client.counter(7, field=("counter_flags",)).site == "a.example"
    assert server.seen[0].line == "GET /management/v1/counter/7?field=counter_flags HTTP/1.1"


def test_goals() -> None:
    goals = [
        {
            "id": 300000001,
            "name": "Good lead",
            "type": "action",
            "conditions": [{"type": "exact", "url": "good_lead"}],
            "default_price": 12.5,
            "is_favorite": 1,
        },
        {"id": 17, "name": "CRM: Заказ создан", "type": "cdp_order_in_progress"},
        {"id": 18, "name": "Page", "type": "url", "conditions": [{"type": "contain", "url": "thanks"}]},
    ]
    with answering(200, {"goals": goals}) as server, client_for(server) as client:
        lead, created, page = client.goals(40000001)
    assert server.seen[0].line == "GET /management/v1/counter/40000001/goals?useDeleted=false HTTP/1.1"
    assert (lead.identifier, lead.condition_type, lead.default_price) == ("good_lead", "exact", Decimal("12.5"))
    assert lead.is_favorite
    assert (created.type, created.identifier, created.default_price) == ("cdp_order_in_progress", None, None)
    assert page.identifier is None, "only JavaScript-event goals have an identifier"


@pytest.mark.parametrize("body", [{}, [], {"goals": None}, {"goals": ["x"]}, {"goals": [{"name": "no id"}]}, b"{"])
def test_an_answer_of_another_shape_is_no_answer(body: object) -> None:
    with answering(200, body) as server, client_for(server) as client, pytest.raises(NoAnswer):
        client.goals(1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with answering(200, PASSED) as elsewhere:
        headers = {"Location": elsewhere.url + "/cdp"}
        with (
            answering(status, headers=headers) as server,
            client_for(server) as client,
            pytest.raises(InvalidRequest) as caught,
        ):
            client.upload_simple_orders(1, io.BytesIO(FILE))
        assert elsewhere.connections == 0
    assert caught.value.code == "unexpected_redirect"


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "токен", "a\tb", "tok\0en", "y0_x\r\nX-Evil: 1"])
def test_a_token_that_no_header_can_hold_goes_nowhere(token: str) -> None:
    ledger = Ledger()
    with (
        answering(200, PASSED) as server,
        MetricaClient(base_url=server.url, token=token, recorder=ledger) as client,
        pytest.raises(AuthorizationError) as caught,
    ):
        client.upload_simple_orders(1, io.BytesIO(FILE))
    assert server.connections == 0
    assert token == "" or token not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "metrica", "ftp://x.example", "https://", "https://user:pass@x.example", "https://x.example?a=1"]
)
def test_a_base_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        MetricaClient(base_url=url, token=TOKEN)


def test_a_base_url_may_have_a_path() -> None:
    with (
        answering(200, {"uploadings": []}) as server,
        MetricaClient(base_url=server.url + "/sandbox/", token=TOKEN) as client,
    ):
        assert client.last_uploadings(5) == []
    assert server.seen[0].line.startswith("GET /sandbox/cdp/api/v1/counter/5/last_uploadings?")


def everything_said(exchange: Exchange) -> str:
    return repr(exchange) + exchange.request_excerpt + exchange.response_body


def test_the_token_is_seen_by_the_server_only() -> None:
    """Not in the ledger, a repr or an error, not even when it is asked for or the server says it back."""
    ledger = Ledger()
    body = envelope("invalid_token", code=403, message=f"Token {TOKEN} is expired", location=TOKEN)
    with (
        answering(403, body, headers={"X-Echo": TOKEN, "Set-Cookie": "session=1"}) as server,
        client_for(server, ledger) as client,
        pytest.raises(AuthorizationError) as caught,
    ):
        client.counters(search=TOKEN)
    assert TOKEN in server.seen[0].headers["authorization"]
    (exchange,) = ledger.done
    error = caught.value
    for text in (everything_said(exchange), repr(client), str(client), repr(error), str(error), repr(vars(error))):
        assert TOKEN not in text
    headers = {name.lower(): value for name, value in exchange.request_headers.items()}
    assert headers["authorization"] == "•••"
    assert exchange.response_headers["set-cookie"] == "•••"


@pytest.fixture
def wire_log() -> Iterator[io.StringIO]:
    """All that the HTTP libraries log, down to the last detail, whatever the project's own logging shows of it."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("httpx", "httpcore")]
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.level, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.disabled = False
    yield log
    for logger, (level, disabled) in zip(loggers, before, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.disabled = disabled


def test_the_token_is_in_no_log(wire_log: io.StringIO) -> None:
    with answering(200, PASSED) as server, client_for(server) as client:
        client.upload_simple_orders(1, io.BytesIO(FILE))
        with pytest.raises(NoAnswer):
            client.goals(1)
    assert "simple_orders" in wire_log.getvalue()
    assert "send_request_headers" in wire_log.getvalue()
    assert TOKEN not in wire_log.getvalue()


def test_the_ledger_entry_is_complete() -> None:
    ledger = Ledger()
    with answering(200, PASSED, headers={"X-Request-Id": "abc"}) as server, client_for(server, ledger) as client:
        client.upload_simple_orders(40000001, io.BytesIO(FILE))
    (exchange,) = ledger.done
    assert ledger.started_as == ["pending"]
    assert (exchange.method, exchange.status, exchange.outcome, exchange.error_code) == ("POST", 200, "ok", "")
    assert exchange.url == (
        f"{server.url}/cdp/api/v1/counter/40000001/data/simple_orders?merge_mode=SAVE&delimiter_type=COMMA"
    )
    assert exchange.request_size == len(server.seen[0].body)
    assert exchange.request_excerpt.startswith(
        "id,create_date_time,client_ids,order_status\r\nD-1,2026-03-04 14:05:00,"
    )
    assert exchange.finished_at is not None
    assert exchange.started_at.tzinfo is UTC
    assert exchange.started_at <= exchange.finished_at
    assert exchange.response_headers["x-request-id"] == "abc"
    assert "0b7e3c52-98d4-4c8e-9d0a-612345678901" in exchange.response_body
    assert re.fullmatch(r"[0-9a-f-]{36}", exchange.id)


def test_personal_data_is_masked_in_the_ledger() -> None:
    data = (
        b"id,create_date_time,client_uniq_id,client_ids,emails,phones,emails_md5\r\n"
        b'D-1,2026-03-04 14:05:00,C-7,1700000000123456789,"anna.k@shop.example,b@x.example",79031234567,'
        b"261b44f92b75954e9125a14bd8029285\r\n"
        b"8 (903) 765-43-21,2026-03-04 14:05:00,+7 495 123-45-67,,,9031112233,\r\n"
    )
    answer = envelope("invalid_uploading", message="Line 2: anna.k@shop.example, 79031234567 or +7 903 123-45-67")
    ledger = Ledger()
    with answering(400, answer) as server, client_for(server, ledger) as client, pytest.raises(UploadRefused) as caught:
        client.upload_simple_orders(1, io.BytesIO(data))
    (exchange,) = ledger.done
    said = everything_said(exchange) + caught.value.detail + str(caught.value)
    for secret in (
        "anna", "b@x", "79031234567", "1234567", "123-45-67", "765-43-21", "9031112233", "261b", "shop.example",
        "1700000000123456789",
    ):  # fmt: skip
        assert secret not in said, secret
    assert "D-1,2026-03-04 14:05:00,C-7," in exchange.request_excerpt
    assert "•••@•••.example" in exchange.request_excerpt
    assert "Line 2" in caught.value.detail


def test_a_value_cut_in_two_by_the_end_of_the_excerpt_is_left_out() -> None:
    data = b"x," * 990 + b"1234567," + b"somebody@shop.example,"
    ledger = Ledger()
    for shift in range(40):
        with answering(200, PASSED) as server, client_for(server, ledger) as client:
            client.upload_simple_orders(1, io.BytesIO(b"," * shift + data))
        assert "somebody" not in ledger.done[-1].request_excerpt


def test_a_long_answer_is_kept_in_part() -> None:
    ledger = Ledger()
    body = {"goals": [{"id": 1, "name": "n" * 100_000}]}
    with answering(200, body) as server, client_for(server, ledger) as client:
        assert len(client.goals(1)[0].name) == 100_000
    assert len(ledger.done[0].response_body) <= 20_000


def endless(talk: Talk) -> None:
    talk.read_request()
    talk.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        talk.send(b"x" * 65536)


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    with ScriptedServer(endless) as server, client_for(server) as client:
        with pytest.raises(UnknownOutcome):
            client.upload_simple_orders(1, io.BytesIO(FILE))
        with pytest.raises(NoAnswer):
            client.goals(1)


def test_an_endless_refusal_is_a_refusal() -> None:
    def script(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"HTTP/1.1 404 No\r\nConnection: close\r\n\r\n")
        while True:
            talk.send(b"x" * 65536)

    with ScriptedServer(script) as server, client_for(server) as client, pytest.raises(NotFound):
        client.upload_simple_orders(1, io.BytesIO(FILE))


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_answer_is_understood_though_none_was_asked_for(encoding: str, pack: object) -> None:
    assert callable(pack)
    body = pack(b'{"goals": []}')
    with answering(200, body, headers={"Content-Encoding": encoding}) as server, client_for(server) as client:
        assert client.goals(1) == []
    assert server.seen[0].headers["accept-encoding"] == "identity"


def test_a_compressed_bomb_does_not_go_off() -> None:
    body = gzip.compress(b" " * 200_000_000)
    with (
        answering(200, body, headers={"Content-Encoding": "gzip"}) as server,
        client_for(server) as client,
        pytest.raises(NoAnswer) as caught,
    ):
        client.goals(1)
    assert "larger" in caught.value.detail


def test_broken_compression_is_no_answer() -> None:
    with (
        answering(200, b"no gzip", headers={"Content-Encoding": "gzip"}) as server,
        client_for(server) as client,
        pytest.raises(NoAnswer),
    ):
        client.goals(1)


def test_every_error_of_the_client_is_a_metrica_error_with_words() -> None:
    with (
        answering(400, envelope("something_new")) as server,
        client_for(server) as client,
        pytest.raises(MetricaError) as caught,
    ):
        client.goals(1)
    assert caught.value.code == "refused"
    assert str(caught.value.next_step)
    assert caught.value.error_type == "something_new"
