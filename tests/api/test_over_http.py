"""The API over real HTTP: what only a server and a socket can show."""

import concurrent.futures
import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import httpx
import pytest
from django.db import connection

from apps.orders.models import Order, StatusChange
from tests.factories import make_agency, make_counter, make_key

pytestmark = pytest.mark.django_db(transaction=True)
WHEN = (datetime.now(UTC) - timedelta(days=3)).isoformat()


def order(number, **fields):
    row = {"id": f"D-{number}", "create_date_time": WHEN, "order_status": "PAID", "client_ids": ["17000000001"]}
    return {**row, **fields}


@pytest.fixture
def http(live_server):
    agency = make_agency("north")
    make_counter(agency, metrica_id=40000001)
    headers = {"Authorization": f"Bearer {make_key(agency)[1]}"}
    with httpx.Client(base_url=f"{live_server.url}/api/v1/counters/40000001/", headers=headers, timeout=60) as client:
        yield client


def raw(http, head, body=b""):
    """Send these very bytes; the status and the whole answer."""
    address = urlsplit(str(http.base_url))
    with socket.create_connection((address.hostname, address.port), timeout=30) as wire:
        wire.sendall(head.replace("{key}", http.headers["Authorization"]).replace("\n", "\r\n").encode() + body)
        answer = b""
        while part := wire.recv(65536):
            answer += part
            if b"\r\n\r\n" in answer and b'"request_id"' in answer:
                break
    return int(answer.split()[1]), answer.decode()


def test_there_and_back(http):
    answer = http.post("orders/", json=[order(1), order(2, revenue=0.1)])
    assert answer.status_code == 200
    assert answer.headers["X-Request-ID"]
    assert [row["id"] for row in http.get("orders/", params={"delivery": "waiting"}).json()["results"]] == [
        "D-2",
        "D-1",
    ]
    assert http.head("orders/").status_code == 200 and http.head("orders/").content == b""
    page = http.get("orders/", params={"limit": 1}).json()
    assert httpx.get(page["next"], headers=http.headers).json()["results"][0]["id"] == "D-1"


@pytest.mark.parametrize(
    "order_id", ["a/b", "a//b", "/a", "a/", "a b", "😀", "50%", "%2F", "a?b", "a;b", "a+b", "Ё №1"]
)
def test_an_id_of_any_kind_survives_the_wire(http, order_id):
    assert http.post("orders/", json=order(1, id=order_id)).json()["created"] == 1
    for safe in ("", "/"):
        address = f"{http.base_url}orders/{quote(order_id, safe=safe)}/"
        assert http.get(httpx.URL(address)).json()["id"] == order_id
    assert http.post(httpx.URL(address + "statuses/"), json={"order_status": "SPAM"}).json()["result"] == "updated"


def test_bytes_in_an_address_that_are_no_utf8(http):
    for path in ("orders/%ff/", "orders/%00/", "orders/%ed%a0%80/", "statuses/%c3%28/", "orders/%/", "orders/%zz/"):
        assert http.get(httpx.URL(f"{http.base_url}{path}")).status_code == 404


def test_a_body_of_unknown_length_is_411(http):
    head = (
        "POST /api/v1/counters/40000001/orders/ HTTP/1.1\nHost: localhost\nAuthorization: {key}\n"
        "Content-Type: application/json\nTransfer-Encoding: chunked\n\n"
    )
    status, answer = raw(http, head, b"2\r\n[]\r\n0\r\n\r\n")
    assert status == 411 and "length_required" in answer


def test_a_body_announced_too_large_is_413_before_it_is_read(http, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
    head = (
        "POST /api/v1/counters/40000001/orders/ HTTP/1.1\nHost: localhost\nAuthorization: {key}\n"
        "Content-Type: application/json\nContent-Length: 99999999999\n\n"
    )
    status, answer = raw(http, head)
    assert status == 413 and "too_large" in answer


def test_a_request_that_breaks_off_takes_nothing(http):
    address = urlsplit(str(http.base_url))
    head = (
        f"POST /api/v1/counters/40000001/orders/ HTTP/1.1\nHost: localhost\n"
        f"Authorization: {http.headers['Authorization']}\nContent-Type: application/json\nContent-Length: 5000\n\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=30) as wire:
        wire.sendall(head.replace("\n", "\r\n").encode() + b'[{"id": "D-1", "create_date_time"')
    assert http.post("orders/", json=order(2)).json()["created"] == 1
    assert list(Order.objects.values_list("order_id", flat=True)) == ["D-2"]


def test_the_same_order_by_many_at_once_is_one_order_with_one_change(http):
    rows = [order(n) for n in range(20)]

    def push(_number):
        return httpx.post(f"{http.base_url}orders/", json=rows, headers=http.headers, timeout=60)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(push, range(6)))
    connection.close()
    assert [answer.status_code for answer in answers] == [200] * 6
    assert sum(answer.json()["created"] for answer in answers) == 20
    assert sum(answer.json()["unchanged"] for answer in answers) == 100
    assert Order.objects.count() == StatusChange.objects.count() == 20


def test_ten_thousand_in_one_request(http):
    answer = http.post("orders/", json=[order(n) for n in range(10_000)], timeout=300)
    assert answer.status_code == 200
    assert (answer.json()["created"], len(answer.json()["results"])) == (10_000, 10_000)
    too_many = http.post("orders/", json=[order(n) for n in range(10_001)], timeout=300)
    assert too_many.status_code == 413
