"""Yandex OAuth: what is asked, what an answer means, and that no secret is seen by anybody else."""

import base64
import hashlib
import io
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from apps.metrica import oauth_errors
from apps.metrica.errors import (
    AccessDenied,
    AuthorizationError,
    InvalidRequest,
    MetricaError,
    NoAnswer,
    NotSent,
    QuotaExceeded,
    ServerError,
)
from apps.metrica.oauth import OAuthClient, Pkce, error_of_consent
from apps.metrica.oauth_errors import OAUTH_KINDS
from tests.metrica.servers import ScriptedServer, Talk, answering
from tests.metrica.test_client import wire_log
from tests.metrica.test_outcomes import HALF_AN_ANSWER, Ledger, read_then

__all__ = ["wire_log"]

SECRET = "app+secret/ä"
CODE, VERIFIER, REFRESH, TOKEN = "code12345", "verifier-of-the-code", "refresh-token-old", "y0_access"
GIVEN = {
    "token_type": "bearer",
    "access_token": "y0_fresh-token",
    "expires_in": 31536000,
    "refresh_token": "1:fresh-refresh",
}


def client_for(url: str, ledger: Ledger | None = None, **more: object) -> OAuthClient:
    given = {"base_url": url, "login_url": f"{url}/info", "client_id": "app-1", "client_secret": SECRET}
    return OAuthClient(**{**given, "recorder": ledger, "timeout": 2.0, **more})  # type: ignore[arg-type]


def refused(url: str, ledger: Ledger | None = None, step: str = "refresh") -> MetricaError:
    with client_for(url, ledger) as client, pytest.raises(MetricaError) as caught:
        if step == "refresh":
            client.refresh(refresh_token=REFRESH)
        elif step == "exchange":
            client.exchange_code(code=CODE, verifier=VERIFIER)
        elif step == "revoke":
            client.revoke(token=TOKEN)
        else:
            client.login_info(token=TOKEN)
    return caught.value


def test_pkce_is_rfc_7636_s256() -> None:
    pkce = Pkce.new()
    assert 43 <= len(pkce.verifier) <= 128
    digest = hashlib.sha256(pkce.verifier.encode()).digest()
    assert pkce.challenge == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert pkce.verifier not in repr(pkce)
    assert Pkce.new().verifier != pkce.verifier


def test_the_address_of_the_consent() -> None:
    """code-url: A: response_type, client_id, redirect_uri, scope, optional_scope, login_hint, force_confirm, state,
    PKCE."""
    with client_for("https://oauth.example/") as client:
        url = client.authorize_url(
            state="s t&ate",
            challenge="c" * 43,
            redirect_uri="https://goalpost.example/back/?a=1",
            scopes=["metrika:read", "metrika:offline_data"],
            optional_scopes=["metrika:write"],
            login_hint="north",
            force_confirm=True,
            device_id="device-1",
            device_name="Goalpost",
        )
    assert url.startswith("https://oauth.example/authorize?")
    assert dict(parse_qsl(urlsplit(url).query)) == {
        "response_type": "code",
        "client_id": "app-1",
        "redirect_uri": "https://goalpost.example/back/?a=1",
        "state": "s t&ate",
        "scope": "metrika:read metrika:offline_data",
        "optional_scope": "metrika:write",
        "login_hint": "north",
        "force_confirm": "yes",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
        "device_id": "device-1",
        "device_name": "Goalpost",
    }


def test_without_an_address_the_code_is_typed() -> None:
    """code-url: B: the redirect URI is <base>/verification_code."""
    with client_for("https://oauth.example") as client:
        query = parse_qs(urlsplit(client.authorize_url(state="s", challenge="c" * 43)).query)
    assert query["redirect_uri"] == ["https://oauth.example/verification_code"]
    assert not {"scope", "optional_scope", "login_hint", "force_confirm", "device_id", "device_name"} & set(query)


@pytest.mark.parametrize("device", ["short", "d" * 51, "дом-дом", "tab\tinside"])
def test_a_device_that_yandex_would_refuse(device: str) -> None:
    with client_for("https://oauth.example") as client, pytest.raises(ValueError, match="device id"):
        client.authorize_url(state="s", challenge="c", device_id=device)


def test_a_code_becomes_tokens() -> None:
    """code-url: POST /token, form-encoded, all parameters in the body."""
    with answering(200, {**GIVEN, "scope": "metrika:read"}) as server, client_for(server.url) as client:
        answer = client.exchange_code(code=CODE, verifier=VERIFIER)
    (seen,) = server.seen
    assert seen.line == "POST /token HTTP/1.1"
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in seen.headers
    assert dict(parse_qsl(seen.body.decode())) == {
        "grant_type": "authorization_code",
        "code": CODE,
        "code_verifier": VERIFIER,
        "client_id": "app-1",
        "client_secret": SECRET,
    }
    assert (answer.access_token, answer.refresh_token) == ("y0_fresh-token", "1:fresh-refresh")
    assert (answer.lifetime, answer.scopes) == (timedelta(days=365), ("metrika:read",))


def test_a_refresh_token_becomes_tokens() -> None:
    """code-url: E: grant_type=refresh_token; the answer holds a new refresh token too; scope may be left out."""
    with answering(200, GIVEN) as server, client_for(server.url) as client:
        answer = client.refresh(refresh_token=REFRESH)
    form = dict(parse_qsl(server.seen[0].body.decode()))
    assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", REFRESH)
    assert (answer.refresh_token, answer.scopes) == ("1:fresh-refresh", None)


@pytest.mark.parametrize(
    ("body", "lifetime", "refresh"),
    [
        ({"access_token": "a"}, None, ""),
        ({"access_token": "a", "expires_in": "3600", "refresh_token": None}, timedelta(hours=1), ""),
        ({"access_token": "a", "expires_in": -5}, None, ""),
        ({"access_token": "a", "expires_in": True, "refresh_token": 7}, None, ""),
        ({"access_token": "a", "expires_in": 10**30}, timedelta(days=3650), ""),
    ],
)
def test_answers_that_leave_things_out(body: object, lifetime: timedelta | None, refresh: str) -> None:
    with answering(200, body) as server, client_for(server.url) as client:
        answer = client.refresh(refresh_token=REFRESH)
    assert (answer.access_token, answer.lifetime, answer.refresh_token) == ("a", lifetime, refresh)


@pytest.mark.parametrize("body", [b"", b"<html>", [], {}, {"access_token": ""}, {"access_token": "a b"}, {"x": 1}])
def test_an_answer_of_another_shape_is_no_answer(body: object) -> None:
    with answering(200, body) as server:
        error = refused(server.url)
    assert isinstance(error, NoAnswer)
    assert error.code == "oauth_no_answer"


def test_revoking() -> None:
    with answering(200, {"status": "ok"}) as server, client_for(server.url) as client:
        client.revoke(token=TOKEN)
    assert server.seen[0].line == "POST /revoke_token HTTP/1.1"
    assert dict(parse_qsl(server.seen[0].body.decode())) == {
        "access_token": TOKEN,
        "client_id": "app-1",
        "client_secret": SECRET,
    }


def test_whose_token_it_is() -> None:
    body = {"login": "north-metrica", "id": "17", "client_id": "app-1", "psuid": "1.x"}
    with answering(200, body) as server, client_for(server.url) as client:
        info = client.login_info(token=TOKEN)
    assert (info.login, info.user_id, info.client_id) == ("north-metrica", "17", "app-1")
    assert server.seen[0].line == "GET /info?format=json HTTP/1.1"
    assert server.seen[0].headers["authorization"] == f"OAuth {TOKEN}"


# What Yandex says (1.4, error answer), in which step, and what it is to us.
REFUSALS: list[tuple[str, int, str, str, type[MetricaError], str]] = [
    ("exchange", 400, "invalid_grant", "Code has expired", AuthorizationError, "code_expired"),
    ("exchange", 400, "invalid_grant", "unknown code", AuthorizationError, "bad_verification_code"),
    ("exchange", 400, "bad_verification_code", "Invalid code", AuthorizationError, "bad_verification_code"),
    ("exchange", 400, "invalid_client", "Client not found", InvalidRequest, "invalid_client"),
    ("exchange", 401, "invalid_client", "Wrong client secret", InvalidRequest, "invalid_client"),
    ("exchange", 400, "invalid_scope", "", InvalidRequest, "invalid_scope"),
    ("exchange", 400, "unauthorized_client", "", InvalidRequest, "unauthorized_client"),
    ("exchange", 400, "invalid_request", "code missing", InvalidRequest, "oauth_refused"),
    ("exchange", 400, "unsupported_grant_type", "", InvalidRequest, "oauth_refused"),
    ("refresh", 400, "invalid_grant", "expired_token", AuthorizationError, "invalid_grant"),
    ("refresh", 401, "", "", InvalidRequest, "invalid_client"),
    ("refresh", 500, "", "", ServerError, "oauth_server_error"),
    ("refresh", 503, "backend_error", "", ServerError, "oauth_server_error"),
    ("refresh", 429, "", "", QuotaExceeded, "oauth_quota"),
    ("refresh", 302, "", "", InvalidRequest, "oauth_redirect"),
    ("refresh", 200, "invalid_grant", "", AuthorizationError, "invalid_grant"),
    ("revoke", 400, "unsupported_token_type", "", InvalidRequest, "unsupported_token_type"),
    ("revoke", 400, "invalid_grant", "", AuthorizationError, "invalid_grant"),
    ("login", 401, "", "", AuthorizationError, "login_refused"),
    ("login", 403, "", "", AuthorizationError, "login_refused"),
    ("login", 404, "", "", InvalidRequest, "oauth_refused"),
]


@pytest.mark.parametrize(("step", "status", "said", "description", "cls", "code"), REFUSALS)
def test_a_refusal(step: str, status: int, said: str, description: str, cls: type, code: str) -> None:
    body = {"error": said, "error_description": description} if said else None
    with answering(status, body) as server:
        error = refused(server.url, step=step)
    assert type(error) is cls, repr(error)
    assert (error.code, error.http_status, error.detail) == (code, status, description)
    assert len(str(error.next_step)) > 20


@pytest.mark.parametrize("kind", OAUTH_KINDS, ids=lambda kind: kind.code)
def test_every_kind_says_what_happened_and_what_to_do(kind: oauth_errors.ErrorKind) -> None:
    assert len(str(kind.message)) > 20
    assert len(str(kind.next_step)) > 20
    assert type(kind.error()) is kind.cls


def test_codes_are_told_apart() -> None:
    codes = [kind.code for kind in OAUTH_KINDS]
    assert len(codes) == len(set(codes))


def test_a_person_may_refuse() -> None:
    error = error_of_consent(error="access_denied", description="The user denied access to mail@person.example")
    assert isinstance(error, AccessDenied)
    assert error.code == "consent_refused"
    assert "mail@" not in error.detail
    assert error_of_consent(error="invalid_scope", description="").code == "invalid_scope"
    assert error_of_consent(error="whatever", description="").code == "oauth_refused"


def test_redirects_are_not_followed() -> None:
    with (
        answering(200, GIVEN) as elsewhere,
        answering(307, headers={"Location": elsewhere.url + "/token"}) as server,
    ):
        assert refused(server.url).code == "oauth_redirect"
        assert elsewhere.connections == 0


def test_nobody_there() -> None:
    with answering(200) as server:
        url = server.url
    error = refused(url)
    assert isinstance(error, NotSent)
    assert error.code == "oauth_not_sent"


CUTS = {
    "after the request": read_then(lambda talk: None),
    "reset": read_then(lambda talk: talk.reset()),
    "in the answer": read_then(lambda talk: talk.send(HALF_AN_ANSWER)),
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_call_is_no_answer_and_not_repeated(cut: str) -> None:
    """A refresh token may be used up by now: whoever asks again must know that."""
    ledger = Ledger()
    with ScriptedServer(CUTS[cut]) as server:
        error = refused(server.url, ledger)
    assert isinstance(error, NoAnswer)
    assert server.connections == 1
    assert [(done.outcome, done.error_code) for done in ledger.done] == [("transient", "oauth_no_answer")]


def endless(talk: Talk) -> None:
    talk.read_request()
    talk.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        talk.send(b"x" * 65536)


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    with ScriptedServer(endless) as server:
        assert refused(server.url).code == "oauth_no_answer"


SECRETS = (SECRET, CODE, VERIFIER, REFRESH, TOKEN, "y0_fresh-token", "1:fresh-refresh", "app%2Bsecret%2F%C3%A4")


@pytest.mark.parametrize("step", ["exchange", "refresh", "revoke", "login"])
@pytest.mark.parametrize("status", [200, 400])
def test_no_secret_is_seen_by_anybody_else(step: str, status: int, wire_log: io.StringIO) -> None:
    """Not in the ledger, a log, a repr or an error: not even where the server says them all back."""
    echo = " ".join(SECRETS)
    body = {**GIVEN, "login": "", "error": echo, "error_description": echo, "status": echo, "other": echo, echo: 1}
    if status == 200:
        body = {**GIVEN, "login": "north", "status": "ok", "other": echo}
    ledger = Ledger()
    said: list[object] = []
    with answering(status, body) as server, client_for(server.url, ledger) as client:
        said.append(client)
        calls: dict[str, Callable[[], object]] = {
            "exchange": lambda: client.exchange_code(code=CODE, verifier=VERIFIER),
            "refresh": lambda: client.refresh(refresh_token=REFRESH),
            "revoke": lambda: client.revoke(token=TOKEN),
            "login": lambda: client.login_info(token=TOKEN),
        }
        try:
            said.append(calls[step]())
        except MetricaError as error:
            said += [error, str(error), vars(error)]
    (exchange,) = ledger.done
    assert "send_request_headers" in wire_log.getvalue()
    everything = " ".join([*map(repr, [*said, exchange]), wire_log.getvalue()])
    sent = {"exchange": (CODE, VERIFIER), "refresh": (REFRESH,), "revoke": (TOKEN,), "login": (TOKEN,)}[step]
    hidden = (*sent, SECRET) if step != "login" else sent
    if status == 200:
        hidden = (*hidden, "y0_fresh-token", "1:fresh-refresh")
    for secret in hidden:
        assert secret not in everything, secret


def test_the_ledger_entry_is_of_use() -> None:
    ledger = Ledger()
    headers = {"X-Echo": REFRESH, "Set-Cookie": "session=1"}
    with answering(200, GIVEN, headers=headers) as server, client_for(server.url, ledger) as client:
        client.refresh(refresh_token=REFRESH)
    (exchange,) = ledger.done
    assert (exchange.response_headers["x-echo"], exchange.response_headers["set-cookie"]) == ("•••", "•••")
    assert ledger.started_as == ["pending"]
    assert (exchange.method, exchange.url, exchange.status) == ("POST", f"{server.url}/token", 200)
    assert exchange.request_excerpt.startswith("grant_type=refresh_token&refresh_token=•••&client_id=•••")
    assert '"expires_in": 31536000' in exchange.response_body
    assert '"access_token": "•••"' in exchange.response_body
    assert (exchange.outcome, exchange.error_code) == ("ok", "")


@pytest.mark.parametrize(
    "url", ["", "oauth", "ftp://x.example", "https://", "https://u:p@x.example", "https://x.example?a=1"]
)
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="OAuth address"):
        OAuthClient(base_url=url, client_id="a", client_secret="b")
