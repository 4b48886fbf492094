"""What a client reads behind a link: the numbers, no person, no cookie; and what stands there once it is closed."""

import re
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from apps.dashboard.models import CounterNumbers, DayNumbers
from apps.dashboard.periods import Period
from apps.reports import chart, limits, numbers, periods, services
from apps.reports.models import ReportLink
from tests.admin.pages import words
from tests.factories import make_agency, make_counter, make_member
from tests.reports.conftest import PERSONAL, Client

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 31)


def test_the_page_tells_statuses_goals_money_and_shares(filled: Client):
    link = filled.link()
    text = words(Browser().get(filled.url(link)))
    assert "North Agency Windows & balconies windows.example" in text
    assert "Orders created 4" in text
    assert "Orders in Metrica 4" in text
    assert "Orders paid 2" in text
    assert "Revenue, RUB 5,000 ₽ Profit, RUB 1,799.50 ₽" in text
    assert "Revenue, USD 100 $ Profit, USD 100 $" in text
    assert "Matched by Metrica 50%" in text
    assert "new In progress 1 25% Deal is won Paid 2 50% lead Other 1 25%" in text
    assert "CRM: Order created 4 CRM: Order paid 2" in text
    assert "The deal 2" in text
    assert "good_lead 1" in text
    assert "ClientID 100% Phone 100% E-mail 100%" in text
    assert "Status changes delivered to Metrica 9" in text
    assert "Counted" in text
    assert "Quietly" not in text, "for whom it is, only the agency knows"


def test_nothing_of_a_person_is_in_it(filled: Client, post_office: Any):
    from apps.reports.letters import writing

    link = filled.link()
    page = Browser().get(filled.url(link), {"period": "90"}).content.decode()
    letter = writing.write(link, filled.shop.day(1))
    for text in (page.replace(services.secret_of(link), ""), letter.html, letter.text, letter.subject):
        text = text.replace(services.secret_of(link), "")
        assert "Windows" in text
        for personal in PERSONAL:
            assert personal not in re.sub(r'(?:x|y|width|height)="[\d.]+"', "", text), personal


def test_periods_are_those_of_the_counters_clock_and_the_address_keeps_them(filled: Client):
    link, browser = filled.link(), Browser()
    text = words(browser.get(filled.url(link), {"period": "90"}))
    assert "Orders paid 3" in text
    assert "82,000 ₽" in text
    assert "Orders created 4" in words(browser.get(filled.url(link), {"period": "7"}))
    days = {"from": filled.shop.day(2).isoformat(), "to": filled.shop.day(2).isoformat()}
    assert "Orders created 1" in words(browser.get(filled.url(link), days))
    page = browser.get(filled.url(link), {"period": "90", "lang": "ru"}).content.decode()
    assert 'href="?period=7&amp;lang=ru"' in page
    assert 'href="?period=90&amp;lang=en"' in page


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({}, date(2026, 3, 2), TODAY),
        ({"period": "7"}, date(2026, 3, 25), TODAY),
        ({"period": "90"}, date(2026, 1, 1), TODAY),
        ({"period": "month"}, date(2026, 3, 1), TODAY),
        ({"period": "last_month"}, date(2026, 2, 1), date(2026, 2, 28)),
        ({"period": "bad"}, date(2026, 3, 2), TODAY),
        ({"from": "2026-01-05", "to": "2026-01-11"}, date(2026, 1, 5), date(2026, 1, 11)),
        ({"from": "2026-01-05", "to": "2020-01-11"}, date(2026, 3, 2), TODAY),
        ({"from": "x"}, date(2026, 3, 2), TODAY),
    ],
)
def test_which_days(query: dict[str, str], first: date, last: date):
    period, choices = periods.read(query, today=TODAY)
    assert (period.first, period.last) == (first, last)
    assert sum(choice.chosen for choice in choices) == (0 if "2026-01-11" in query.values() else 1)


def test_the_page_costs_the_same_for_many_days(filled: Client, django_assert_num_queries: Any):
    link, browser = filled.link(), Browser()
    with django_assert_num_queries(7):  # the link, that it was opened, and five for the numbers
        browser.get(filled.url(link), {"period": "7"})
    for ago in range(5, 90):
        statuses = {"paid": {f"status {ago}": 3}}
        day = {"orders": 3, "paid": 3, "statuses": statuses, "goals": {f"goal {ago}": 3}, "reached_own": 3}
        DayNumbers.objects.update_or_create(counter=filled.counter, day=filled.shop.day(ago), defaults=day)
    with django_assert_num_queries(7):
        assert "goal 80" in words(browser.get(filled.url(link), {"period": "90"}))


def test_very_many_statuses_and_goals_are_put_together(client_of: Client):
    most = numbers.MOST_LINES
    statuses = {f"status {number}": 1000 - number for number in range(most + 5)}
    goals = {f"goal {number}": 1000 - number for number in range(most + 5)}
    DayNumbers.objects.create(
        counter=client_of.counter,
        day=client_of.shop.today,
        orders=1,
        other=sum(statuses.values()),
        statuses={"other": statuses},
        goals=goals,
    )
    report = numbers.report_of(client_of.counter, Period(client_of.shop.today, client_of.shop.today))
    rest = sum(1000 - number for number in range(most, most + 5))
    assert (len(report.statuses), len(report.goals)) == (most + 1, most + 1)
    assert {line.name: line.orders for line in report.statuses}["Others"] == rest
    assert (report.goals[-1].name, report.goals[-1].reached) == ("Others", rest)


def test_days_counted_before_statuses_were_add_up_all_the_same(client_of: Client):
    DayNumbers.objects.create(counter=client_of.counter, day=client_of.shop.today, orders=5, paid=3, spam=2)
    report = numbers.report_of(client_of.counter, Period(client_of.shop.today, client_of.shop.today))
    assert [(line.kind, line.name, line.orders) for line in report.statuses] == [
        ("paid", "Others", 3),
        ("spam", "Others", 2),
    ]


def test_a_status_that_no_order_has_any_more_is_not_told(client_of: Client):
    DayNumbers.objects.create(counter=client_of.counter, day=client_of.shop.today, statuses={"paid": {"won": 0}})
    assert "Nothing in these days" in words(Browser().get(client_of.url(client_of.link())))


def test_an_empty_report_says_so(client_of: Client):
    text = words(Browser().get(client_of.url(client_of.link())))
    assert "Nothing in these days" in text
    assert "Not all days are counted yet" in text
    CounterNumbers.objects.create(counter=client_of.counter, days_at=timezone.now(), recounted_at=timezone.now())
    assert "Counted" in words(Browser().get(client_of.url(client_of.link())))


def test_it_speaks_the_links_language_else_the_browsers_and_as_the_reader_chooses(filled: Client):
    russian, free = filled.link(language="ru"), filled.link(language="")
    for link, accepts, query, spoken in (
        (russian, "en", "", "ru"),
        (russian, "en", "?lang=en", "en"),
        (free, "ru", "", "ru"),
        (free, "en", "", "en"),
        (free, "en", "?lang=xx", "en"),
    ):
        answer = Browser(headers={"accept-language": accepts}).get(filled.url(link) + query)
        assert f'<html lang="{spoken}">' in answer.content.decode()
        assert answer.headers["Content-Language"] == spoken


def test_nothing_is_left_with_the_reader_or_told_to_others(filled: Client):
    answer = Browser().get(filled.url(filled.link()))
    assert not answer.cookies
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    page = answer.content.decode()
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script" not in page
    (nonce,) = re.findall(r"'nonce-([^']+)'", policy)
    assert f'<style nonce="{nonce}">' in page
    assert " style=" not in page, "the policy would not let it be"
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_it_looks_like_the_agency(filled: Client):
    look = services.look_of(filled.counter.agency)
    services.change_look(look=look, shown_name="Bright & Co", colour="#FFEE00")
    page = Browser().get(filled.url(filled.link())).content.decode()
    assert "--brand: #ffee00; --on-brand: #000000;" in page
    assert "Bright &amp; Co" in page
    assert "North Agency" not in page


def test_opening_is_counted_but_not_by_the_agency_itself(filled: Client):
    link = filled.link()
    own = Browser()
    own.force_login(make_member(filled.counter.agency))
    assert own.get(filled.url(link)).status_code == 200
    Browser().head(filled.url(link))
    Browser().get(filled.url(link))
    stranger = Browser()
    stranger.force_login(make_member(make_agency()))
    assert stranger.get(filled.url(link)).status_code == 200
    link.refresh_from_db()
    assert link.opened == 2
    assert link.last_opened_at is not None


def test_a_closed_link_says_what_to_do_in_both_languages(filled: Client):
    expired, withdrawn, idle = filled.link(), filled.link(), filled.link()
    ReportLink.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    services.withdraw(link=withdrawn)
    pages = [(filled.url(expired), 410), (filled.url(withdrawn), 410), ("/report/nobody-knows-this/", 404)]
    for url, status in pages:
        answer = Browser().get(url)
        assert answer.status_code == status
        text = words(answer)
        assert "Ask the agency that sent it for a new one." in text
        assert 'lang="ru"' in answer.content.decode()
        assert "Windows" not in text
        assert "North" not in text
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    filled.counter.agency.is_active = False
    filled.counter.agency.save()
    assert Browser().get(filled.url(idle)).status_code == 410


def test_the_address_is_found_by_all_of_its_secret_only(filled: Client):
    link = filled.link()
    secret = services.secret_of(link)
    for wrong in (secret[:-1], secret + "A", secret.swapcase(), link.secret_hash):
        assert Browser().get(f"/report/{wrong}/").status_code == 404
    assert secret not in link.secret_encrypted
    services.renew_address(link=link)
    assert Browser().get(f"/report/{secret}/").status_code == 404
    link.refresh_from_db()
    assert Browser().get(filled.url(link)).status_code == 200


def test_a_report_is_of_its_counter_alone(filled: Client):
    far = make_counter(make_agency("far", "Far Agency"), name="Far shop", time_zone="Asia/Vladivostok")
    DayNumbers.objects.create(counter=far, day=filled.shop.today, orders=999, paid=999)
    neighbour = make_counter(filled.counter.agency, name="Neighbour")
    DayNumbers.objects.create(counter=neighbour, day=filled.shop.today, orders=888, paid=888)
    text = words(Browser().get(filled.url(filled.link())))
    for foreign in ("999", "888", "Far", "Neighbour"):
        assert foreign not in text


def test_nobody_writes_to_the_page(filled: Client):
    assert Browser().post(filled.url(filled.link())).status_code == 405


def test_who_asks_too_often_waits(filled: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "A_MINUTE", 3)
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: 1_000_000.0))
    browser, url = Browser(), filled.url(filled.link())
    assert [browser.get("/report/guess/").status_code for _try in range(2)] == [404, 404]
    assert browser.get(url).status_code == 200
    answer = browser.get(url)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert "Wait a minute" in words(answer)
    assert Browser(REMOTE_ADDR="10.0.0.9").get(url).status_code == 200


@pytest.mark.parametrize(("most", "top"), [(1, 1), (2, 2), (3, 3), (5, 5), (7, 8), (41, 50), (999, 1000), (1001, 2000)])
def test_the_charts_scale_is_round(most: int, top: int):
    drawn = chart.by_day([TODAY - timedelta(days=1), TODAY], [0, most])
    assert drawn.lines[-1].text.replace(",", "") == str(top)
    assert len(drawn.bars) == 1
    assert len(drawn.days) == 2
    assert not chart.by_day([TODAY], [0]).bars
