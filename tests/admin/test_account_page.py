"""Metrica accounts: the token goes in, is kept encrypted, and is never shown again."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from apps.agencies.models import Membership
from apps.audit.models import AuditEntry
from apps.counters import services
from apps.counters.encryption import decrypt
from apps.counters.models import ApiCall, MetricaAccount
from apps.sandbox import services as sandbox
from apps.sandbox.models.site import Permission
from tests.admin.conftest import Place
from tests.admin.pages import errors, form_data, messages, words

pytestmark = pytest.mark.django_db

ADD = "/admin/counters/metricaaccount/add/"
LIST = "/admin/counters/metricaaccount/"
SECRET = "y0_AgAAAAB-very-secret"


def page(account: MetricaAccount) -> str:
    return reverse("admin:counters_metricaaccount_change", args=[account.pk])


def counter_page(place: Place) -> str:
    return reverse("admin:counters_counter_change", args=[place.counter.pk])


def act(account: MetricaAccount, name: str) -> str:
    return reverse(f"admin:counters_metricaaccount_{name}", args=[account.pk])


def test_an_account_is_connected_by_the_service(place: Place, browser: Browser):
    day = (timezone.now() + timedelta(days=30)).date()
    answer = browser.post(ADD, {"login": " new-login ", "token": SECRET, "token_expires_at": day.isoformat()})
    assert answer.status_code == 302
    account = MetricaAccount.objects.get(login="new-login")
    assert (account.agency, account.state) == (place.agency, "connected")
    assert account.token_expires_at is not None
    assert account.token_expires_at.astimezone(timezone.get_current_timezone()).date() == day
    assert SECRET not in account.token_encrypted
    assert decrypt(account.token_encrypted) == SECRET
    assert AuditEntry.objects.filter(action="account.connected", object_id=str(account.pk)).exists()


def test_the_token_is_never_shown_again(place: Place, browser: Browser):
    browser.post(ADD, {"login": "new-login", "token": SECRET})
    account = MetricaAccount.objects.get(login="new-login")
    for url in (LIST, page(account), act(account, "connect"), "/admin/audit/auditentry/"):
        text = browser.get(url).content.decode()
        assert SECRET not in text
        assert account.token_encrypted not in text
    refused = browser.post(act(account, "connect"), {"token": f"{SECRET} with a space"})
    assert SECRET not in refused.content.decode()


@pytest.mark.parametrize(("token", "said"), [("", "required"), ("with space", "This is no OAuth token")])
def test_a_token_that_is_none_is_refused_at_its_field(place: Place, browser: Browser, token: str, said: str):
    answer = browser.post(ADD, {"login": "x", "token": token})
    assert answer.status_code == 200
    assert said in words(answer)
    assert not MetricaAccount.objects.filter(login="x").exists()


def test_a_new_token_replaces_the_old_one(place: Place, browser: Browser):
    answer = browser.post(act(place.account, "connect"), {"token": SECRET}, follow=True)
    assert "The account is connected" in messages(answer)
    place.account.refresh_from_db()
    assert decrypt(place.account.token_encrypted) == SECRET


def test_a_token_of_the_past_is_refused(place: Place, browser: Browser):
    answer = browser.post(act(place.account, "connect"), {"token": SECRET, "token_expires_at": "2020-01-01"})
    assert "This day is over" in errors(answer)


def test_disconnecting_asks_why_and_forgets_the_token(place: Place, browser: Browser):
    assert "required" in errors(browser.post(act(place.account, "disconnect"), {}))
    answer = browser.post(act(place.account, "disconnect"), {"reason": "the client left"}, follow=True)
    place.account.refresh_from_db()
    assert (place.account.state, place.account.token_encrypted) == ("disconnected", "")
    text = words(answer)
    assert "the client left" in text
    assert "Connect the account with a fresh token" in text
    assert "is not connected" in words(browser.get("/admin/"))


def test_only_the_login_is_corrected_on_the_page(place: Place, browser: Browser):
    """An address of one's own would be given the token, so it comes with a token or not at all."""
    data = form_data(browser, page(place.account), login="corrected", base_url="https://thief.example", token="x")
    assert browser.post(page(place.account), data).status_code == 302
    place.account.refresh_from_db()
    assert (place.account.login, place.account.base_url) == ("corrected", "")


def test_outside_the_sandbox_nobody_but_staff_sets_an_address(place: Place, browser: Browser, settings: Any):
    settings.SANDBOX = False
    assert "base_url" not in browser.get(ADD).content.decode()
    browser.post(ADD, {"login": "new-login", "token": SECRET, "base_url": "https://thief.example"})
    assert MetricaAccount.objects.get(login="new-login").base_url == ""
    browser.post(act(place.account, "connect"), {"token": SECRET, "base_url": "https://thief.example"})
    place.account.refresh_from_db()
    assert place.account.base_url == ""


def test_a_token_that_runs_out_is_told_in_time(place: Place, browser: Browser):
    MetricaAccount.objects.filter(pk=place.account.pk).update(token_expires_at=timezone.now() + timedelta(days=3))
    assert "expires soon" in words(browser.get(page(place.account)))
    assert "expires soon" in words(browser.get("/admin/"))


@pytest.fixture
def metrica(transactional_db: None, live_server: Any, place: Place) -> Any:
    """The sandbox, knowing the place's counter, with its token; the account points there."""
    site = sandbox.create_counter(
        metrica_id=place.counter.metrica_id,
        time_zone_name="Asia/Omsk",
        owner_login="x",
        token="token-of-Mine",
        goals=("from_metrica", "another"),
    )
    MetricaAccount.objects.filter(pk=place.account.pk).update(base_url=f"{live_server.url}/sandbox")
    return site


def test_checking_the_connection_asks_metrica(metrica: Any, place: Place, browser: Browser):
    answer = browser.post(act(place.account, "check"), follow=True)
    assert "this account reaches 1 counter." in messages(answer)
    place.account.refresh_from_db()
    assert place.account.last_ok_at is not None
    assert ApiCall.objects.filter(account=place.account, outcome="ok").count() == 1


def test_a_refused_token_is_told_with_the_next_step(metrica: Any, place: Place, browser: Browser):
    browser.post(
        act(place.account, "connect"),
        {"token": "wrong", "base_url": MetricaAccount.objects.get(pk=place.account.pk).base_url},
    )
    answer = browser.post(act(place.account, "check"))
    assert answer.status_code == 200
    assert "token" in errors(answer)
    place.account.refresh_from_db()
    assert place.account.state == "disconnected"


def test_a_refused_account_can_be_disconnected_for_good(place: Place, browser: Browser):
    """Its token is kept and might be renewed; a person may end that."""
    services.disconnect_account(account=place.account, reason="Metrica refused the token")
    answer = browser.post(act(place.account, "disconnect"), {"reason": "gone"}, follow=True)
    assert "is disconnected" in messages(answer)
    place.account.refresh_from_db()
    assert place.account.token_encrypted == ""


def test_reading_the_counter_brings_its_zone_and_goals(metrica: Any, place: Place, browser: Browser):
    url = reverse("admin:counters_counter_read", args=[place.counter.pk])
    answer = browser.post(url, follow=True)
    assert "time zone Asia/Omsk, right “own”, 2 goals" in messages(answer)
    place.counter.refresh_from_db()
    assert place.counter.time_zone == "Asia/Omsk"
    assert "from_metrica" in answer.content.decode()


def test_the_connection_is_checked_on_the_counter_by_who_sees_no_accounts(metrica: Any, place: Place, login: Any):
    Membership.objects.filter(user=place.manager).update(counter_ids=[place.counter.metrica_id])
    browser, url = login(place.manager), reverse("admin:counters_counter_read", args=[place.counter.pk])
    assert browser.get(page(place.account)).status_code in (403, 404)
    assert "Check the connection" in words(browser.get(counter_page(place)))
    assert "right “own”" in messages(browser.post(url, follow=True))
    assert ApiCall.objects.filter(counter=place.counter, outcome="ok").count() == 2
    entry = AuditEntry.objects.get(action="counter.checked")
    assert (entry.object_id, entry.details["outcome"]) == (str(place.counter.pk), "ok")
    assert entry.details["permission"] == "own" and entry.details["time_zone"] == "Asia/Omsk"
    place.account.refresh_from_db()
    assert place.account.reading_ok_at is not None


def test_who_may_only_look_is_told_what_to_do(metrica: Any, place: Place, browser: Browser):
    sandbox.add_access(counter=metrica, login=place.account.login, permission=Permission.VIEW, token="of-a-guest")
    services.connect_account(
        agency=place.agency,
        login=place.account.login,
        token="of-a-guest",
        base_url=MetricaAccount.objects.get(pk=place.account.pk).base_url,
    )
    told = messages(browser.post(reverse("admin:counters_counter_read", args=[place.counter.pk]), follow=True))
    assert "may only look at this counter" in told
    assert "Let the counter's owner give this login the right to edit" in told


def test_a_token_refused_for_the_counter_is_used_no_more(metrica: Any, place: Place, browser: Browser):
    sandbox_url = MetricaAccount.objects.get(pk=place.account.pk).base_url
    services.connect_account(agency=place.agency, login=place.account.login, token="wrong", base_url=sandbox_url)
    answer = browser.post(reverse("admin:counters_counter_read", args=[place.counter.pk]))
    assert "token" in errors(answer)
    place.account.refresh_from_db()
    assert place.account.state == "disconnected"
    assert AuditEntry.objects.get(action="counter.checked").details["outcome"] == "invalid_token"


def test_what_a_read_time_zone_frees_is_said_before(place: Place, browser: Browser):
    services.update_counter(counter=place.counter, time_zone="", schedule="as they come")
    place.push("A-1", "new")
    question = browser.get(reverse("admin:counters_counter_read", args=[place.counter.pk])).context["question"]
    assert question.endswith("1 status change will leave for Metrica at once.")


def test_metrica_out_of_reach_is_told_and_nothing_is_lost(place: Place, browser: Browser):
    MetricaAccount.objects.filter(pk=place.account.pk).update(base_url="http://127.0.0.1:9")
    answer = browser.post(reverse("admin:counters_counter_read", args=[place.counter.pk]))
    assert answer.status_code == 200
    assert errors(answer)
    place.counter.refresh_from_db()
    assert place.counter.time_zone == "Europe/Moscow"
