"""A request is there whole or not at all (R2), over real HTTP, and however large its file is."""

import concurrent.futures
import socket
import tracemalloc
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection
from django.utils import timezone

from apps.api.gateway import receiving
from apps.api.models import ReceivedUpload
from apps.orders import intake
from apps.orders.models import Order, StatusChange
from tests.api.gateway.conftest import NUMBER, WHEN, csv, order
from tests.factories import make_agency, make_counter, make_key

pytestmark = pytest.mark.django_db(transaction=True)
PATH = f"/cdp/api/v1/counter/{NUMBER}/data/simple_orders?merge_mode=SAVE"


def lines(many, *, status="PAID", start=0):
    return (f"D-{number},{WHEN},,17,,,{status},5,,," for number in range(start, start + many))


@pytest.fixture
def http(live_server):
    agency = make_agency("north")
    make_counter(agency, metrica_id=NUMBER)
    headers = {"Authorization": f"OAuth {make_key(agency)[1]}"}
    with httpx.Client(base_url=live_server.url, headers=headers, timeout=120) as client:
        yield client


def send(http, content):
    return http.post(PATH, files={"file": ("orders.csv", content, "text/csv")})


def test_a_file_of_several_chunks(http):
    answer = send(http, csv(*lines(5000)))
    assert answer.json()["uploading"]["elements_count"] == Order.objects.count() == 5000
    assert StatusChange.objects.values("request_id").distinct().count() == 1


def test_a_bad_row_behind_thousands(http):
    answer = send(http, csv(*lines(4500), f"D-X,{WHEN},,17,,,PAID,much,,,"))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["location"] == "line 4502, column revenue"
    assert not Order.objects.exists() and ReceivedUpload.objects.get().state == "FAILED"


def test_a_fault_in_the_third_chunk_leaves_nothing(http, monkeypatch):
    apply, calls = intake.Chunk.apply, []

    def breaking(chunk):
        calls.append(chunk)
        if len(calls) == 3:
            raise RuntimeError("the machine is gone")
        return apply(chunk)

    monkeypatch.setattr(intake.Chunk, "apply", breaking)
    answer = send(http, csv(*lines(5000)))
    assert (answer.status_code, answer.json()["errors"][0]["error_type"]) == (503, "backend_error")
    assert len(calls) == 3 and not Order.objects.exists() and not ReceivedUpload.objects.exists()
    monkeypatch.undo()
    assert send(http, csv(*lines(5000))).json()["uploading"]["elements_count"] == Order.objects.count() == 5000


def test_a_counter_that_changes_between_the_two_passes(http, monkeypatch):
    take_turn = receiving._take_turn

    def meanwhile(counter):
        take_turn(counter)
        without_zone = intake.RowReader(zone=None, now=timezone.now())
        monkeypatch.setattr(intake, "reader_for", lambda *_given, **_more: without_zone)

    monkeypatch.setattr(receiving, "_take_turn", meanwhile)
    answer = send(http, csv(*lines(3)))
    assert answer.status_code == 400 and "unknown_time_zone" in answer.json()["message"]
    assert not Order.objects.exists() and ReceivedUpload.objects.get().state == "FAILED"


def test_a_request_that_breaks_off_takes_nothing(http):
    address = urlsplit(str(http.base_url))
    head = (
        f"POST {PATH} HTTP/1.1\nHost: localhost\nAuthorization: {http.headers['Authorization']}\n"
        "Content-Type: multipart/form-data; boundary=XbX\nContent-Length: 5000\n\n"
    )
    body = b'--XbX\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + csv(*lines(3))
    with socket.create_connection((address.hostname, address.port), timeout=30) as wire:
        wire.sendall(head.replace("\n", "\r\n").encode() + body)
    assert send(http, csv(*lines(1, start=100))).status_code == 200
    assert [one.order_id for one in Order.objects.all()] == ["D-100"]


def test_a_body_of_unknown_length(http):
    answer = http.post(PATH, content=iter([b"--XbX--"]), headers={"Content-Type": "multipart/form-data; boundary=XbX"})
    assert answer.status_code == 411 and "length_required" in answer.json()["message"]


def test_the_same_file_by_many_at_once(http):
    content = csv(*lines(300))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _number: send(http, content), range(4)))
    connection.close()
    assert [answer.status_code for answer in answers] == [200] * 4
    assert Order.objects.count() == StatusChange.objects.count() == 300
    counts = ReceivedUpload.objects.values_list("created", "unchanged")
    assert sorted(counts) == [(0, 300), (0, 300), (0, 300), (300, 0)]


def test_two_files_that_hold_each_others_orders(http):
    """Each in the other's order: one waits for the other."""
    there = csv(*lines(2500))
    back = csv(*reversed(list(lines(2500, status="CANCELLED"))))
    send(http, there)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda content: send(http, content), [back, there]))
    connection.close()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert order("D-0").changes.count() >= 2


def test_memory_stays_flat(http):
    """A file four times as long takes no more."""

    def peak(many):
        content = csv(*lines(many))
        tracemalloc.start()
        assert send(http, content).status_code == 200
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most - 3 * len(content)

    send(http, csv(*lines(2)))
    small = peak(4_000)
    assert peak(16_000) < 1.6 * small
