"""Messages reach their endpoint in order and at least once, whatever befalls it or the worker."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from apps.audit.models import AuditEntry
from apps.hooks import door, rounds, sending, services, waits
from apps.hooks.door import DoorClosed
from apps.hooks.models import Delivery, Endpoint, Event, Round
from apps.hooks.signing import sign
from apps.orders.intake import accept_all
from apps.uploads import scheduler
from tests.factories import make_agency, make_counter
from tests.hooks.conftest import Hook, read, send
from tests.hooks.receiver import Came, Receiver
from tests.threads import Thread

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def hook(make_hook: Callable[..., Hook]) -> Hook:
    return make_hook(make_agency())


@pytest.fixture
def quickly(settings: Any) -> Any:
    settings.WEBHOOK_TIMEOUT_SECONDS = 5
    return settings


def happen(hook: Hook, times: int = 1) -> list[str]:
    """Orders come in whose status nobody has mapped: an event for each. Returns the ids of the events."""
    counter = make_counter(hook.endpoint.agency)
    before = set(Event.objects.values_list("pk", flat=True))
    for number in range(times):
        row = {
            "id": f"E-{number}",
            "create_date_time": timezone.now().isoformat(),
            "order_status": f"unknown {number}",
            "client_ids": ["1700000000123456789"],
        }
        accept_all(counter=counter, rows=[row], source="api")
    return [str(pk) for pk in Event.objects.exclude(pk__in=before).order_by("pk").values_list("pk", flat=True)]


def ids(came: list[Came]) -> list[str]:
    return [read(request)["id"] for request in came]


def due_now(hook: Hook) -> None:
    Endpoint.objects.filter(pk=hook.endpoint.pk).update(not_before=None)


def test_a_message_says_what_it_is_and_is_signed(hook: Hook) -> None:
    [event] = happen(hook)
    send()
    [came] = hook.receiver.came
    [delivery] = hook.deliveries()
    stamp = int(came.headers["goalpost-signature"].partition(",")[0].removeprefix("t="))
    assert abs(time.time() - stamp) < 10
    assert came.headers["goalpost-signature"] == sign(body=came.body, secrets=[hook.secret], at=stamp)
    assert came.headers["goalpost-event"] == "order.held"
    assert came.headers["goalpost-event-id"] == event == read(came)["id"]
    assert came.headers["goalpost-delivery"] == str(delivery.pk)
    assert came.headers["goalpost-attempt"] == "1"
    assert came.headers["content-type"] == "application/json; charset=utf-8"
    assert (delivery.state, delivery.attempts, delivery.http_status, delivery.answer) == ("delivered", 1, 200, "thanks")
    assert delivery.headers["Goalpost-Signature"] == came.headers["goalpost-signature"]
    assert 0 < (delivery.seconds or 0) < 5
    assert hook.secret not in str(Delivery.objects.values())
    assert hook.secret not in hook.endpoint.secret_encrypted


def test_while_the_secret_is_changed_both_sign_and_later_the_new_one_alone(hook: Hook) -> None:
    new = services.new_secret(endpoint=hook.endpoint)
    happen(hook, 1)
    send()
    Endpoint.objects.update(old_secret_until=timezone.now())
    happen(hook, 1)
    send()
    for came, secrets in zip(hook.receiver.came, ([new, hook.secret], [new]), strict=True):
        stamp = int(came.headers["goalpost-signature"].partition(",")[0].removeprefix("t="))
        assert came.headers["goalpost-signature"] == sign(body=came.body, secrets=secrets, at=stamp)


def test_what_fails_is_tried_again_and_what_came_after_it_waits_behind_it(hook: Hook, quickly: Any) -> None:
    answers = iter([500, 302, 200])
    hook.receiver.answer = lambda _request: next(answers, 200)
    first, second = happen(hook, 2)
    send()
    assert hook.states() == ["failed", "waiting"]
    for _again in range(2):
        due_now(hook)
        send()
    assert ids(hook.receiver.came) == [first, first, first, second]
    assert [came.headers["goalpost-attempt"] for came in hook.receiver.came] == ["1", "2", "3", "1"]
    bodies = {came.body for came in hook.receiver.came[:3]}
    assert len(bodies) == 1
    assert len({came.headers["goalpost-delivery"] for came in hook.receiver.came[:3]}) == 1
    assert hook.states() == ["delivered", "delivered"]
    endpoint = hook.fresh()
    assert (endpoint.failures, endpoint.failing_since, endpoint.not_before) == (0, None, None)


def test_waits_grow_from_a_minute_to_six_hours_and_differ() -> None:
    waits_of = [[waits.after(failures, first=60).total_seconds() for _each in range(30)] for failures in range(1, 31)]
    for number, some in enumerate(waits_of):
        base = min(60 * 2**number, 6 * 3600)
        assert base * 0.8 <= min(some) < max(some) <= base * 1.2
    means = [sum(some) / len(some) for some in waits_of]
    assert all(later > earlier for earlier, later in pairwise(means[:9]))
    assert 15 < next(n for n in range(1, 31) if sum(means[:n]) > 72 * 3600) < 25  # attempts in three days


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("600", 600, 600),
        ("5", 40, 75),  # not sooner than it would be without
        ("999999999999", 6 * 3600, 6 * 3600),
        (lambda: format_datetime(datetime.now(UTC) + timedelta(minutes=20), usegmt=True), 1150, 1200),
        ("Mon, 20 Nov 99999999999999 19:12:08 GMT", 40, 75),
        ("soon", 40, 75),
    ],
    ids=["seconds", "shorter", "too long", "a date", "no date", "no number"],
)
def test_a_receivers_wish_to_wait_is_kept_within_reason(hook: Hook, asked: Any, least: float, most: float) -> None:
    wish = asked() if callable(asked) else asked
    hook.receiver.answer = lambda _request: (429, {"Retry-After": wish}, b"later")
    happen(hook)
    send()
    endpoint = hook.fresh()
    assert endpoint.failures == 1
    wait = (endpoint.not_before - hook.deliveries()[0].sent_at).total_seconds()
    assert least - 1 <= wait <= most + 5


def test_after_a_failure_nothing_goes_before_its_time(hook: Hook) -> None:
    hook.receiver.answer = lambda _request: 503
    happen(hook)
    send()
    endpoint = hook.fresh()
    assert timedelta(seconds=40) < endpoint.not_before - timezone.now() < timedelta(seconds=75)
    assert (endpoint.failures, endpoint.failing_since is not None) == (1, True)
    send()
    assert len(hook.receiver.came) == 1
    [delivery] = hook.deliveries()
    assert (delivery.http_status, delivery.error_code) == (503, "http_503")


def test_an_address_that_became_private_is_not_called(hook: Hook, settings: Any) -> None:
    """What was checked when it was written down is checked again each time."""
    happen(hook)
    settings.OUTGOING_ALLOWED_NETWORKS = []
    send()
    [delivery] = hook.deliveries()
    assert (delivery.state, delivery.error_code) == ("failed", "not_public")
    assert "private network" in delivery.error_message
    assert hook.receiver.came == []


def test_who_fails_for_three_days_is_not_called_any_more(hook: Hook, quickly: Any) -> None:
    hook.receiver.answer = lambda _request: 500
    happen(hook, 2)
    send()
    Endpoint.objects.update(failing_since=timezone.now() - timedelta(hours=71))
    due_now(hook)
    send()
    assert hook.fresh().disabled_at is None
    Endpoint.objects.update(failing_since=timezone.now() - timedelta(hours=73))
    due_now(hook)
    send()
    endpoint = hook.fresh()
    assert (endpoint.disabled_for, endpoint.disabled_at is not None) == ("failing", True)
    entry = AuditEntry.objects.get(action="webhook.disabled")
    assert (entry.agency_id, entry.object_id, entry.details["reason"]) == (
        endpoint.agency_id,
        str(endpoint.pk),
        "failing",
    )
    came = len(hook.receiver.came)
    happen(hook)
    send()
    assert len(hook.receiver.came) == came
    hook.receiver.answer = lambda _request: 200
    assert services.enable_endpoint(endpoint=endpoint)
    send()
    assert set(hook.states()) == {"delivered"} and len(hook.states()) == 3
    assert not services.enable_endpoint(endpoint=hook.fresh())


def test_who_answers_410_is_not_called_any_more(hook: Hook) -> None:
    hook.receiver.answer = lambda _request: 410
    happen(hook, 2)
    send()
    assert hook.fresh().disabled_for == "gone"
    assert hook.states() == ["failed", "waiting"]
    assert len(hook.receiver.came) == 1


def test_what_a_person_gives_up_lets_the_next_have_its_turn(hook: Hook) -> None:
    hook.receiver.answer = lambda request: 422 if ids([request]) == [stuck] else 200
    stuck, good = happen(hook, 2)
    send()
    assert ids(hook.receiver.came) == [stuck]
    assert services.give_up(delivery=hook.deliveries()[0])
    send()
    assert ids(hook.receiver.came) == [stuck, good]
    assert hook.states() == ["abandoned", "delivered"]
    assert not services.give_up(delivery=hook.deliveries()[0])


@pytest.mark.parametrize("anew", ["the message is given up", "it is switched off and on"])
def test_days_of_failures_are_not_counted_on_after_a_person_has_seen_to_it(hook: Hook, anew: str) -> None:
    """One message was never taken, and long after there is another one: that is no three days of failures."""
    hook.receiver.answer = lambda _request: 422
    happen(hook)
    send()
    Endpoint.objects.update(failing_since=timezone.now() - timedelta(days=5))
    if anew == "the message is given up":
        services.give_up(delivery=hook.deliveries()[0])
        happen(hook)
    else:
        services.update_endpoint(endpoint=hook.endpoint, active=False)
        services.update_endpoint(endpoint=hook.endpoint, active=True)
    send()
    endpoint = hook.fresh()
    assert len(hook.receiver.came) == 2
    assert (endpoint.disabled_at, endpoint.failures) == (None, 1)


def test_what_is_given_up_while_it_is_sent_keeps_the_next_one_no_longer(hook: Hook) -> None:
    def answer(request: Came) -> int:
        if ids([request]) == [stuck]:
            services.give_up(delivery=hook.deliveries()[0])
            connection.close()
            return 500
        return 200

    hook.receiver.answer = answer
    stuck, good = happen(hook, 2)
    send()
    send()
    assert ids(hook.receiver.came) == [stuck, good]
    assert hook.states() == ["abandoned", "delivered"]


def test_an_address_written_while_the_old_one_fails_is_called_at_once(hook: Hook, receiver: Receiver) -> None:
    def answer(_request: Came) -> int:
        services.update_endpoint(endpoint=hook.endpoint, url=receiver.url)
        connection.close()
        return 500

    hook.receiver.answer = answer
    [event] = happen(hook)
    send()
    send()
    assert ids(receiver.came) == [event]
    assert hook.fresh().failures == 0


def test_one_message_or_all_since_a_time_are_sent_again(hook: Hook) -> None:
    first, second, third = happen(hook, 3)
    send()
    Event.objects.filter(pk=first).update(created_at=timezone.now() - timedelta(days=2))
    hook.receiver.came.clear()
    services.send_again(delivery=hook.deliveries()[0])
    send()
    assert ids(hook.receiver.came) == [first]
    assert hook.receiver.came[0].headers["goalpost-delivery"] != str(hook.deliveries()[0].pk)
    hook.receiver.came.clear()
    assert services.send_again_since(endpoint=hook.endpoint, since=timezone.now() - timedelta(days=1)) == 2
    assert services.send_again_since(endpoint=hook.endpoint, since=timezone.now() - timedelta(days=1)) == 0
    send()
    assert ids(hook.receiver.came) == [second, third]
    assert AuditEntry.objects.filter(action="webhook.sent_again").count() == 3


def test_a_great_many_are_sent_again_in_parts_each_committed_on_its_own(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else waits for a transaction that writes them all; what happens meanwhile is not sent twice."""
    monkeypatch.setattr(services, "_REPLAYED_AT_ONCE", 2)
    happened = happen(hook, 5)
    send()
    hook.receiver.came.clear()
    parts: list[int] = []
    real = services._replay

    def replay(endpoint: Endpoint, events: Any) -> Any:
        assert not connection.in_atomic_block
        made = real(endpoint, events)
        parts.append(len(made))
        send()
        return made

    with monkeypatch.context() as patched:
        patched.setattr(services, "_replay", replay)
        assert services.send_again_since(endpoint=hook.endpoint, since=timezone.now() - timedelta(days=1)) == 5
    assert parts == [2, 2, 1, 0]
    assert ids(hook.receiver.came) == happened


def test_two_presses_at_once_send_all_again_once(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_REPLAYED_AT_ONCE", 2)
    happened = happen(hook, 9)
    send()
    both = threading.Barrier(2)
    real = services._replay

    def replay(endpoint: Endpoint, events: Any) -> Any:
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(1)
        return real(endpoint, events)

    monkeypatch.setattr(services, "_replay", replay)
    since = timezone.now() - timedelta(days=1)
    presses = [Thread(lambda: services.send_again_since(endpoint=hook.endpoint, since=since)) for _press in range(2)]
    assert sum(press.result() for press in presses) == 9
    replays = Delivery.objects.filter(endpoint=hook.endpoint, is_replay=True)
    assert sorted(str(one) for one in replays.values_list("event", flat=True)) == sorted(happened)


def test_a_second_press_does_not_repeat_what_the_first_has_sent_already(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was pressed while the first was at work, and waited for it."""
    happen(hook, 3)
    send()
    since, pressed = timezone.now() - timedelta(days=1), timezone.now()
    assert services.send_again_since(endpoint=hook.endpoint, since=since) == 3
    send()
    monkeypatch.setattr(services.timezone, "now", lambda: pressed)
    assert services.send_again_since(endpoint=hook.endpoint, since=since) == 0


def test_a_test_goes_at_once_and_is_tried_once(hook: Hook) -> None:
    hook.receiver.answer = lambda _request: 500
    happen(hook)
    send()
    sent = sending.send_test(hook.endpoint)
    assert (sent.state, sent.http_status) == ("abandoned", 500)
    hook.receiver.answer = lambda _request: 204
    assert sending.send_test(hook.endpoint).state == "delivered"
    message = read(hook.receiver.came[-1])
    assert (message["type"], message["counter"]) == ("test", None)
    assert hook.fresh().failures == 1  # that of the real one


def test_a_slow_endpoint_keeps_nobody_from_their_turn(make_hook: Callable[..., Hook], quickly: Any) -> None:
    agency = make_agency()
    slow, quick = make_hook(agency), make_hook(agency)
    let_go = threading.Event()
    came_while_slow: list[int] = []

    def answer(_request: Came) -> int:
        let_go.wait(5)
        return 200

    slow.receiver.answer = answer

    def note(_request: Came) -> int:
        if len(quick.receiver.came) == 3:
            came_while_slow.append(len(slow.receiver.came))
            let_go.set()
        return 200

    quick.receiver.answer = note
    happen(quick, 3)
    began = time.monotonic()
    send()
    assert came_while_slow == [1]
    assert len(quick.receiver.came) == len(slow.receiver.came) == 3
    assert time.monotonic() - began < 4


def test_a_round_ends_in_time_and_the_rest_goes_with_the_next(
    hook: Hook, quickly: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.counters.rounds.ROUND_SECONDS", 0.1)

    def slowly(_request: Came) -> int:
        time.sleep(0.15)
        return 200

    hook.receiver.answer = slowly
    happen(hook, 3)
    OrmQ.objects.all().delete()
    rounds.SENDING.run()
    assert hook.states() == ["delivered", "waiting", "waiting"]
    assert OrmQ.objects.count() == 1  # the message about the next round
    rounds.SENDING.run()
    rounds.SENDING.run()
    assert hook.states() == ["delivered"] * 3


def test_two_workers_do_not_send_at_once(hook: Hook) -> None:
    meanwhile: list[int] = []

    def answer(_request: Came) -> int:
        rounds.SENDING.run()  # another worker takes a doubled message
        meanwhile.append(len(hook.receiver.came))
        connection.close()
        return 200

    hook.receiver.answer = answer
    happen(hook)
    send()
    assert meanwhile == [1]
    assert hook.states() == ["delivered"]


def test_the_tick_finds_what_was_lost(hook: Hook) -> None:
    happen(hook)
    OrmQ.objects.all().delete()
    Round.objects.update(enqueued_at=timezone.now() - timedelta(minutes=5))
    for _tick in range(2):
        scheduler.tell_others()
        asked = [(one.task["func"], one.task["args"]) for one in OrmQ.objects.all()]
        assert [args for func, args in asked if func == "apps.hooks.tasks.send_round"] == [("sending",)]


def test_events_of_one_transaction_cost_one_message_to_the_workers(hook: Hook) -> None:
    happen(hook, 3)
    assert OrmQ.objects.filter().count() == 1


SENDER = """
import django
django.setup()
from apps.hooks import rounds
rounds.SENDING.wake()
rounds.SENDING.run()
"""


def test_a_worker_killed_while_it_sends_leaves_nothing_unsent(hook: Hook, quickly: Any) -> None:
    """The receiver has got the request, the worker dies before it hears the answer: the same message goes once more."""
    killed = threading.Event()
    worker: list[subprocess.Popen[bytes]] = []

    def answer(_request: Came) -> int:
        if not killed.is_set():
            os.kill(worker[0].pid, signal.SIGKILL)
            killed.set()
        return 200

    hook.receiver.answer = answer
    [event] = happen(hook)
    name = str(connection.settings_dict["NAME"])
    test_url = os.environ.get("TEST_DATABASE_URL", "")
    url = f"{test_url.rpartition('/')[0]}/{name}" if test_url else f"sqlite:///{name}"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "TEST_DATABASE_URL": url}
    worker.append(subprocess.Popen([sys.executable, "-c", SENDER], cwd=ROOT, env=environment))
    assert worker[0].wait(30) == -signal.SIGKILL
    [delivery] = hook.deliveries()
    assert (delivery.state, delivery.attempts) == ("waiting", 1)
    send()
    assert len(hook.receiver.came) == 1  # the dead worker's lease has not run out yet
    Round.objects.update(lease_until=timezone.now())
    send()
    assert ids(hook.receiver.came) == [event, event]
    assert [came.headers["goalpost-attempt"] for came in hook.receiver.came] == ["1", "2"]
    assert len({came.headers["goalpost-delivery"] for came in hook.receiver.came}) == 1
    assert hook.states() == ["delivered"]


def test_a_message_that_cannot_be_made_fails_alone(
    make_hook: Callable[..., Hook], quickly: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = make_hook(make_agency()), make_hook(make_agency())
    happen(one)
    happen(other)
    Event.objects.filter(agency=one.endpoint.agency).update(code="no such reason")
    send()
    [delivery] = one.deliveries()
    assert (delivery.state, delivery.error_code) == ("failed", "internal_error")
    assert other.states() == ["delivered"]


def test_old_messages_are_forgotten(hook: Hook, settings: Any) -> None:
    old, _new = happen(hook, 2)
    send()
    Event.objects.filter(pk=old).update(created_at=timezone.now() - timedelta(days=31))
    call_command("tick")
    assert len(hook.deliveries()) == 1
    assert not Event.objects.filter(pk=old).exists()


def test_an_endpoint_whose_secret_cannot_be_read_says_so(hook: Hook) -> None:
    happen(hook)
    Endpoint.objects.update(secret_encrypted="gAAAAA")
    send()
    [delivery] = hook.deliveries()
    assert (delivery.state, delivery.error_code) == ("failed", "unreadable_secret")
    assert hook.receiver.came == []


def test_another_address_is_called_at_once(hook: Hook, receiver: Receiver) -> None:
    hook.receiver.answer = lambda _request: 500
    [event] = happen(hook)
    send()
    services.update_endpoint(endpoint=hook.endpoint, url=receiver.url)
    send()
    assert ids(receiver.came) == [event]


def test_addresses_and_secrets_are_checked_when_they_are_written(hook: Hook) -> None:
    with pytest.raises(DoorClosed):
        door.check("http://10.0.0.1/")
    for fields, field in (
        ({"url": "ftp://crm.example/"}, "url"),
        ({"url": "https://user:pass@crm.example/"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["order.delivered", "order.eaten"]}, "events"),
        ({"name": " "}, "name"),
        ({"name": hook.endpoint.name}, "name"),
        ({"counters": [make_counter()]}, "counters"),
        ({"secret": "short"}, "secret"),
    ):
        given = {"name": "Another", "url": hook.receiver.url, "events": ["order.held"], **fields}
        with pytest.raises(ValidationError) as refused:
            services.create_endpoint(agency=hook.endpoint.agency, **given)
        assert list(refused.value.error_dict) == [field]
    assert Endpoint.objects.count() == 1
