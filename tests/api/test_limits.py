"""What a key may do in a minute: told in headers, kept by all processes together, refused with the seconds to wait."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from apps.api import limits
from apps.api.models import Spending
from apps.orders.models import Order
from apps.uploads.events import ticked

PATH = "counters/40000001/orders/"
WHEN = (datetime.now(UTC) - timedelta(days=3)).isoformat()


def order(number=1, **fields):
    row = {"id": f"D-{number}", "create_date_time": WHEN, "order_status": "PAID", "client_ids": ["17000000001"]}
    return {**row, **fields}


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Stands at the twentieth second of a minute, and goes on by what is slept."""

    class Clock:
        now = 60.0 * 30_000_000 + 20

        def time(self):
            return self.now

        def sleep(self, seconds):
            self.now += seconds

    made = Clock()
    monkeypatch.setattr(limits, "time", made)
    return made


def test_each_answer_says_what_is_left(api, counter, settings):
    settings.API_REQUESTS_PER_MINUTE = 3
    for left in (2, 1, 0):
        answer = api.get("counters/")
        assert answer.status == 200
        assert [answer.headers[f"RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")] == [
            "3",
            str(left),
            "40",
        ]
    answer = api.get("counters/")
    assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (429, "too_many_requests", "40")
    assert answer.headers["RateLimit-Remaining"] == "0" and answer.body["next_step"]


def test_a_new_minute_a_new_key_and_a_refusal_count_anew(api, counter, settings, caller_for, agency, clock):
    settings.API_REQUESTS_PER_MINUTE = 1
    assert [api.get("counters/").status for _time in range(3)] == [200, 429, 429]
    assert caller_for(agency).get("counters/").status == 200
    clock.sleep(40)
    assert api.get("counters/").status == 200
    assert api.get("schema/", authorization="").status == 200  # nobody's key


def test_orders_are_counted_too_and_none_is_taken_beyond(api, counter, settings):
    settings.API_ORDERS_PER_MINUTE = 5
    assert api.post(PATH, [order(n) for n in range(4)]).status == 200
    answer = api.post(PATH, [order(n) for n in range(4, 6)])
    assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (429, "too_many_orders", "40")
    assert Order.objects.count() == 4
    assert api.post(PATH + "D-1/statuses/", {"order_status": "SPAM"}).status == 200
    assert api.post(PATH + "D-1/statuses/", {"order_status": "PAID"}).status == 429


def test_a_request_larger_than_the_limit_is_taken_where_it_is_the_first(api, counter, settings):
    settings.API_ORDERS_PER_MINUTE = 2
    assert api.post(PATH, [order(n) for n in range(3)]).status == 200
    assert api.post(PATH, order(9)).status == 429


def test_a_stream_is_slowed_down_and_not_refused(api, counter, settings, clock):
    settings.API_ORDERS_PER_MINUTE = 2
    began = clock.now
    raw = b"\n".join(json.dumps(order(n)).encode() for n in range(5))
    answer = api("POST", PATH, raw=raw, content_type="application/x-ndjson")
    assert json.loads(answer.body.splitlines()[-1])["created"] == 5
    assert clock.now - began == 100  # two minutes were waited for


told = pytest.mark.django_db(transaction=True)
"""Others are told only outside of transactions."""


def test_zero_is_no_limit(api, counter, settings):
    settings.API_REQUESTS_PER_MINUTE = settings.API_ORDERS_PER_MINUTE = 0
    answer = api.post(PATH, [order(1)])
    assert answer.status == 200 and "RateLimit-Limit" not in answer.headers
    assert not Spending.objects.exists()


@told
def test_all_processes_count_together_to_a_hundredth_of_the_limit(agency, caller_for, settings):
    from tests.factories import make_key

    settings.API_REQUESTS_PER_MINUTE = 1000
    key = make_key(agency)[0].pk
    processes: list[dict] = [{}, {}]
    done = 0
    for number in range(2000):
        limits._minutes = processes[number % 2]
        try:
            limits.enter(key)
        except Exception:
            break
        done += 1
    assert 1000 <= done <= 1020
    assert Spending.objects.get().requests <= done


@told
def test_what_all_have_spent_is_kept_for_an_hour(api, counter, settings, clock):
    settings.API_REQUESTS_PER_MINUTE = 50
    api.get("counters/")
    assert Spending.objects.get().requests == 1
    ticked.send(sender=None, now=datetime.fromtimestamp(clock.now, UTC) + timedelta(minutes=59))
    assert Spending.objects.exists()
    ticked.send(sender=None, now=datetime.fromtimestamp(clock.now, UTC) + timedelta(minutes=62))
    assert not Spending.objects.exists()
    assert timezone.now()


@told
def test_counting_costs_next_to_nothing(agency, settings, django_assert_num_queries):
    from tests.factories import make_key

    key = make_key(agency)[0].pk
    with django_assert_num_queries(9):  # three statements each hundredth of the limit: 59 requests are free
        began = time.process_time()
        for _request in range(180):
            limits.enter(key)
        assert (time.process_time() - began) / 180 < 0.0005
