"""Counters are picked from what Metrica lists for an account: searched, paged, those known marked, rights told."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.agencies.models import User
from apps.audit.models import AuditEntry
from apps.counters import importing
from apps.counters.models import ApiCall, Counter, MetricaAccount
from apps.goals.models import Goal
from apps.sandbox import services as sandbox
from apps.sandbox.models import Permission
from tests.admin.conftest import Place
from tests.admin.pages import messages, words
from tests.counters.conftest import LOGIN, Yandex, at_yandex

__all__ = ["at_yandex"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(at_yandex: Yandex, place: Place) -> MetricaAccount:
    at_yandex.agency = place.agency
    return at_yandex.connect().account


@pytest.fixture
def page(account: MetricaAccount) -> str:
    return reverse("admin:counters_metricaaccount_import", args=[account.pk])


def rows(answer: Any) -> dict[int, Any]:
    return {offer.info.id: offer for offer in answer.context["page"].offers}


def test_the_list_says_site_zone_permission_and_goals(browser: Browser, page: str):
    guest = sandbox.create_counter(
        metrica_id=50, name="Guest", site="guest.example", time_zone_name="Asia/Omsk", owner_login="else"
    )
    sandbox.add_access(counter=guest, login=LOGIN, permission=Permission.VIEW)
    answer = browser.get(page)
    found = rows(answer)
    assert list(found) == [50, 40000001, 40000002]
    assert (found[40000001].javascript_goals, found[40000001].may_upload, found[50].may_upload) == (2, True, False)
    text = words(answer)
    for told in ("3 counters at Metrica", "Dental", "dental.example", "Europe/Moscow", "Asia/Omsk", "own", "view"):
        assert told in text
    assert text.count("no uploading: needs own or edit") == 1
    assert "page 1 of" not in text


def test_picked_counters_come_with_zone_site_and_goals(browser: Browser, page: str, account: MetricaAccount):
    answer = browser.post(page, {"counter": ["40000001", "40000002"]}, follow=True)
    assert "2 counters were added with their time zones and goals" in messages(answer)
    dental = Counter.objects.get(metrica_id=40000001)
    assert (dental.name, dental.site, dental.time_zone, dental.account, dental.agency) == (
        *("Dental", "dental.example", "Europe/Moscow", account, account.agency),
    )
    assert set(Goal.objects.filter(counter=dental).values_list("identifier", flat=True)) == {"zapis1", "zapis2"}
    assert AuditEntry.objects.filter(action="counter.created", object_id=str(dental.pk)).count() == 1
    assert answer.redirect_chain[-1][0] == "/admin/counters/counter/"


def test_one_counter_leads_to_its_page(browser: Browser, page: str):
    answer = browser.post(page, {"counter": ["40000001"]})
    assert (
        answer.headers["Location"] == f"/admin/counters/counter/{Counter.objects.get(metrica_id=40000001).pk}/change/"
    )


def test_what_is_known_is_marked_and_stays_as_it_is(browser: Browser, page: str, place: Place):
    Counter.objects.filter(pk=place.counter.pk).update(metrica_id=40000001)
    answer = browser.get(page)
    assert rows(answer)[40000001].known == place.counter
    text = words(answer)
    assert "Here already" in text
    assert f"by {place.account.login}" in text
    assert 'value="40000001"' not in answer.content.decode()
    answer = browser.post(page, {"counter": ["40000001"]}, follow=True)
    assert "1 counter was here already." in messages(answer)
    place.counter.refresh_from_db()
    assert place.counter.account == place.account


def test_another_agency_s_counter_is_not_known_here(browser: Browser, page: str, other: Place):
    Counter.objects.filter(pk=other.counter.pk).update(metrica_id=40000001)
    answer = browser.get(page)
    assert rows(answer)[40000001].known is None
    assert other.mark not in answer.content.decode()


def test_searching(browser: Browser, page: str):
    assert list(rows(browser.get(page, {"q": "coffee"}))) == [40000002]
    assert list(rows(browser.get(page, {"q": "40000001"}))) == [40000001]
    answer = browser.get(page, {"q": "<script>alert(1)</script>"})
    assert "Nothing matches" in words(answer)
    assert "<script>alert(1)" not in answer.content.decode()


def test_pages(browser: Browser, page: str):
    for number in range(60):
        sandbox.create_counter(metrica_id=100 + number, name=f"Shop {number}", owner_login=LOGIN)
    first = browser.get(page, {"q": "shop"})
    assert len(rows(first)) == 50
    assert "page 1 of 2" in words(first)
    assert 'href="?q=shop&amp;page=2"' in first.content.decode()
    second = browser.get(page, {"q": "shop", "page": "2"})
    assert list(rows(second)) == list(range(150, 160))
    assert browser.get(page, {"page": "nonsense"}).status_code == 200


def test_queries_do_not_grow_with_the_list(browser: Browser, page: str):
    def queries() -> int:
        browser.get(page)
        with CaptureQueriesContext(connection) as captured:
            browser.get(page)
        return len(captured)

    few = queries()
    for number in range(40):
        sandbox.create_counter(metrica_id=100 + number, name=f"Shop {number}", owner_login=LOGIN)
    browser.post(page, {"counter": [str(100 + number) for number in range(10)]})
    assert queries() == few


def test_numbers_that_are_not_the_accounts_are_refused(browser: Browser, page: str):
    sandbox.create_counter(metrica_id=77, owner_login="else")
    answer = browser.post(page, {"counter": ["77", "40000001", "999", "x", "-1", "9" * 30]}, follow=True)
    told = messages(answer)
    assert "1 counter was added" in told
    assert "Counter 77 was not added" in told and "Counter 999 was not added" in told
    assert set(Counter.objects.filter(metrica_id__in=[77, 999, 40000001]).values_list("metrica_id", flat=True)) == {
        40000001
    }


def test_nothing_picked(browser: Browser, page: str):
    assert "Pick at least one" in messages(browser.post(page, {}, follow=True))


@pytest.mark.parametrize("method", ["get", "post"])
def test_metrica_out_of_order_is_told(browser: Browser, page: str, method: str):
    sandbox.add_fault(kind="server_error", endpoint="management", count=None)
    answer = getattr(browser, method)(page, {"counter": ["40000001"]})
    assert answer.status_code == 200
    assert "Metrica has a fault on its side" in words(answer)


def test_an_account_without_a_token_is_connected_first(browser: Browser, page: str):
    MetricaAccount.objects.update(state="disconnected")
    before = ApiCall.objects.count()
    assert "Connect the account first" in messages(browser.get(page, follow=True))
    assert ApiCall.objects.count() == before


@pytest.mark.parametrize("role", ["manager", "analyst"])
def test_only_who_administers_adds_counters(place: Place, page: str, login: Callable[[User], Browser], role: str):
    browser = login(getattr(place, role))
    assert browser.get(page).status_code == 403
    assert browser.post(page, {"counter": ["40000001"]}).status_code == 403
    assert page not in browser.get(reverse("admin:counters_metricaaccount_changelist")).content.decode()


def test_a_quota_ends_the_import_and_the_rest_is_left(browser: Browser, page: str):
    for number in range(5):
        sandbox.create_counter(metrica_id=100 + number, name=f"Shop {number}", owner_login=LOGIN)
    sandbox.add_fault(kind="quota_429", endpoint="management", count=None, counter=102)
    before = ApiCall.objects.count()
    told = messages(browser.post(page, {"counter": [str(100 + number) for number in range(5)]}, follow=True))
    assert "2 counters were added" in told
    assert all(f"Counter {number} was not added" in told for number in (102, 103, 104))
    assert ApiCall.objects.filter(url__contains="/104").count() == 0
    assert ApiCall.objects.count() > before


def test_an_import_that_takes_too_long_leaves_the_rest(browser: Browser, page: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importing, "IMPORT_SECONDS", -1.0)
    told = messages(browser.post(page, {"counter": ["40000001"]}, follow=True))
    assert "Pick it once more" in told
