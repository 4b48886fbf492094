"""The address itself: who has no right one learns nothing, who has it waits for nothing; limits, rotation, pruning."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.utils import timezone
from django_q.models import OrmQ

from apps.audit.models import AuditEntry
from apps.receivers import limits, rounds, services, working
from apps.receivers.models import Post, Receiver
from tests.receivers.conftest import FORM, JSON, Way, work

BODY = json.dumps({"id": "R-1", "created": "2026-11-24 10:00", "status": "new"})


@pytest.fixture
def way(make_way: Any) -> Way:
    way: Way = make_way()
    way.map(id="id", create_date_time="created", order_status="status")
    return way


def test_unknown_closed_and_wrong_are_the_same(way: Way, make_way: Any) -> None:
    """R11: of an address that is not right nobody learns whether there is one."""
    closed: Way = make_way(active=False)
    gone: Way = make_way()
    services.delete_receiver(receiver=gone.receiver)
    asleep: Way = make_way(counter=None or way.receiver.counter)
    addresses = [
        f"{way.server}/in/{way.receiver.public_id}/{'x' * 43}/",
        f"{way.server}/in/{way.receiver.public_id}/{asleep.secret}/",
        f"{way.server}/in/nobodyshere1/{way.secret}/",
        closed.url,
        f"{way.server}/in/{'a' * 300}/{'b' * 3000}/",
        f"{way.server}/in/{way.receiver.public_id}/%00%ff/",
    ]
    for method in ("POST", "GET", "DELETE"):
        answers = [httpx.request(method, address, content=BODY if method == "POST" else None) for address in addresses]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
    assert not Post.objects.exists()
    way.receiver.counter.agency.is_active = False
    way.receiver.counter.agency.save()
    assert way.send(BODY, content_type=JSON).status_code == 404


def test_only_posts_are_taken(way: Way) -> None:
    answer = httpx.get(way.url)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert httpx.post(way.url.rstrip("/"), content=BODY, headers={"Content-Type": JSON}).status_code == 200


def test_large_posts_and_too_many_of_them(way: Way, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=1_800_000_000.0)
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: clock.now))  # counted by minutes of the clock
    settings.RECEIVER_MAX_BYTES = 1000
    answer = way.send(json.dumps({"id": "x" * 2000}), content_type=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    settings.RECEIVER_POSTS_A_MINUTE = 3
    answers = [way.send(json.dumps({"id": str(number)}), content_type=JSON) for number in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]  # the large one was the first of three
    assert answers[-1].headers["Retry-After"] == "60"
    assert Post.objects.count() == 2
    clock.now += 60
    assert way.send(json.dumps({"id": "4"}), content_type=JSON).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body", "kept"),
    [
        (JSON, '{"id": 1e999999999}', '{"id":"1e999999999"}'),
        (JSON, '{"id": -1E-999999999}', '{"id":"-1E-999999999"}'),
        (JSON, '{"id": 1e99999999999999999999}', '{"id":"1e99999999999999999999"}'),
        (JSON, '{"id": 15e+02, "sum": 1.50}', '{"id":"1500","sum":"1.50"}'),
        (JSON, "[" * 100_000, None),
        (JSON, '{"a":' * 61 + "1" + "}" * 61, None),
        (FORM, "a" + "[a]" * 50_000 + "=1", None),
        (FORM, "&".join(["a=1"] * 3), '{"a":["1","1","1"]}'),
    ],
)
def test_numbers_and_depths_that_nobody_can_mean_are_kept_as_they_came(
    way: Way, content_type: str, body: str, kept: str | None
) -> None:
    """Before the secret is looked at, so a stranger may send them: no error, and nothing that grows to gigabytes."""
    way.change(check_kind="header", check_name="X-Secret", check_secret="invented-secret")
    assert way.send(body, content_type=content_type).status_code == 404
    assert way.send(body, content_type=content_type, X_Secret="invented-secret").status_code == 200
    assert (working.body_of(way.last()), way.last().is_readable) == (kept or body, kept is not None)


def test_an_event_of_half_a_character_is_an_event(way: Way) -> None:
    way.map(event_id="event")
    answers = [way.send(BODY.replace("{", '{"event": "\\ud800", '), content_type=JSON) for _again in range(2)]
    assert [(answer.status_code, answer.json()["repeated"]) for answer in answers] == [(200, False), (200, True)]


def test_a_body_of_unknown_length_is_411(way: Way) -> None:
    address = urlsplit(way.url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=30) as wire:
        head = f"POST {address.path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        wire.sendall(head.encode() + b"2\r\n{}\r\n0\r\n\r\n")
        assert b" 411 " in wire.recv(1000).split(b"\r\n")[0]


def test_the_answer_waits_for_nothing_but_the_log(way: Way, django_assert_max_num_queries: Any) -> None:
    from django.test import Client

    browser, path = Client(), urlsplit(way.url).path
    browser.post(path, BODY, content_type=JSON)
    with django_assert_max_num_queries(12):
        assert browser.post(path, BODY.replace("R-1", "R-2"), content_type=JSON).status_code == 200


def test_one_message_to_the_workers_for_many_posts(way: Way) -> None:
    before = OrmQ.objects.count()
    for number in range(5):
        way.send(BODY.replace("R-1", f"R-{number}"), content_type=JSON)
    assert OrmQ.objects.count() == before + 1


def test_the_tick_finds_what_was_lost(way: Way) -> None:
    way.send(BODY, content_type=JSON)
    OrmQ.objects.all().delete()
    rounds.on_tick(now=timezone.now())
    assert OrmQ.objects.count() == 0  # not lost yet
    from apps.receivers.models import Round

    Round.objects.update(enqueued_at=timezone.now() - timedelta(minutes=2))
    rounds.on_tick(now=timezone.now())
    assert OrmQ.objects.count() == 1


def test_old_posts_go_and_those_that_wait_stay(way: Way, settings: Any) -> None:
    way.send(BODY, content_type=JSON)
    work()
    way.send(BODY.replace("R-1", "R-2"), content_type=JSON)
    Post.objects.update(received_at=timezone.now() - timedelta(days=settings.RECEIVER_KEPT_DAYS + 1))
    assert rounds.prune(now=timezone.now()) == 1
    assert [post.state for post in way.posts()] == ["waiting"]


def test_a_new_address_and_the_old_one_for_a_day(way: Way) -> None:
    old = way.url
    way.secret = services.new_address(receiver=way.receiver)
    headers = {"Content-Type": JSON}
    assert httpx.post(old, content=BODY, headers=headers).status_code == 200
    assert way.send(BODY.replace("R-1", "R-2"), content_type=JSON).status_code == 200
    assert services.end_old_address(receiver=way.receiver)
    assert not services.end_old_address(receiver=way.receiver)
    assert httpx.post(old, content=BODY, headers=headers).status_code == 404
    before = way.url
    way.secret = services.new_address(receiver=way.receiver, at_once=True)
    assert httpx.post(before, content=BODY, headers=headers).status_code == 404
    way.secret = services.new_address(receiver=way.receiver)
    Receiver.objects.update(old_secret_until=timezone.now() - timedelta(seconds=1))
    assert httpx.post(before, content=BODY, headers=headers).status_code == 404


def test_the_address_is_kept_and_told_nowhere(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    row = Receiver.objects.filter(pk=way.receiver.pk).values().get()
    assert way.secret not in str(row)
    told = [str([entry.before, entry.after, entry.details]) for entry in AuditEntry.objects.all()]
    assert not [text for text in told if way.secret in text]
    assert {"receiver.created", "receiver.mapped"} <= set(AuditEntry.objects.values_list("action", flat=True))


def test_the_same_post_at_the_same_moment_is_kept_once(way: Way) -> None:
    way.map(event_id="event")
    body = json.dumps({"event": "e-1", "id": "R-9", "created": "2026-11-24 10:00", "status": "new"})
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _number: way.send(body, content_type=JSON), range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(not answer.json()["repeated"] for answer in answers) == 1
    assert [post.repeats for post in way.posts()] == [3]


def test_two_rounds_take_a_post_once(way: Way) -> None:
    for number in range(20):
        way.send(BODY.replace("R-1", f"R-{number}"), content_type=JSON)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _number: rounds.WORKING.run(), range(2)))
    for _attempt in range(50):
        if all(post.state == "done" for post in way.posts()):
            break
        rounds.WORKING.run()
        time.sleep(0.05)
    assert {(post.state, post.attempts) for post in way.posts()} == {("done", 1)}
