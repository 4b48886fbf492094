"""R6: what is known after a call broke is exact: nothing left, refused, or unknown. Against a real, cutting server."""

import io
import socket
import time
from collections.abc import Callable

import pytest

from apps.metrica.client import Exchange, MetricaClient
from apps.metrica.errors import (
    MetricaError,
    NoAnswer,
    NotSent,
    QuotaExceeded,
    ServerError,
    TransientError,
    UnknownOutcome,
    UploadRefused,
)
from tests.metrica.servers import PASSED, ScriptedServer, Talk, answering, envelope

FILE = b"id,create_date_time,client_ids,order_status\r\nD-1,2026-03-04 14:05:00,1700000000123456789,PAID\r\n"
BIG = FILE + b"x" * 8_000_000  # more than the sockets of both sides hold


class Ledger:
    """Keeps copies of what it is told, as a database would."""

    def __init__(self) -> None:
        self.started_as: list[str] = []
        self.done: list[Exchange] = []

    def started(self, exchange: Exchange) -> None:
        self.started_as.append(exchange.outcome)

    def finished(self, exchange: Exchange) -> None:
        self.done.append(exchange)


def upload(url: str, *, data: bytes = FILE, timeout: float = 5, ledger: Ledger | None = None) -> MetricaError | None:
    """The error of one upload, or None if it passed."""
    with MetricaClient(base_url=url, token="y0_token", timeout=timeout, recorder=ledger) as client:
        try:
            client.upload_simple_orders(40000001, io.BytesIO(data))
        except MetricaError as error:
            return error
    return None


def question(url: str, *, timeout: float = 5, ledger: Ledger | None = None) -> MetricaError | None:
    """The error of one last_uploadings, or None."""
    with MetricaClient(base_url=url, token="y0_token", timeout=timeout, recorder=ledger) as client:
        try:
            client.last_uploadings(40000001)
        except MetricaError as error:
            return error
    return None


def read_then(end: Callable[[Talk], None]) -> Callable[[Talk], None]:
    def script(talk: Talk) -> None:
        talk.read_request()
        end(talk)

    return script


def reset_unread(talk: Talk) -> None:
    # A reset before the first byte is under way would rightly be told as "not sent", so it is waited for.
    talk.connection.recv(1, socket.MSG_PEEK)
    talk.reset()


def cut_after_head(talk: Talk) -> None:
    talk.read_head()


def reset_after_head(talk: Talk) -> None:
    talk.read_head()
    talk.reset()


def cut_in_the_body(talk: Talk) -> None:
    talk.read_head()
    talk.read_some(60)
    talk.reset()


def silent(talk: Talk) -> None:
    talk.read_request()
    time.sleep(3)


def never_reads(talk: Talk) -> None:
    time.sleep(3)


HALF_AN_ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"uploading": {"uploading_id'

CUTS = {
    "before a byte was read": reset_unread,
    "after the head": cut_after_head,
    "reset after the head": reset_after_head,
    "in the body": cut_in_the_body,
    "after the whole request": read_then(lambda talk: None),
    "reset after the whole request": read_then(lambda talk: talk.reset()),
    "in the status line": read_then(lambda talk: talk.send(b"HTTP/1.1 2")),
    "in the headers": read_then(lambda talk: talk.send(b"HTTP/1.1 200 OK\r\nContent-Len")),
    "in the answer": read_then(lambda talk: talk.send(HALF_AN_ANSWER)),
    "by nonsense": read_then(lambda talk: talk.send(b"\x00\x01nonsense\r\n\r\n")),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("data", [FILE, BIG], ids=["small", "big"])
def test_a_cut_upload_is_of_unknown_outcome(cut: str, data: bytes) -> None:
    ledger = Ledger()
    with ScriptedServer(CUTS[cut]) as server:
        error = upload(server.url, data=data, ledger=ledger)
    assert isinstance(error, UnknownOutcome), repr(error)
    assert error.code == "unknown_outcome"
    assert not isinstance(error, TransientError)
    assert ledger.started_as == ["pending"]
    assert [(done.outcome, done.error_code) for done in ledger.done] == [("unknown", "unknown_outcome")]
    assert server.connections == 1, "an upload was sent twice by itself"


@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_question_is_asked_again(cut: str) -> None:
    ledger = Ledger()
    with ScriptedServer(CUTS[cut]) as server:
        # "in the body" waits for a body that a question has not, and ends when the client does
        error = question(server.url, timeout=0.5, ledger=ledger)
    assert isinstance(error, NoAnswer), repr(error)
    assert [done.outcome for done in ledger.done] == ["transient"]


@pytest.mark.parametrize("script", [silent, never_reads], ids=["silent", "never reads"])
def test_a_timeout_after_sending_began_is_unknown(script: Callable[[Talk], None]) -> None:
    with ScriptedServer(script) as server:
        error = upload(server.url, data=BIG, timeout=0.5)
    assert isinstance(error, UnknownOutcome)
    assert "Timeout" in error.detail


def test_no_connection_means_that_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    ledger = Ledger()
    error = upload(f"http://127.0.0.1:{port}", ledger=ledger)
    assert isinstance(error, NotSent)
    assert error.code == "not_sent"
    assert ledger.started_as == ["pending"]
    assert [(done.outcome, done.status) for done in ledger.done] == [("transient", None)]


def test_a_name_that_does_not_resolve_means_that_nothing_was_sent() -> None:
    assert isinstance(upload("http://metrica.invalid"), NotSent)


def test_a_failed_tls_handshake_means_that_nothing_was_sent() -> None:
    with ScriptedServer(lambda talk: talk.send(b"this is no TLS")) as server:
        error = upload(server.url.replace("http:", "https:"))
    assert isinstance(error, NotSent)
    assert server.seen == []


def test_connecting_that_takes_too_long_means_that_nothing_was_sent() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    try:
        # The queue of connections is full, so the next one is neither taken nor refused.
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        error = upload(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.5)
    finally:
        for filler in fillers:
            filler.close()
        listener.close()
    assert isinstance(error, NotSent), repr(error)
    assert "Timeout" in error.detail


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>It works!</html>"),
        (200, b""),
        (200, {"uploading": None}),
        (200, {"uploading": {"uploading_id": "x", "api_validation_status": "MAYBE"}}),
        (200, {"uploading": {"uploading_id": "", "api_validation_status": "PASSED"}}),
        (200, b"[" * 100_000),
        (202, {}),
        (204, None),
        (500, b"<h1>Internal Server Error</h1>"),
        (502, b"<h1>Bad Gateway</h1>"),
        (502, envelope("backend_error", code=502)),
        (503, b"no healthy upstream"),
        (504, envelope("timeout", code=504)),
        (504, None),
        (503, envelope("timeout", code=503)),
    ],
)
def test_an_answer_that_proves_nothing_leaves_an_upload_unknown(status: int, body: object) -> None:
    with answering(status, body) as server:
        error = upload(server.url)
    assert isinstance(error, UnknownOutcome), repr(error)
    assert error.http_status == status


def test_a_server_error_in_metricas_own_words_proves_that_nothing_was_taken_in() -> None:
    with answering(503, envelope("backend_error", code=503, message="Service is down")) as server:
        error = upload(server.url)
    assert isinstance(error, ServerError)
    assert (error.error_type, error.http_status, error.detail) == ("backend_error", 503, "Service is down")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_of_a_question_are_transient(status: int) -> None:
    with answering(status, b"<h1>Oops</h1>") as server:
        error = question(server.url)
    assert isinstance(error, ServerError)


def test_a_refusal_before_the_body_was_read_is_a_refusal() -> None:
    def too_large(talk: Talk) -> None:
        talk.read_head()
        talk.answer(413, b"<h1>Too large</h1>", headers={"Connection": "close"})
        talk.connection.shutdown(socket.SHUT_WR)
        while talk.connection.recv(262144):  # as real servers linger, so that the answer is not lost
            pass

    with ScriptedServer(too_large) as server:
        error = upload(server.url, data=BIG)
    assert isinstance(error, UploadRefused)
    assert error.code == "file_too_large"


@pytest.mark.parametrize("call", [upload, question])
def test_a_refusal_whose_reason_was_cut_off_changed_nothing_and_is_repeated(
    call: Callable[[str], MetricaError | None],
) -> None:
    head = b'HTTP/1.1 400 Bad\r\nContent-Length: 500\r\n\r\n{"errors": [{"error_t'
    with ScriptedServer(read_then(lambda talk: talk.send(head))) as server:
        error = call(server.url)
    assert isinstance(error, TransientError)
    assert (error.code, error.http_status) == ("refusal_cut", 400)


def test_a_quota_answer_whose_body_was_cut_off_is_a_quota_answer() -> None:
    head = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 500\r\n\r\n{"
    with ScriptedServer(read_then(lambda talk: talk.send(head))) as server:
        error = upload(server.url)
    assert isinstance(error, QuotaExceeded)
    assert error.retry_after == 7


def test_the_whole_call_has_an_end_even_if_every_step_is_quick() -> None:
    def dripping(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        for _ in range(500):
            talk.send(b" ")
            time.sleep(0.02)

    started = time.monotonic()
    with (
        ScriptedServer(dripping) as server,
        MetricaClient(base_url=server.url, token="y0_token", timeout=5, total_timeout=0.5) as client,
        pytest.raises(UnknownOutcome),
    ):
        client.upload_simple_orders(40000001, io.BytesIO(FILE))
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("script", [silent, never_reads], ids=["silent", "never reads"])
def test_the_whole_time_bounds_the_wait_for_an_answer(script: Callable[[Talk], None]) -> None:
    started = time.monotonic()
    with (
        ScriptedServer(script) as server,
        MetricaClient(base_url=server.url, token="y0_token", timeout=60, total_timeout=0.5) as client,
        pytest.raises(UnknownOutcome),
    ):
        client.upload_simple_orders(40000001, io.BytesIO(BIG))
    assert time.monotonic() - started < 2


class Shrinking(io.BytesIO):
    """Says it is longer than it is, like a file that another program cut meanwhile."""

    def seek(self, position: int, whence: int = 0, /) -> int:
        return super().seek(position, whence) + (1000 if whence == 2 else 0)


class Failing(io.BytesIO):
    """A storage that loses its connection half-way, with an error of its own kind."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 500_000:
            raise RuntimeError("the storage is gone")
        return super().read(size)


@pytest.mark.parametrize("file", [Shrinking(FILE), Failing(BIG)], ids=["shrinking", "failing"])
def test_a_file_that_fails_under_way_leaves_the_outcome_unknown(file: io.BytesIO) -> None:
    with (
        answering(200, PASSED) as server,
        MetricaClient(base_url=server.url, token="y0_token", timeout=2) as client,
        pytest.raises(UnknownOutcome),
    ):
        client.upload_simple_orders(40000001, file)


def test_a_task_that_is_stopped_leaves_an_entry_that_says_unknown() -> None:
    """django-q2 stops a task by an exception that is no Exception; here the storage raises it mid-way."""

    class Stopped(SystemExit):
        pass

    class Stopping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 500_000:
                raise Stopped
            return super().read(size)

    ledger = Ledger()
    with (
        answering(200, PASSED) as server,
        MetricaClient(base_url=server.url, token="y0_token", recorder=ledger) as client,
        pytest.raises(Stopped),
    ):
        client.upload_simple_orders(40000001, Stopping(BIG))
    assert [(done.outcome, done.error_code) for done in ledger.done] == [("unknown", "interrupted")]


def test_nothing_leaves_before_the_ledger_has_it() -> None:
    class Broken(Ledger):
        def started(self, exchange: Exchange) -> None:
            raise RuntimeError("the database is away")

    with answering(200, PASSED) as server, pytest.raises(RuntimeError):
        upload(server.url, ledger=Broken())
    assert server.connections == 0


def test_the_error_drags_no_frames_of_the_http_library_along() -> None:
    """Error reporters show the local variables of every frame, and there the token would be."""
    with ScriptedServer(cut_after_head) as server:
        error = upload(server.url)
    assert error is not None
    assert error.__context__ is None
    assert error.__cause__ is None
    files = []
    traceback = error.__traceback__
    while traceback is not None:
        files.append(traceback.tb_frame.f_code.co_filename)
        traceback = traceback.tb_next
    assert not [file for file in files if "httpx" in file or "httpcore" in file or "h11" in file]


def test_each_call_has_a_connection_of_its_own() -> None:
    """A kept connection may have died unnoticed, and then an upload's outcome would be unknown for nothing."""

    def keeps_it_open(talk: Talk) -> None:
        while True:
            talk.read_request()
            talk.answer(200, {"uploadings": []})

    with ScriptedServer(keeps_it_open) as server:
        with MetricaClient(base_url=server.url, token="y0_token") as client:
            for _ in range(3):
                client.last_uploadings(1)
        assert server.connections == 3
