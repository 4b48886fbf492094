"""The charts at home: day numbers of the chosen days and counters, with their sums; and what a person may choose."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from apps.counters.models import Counter
from apps.dashboard import periods
from apps.dashboard.models import DayNumbers
from tests.admin.conftest import Place
from tests.admin.pages import words
from tests.dashboard.conftest import roll_up
from tests.factories import make_counter

HOME = "/admin/"
TODAY = date(2026, 3, 31)


def charts(browser: Browser, query: str = "") -> dict[str, Any]:
    return {chart.name: chart for chart in browser.get(HOME + query).context["charts"]}


def totals(chart: Any) -> dict[str, str]:
    return {one.label: one.total for one in chart.series}


def day(counter: Counter, ago: int, **values: Any) -> None:
    DayNumbers.objects.create(counter=counter, day=timezone.localdate() - timedelta(days=ago), **values)


@pytest.mark.django_db
def test_charts_show_what_was_received_delivered_earned_and_reached(place: Place, browser: Browser):
    order = place.push("A-1", "new", "won", revenue="500", cost="200")
    place.push("A-2", "new")
    place.job(order=order)
    roll_up()
    found = charts(browser)
    assert totals(found["changes"]) == {"Received": "3", "Delivered": "2"}
    assert totals(found["types"])["Paid"] == "1"
    assert totals(found["money"]) == {"Revenue, RUB": "500\u00a0₽", "Profit, RUB": "300\u00a0₽"}
    assert totals(found["goals"]) == {
        "CRM: Order created": "1",
        "CRM: Order paid": "1",
        "CRM: Order canceled": "0",
        "CRM: Spam order": "0",
        "Your JavaScript goals": "1",
    }
    drawn = json.loads(found["changes"].data)
    assert len(drawn["labels"]) == 28
    assert [sum(one["data"]) for one in drawn["datasets"]] == [3, 2]
    page = browser.get(f"{HOME}?counter={place.counter.pk}")
    assert "Mine goal goal_Mine 1" in words(page)
    assert f"/admin/uploads/uploadjob/?counter__id__exact={place.counter.pk}" in page.content.decode()


@pytest.mark.django_db
def test_charts_are_of_the_chosen_days_and_counters(place: Place, browser: Browser):
    far = make_counter(place.agency, account=place.account, name="Far shop", currency="USD")
    for ago, received in ((0, 1), (10, 10), (60, 100)):
        day(place.counter, ago, received=received, revenue=received)
        day(far, ago, received=7 * received, revenue=7 * received)
    assert totals(charts(browser)["changes"])["Received"] == "88"
    assert totals(charts(browser, "?days=7")["changes"])["Received"] == "8"
    assert totals(charts(browser, "?days=90")["changes"])["Received"] == "888"
    assert totals(charts(browser, f"?counter={far.pk}&days=7")["changes"])["Received"] == "7"
    assert totals(charts(browser, "?q=far&days=7")["changes"])["Received"] == "7", "what the board's filter leaves"
    first, last = (timezone.localdate() - timedelta(days=ago) for ago in (61, 9))
    own = charts(browser, f"?from={first}&to={last}")
    assert totals(own["changes"])["Received"] == "880"
    assert list(totals(own["money"])) == ["Revenue, RUB", "Profit, RUB", "Revenue, USD", "Profit, USD"]


@pytest.mark.django_db
def test_a_counter_of_somebody_else_is_not_there(place: Place, other: Place, browser: Browser):
    day(other.counter, 0, received=5)
    assert browser.get(f"{HOME}?counter={other.counter.pk}").status_code == 404
    assert browser.get(f"{HOME}?counter=x").status_code == 404
    assert totals(charts(browser)["changes"])["Received"] == "0"


@pytest.mark.django_db
def test_days_without_anything_say_what_to_do(place: Place, browser: Browser):
    assert "Nothing in these days. Choose a longer period or another counter." in words(browser.get(HOME))
    assert "Write both days like 2026-01-31." in words(browser.get(f"{HOME}?from=yesterday"))


@pytest.mark.parametrize(
    ("query", "first", "last", "days"),
    [
        ({}, date(2026, 3, 4), TODAY, 28),
        ({"days": "7"}, date(2026, 3, 25), TODAY, 7),
        ({"days": "90"}, date(2026, 1, 1), TODAY, 90),
        ({"days": "5"}, date(2026, 3, 4), TODAY, 28),
        ({"from": "2026-01-05", "to": "2026-01-05"}, date(2026, 1, 5), date(2026, 1, 5), 0),
        ({"from": "2026-03-01"}, date(2026, 3, 1), TODAY, 0),
        ({"from": "2026-03-25", "to": "2026-03-31"}, date(2026, 3, 25), TODAY, 7),
        ({"from": "2025-03-31", "to": "2026-03-31"}, date(2025, 3, 31), TODAY, 0),
    ],
)
def test_periods(query: dict[str, str], first: date, last: date, days: int):
    period = periods.read(query, today=TODAY)
    assert (period.first, period.last, period.days, period.problem) == (first, last, days, "")


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"from": "2026-02-30", "to": "2026-03-01"}, "Write both days like 2026-01-31."),
        ({"to": "2026-03-01"}, "Write both days like 2026-01-31."),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "The first day must not be after the last one."),
        ({"from": "2025-03-30", "to": "2026-03-31"}, "Choose at most 366 days."),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "Choose at most 366 days."),
    ],
)
def test_periods_that_cannot_be_shown_say_why(query: dict[str, str], problem: str):
    period = periods.read(query, today=TODAY)
    assert (period.problem, period.days) == (problem, 28)
