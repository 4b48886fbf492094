"""Home: what every counter has done and waits for, problems on top; for a beginner, what to do first."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from apps.counters import services
from apps.counters.models import Counter
from apps.orders import numbers
from apps.orders.models import StatusChange
from tests.admin.conftest import Place
from tests.admin.pages import words
from tests.factories import make_agency, make_counter, make_member, make_staff

pytestmark = pytest.mark.django_db

HOME = "/admin/"


def lines(browser: Browser) -> dict[str, Any]:
    return {line.counter.name: line for line in browser.get(HOME).context["lines"]}


def test_the_board_shows_what_waits_is_held_and_was_rejected(place: Place, browser: Browser):
    place.push("A-1", "new", "won")
    place.push("A-2", "unknown")
    place.push("A-3", "won", emails=[])
    bad = place.push("A-4", "won")
    bad.changes.update(delivery="rejected")
    old = place.push("A-5", "won")
    old.changes.update(delivery="rejected", received_at=timezone.now() - timedelta(days=8))
    Counter.objects.filter(pk=place.counter.pk).update(last_passed_at=timezone.now() - timedelta(hours=2))
    place.job()
    answer = browser.get(HOME)
    text = words(answer)
    assert "Waiting 2 the oldest came" in text
    assert "Held 2 needs a person" in text
    assert "Rejected in 7 days 1" in text
    assert "The status is not mapped 1" in text
    assert "Neither ClientID nor e-mail nor phone is known 1" in text
    assert "2 h ago" in text
    assert place.account.login in text
    assert "Recent uploads" in text
    assert "Succeeded" in text
    for url in (
        f"?counter__id__exact={place.counter.pk}&amp;reason=unmapped_status",
        "delivery=waiting",
        "/admin/orders/rejectedchange/",
    ):
        assert url in answer.content.decode()


def test_every_number_leads_to_the_list_behind_it(place: Place, browser: Browser):
    place.push("A-2", "unknown")
    (held,) = lines(browser)["Mine shop"].held
    answer = browser.get(held.url)
    assert [change.order.order_id for change in answer.context["cl"].result_list] == ["A-2"]


def test_problems_stand_on_top(place: Place, browser: Browser):
    for name in ("Aaa fine", "Bbb fine"):
        make_counter(place.agency, account=place.account, name=name)
    troubled = make_counter(place.agency, account=place.account, name="Zzz paused")
    services.pause(counter=troubled, reason="x")
    place.push("A-1", "unknown")
    assert list(lines(browser)) == ["Zzz paused", "Mine shop", "Aaa fine", "Bbb fine"]
    assert "2 need attention" in words(browser.get(HOME))


def test_what_blocks_a_counter_is_shown(place: Place, browser: Browser):
    make_counter(place.agency, account=place.account, name="No zone", time_zone="")
    services.update_counter(counter=place.counter, account=None)
    text = words(browser.get(HOME))
    assert "Not chosen" in text
    assert "No time zone" in text


def test_a_beginner_reads_what_to_do_first(login: Any, db: None):
    agency = make_agency()
    owner, analyst = login(make_member(agency)), login(make_member(agency, "analyst"))
    steps = owner.get(HOME).context["first_steps"]
    assert [step.done for step in steps] == [False] * 5
    assert steps[0].url == "/admin/counters/metricaaccount/yandex/"
    assert "Connect a Metrica account" in words(owner.get(HOME))
    watched = analyst.get(HOME)
    assert "An owner of the agency does these steps" in words(watched)
    assert not any(step.url for step in watched.context["first_steps"])


def test_steps_that_are_done_are_marked_until_the_first_upload(place: Place, browser: Browser):
    place.push("A-1", "won")
    assert [step.done for step in browser.get(HOME).context["first_steps"]] == [True, True, True, True, False]
    place.job()
    assert browser.get(HOME).context["first_steps"] == []


def test_home_costs_the_same_for_many_counters(place: Place, browser: Browser, django_assert_num_queries: Any):
    place.push("A-1", "unknown", "won")
    place.job()
    with django_assert_num_queries(10):
        browser.get(HOME)
    for number in range(12):
        counter = make_counter(place.agency, account=place.account, name=f"More {number}")
        place.push(f"B-{number}", "won", "unknown", counter=counter)
    with django_assert_num_queries(10):
        assert len(lines(browser)) == 13


def test_an_agency_sees_itself(place: Place, other: Place, login: Any):
    place.push("A-1", "unknown")
    place.job()
    foreign = login(other.owner).get(HOME)
    assert list(foreign.context["lines"]) == [
        line for line in foreign.context["lines"] if line.counter == other.counter
    ]
    assert "Mine" not in foreign.content.decode()
    everybody = login(make_staff()).get(HOME)
    assert {"Mine shop", "Zeta shop"} <= {line.counter.name for line in everybody.context["lines"]}


# ---- the numbers ----


def test_numbers_are_exact_up_to_their_limit(place: Place, monkeypatch: Any):
    monkeypatch.setattr(numbers, "LIMIT", 3)
    for number in range(5):
        place.push(f"A-{number}", "won")
        place.push(f"B-{number}", "unknown")
    work = numbers.work_of([place.counter.pk])[place.counter.pk]
    assert (work.waiting, work.held, work.rejected) == (3, 3, 0)
    assert work.held_by_reason == {"unmapped_status": 3}


def test_the_oldest_is_the_one_that_came_first(place: Place):
    place.push("A-1", "won")
    place.push("A-2", "won")
    came = timezone.now() - timedelta(hours=5)
    StatusChange.objects.filter(order__order_id="A-2").update(received_at=came)
    assert numbers.work_of([place.counter.pk])[place.counter.pk].oldest == came


def test_numbers_of_nothing_are_zero(place: Place):
    work = numbers.work_of([place.counter.pk])
    assert numbers.total(work) == numbers.Work()
    assert numbers.work_of([]) == {}
    assert numbers.held_by_reason([]) == {}


def test_numbers_of_several_counters_add_up(place: Place, other: Place):
    place.push("A-1", "unknown", "won")
    other.push("B-1", "unknown")
    whole = numbers.total(numbers.work_of([place.counter.pk, other.counter.pk]))
    assert (whole.waiting, whole.held, whole.held_by_reason) == (1, 2, {"unmapped_status": 2})
