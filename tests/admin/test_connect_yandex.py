"""“Connect Yandex” in the admin: the state belongs to the session and the agency, and errors say what to do."""

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from django.test import Client as Browser
from django.urls import reverse

from apps.agencies.models import User
from apps.counters.models import ApiCall, MetricaAccount
from apps.sandbox import services as sandbox
from tests.admin.conftest import Place
from tests.admin.pages import messages, words
from tests.counters.conftest import LOGIN, Yandex, at_yandex
from tests.factories import make_staff

__all__ = ["at_yandex"]

pytestmark = pytest.mark.django_db(transaction=True)

START = "/admin/counters/metricaaccount/yandex/"
GO = f"{START}go/"
CALLBACK = f"{START}callback/"
LIST = "/admin/counters/metricaaccount/"


@pytest.fixture
def person(at_yandex: Yandex, live_server: Any, browser: Browser) -> Browser:
    """The owner's browser, which reaches Goalpost under the address that the app knows."""
    browser.defaults["HTTP_HOST"] = urlsplit(live_server.url).netloc
    return browser


def begin(browser: Browser, way: str = "redirect", **form: str) -> tuple[str, str]:
    """Where Yandex is asked, and the state."""
    answer = browser.post(START + form.pop("query", ""), {"way": way, **form}, follow=True)
    assert answer.status_code == 200
    found = re.search(r'href="([^"]+/authorize\?[^"]+)"', answer.content.decode())
    assert found, words(answer)
    url = found[1].replace("&amp;", "&")
    return url, parse_qs(urlsplit(url).query)["state"][0]


def consent(url: str, login: str = LOGIN, **more: str) -> str:
    """Give access on the sandbox's page; the address that the person is sent to."""
    import httpx

    with httpx.Client() as http:
        page = http.get(url)
        assert page.status_code == 200, page.text
        token = page.text.split('name="csrfmiddlewaretoken" value="')[-1].split('"')[0]
        form = {"csrfmiddlewaretoken": token, "login": login, "answer": "confirm", **more}
        return http.post(url, data=form, headers={"Referer": url}).headers["Location"]


def come_back(browser: Browser, address: str) -> Any:
    parts = urlsplit(address)
    return browser.get(f"{parts.path}?{parts.query}", follow=True)


def test_by_redirect(person: Browser, place: Place):
    url, state = begin(person, login=LOGIN)
    asked = dict(parse_qsl(urlsplit(url).query))
    assert asked["redirect_uri"].endswith(CALLBACK)
    assert (asked["scope"], asked["optional_scope"]) == ("metrika:read metrika:offline_data", "metrika:write")
    assert (asked["login_hint"], asked["code_challenge_method"], asked["force_confirm"]) == (LOGIN, "S256", "yes")
    address = consent(url)
    assert parse_qs(urlsplit(address).query)["state"] == [state]
    answer = come_back(person, address)
    account = MetricaAccount.objects.get(login=LOGIN)
    assert account.agency == place.agency
    assert answer.redirect_chain[-1][0] == reverse("admin:counters_metricaaccount_change", args=[account.pk])
    told = messages(answer)
    assert f"{LOGIN} is connected" in told
    assert "Reading works: 2 counters. Uploading not yet proven" in told
    text = words(answer)
    assert "Yandex says: north-metrica" in text
    assert "upload CRM data, offline conversions and calls metrika:offline_data" in text
    assert "in 365 days" in text or "in 364 days" in text


def test_by_typed_code(person: Browser, place: Place, at_yandex: Yandex):
    url, state = begin(person, "code")
    assert dict(parse_qsl(urlsplit(url).query))["redirect_uri"] == f"{at_yandex.url}/verification_code"
    code = parse_qs(urlsplit(consent(url)).query)["code"][0]
    page = f"{GO}?state={state}"
    assert "mistyped" in words(person.post(page, {"code": code[::-1]}))
    assert "required" in words(person.post(page, {"code": ""}))
    answer = person.post(page, {"code": f" {code} "}, follow=True)
    assert f"{LOGIN} is connected" in messages(answer)
    assert MetricaAccount.objects.get(login=LOGIN).renews_itself
    answer = person.post(page, {"code": code}, follow=True)
    assert "is over" in messages(answer), "an attempt ends with its success"


def test_the_verifier_and_the_tokens_stay_on_the_server(person: Browser, at_yandex: Yandex):
    url, state = begin(person)
    kept = person.session["yandex_oauth"][state]
    assert 43 <= len(kept["verifier"]) <= 128
    pages = [
        person.get(f"{GO}?state={state}"),
        come_back(person, consent(url)),
        person.get(LIST),
        person.get("/admin/"),
    ]
    pages += [person.get(path) for path in ("/admin/counters/apicall/", "/admin/audit/auditentry/")]
    account = MetricaAccount.objects.get(login=LOGIN)
    hidden = [kept["verifier"], *at_yandex.secrets(), account.token_encrypted, account.refresh_token_encrypted]
    for page in pages:
        assert page.status_code == 200
        for secret in hidden:
            assert secret not in page.content.decode()


def test_the_calls_have_pages_that_say_what_went_wrong(person: Browser):
    url, _state = begin(person)
    address = consent(url)
    sandbox.add_fault(kind="server_error", endpoint="oauth")
    come_back(person, address)
    come_back(person, consent(begin(person)[0]))
    pages = [
        words(person.get(reverse("admin:counters_apicall_change", args=[call.pk])))
        for call in ApiCall.objects.filter(url__endswith="/token").order_by("started_at")
    ]
    assert "Yandex OAuth has a fault on its side." in pages[0]
    assert "grant_type=authorization_code&code=•••&code_verifier=•••" in pages[1]
    assert '"access_token": "•••"' in pages[1]


def test_a_state_counts_in_its_own_session_only(person: Browser, place: Place, login: Callable[[User], Browser]):
    url, _state = begin(person)
    address = consent(url)
    stranger = login(place.owner)
    stranger.defaults = person.defaults
    assert "begun elsewhere" in messages(come_back(stranger, address))
    assert not MetricaAccount.objects.filter(login=LOGIN).exists()
    for wrong in ("", "wrong"):
        assert "begun elsewhere" in messages(person.get(f"{CALLBACK}?code=abcdefgh&state={wrong}", follow=True))


def test_a_state_counts_once(person: Browser):
    url, _state = begin(person)
    address = consent(url)
    assert "is connected" in messages(come_back(person, address))
    assert "is over" in messages(come_back(person, address))


def test_a_state_counts_in_its_agency_only(
    at_yandex: Yandex, live_server: Any, place: Place, other: Place, login: Callable[[User], Browser]
):
    """Platform staff look at one agency at a time: what began in one is not finished in another."""
    staff = login(make_staff())
    staff.defaults["HTTP_HOST"] = urlsplit(live_server.url).netloc
    answer = staff.post(START, {"way": "redirect"})
    assert "required" in words(answer), "without an agency in view, one is chosen"
    url, state = begin(staff, agency=str(place.agency.pk))
    address = consent(url)
    kept = staff.session
    place.owner.memberships.all().delete()
    staff.get("/admin/")
    stranger = login(other.owner)
    stranger.defaults = staff.defaults
    session = stranger.session
    session["yandex_oauth"] = kept["yandex_oauth"]
    session.save()
    assert state in stranger.session["yandex_oauth"]
    assert "begun elsewhere" in messages(come_back(stranger, address))
    assert "is connected" in messages(come_back(staff, address))
    assert MetricaAccount.objects.get(login=LOGIN).agency == place.agency


def test_an_attempt_does_not_live_long(person: Browser, monkeypatch: pytest.MonkeyPatch):
    url, state = begin(person)
    address = consent(url)
    session = person.session
    session["yandex_oauth"][state]["began_at"] = time.time() - 31 * 60
    session.save()
    assert "is over" in messages(come_back(person, address))


def test_a_session_keeps_few_attempts(person: Browser):
    states = [begin(person)[1] for _number in range(8)]
    assert list(person.session["yandex_oauth"]) == states[-5:]


def test_a_refusal_is_told_with_its_next_step(person: Browser):
    url, _state = begin(person)
    answer = come_back(person, consent(url, answer="refuse"))
    text = words(answer)
    assert "The access was refused on Yandex's page." in text
    assert "Begin again and confirm the access" in text
    assert not MetricaAccount.objects.filter(login=LOGIN).exists()


def test_rights_that_the_app_has_not(person: Browser, settings: Any):
    from apps.sandbox.oauth import issuing

    callback = f"http://{person.defaults['HTTP_HOST']}{CALLBACK}"
    issuing.create_app(client_id="goalpost-app", redirect_uris=[callback], scopes=["metrika:read"])
    url, _state = begin(person)
    import httpx

    text = words(come_back(person, httpx.get(url).headers["Location"]))
    assert "The app does not have the rights that are asked for." in text
    assert "YANDEX_SCOPES" in text


def test_yandex_out_of_order_is_told(person: Browser):
    url, _state = begin(person)
    address = consent(url)
    sandbox.add_fault(kind="server_error", endpoint="oauth")
    assert "Yandex OAuth has a fault on its side." in words(come_back(person, address))


def test_connecting_anew(person: Browser, place: Place):
    come_back(person, consent(begin(person)[0]))
    account = MetricaAccount.objects.get(login=LOGIN)
    failed = {"refresh_at": None, "refresh_error_code": "invalid_grant", "refresh_error": "x"}
    MetricaAccount.objects.filter(pk=account.pk).update(**failed)
    page = words(person.get(reverse("admin:counters_metricaaccount_change", args=[account.pk])))
    assert "cannot be renewed" in page
    assert "cannot be renewed" in words(person.get("/admin/"))
    assert "Needs a look" in words(person.get(LIST))
    url, _state = begin(person, query=f"?account={account.pk}")
    assert dict(parse_qsl(urlsplit(url).query))["login_hint"] == LOGIN
    text = words(come_back(person, consent(url, "someone-else")))
    assert "The access was given by another login than this account's. Nothing was changed. (someone-else)" in text
    come_back(person, consent(begin(person, query=f"?account={account.pk}")[0]))
    assert "cannot be renewed" not in words(person.get("/admin/"))
    assert MetricaAccount.objects.filter(agency=place.agency, login=LOGIN).count() == 1


def test_somebody_elses_account_is_not_there(person: Browser, other: Place):
    assert person.get(f"{START}?account={other.account.pk}").status_code == 404
    for wrong in ("x", "-1", "9" * 30):
        assert person.get(f"{START}?account={wrong}").status_code == 404


def test_without_an_app_the_page_says_what_to_set(person: Browser, settings: Any):
    settings.YANDEX_CLIENT_ID = settings.YANDEX_CLIENT_SECRET = ""
    answer = person.get(START)
    text = words(answer)
    assert "YANDEX_CLIENT_ID=…" in text
    assert f"http://{person.defaults['HTTP_HOST']}{CALLBACK}" in text
    assert "metrika:offline_data" in text
    assert "/admin/counters/metricaaccount/add/" in answer.content.decode()
    assert person.post(START, {"way": "redirect"}).status_code == 200
    assert "yandex_oauth" not in person.session


@pytest.mark.parametrize("role", ["manager", "analyst"])
def test_only_who_administers_connects(place: Place, login: Callable[[User], Browser], role: str):
    browser = login(getattr(place, role))
    for url in (START, GO, CALLBACK):
        assert browser.get(url).status_code == 403
        assert browser.post(url, {"way": "code"}).status_code == 403
    assert "Connect Yandex" not in words(browser.get(LIST))
    assert (
        START
        not in browser.get(reverse("admin:counters_metricaaccount_change", args=[place.account.pk])).content.decode()
    )


def test_disconnecting_ends_the_token_at_yandex(person: Browser, at_yandex: Yandex):
    come_back(person, consent(begin(person)[0]))
    account = MetricaAccount.objects.get(login=LOGIN)
    url = reverse("admin:counters_metricaaccount_disconnect", args=[account.pk])
    told = messages(person.post(url, {"reason": "the client left"}, follow=True))
    assert "its token forgotten" in told
    assert "by hand" not in told
    assert at_yandex.live() == 0


def test_a_token_that_could_not_be_ended_is_told(person: Browser, at_yandex: Yandex):
    come_back(person, consent(begin(person)[0]))
    account = MetricaAccount.objects.get(login=LOGIN)
    sandbox.add_fault(kind="cut_before", endpoint="oauth", count=None)
    url = reverse("admin:counters_metricaaccount_disconnect", args=[account.pk])
    told = messages(person.post(url, {"reason": "x"}, follow=True))
    assert "Yandex could not be told to end it: Yandex OAuth was asked and gave no usable answer." in told
    assert "id.yandex.ru" in told
    account.refresh_from_db()
    assert account.token_encrypted == ""


def test_checking_says_what_is_proven(person: Browser):
    come_back(person, consent(begin(person)[0]))
    account = MetricaAccount.objects.get(login=LOGIN)
    url = reverse("admin:counters_metricaaccount_check", args=[account.pk])
    assert "Reading works; uploading not yet proven" in messages(person.post(url, follow=True))
    from django.utils import timezone

    from apps.counters.services import note_passed_upload

    note_passed_upload(account_id=account.pk, at=timezone.now())
    assert "Reading and uploading work." in messages(person.post(url, follow=True))
    MetricaAccount.objects.update(scopes="metrika:read")
    assert "do not include uploading" in messages(person.post(url, follow=True))
    assert "No right" in words(person.get(LIST))
