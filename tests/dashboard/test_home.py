"""Home: what every counter has done and waits for, problems on top; for a beginner, what to do first."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from apps.counters import services
from apps.counters.models import Counter, MetricaAccount
from apps.counters.services import connect_account
from apps.dashboard import home
from apps.dashboard.board import COLUMNS
from apps.dashboard.models import Comparison, CounterNumbers
from apps.goals.services import set_status
from apps.orders import numbers
from apps.orders.models import Order, StatusChange
from tests.admin.conftest import Place
from tests.admin.pages import words
from tests.dashboard.conftest import roll_up
from tests.factories import make_agency, make_counter, make_member, make_staff

pytestmark = pytest.mark.django_db

HOME = "/admin/"
QUERIES = 12


def lines(browser: Browser, query: str = "") -> dict[str, Any]:
    return {line.counter.name: line for line in browser.get(HOME + query).context["lines"]}


def account_of(place: Place, login: str) -> MetricaAccount:
    return connect_account(agency=place.agency, login=login, token="y0_test")


def listed(browser: Browser, url: str) -> list[str]:
    """The orders of a work list, or of the list of orders."""
    answer = browser.get(url)
    assert answer.status_code == 200, url
    rows = answer.context["cl"].result_list
    return sorted(row.order_id if isinstance(row, Order) else row.order.order_id for row in rows)


def test_the_board_shows_what_waits_is_held_and_was_rejected(place: Place, browser: Browser):
    place.push("A-1", "new", "won")
    place.push("A-2", "unknown")
    place.push("A-3", "won", emails=[])
    bad = place.push("A-4", "won")
    bad.changes.update(delivery="rejected")
    Counter.objects.filter(pk=place.counter.pk).update(last_passed_at=timezone.now() - timedelta(hours=2))
    place.job()
    roll_up()
    answer = browser.get(HOME)
    text = words(answer)
    assert "Waiting 2 the oldest came" in text
    assert "Held 2 needs a person" in text
    assert "Rejected 1 see why" in text
    assert "The status is not mapped 1" in text
    assert "Neither ClientID nor e-mail nor phone is known 1" in text
    assert "2 h ago" in text
    assert "0% · 0% · 75%" in text
    assert "Numbers as of" in text
    assert place.account.login in text
    assert "Recent uploads" in text
    assert "Succeeded" in text


def test_every_number_leads_to_the_list_behind_it(place: Place, browser: Browser):
    elsewhere = make_counter(place.agency, account=place.account, name="Elsewhere")
    set_status(counter=elsewhere, crm_status="new", type="IN_PROGRESS")
    set_status(counter=elsewhere, crm_status="won", type="PAID")
    for counter, mark in ((place.counter, "A"), (elsewhere, "B")):
        place.push(f"{mark}-waits", "new", "won", "new", "won", "new", counter=counter)
        place.push(f"{mark}-held", "unknown", counter=counter)
        place.push(f"{mark}-bad", "won", counter=counter).changes.update(delivery="rejected")
        old = (timezone.now() - timedelta(days=19)).isoformat()
        for name, at in ((f"{mark}-old", old), (f"{mark}-gone", (timezone.now() - timedelta(days=22)).isoformat())):
            place.push(name, "won", counter=counter, create_date_time=at, status_date_time=at)
        sent = place.push(f"{mark}-sent", "new", "won", counter=counter, create_date_time=old)
        sent.changes.filter(order_status="new").update(delivery="delivered", delivered_at=timezone.now())
    roll_up()
    page = browser.get(HOME).content.decode()
    mine = f"?counter__id__exact={place.counter.pk}"
    for url, orders in (
        (f"/admin/orders/statuschange/{mine}&delivery=waiting", ["A-gone", "A-old", "A-sent", *["A-waits"] * 5]),
        (f"/admin/orders/heldchange/{mine}&reason=unmapped_status", ["A-held"]),
        (f"/admin/orders/rejectedchange/{mine}", ["A-bad"]),
        (f"/admin/orders/order/{mine}&delivery=closing", ["A-old"]),
        ("/admin/orders/order/?delivery=closing", ["A-old", "B-old"]),
    ):
        assert url.replace("&", "&amp;") in page, url
        assert listed(browser, url) == orders
    numbers_of_mine = lines(browser)["Mine shop"].numbers
    found = (numbers_of_mine.waiting, numbers_of_mine.held, numbers_of_mine.rejected, numbers_of_mine.closing)
    assert found == (8, 1, 1, 1)


def test_problems_stand_on_top(place: Place, browser: Browser):
    for name in ("Aaa fine", "Bbb fine"):
        make_counter(place.agency, account=place.account, name=name)
    troubled = make_counter(place.agency, account=place.account, name="Zzz paused")
    services.pause(counter=troubled, reason="x")
    place.push("A-1", "unknown")
    roll_up()
    assert list(lines(browser)) == ["Zzz paused", "Mine shop", "Aaa fine", "Bbb fine"]
    assert "2 need attention" in words(browser.get(HOME))
    assert list(lines(browser, "?problems=1")) == ["Zzz paused", "Mine shop"]


def test_every_column_sorts_both_ways_and_what_is_not_known_stands_last(place: Place, browser: Browser):
    late = account_of(place, "aaa-late")
    MetricaAccount.objects.filter(pk=late.pk).update(token_expires_at=timezone.now() + timedelta(days=200))
    MetricaAccount.objects.filter(pk=place.account.pk).update(token_expires_at=timezone.now() + timedelta(days=100))
    far = make_counter(place.agency, account=late, name="Aaa shop")
    empty = make_counter(place.agency, account=place.account, name="Bbb empty")
    services.update_counter(counter=empty, account=None)
    now = timezone.now()
    Counter.objects.filter(pk=far.pk).update(last_passed_at=now, next_upload_at=now)
    Counter.objects.filter(pk=place.counter.pk).update(last_passed_at=now - timedelta(days=1), next_upload_at=now)
    place.push("A-1", "won", "unknown", client_ids=["1700000000123456789"], phones=["+79031234567"])
    place.push("B-1", "won", "unknown", counter=far, emails=[])
    Comparison.objects.create(counter=place.counter, matched=0.4)
    Comparison.objects.create(counter=far, matched=0.9)
    roll_up()
    for column in COLUMNS:
        up, down = list(lines(browser, f"?sort={column}")), list(lines(browser, f"?sort=-{column}"))
        assert set(up) == set(down) == {"Mine shop", "Aaa shop", "Bbb empty"}
        if column in ("account", "token", "passed", "client_id", "phone", "email", "matched"):
            assert up[-1] == down[-1] == "Bbb empty", column
            assert up[:2] == down[1::-1], column
    assert next(iter(lines(browser, "?sort=token"))) == "Mine shop"
    assert next(iter(lines(browser, "?sort=-matched"))) == "Aaa shop"
    assert next(iter(lines(browser, "?sort=-client_id"))) == "Mine shop"
    page = browser.get(f"{HOME}?sort=-waiting").content.decode()
    assert 'aria-sort="descending"' in page
    assert 'href="?sort=waiting"' in page


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?q=MINE", ["Mine shop"]),
        ("?q=far.example", ["Far shop"]),
        ("?q=7700", ["Far shop"]),
        ("?q=nothing+like+it", []),
        ("?q=%00&sort=nonsense&account=x&agency=99999999999999999999&page=zero&days=-4&problems=yes", []),
    ],
)
def test_counters_are_found_by_name_number_and_site(place: Place, browser: Browser, query: str, names: list[str]):
    make_counter(place.agency, account=place.account, name="Far shop", site="far.example", metrica_id=77001234)
    assert list(lines(browser, query)) == names
    if not names:
        assert "No counter fits." in words(browser.get(HOME + query))


def test_a_filter_by_account_stays_while_one_sorts(place: Place, browser: Browser):
    second = account_of(place, "second")
    make_counter(place.agency, account=second, name="Far shop")
    answer = browser.get(f"{HOME}?account={second.pk}&days=7")
    assert [line.counter.name for line in answer.context["lines"]] == ["Far shop"]
    assert f"?days=7&amp;account={second.pk}&amp;sort=name" in answer.content.decode()
    assert "1 of 2 counters" in words(answer)


def test_staff_choose_an_agency(place: Place, other: Place, login: Any):
    staff = login(make_staff())
    assert list(lines(staff, f"?agency={other.agency.pk}")) == ["Zeta shop"]
    assert "All agencies" in words(staff.get(HOME))
    owner = login(place.owner).get(f"{HOME}?agency={other.agency.pk}")
    assert owner.context["lines"] == []
    assert "Zeta" not in owner.content.decode()


def test_more_counters_than_a_page_holds_go_on_the_next(place: Place, browser: Browser, monkeypatch: Any):
    monkeypatch.setattr(home, "LINES_A_PAGE", 2)
    for name in ("B shop", "C shop", "D shop"):
        make_counter(place.agency, account=place.account, name=name)
    assert list(lines(browser, "?sort=name")) == ["B shop", "C shop"]
    answer = browser.get(f"{HOME}?sort=name&page=2")
    assert [line.counter.name for line in answer.context["lines"]] == ["D shop", "Mine shop"]
    assert "page 2 of 2" in words(answer)
    assert list(lines(browser, "?sort=name&page=9")) == ["D shop", "Mine shop"]


def test_how_old_the_numbers_are_is_said(place: Place, browser: Browser):
    assert "Some numbers are not counted yet" in words(browser.get(HOME))
    roll_up()
    assert "Numbers as of" in words(browser.get(HOME))
    CounterNumbers.objects.update(work_at=timezone.now() - timedelta(hours=3))
    assert "counted 3 h ago and not since" in words(browser.get(HOME))
    CounterNumbers.objects.update(recounted_at=None)
    assert "no worker seems to be running" in words(browser.get(HOME))


def test_a_token_near_its_end_and_calls_that_run_out_are_problems(place: Place, browser: Browser):
    MetricaAccount.objects.filter(pk=place.account.pk).update(token_expires_at=timezone.now() + timedelta(days=5))
    (line,) = lines(browser).values()
    assert (line.token_days, line.trouble) == (5, 1)
    assert "token: 5 days" in words(browser.get(HOME))


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
    roll_up()
    browser.get(HOME)
    with django_assert_num_queries(QUERIES):
        browser.get(HOME)
    for number in range(12):
        account = account_of(place, f"more-{number}")
        counter = make_counter(place.agency, account=account, name=f"More {number}")
        place.push(f"B-{number}", "won", "unknown", counter=counter)
    roll_up()
    browser.get(HOME)  # the store of quotas gets to know the new logins
    with django_assert_num_queries(QUERIES):
        assert len(lines(browser, "?days=90&sort=-held&q=o")) == 13


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
    assert numbers.total(work.values()) == numbers.Work()
    assert numbers.work_of([]) == {}
    assert numbers.held_by_reason([]) == {}


def test_numbers_of_several_counters_add_up(place: Place, other: Place):
    place.push("A-1", "unknown", "won")
    other.push("B-1", "unknown")
    whole = numbers.total(numbers.work_of([place.counter.pk, other.counter.pk]).values())
    assert (whole.waiting, whole.held, whole.held_by_reason) == (1, 2, {"unmapped_status": 2})
