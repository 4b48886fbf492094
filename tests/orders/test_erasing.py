"""Erasures take turns: what cannot come to its end, or takes long, keeps no other one waiting."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.agencies.models import Role, SavedFilter
from apps.api.models import KeptAnswer
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.orders import erasing
from apps.orders.models import Erasure
from apps.orders.people import erase_client
from tests.factories import make_counter, make_member

Part = Callable[..., None]


@pytest.fixture
def counter(db: None) -> Counter:
    return make_counter()


def erased(counter: Counter, uniq_id: str) -> Erasure:
    client = Client.objects.create(counter=counter, uniq_id=uniq_id)
    erase_client(client=client)
    return Erasure.objects.get(client=client)


def only(monkeypatch: pytest.MonkeyPatch, **parts: Part) -> None:
    monkeypatch.setattr(erasing, "parts", parts)


def done(_counter: Counter, _marks: Any, _erasure: Erasure, place: erasing.Place, _end: float) -> None:
    place.done = True


def test_one_that_breaks_off_is_tried_again_later_and_blocks_nobody(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = erased(counter, "bad"), erased(counter, "good")

    def breaks(_counter: Counter, _marks: Any, erasure: Erasure, place: erasing.Place, _end: float) -> None:
        place.rows += 1
        if erasure.pk == bad.pk:
            raise OSError
        place.done = True

    only(monkeypatch, first=breaks, second=done)
    assert erasing.go_on() == 1
    bad.refresh_from_db()
    good.refresh_from_db()
    assert good.finished_at is not None
    assert (bad.failures, bad.error_code, bad.lease_until, bad.finished_at) == (1, "internal_error", None, None)
    assert bad.places["second"]["done"] and bad.places["first"]["rows"] == 1, "the other parts went on"
    assert bad.not_before is not None and bad.not_before > timezone.now()
    assert erasing.go_on() == 0
    bad.refresh_from_db()
    assert bad.failures == 1, "not before its time"
    Erasure.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    assert erasing.go_on() == 0
    bad.refresh_from_db()
    assert bad.failures == 2 and bad.not_before > timezone.now() + timedelta(seconds=90)
    only(monkeypatch, first=done, second=done)
    Erasure.objects.update(not_before=None)
    assert erasing.go_on() == 1
    bad.refresh_from_db()
    assert (bad.failures, bad.error_code) == (0, "")


def test_who_waited_longest_comes_first(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = erased(counter, "1"), erased(counter, "2")
    turns = []

    def takes_all(_counter: Counter, _marks: Any, erasure: Erasure, _place: erasing.Place, end: float) -> None:
        turns.append(erasure.pk)
        time.sleep(max(end - time.monotonic(), 0))

    only(monkeypatch, part=takes_all)
    for _tick in range(3):
        erasing.go_on(seconds=0.1)
    assert turns == [first.pk, second.pk, first.pk]


def test_answers_that_the_agency_can_ask_for_again_go(counter: Counter) -> None:
    other = make_counter()
    for number, one in enumerate((counter, counter, other)):
        KeptAnswer.objects.create(key=str(number), agency=one.agency, request="", status=200, answer=b"")
    erased(counter, "7")
    assert erasing.go_on() == 1
    assert list(KeptAnswer.objects.values_list("key", flat=True)) == ["2"]


def test_searches_for_others_stay(counter: Counter) -> None:
    saved = {"agency": counter.agency, "user": make_member(counter.agency, Role.OWNER), "list_name": "orders_order"}
    for query in ("q=7", "q=77", "status=7", "q=CRM-7"):
        SavedFilter.objects.create(name=f"saved {query}", query=query, **saved)
    erased(counter, "7")
    assert sorted(SavedFilter.objects.values_list("query", flat=True)) == ["q=77", "q=CRM-7", "status=7"]
