"""What the pages of an account and of its counters say of calls to Metrica: the login's day, and whether it answers."""

from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from apps.counters import services
from apps.counters.models import ApiCall, Breaker, MetricaAccount
from apps.counters.quotas import places
from apps.counters.quotas.kinds import Call, Kind
from apps.counters.quotas.sharing import caller_of
from tests.admin.conftest import Place
from tests.admin.pages import errors, words
from tests.factories import make_account, make_agency

pytestmark = pytest.mark.django_db


def page(account: MetricaAccount) -> str:
    return reverse("admin:counters_metricaaccount_change", args=[account.pk])


def counter_page(place: Place) -> str:
    return reverse("admin:counters_counter_change", args=[place.counter.pk])


def spend(account: MetricaAccount, calls: int) -> None:
    caller = caller_of(account)
    for _number in range(calls):
        places.reserve(caller=caller, call=Call(Kind.CDP_WRITE), seconds=60).release()


def test_the_day_of_the_login(place: Place, browser: Browser):
    spend(place.account, 7)
    told = words(browser.get(page(place.account)))
    assert "Calls to Metrica today" in told
    assert "7 of 5,000" in told and "4,993" in told
    assert "shared with other users of this login" in told
    assert "4,993 calls left today" in words(browser.get(counter_page(place)))


def test_who_else_uses_the_login_is_not_told(place: Place, browser: Browser):
    others = make_agency(name="Secretive Agency")
    spend(services.connect_account(agency=others, login=place.account.login, token="x"), 5)
    text = words(browser.get(page(place.account)))
    assert "5 of 5,000" in text
    assert "Secretive" not in text


def test_a_day_that_will_not_last(place: Place, browser: Browser, settings):
    settings.METRICA_CALLS_PER_DAY = 12
    spend(place.account, 11)
    assert "may not last" in words(browser.get(page(place.account)))
    spend(place.account, 1)
    assert "calls are used up" in words(browser.get(page(place.account)))


def test_metrica_that_does_not_answer(place: Place, browser: Browser):
    now = timezone.now()
    Breaker.objects.create(
        host="api-metrika.yandex.net",
        failing_since=now - timedelta(minutes=3),
        opened_at=now - timedelta(minutes=2),
        retry_at=now + timedelta(minutes=4),
        failures=5,
        code="backend_error",
    )
    for url in (page(place.account), counter_page(place)):
        assert "Metrica does not answer since" in words(browser.get(url))
    answer = browser.post(reverse("admin:counters_counter_read", args=[place.counter.pk]))
    assert "has not answered for some time" in errors(answer)
    assert not ApiCall.objects.filter(account=place.account).exists()


def test_the_outage_of_another_account_is_not_told(place: Place, browser: Browser):
    now, other = timezone.now(), make_account(make_agency())
    Breaker.objects.create(
        host="api-metrika.yandex.net", account=other, failing_since=now, opened_at=now, retry_at=now, failures=5
    )
    assert "does not answer" not in words(browser.get(page(place.account)))


def test_a_page_that_finds_no_place_says_so(place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(places, "WAIT_SECONDS", 0.0)
    caller = caller_of(place.account)
    for _number in range(3):
        places.reserve(caller=caller, call=Call(Kind.READ), seconds=60)
    answer = browser.post(reverse("admin:counters_counter_read", args=[place.counter.pk]))
    assert "at once are running already" in errors(answer)
    assert "try again in a moment" in errors(answer)
    assert not ApiCall.objects.filter(account=place.account).exists()
