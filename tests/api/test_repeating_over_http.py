"""Idempotency-Key over real HTTP: many clients with one request at once, and a process that dies in the middle."""

import concurrent.futures
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from django.db import connection

from apps.api.models import KeptAnswer
from apps.audit.models import AuditEntry
from apps.orders.models import Order, StatusChange
from tests.factories import make_agency, make_counter, make_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

WHEN = (datetime.now(UTC) - timedelta(days=3)).isoformat()
PATH = "/api/v1/counters/40000001/orders/"
CLIENTS = 200
ROWS = 100


def order(number):
    return {"id": f"D-{number}", "create_date_time": WHEN, "order_status": "PAID", "client_ids": ["17000000001"]}


@pytest.fixture
def key(db):
    agency = make_agency("north")
    make_counter(agency, metrica_id=40000001)
    return make_key(agency)[1]


def test_two_hundred_clients_repeat_one_bulk_request_and_it_happens_once(gunicorn, key):
    """Two processes, as in production: nothing that one of them remembers can help. SQLite is asked by as many; whoever
    waits there longer than it lets a writer wait is told to come back."""
    body = json.dumps([order(n) for n in range(ROWS)])
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Idempotency-Key": "one"}
    together = threading.Barrier(CLIENTS)

    with gunicorn(workers=2, threads=4) as web:

        def send(_number):
            together.wait()
            while True:
                answer = httpx.post(web.url + PATH, content=body, headers=headers, timeout=300, trust_env=False)
                if answer.status_code == 200:
                    return answer.content, answer.headers.get("Idempotency-Replayed")
                assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress"), answer.text
                time.sleep(int(answer.headers["Retry-After"]))

        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(send, range(CLIENTS)))
    assert len({content for content, _replayed in answers}) == 1
    assert [replayed for _content, replayed in answers].count(None) == 1
    told = json.loads(answers[0][0])
    assert told["created"] == ROWS
    assert Order.objects.count() == StatusChange.objects.count() == ROWS
    assert {row["change"] for row in told["results"]} == {
        str(pk) for pk in StatusChange.objects.values_list("pk", flat=True)
    }
    assert AuditEntry.objects.filter(action="orders.accepted").count() == 1


def test_a_process_killed_in_the_middle_leaves_it_to_the_next(gunicorn, key):
    """Killed while it takes ten thousand rows: all of them are there with the answer, or none, and the same request
    gets its answer from the next process."""
    rows = 10_000
    body = json.dumps([order(n) for n in range(rows)])
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Idempotency-Key": "one"}
    with gunicorn(workers=1, threads=2) as web:

        def send():
            return httpx.post(web.url + PATH, content=body, headers=headers, timeout=300, trust_env=False)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            first = pool.submit(send)
            time.sleep(0.3)
            [(process, _log)] = web._running
            web.kill(process)
            with pytest.raises(httpx.TransportError):
                first.result(60)
        connection.close()
        assert (Order.objects.count(), KeptAnswer.objects.count()) in ((0, 0), (rows, 1))
        web.start_web(workers=1, threads=2)
        web.wait_for_web()
        answer = send()
        assert answer.status_code == 200, answer.text
        assert answer.json()["created"] == rows == Order.objects.count() == StatusChange.objects.count()
        assert send().headers["Idempotency-Replayed"] == "true"
