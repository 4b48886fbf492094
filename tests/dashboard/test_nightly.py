"""The night: each counter once, at its own minute, whatever the number of machines and the state of the queue."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from apps.counters.models import Counter
from apps.dashboard.comparison import nightly, running
from apps.dashboard.models import CompareState, Comparison
from tests.dashboard.conftest import Loop
from tests.dashboard.test_comparison import messages
from tests.factories import make_counter

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_counter_that_delivered_gets_its_minute_of_the_night(loop: Loop) -> None:
    now = timezone.now()
    assert nightly.give_turns(now) == 0
    loop.push("A-1", "new")
    loop.deliver()
    assert nightly.give_turns(now) == 1
    assert nightly.give_turns(now) == 0
    due = loop.state().due_at
    assert due is not None and now < due <= now + timedelta(days=1)
    assert 2 <= due.astimezone(loop.counter.zone).hour < 6


def test_counters_do_not_come_all_at_once(loop: Loop) -> None:
    now = timezone.now()
    minutes = [nightly.next_night(Counter(pk=pk, time_zone="Europe/Moscow"), after=now) for pk in range(1, 501)]
    per_five: dict[Any, int] = {}
    for moment in minutes:
        key = int(moment.timestamp() // 300)
        per_five[key] = per_five.get(key, 0) + 1
    assert max(per_five.values()) < 40  # times four reports: below the 200 of a login
    assert len(set(minutes)) > 450


def test_a_night_starts_a_comparison_once(loop: Loop) -> None:
    loop.push("A-1", "new")
    loop.deliver()
    nightly.give_turns(timezone.now())
    Comparison.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    rows = list(Comparison.objects.all())
    now = timezone.now()
    assert (nightly.start_due(now), nightly.start_due(now)) == (1, 0)
    # Another machine has read it as due as well: who moves the time on starts it.
    assert rows[0].due_at is not None
    assert not Comparison.objects.filter(pk=loop.counter.pk, due_at=rows[0].due_at).exists()
    assert messages() == 1
    due = loop.state().due_at
    assert due is not None and due > now


def test_after_a_standstill_an_accounts_counters_come_by_and_by(loop: Loop) -> None:
    past = timezone.now() - timedelta(hours=1)
    for number in range(8):
        counter = make_counter(account=loop.counter.account, name=f"More {number}")
        Comparison.objects.create(counter=counter, due_at=past)
    now = timezone.now()
    assert [nightly.start_due(now) for _tick in range(3)] == [5, 3, 0]


def test_a_paused_counter_sleeps_through(loop: Loop) -> None:
    Comparison.objects.create(counter=loop.counter, due_at=timezone.now() - timedelta(hours=1))
    Counter.objects.update(paused_at=timezone.now())
    assert nightly.start_due(timezone.now()) == 0
    due = loop.state().due_at
    assert due is not None and due > timezone.now()
    assert loop.state().state == CompareState.IDLE


def test_a_lost_message_is_sent_again(loop: Loop) -> None:
    running.request(counter=loop.counter)
    OrmQ.objects.all().delete()
    now = timezone.now()
    assert nightly.bring_up(now) == 0  # told a moment ago
    assert nightly.bring_up(now + timedelta(minutes=5)) == 1
    assert messages() == 1


def test_the_tick_of_uploads_brings_it_and_the_queues_task_does_it(loop: Loop) -> None:
    from apps.dashboard.tasks import compare
    from apps.uploads import scheduler

    loop.push("A-1", "new")
    loop.deliver()
    scheduler.tick()
    Comparison.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    scheduler.tick()
    assert messages() == 1
    compare(loop.counter.pk)
    assert loop.state().matched == 0.0
