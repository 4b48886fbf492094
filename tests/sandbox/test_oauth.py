"""The sandbox's Yandex OAuth over real HTTP; each line quotes the fact that it keeps (authorization, code-url)."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from django.utils import timezone

from apps.metrica.oauth import Pkce
from apps.sandbox import services
from apps.sandbox.models import SandboxApp, SandboxCode, SandboxGrant, SandboxRequest, SandboxToken
from apps.sandbox.oauth import issuing
from apps.sandbox.oauth.scopes import enough
from tests.sandbox.conftest import Api, csv, error_of

GOOD = csv("D-1,2026-03-10 11:30:00,,17,,,PAID,100,,,")
BACK = "https://crm.example/back?kept=1"
DEVICE = "device-0001"


class Inputs(HTMLParser):
    """Names and values of a page's fields, and the visible logins."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("name"):
            self.fields.setdefault(str(given["name"]), []).append(given.get("value") or "")


@dataclass
class Person:
    """A browser at the sandbox, and the app that sent it there."""

    http: httpx.Client
    base: str
    app: SandboxApp

    def ask(self, **query: str) -> httpx.Response:
        asked = {"response_type": "code", "client_id": self.app.client_id, "device_id": DEVICE, **query}
        return self.http.get(f"{self.base}/authorize", params={name: value for name, value in asked.items() if value})

    def answer(self, page: httpx.Response, *, login: str = "north-metrica", **more: Any) -> httpx.Response:
        fields = Inputs(page.text).fields
        form = {
            "csrfmiddlewaretoken": fields["csrfmiddlewaretoken"][-1],
            "login": login,
            "allow": fields.get("allow", []),
            "answer": "confirm",
            **more,
        }
        return self.http.post(str(page.request.url), data=form, headers={"Referer": str(page.request.url)})

    def code(self, **query: str) -> str:
        return back_to(self.answer(self.ask(**query)))["code"]

    def token(self, **form: str) -> httpx.Response:
        credentials = {"client_id": self.app.client_id, "client_secret": self.app.client_secret}
        return httpx.post(f"{self.base}/token", data={**credentials, **form})

    def exchange(self, code: str, **more: str) -> httpx.Response:
        return self.token(grant_type="authorization_code", code=code, **more)

    def grant(self, **query: str) -> dict[str, Any]:
        answer = self.exchange(self.code(**query))
        assert answer.status_code == 200, answer.text
        return answer.json()


def back_to(response: httpx.Response) -> dict[str, str]:
    """What the app is told by its return address."""
    assert response.status_code == 302, response.text
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}


def refused(response: httpx.Response) -> str:
    """The error of the token endpoint; checks that it is of the documented form."""
    body = response.json()
    assert set(body) == {"error", "error_description"}
    assert response.headers["Cache-Control"] == "no-store"
    assert 400 <= response.status_code < 500
    return body["error"]


@pytest.fixture
def person(api: Api) -> Iterator[Person]:
    app = issuing.create_app(client_id="app-1", client_secret="secret+1", name="<b>CRM</b>", redirect_uris=[BACK])
    with httpx.Client(timeout=30) as http:
        yield Person(http, api.base, app)


def calls_as(api: Api, token: str) -> Api:
    return Api(httpx.Client(headers={"Authorization": f"OAuth {token}"}, timeout=30), api.base)


def test_from_consent_to_a_working_token(api: Api, person: Person) -> None:
    """A: the person comes back with `code` and `state`; POST /token gives tokens for a year."""
    pkce = Pkce.new()
    page = person.ask(
        state="s&1", scope="metrika:read metrika:offline_data", redirect_uri=BACK,
        code_challenge=pkce.challenge, code_challenge_method="S256",
    )  # fmt: skip
    assert page.status_code == 200
    assert "north-metrica" in page.text
    assert "<b>CRM</b>" not in page.text
    answer = person.answer(page)
    assert answer.headers["Location"].startswith("https://crm.example/back?kept=1&code=")
    told = back_to(answer)
    assert told["state"] == "s&1"
    given = person.exchange(told["code"], code_verifier=pkce.verifier).json()
    assert (given["token_type"], given["expires_in"]) == ("bearer", 31536000)
    assert given["scope"] == "metrika:read metrika:offline_data"
    mine = calls_as(api, given["access_token"])
    assert mine.management("counters").json()["rows"] == 1
    assert mine.upload(GOOD).status_code == 200


def test_the_code_is_shown_where_there_is_no_address(person: Person) -> None:
    """B: redirect URI <base>/verification_code; the page shows the code."""
    answer = person.answer(person.ask(redirect_uri=f"{person.base}/verification_code", state="x"))
    page = person.http.get(answer.headers["Location"])
    code = SandboxCode.objects.get().code
    assert f">{code}<" in page.text
    assert person.exchange(code).status_code == 200


def test_without_a_redirect_uri_the_app_s_first_is_taken(person: Person) -> None:
    assert person.answer(person.ask()).headers["Location"].startswith("https://crm.example/back")


@pytest.mark.parametrize(
    "query",
    [
        {"client_id": "unknown"},
        {"client_id": ""},
        {"response_type": "token"},
        {"redirect_uri": "https://thief.example/"},
        {"redirect_uri": f"{BACK}&more=1"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
def test_nobody_is_sent_to_an_unknown_address(person: Person, query: dict[str, str]) -> None:
    """An unknown app or address: the person reads why, and nothing is sent anywhere."""
    answer = person.ask(**query)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"scope": "metrika:everything"}, "invalid_scope"),
        ({"scope": "metrika:read", "optional_scope": "metrika:expenses"}, "invalid_scope"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge": "c" * 43, "code_challenge_method": "S512"}, "invalid_request"),
        ({"device_id": "12345"}, "invalid_request"),
        ({"device_id": "дом-номер-1"}, "invalid_request"),
    ],
)
def test_what_the_app_asks_wrongly_it_is_told(person: Person, query: dict[str, str], error: str) -> None:
    """scope and optional_scope must be a subset of the app's rights; device_id 6–50 printable ASCII."""
    issuing.create_app(client_id="app-1", redirect_uris=[BACK], scopes=["metrika:read", "metrika:offline_data"])
    told = back_to(person.ask(state="s", **query))
    assert (told["error"], told["state"]) == (error, "s")


def test_a_person_refuses(person: Person) -> None:
    told = back_to(person.answer(person.ask(state="s"), answer="refuse"))
    assert (told["error"], told["state"]) == ("access_denied", "s")
    assert not SandboxCode.objects.exists()


def test_a_person_leaves_an_optional_right_out(person: Person) -> None:
    """scope = required rights, optional_scope = rights the user may refuse."""
    page = person.ask(scope="metrika:read", optional_scope="metrika:write metrika:offline_data")
    assert Inputs(page.text).fields["allow"] == ["metrika:write", "metrika:offline_data"]
    code = back_to(person.answer(page, allow=["metrika:offline_data", "metrika:expenses"]))["code"]
    assert person.exchange(code).json()["scope"] == "metrika:read metrika:offline_data"


def test_a_new_login(person: Person) -> None:
    page = person.ask(login_hint="brand.new")
    assert 'value="brand.new"' in page.text
    code = back_to(person.answer(page, login="", new_login="brand.new"))["code"]
    given = person.exchange(code).json()
    headers = {"Authorization": f"OAuth {given['access_token']}"}
    info = httpx.get(f"{person.base}/info?format=json", headers=headers).json()
    assert (info["login"], info["client_id"]) == ("brand.new", "app-1")
    assert "<option selected>brand.new</option>" in person.ask(login_hint="brand.new").text


@pytest.mark.parametrize("login", ["", "with space", "<script>", "логин", "x" * 101])
def test_a_login_that_is_none(person: Person, login: str) -> None:
    answer = person.answer(person.ask(), login="", new_login=login)
    assert answer.status_code == 200
    assert "Pick a login" in answer.text
    assert not SandboxCode.objects.exists()


def test_another_site_cannot_consent(person: Person) -> None:
    page = person.ask()
    assert (
        person.http.post(str(page.request.url), data={"login": "north-metrica", "answer": "confirm"}).status_code == 403
    )


def test_the_form_may_lead_to_the_app_and_nowhere_else(person: Person) -> None:
    policy = person.ask().headers["Content-Security-Policy"]
    assert "form-action 'self' https://crm.example;" in policy + ";"


def test_credentials_in_the_header_win(person: Person) -> None:
    """Client credentials in the body or as Basic; if the header is present the body pair is ignored."""
    code = person.code()
    pair = base64.b64encode(f"{quote('app-1')}:{quote('secret+1', safe='')}".encode()).decode()
    form = {"grant_type": "authorization_code", "code": code, "client_id": "app-1", "client_secret": "wrong"}
    answer = httpx.post(f"{person.base}/token", data=form, headers={"Authorization": f"Basic {pair}"})
    assert answer.status_code == 200, answer.text


BAD_CALLS: list[tuple[dict[str, str], str]] = [
    ({"client_secret": "wrong"}, "invalid_client"),
    ({"client_id": "unknown"}, "invalid_client"),
    ({"client_id": ""}, "invalid_client"),
    ({"grant_type": ""}, "unsupported_grant_type"),
    ({"grant_type": "password"}, "unsupported_grant_type"),
    ({"code": ""}, "invalid_request"),
    ({"code": "123"}, "bad_verification_code"),
    ({"code": "with-hyphens-1"}, "bad_verification_code"),
    ({"code": "abcdefgh12345678"}, "invalid_grant"),
    ({"grant_type": "refresh_token"}, "invalid_request"),
    ({"grant_type": "refresh_token", "refresh_token": "unknown"}, "invalid_grant"),
]


def test_bad_calls(person: Person, subtests: pytest.Subtests) -> None:
    code = person.code()
    for change, error in BAD_CALLS:
        with subtests.test(**change):
            form = {"grant_type": "authorization_code", "code": code, **change}
            assert refused(person.token(**form)) == error
    assert refused(httpx.post(f"{person.base}/token", json={"grant_type": "authorization_code"})) == "invalid_request"
    header = {"Authorization": "Basic nonsense!"}
    assert refused(httpx.post(f"{person.base}/token", data={"grant_type": "refresh_token"}, headers=header)) == (
        "invalid_request"
    )
    assert refused(httpx.get(f"{person.base}/token")) == "invalid_request"
    assert person.exchange(code).status_code == 200, "none of these used the code up"


def test_a_code_is_good_once_and_for_ten_minutes(person: Person) -> None:
    """Code lives 10 minutes."""
    code = person.code()
    assert person.exchange(code).status_code == 200
    assert refused(person.exchange(code)) == "invalid_grant"
    late = person.code()
    left = SandboxCode.objects.get(code=late).expires_at - timezone.now()
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    SandboxCode.objects.filter(code=late).update(expires_at=timezone.now())
    answer = person.exchange(late)
    assert refused(answer) == "invalid_grant"
    assert "expired" in answer.json()["error_description"]


@pytest.mark.parametrize("method", ["S256", "plain"])
def test_pkce_is_kept(person: Person, method: str) -> None:
    """PKCE: code_challenge, code_challenge_method, later code_verifier."""
    pkce = Pkce.new()
    challenge = pkce.challenge if method == "S256" else pkce.verifier
    code = person.code(code_challenge=challenge, code_challenge_method=method)
    assert refused(person.exchange(code)) == "invalid_grant"
    assert refused(person.exchange(code, code_verifier=Pkce.new().verifier)) == "invalid_grant"
    assert person.exchange(code, code_verifier=pkce.verifier).status_code == 200


def test_another_app_s_code(person: Person) -> None:
    issuing.create_app(client_id="app-2", client_secret="secret-2")
    form = {"client_id": "app-2", "client_secret": "secret-2", "grant_type": "authorization_code"}
    assert refused(person.token(**form, code=person.code())) == "invalid_grant"


def test_refreshing_gives_both_tokens_anew(api: Api, person: Person) -> None:
    """E: the answer contains an access token and a new refresh token."""
    first = person.grant()
    second = person.token(grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    assert second["scope"] == first["scope"]
    assert calls_as(api, second["access_token"]).management("counters").status_code == 200
    assert error_of(calls_as(api, first["access_token"]).management("counters")) == (403, "invalid_token")
    again = person.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert refused(again) == "invalid_grant", "a refresh token is good once"


def test_an_expired_token_is_invalid_everywhere(api: Api, person: Person) -> None:
    """authorization: a bad token is 403 invalid_token. 1.4: access and refresh token have the same lifetime."""
    given = person.grant()
    api.control("tokens", token=given["access_token"], expires_in=-1)
    mine = calls_as(api, given["access_token"])
    assert error_of(mine.management("counters")) == (403, "invalid_token")
    assert error_of(mine.uploadings()) == (403, "invalid_token")
    assert error_of(mine.upload(GOOD)) == (403, "invalid_token")
    assert refused(person.token(grant_type="refresh_token", refresh_token=given["refresh_token"])) == "invalid_grant"
    headers = {"Authorization": f"OAuth {given['access_token']}"}
    assert httpx.get(f"{person.base}/info", headers=headers).status_code == 401


@pytest.mark.parametrize(("value", "seconds"), [("year", 31536000), ("ten_minutes", 600), ("minute", 60)])
def test_the_lifetime_is_a_switch(api: Api, person: Person, value: str, seconds: int) -> None:
    api.control("switches", name="token_lifetime", value=value)
    assert person.grant()["expires_in"] == seconds


def test_revoking(api: Api, person: Person) -> None:
    """Only a token that was issued for a device can be revoked; its refresh token ends with it."""
    given = person.grant()
    credentials = {"client_id": "app-1", "client_secret": "secret+1"}

    def revoke(token: str) -> httpx.Response:
        return httpx.post(f"{person.base}/revoke_token", data={**credentials, "access_token": token})

    assert revoke(given["access_token"]).json() == {"status": "ok"}
    assert error_of(calls_as(api, given["access_token"]).management("counters")) == (403, "invalid_token")
    assert refused(person.token(grant_type="refresh_token", refresh_token=given["refresh_token"])) == "invalid_grant"
    assert refused(revoke(person.grant(device_id="")["access_token"])) == "unsupported_token_type"
    assert refused(revoke("unknown")) == "invalid_grant"
    assert refused(revoke("")) == "invalid_request"
    credentials["client_secret"] = "wrong"
    assert refused(revoke(given["access_token"])) == "invalid_client"


def test_a_person_takes_the_access_away(api: Api, person: Person) -> None:
    """code-url: everything is revoked when the user revokes access. Tokens that no app got are the tester's own."""
    given = person.grant()
    assert api.control("tokens", login="north-metrica", revoked=True) == {"revoked": 1}
    assert error_of(calls_as(api, given["access_token"]).management("counters")) == (403, "invalid_token")
    assert api.management("counters").status_code == 200


def test_an_app_has_twenty_tokens_of_devices(person: Person) -> None:
    """With one more the oldest stops working."""
    first = person.grant()["access_token"]
    for number in range(20):
        issuing.exchange(
            app=person.app,
            code=issuing.give_code(
                app=person.app, login="north-metrica", scopes=["metrika:read"], device_id=f"device-{number}"
            ).code,
            verifier="",
        )
    assert SandboxToken.objects.get(token=first).revoked
    assert SandboxGrant.objects.alive(timezone.now()).count() == 20


# Scopes of the token, and what is answered to: list of counters, list of uploads, an upload.
RIGHTS = [
    ("metrika:read", 200, 200, 403),
    ("metrika:read metrika:offline_data", 200, 200, 200),  # authorization: the proven combination
    ("metrika:read metrika:write", 200, 200, 200),  # authorization: offline_data is unnecessary when write is present
    ("metrika:offline_data", 403, 403, 200),
    ("metrika:expenses", 403, 403, 403),
]


@pytest.mark.parametrize(("scopes", "counters", "uploadings", "upload"), RIGHTS)
def test_scopes_are_kept(api: Api, person: Person, scopes: str, counters: int, uploadings: int, upload: int) -> None:
    """authorization: too small a scope is 403 access_denied, as having no access is."""
    mine = calls_as(api, person.grant(scope=scopes)["access_token"])
    answers = [(mine.management("counters"), counters), (mine.uploadings(), uploadings), (mine.upload(GOOD), upload)]
    for answer, status in answers:
        assert answer.status_code == status, answer.request.url
        if status == 403:
            assert error_of(answer) == (403, "access_denied")


NEEDED = [
    ("GET", "/management/v1/counters", {"metrika:read"}),
    ("POST", "/management/v1/counter/1/goals", {"metrika:write"}),
    ("PUT", "/management/v1/counter/1/goal/2", {"metrika:write"}),
    ("DELETE", "/management/v1/counter/1/goal/2", {"metrika:write"}),
    ("GET", "/stat/v1/data", {"metrika:read"}),
    ("GET", "/cdp/api/v1/counter/1/schema/order_statuses", {"metrika:read"}),
    ("POST", "/cdp/api/v1/counter/1/schema/order_statuses", {"metrika:write", "metrika:offline_data"}),
    ("POST", "/cdp/api/v1/counter/1/data/orders/json", {"metrika:write", "metrika:offline_data"}),
]


@pytest.mark.parametrize(("method", "path", "needed"), NEEDED)
def test_what_a_call_needs(method: str, path: str, needed: set[str]) -> None:
    """authorization: read for what is read, write for counters and goals, write or offline_data for CRM data."""
    assert enough(path=f"/sandbox{path}", method=method) == needed


def test_tokens_of_old_keep_all_rights(api: Api) -> None:
    assert api.management("counters").status_code == 200
    assert api.upload(GOOD).status_code == 200
    api.control("tokens", token="y0_north", expires_in=60)
    assert api.upload(GOOD).status_code == 200
    api.control("tokens", token="y0_north", expires_in=-60)
    assert error_of(api.upload(GOOD)) == (403, "invalid_token")


def test_faults_meet_the_token_endpoint(api: Api, person: Person) -> None:
    code = person.code()
    services.add_fault(kind="server_error", endpoint="oauth", status=502)
    assert person.exchange(code).status_code == 502
    services.add_fault(kind="quota_429", endpoint="oauth", retry_after=7)
    assert person.exchange(code).status_code == 429
    services.add_fault(kind="cut_before", endpoint="oauth")
    with pytest.raises(httpx.HTTPError):
        person.exchange(code)
    services.add_fault(kind="cut_after", endpoint="oauth")
    with pytest.raises(httpx.HTTPError):
        person.exchange(code)
    assert refused(person.exchange(code)) == "invalid_grant", "the one whose answer was cut had used the code"
    faults = list(SandboxRequest.objects.filter(path__endswith="/token").order_by("pk").values_list("fault", "status"))
    assert faults == [("server_error", 502), ("quota_429", 429), ("cut_before", None), ("cut_after", None), ("", 400)]


def test_control_of_apps_and_tokens(api: Api, person: Person) -> None:
    made = api.control("apps", name="Other", redirect_uris=["https://x.example/"])
    assert made["scopes"] == [
        *("metrika:read", "metrika:write", "metrika:offline_data", "metrika:expenses", "metrika:user_params"),
    ]
    same = api.control("apps", client_id=made["client_id"], scopes=["metrika:read"])
    assert (same["client_secret"], same["scopes"]) == (made["client_secret"], ["metrika:read"])
    assert {app["client_id"] for app in api.look("apps")["apps"]} == {"app-1", made["client_id"]}
    given = person.grant(scope="metrika:read")
    (row,) = api.look("tokens", login="north-metrica")["tokens"]
    assert (row["token"], row["scopes"], row["device_id"]) == (given["access_token"], ["metrika:read"], DEVICE)
    assert api.look("tokens", login="nobody")["tokens"] == []
    for bad in ({"token": "unknown", "expires_in": 1}, {"login": "x"}, {"token": given["access_token"]}):
        assert api.client.post(f"{api.base}/control/tokens", json=bad).status_code == 400
    assert api.client.post(f"{api.base}/control/apps", json={"scopes": ["root"]}).status_code == 400


@pytest.mark.parametrize("language", ["en", "ru"])
def test_pages_escape_what_strangers_write(person: Person, language: str) -> None:
    evil = '"><script>alert(1)</script>'
    SandboxToken.objects.create(token="t", login=evil)
    headers = {"Accept-Language": language}
    shown = [
        person.http.get(f"{person.base}/verification_code", params={"code": evil}, headers=headers),
        person.http.get(f"{person.base}/verification_code", params={"error_description": evil}, headers=headers),
        person.ask(login_hint=evil, device_name=evil, state=evil),
        person.ask(client_id=evil),
    ]
    for page in shown:
        assert "<script" not in page.text


def test_apps_are_registered_and_tokens_ended_on_a_page(api: Api, person: Person) -> None:
    page = person.http.get(f"{person.base}/apps/")
    assert "No app has got a token yet." in page.text
    form = {"name": "<i>New</i>", "client_id": "app-9", "redirect_uris": "https://a.example/\nhttps://b.example/"}
    token = Inputs(page.text).fields["csrfmiddlewaretoken"][-1]
    headers = {"Referer": str(page.request.url)}
    given = {**form, "scopes": ["metrika:read"], "csrfmiddlewaretoken": token}
    assert person.http.post(f"{person.base}/apps/", data=given, headers=headers).status_code == 302
    made = SandboxApp.objects.get(client_id="app-9")
    assert (made.redirect_uris, made.scopes) == (["https://a.example/", "https://b.example/"], ["metrika:read"])
    bad = {**given, "scopes": ["root"]}
    assert person.http.post(f"{person.base}/apps/", data=bad, headers=headers).status_code == 200
    for how in ("expire", "revoke"):
        mine = calls_as(api, person.grant()["access_token"])
        assert mine.management("counters").status_code == 200
        shown = person.http.get(f"{person.base}/apps/").text
        assert "&lt;i&gt;New" in shown and "<i>New" not in shown
        pk = SandboxGrant.objects.order_by("-pk").first().pk  # type: ignore[union-attr]
        answer = person.http.post(
            f"{person.base}/tokens/{pk}/end", data={"how": how, "csrfmiddlewaretoken": token}, headers=headers
        )
        assert answer.status_code == 302
        assert error_of(mine.management("counters")) == (403, "invalid_token")
    assert person.http.post(f"{person.base}/tokens/{pk}/end", data={"how": "revoke"}).status_code == 403
    assert person.http.get(f"{person.base}/tokens/{pk}/end").status_code == 405
