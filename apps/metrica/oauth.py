"""Yandex OAuth: from a person's consent to tokens, their renewal and their end. Pages: code-url, screen-code,
refresh-client, token-invalidate, authorization.

A token is seen by whoever asked for it and by nobody else: no repr, error or ledger entry holds one.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import httpx

from apps.metrica.exceptions import MetricaError
from apps.metrica.ledger import Recorder
from apps.metrica.oauth_errors import Step, kind_of
from apps.metrica.oauth_transport import OAuthTransport
from apps.metrica.parts import Unreadable
from apps.metrica.redact import mask_personal
from apps.metrica.text import Text, _

LOGIN_URL = "https://login.yandex.ru/info"
CODE_LIFETIME = timedelta(minutes=10)
_LONGEST_LIFETIME = timedelta(days=3650)


class Scope(StrEnum):
    """The rights of Metrica's part of an app (page: authorization)."""

    READ = "metrika:read"
    WRITE = "metrika:write"
    OFFLINE_DATA = "metrika:offline_data"
    EXPENSES = "metrika:expenses"
    USER_PARAMS = "metrika:user_params"

    @property
    def label(self) -> Text:
        return _SCOPE_LABELS[self]


_SCOPE_LABELS: Mapping[Scope, Text] = {
    Scope.READ: _("read statistics and the settings of counters"),
    Scope.WRITE: _("create and change counters and goals, upload any data"),
    Scope.OFFLINE_DATA: _("upload CRM data, offline conversions and calls"),
    Scope.EXPENSES: _("upload expenses"),
    Scope.USER_PARAMS: _("upload parameters of visitors"),
}
MAY_UPLOAD = frozenset({Scope.WRITE, Scope.OFFLINE_DATA})


@dataclass(frozen=True, slots=True)
class Pkce:
    """The secret that ties a code to whoever asked for it, and the challenge that Yandex is shown before."""

    verifier: str = field(repr=False)
    challenge: str

    @classmethod
    def new(cls) -> Self:
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        return cls(verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode())


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """`lifetime` is None where Yandex did not say; `scopes` is None where they are those that were asked for.

    A refresh token is blank where none was given. Both tokens live equally long (page: refresh-client).
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    lifetime: timedelta | None
    scopes: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class LoginInfo:
    """Whose token it is: the Yandex login, its number, and the app that the token was issued to."""

    login: str
    user_id: str
    client_id: str


class OAuthClient:
    """One app's way to Yandex OAuth. Use it as a context manager, or close() it; one thread at a time.

    `base_url`: https://oauth.yandex.ru or a sandbox's; `login_url`: where a token's login is told. Nothing is retried
    but connecting, once, and redirects are not followed. Seconds: `timeout` for a step, `total_timeout` for a call.
    """

    def __init__(
        self,
        *,
        base_url: str,
        client_id: str,
        client_secret: str,
        login_url: str = LOGIN_URL,
        recorder: Recorder | None = None,
        timeout: float = 15.0,
        total_timeout: float = 30.0,
        user_agent: str = "Goalpost/0.1",
    ) -> None:
        self.base_url = _checked(base_url)
        self._login_url = _checked(login_url)
        self._client_id = client_id
        self._client_secret = client_secret
        self._transport = OAuthTransport(
            recorder=recorder, timeout=timeout, total_timeout=total_timeout, user_agent=user_agent
        )

    def __repr__(self) -> str:
        return f"OAuthClient({self.base_url!r}, client_id={self._client_id!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    @property
    def typed_code_uri(self) -> str:
        """The redirect address for those without one of their own: Yandex shows the code there (page: screen-code)."""
        return f"{self.base_url}/verification_code"

    def authorize_url(
        self,
        *,
        state: str,
        challenge: str,
        redirect_uri: str = "",
        scopes: Iterable[str] = (),
        optional_scopes: Iterable[str] = (),
        login_hint: str = "",
        force_confirm: bool = False,
        device_id: str = "",
        device_name: str = "",
    ) -> str:
        """Where to send the person's browser. `redirect_uri` left out: the code is shown to be typed.

        `device_id`: 6 to 50 printable ASCII characters. Only a token issued for a device can be revoked later.
        """
        if device_id and not (6 <= len(device_id) <= 50 and device_id.isascii() and device_id.isprintable()):
            raise ValueError("A device id has 6 to 50 printable ASCII characters.")
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri or self.typed_code_uri,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "scope": " ".join(scopes),
            "optional_scope": " ".join(optional_scopes),
            "login_hint": login_hint,
            "force_confirm": "yes" if force_confirm else "",
            "device_id": device_id,
            "device_name": device_name if device_id else "",
        }
        return f"{self.base_url}/authorize?{urlencode({name: value for name, value in query.items() if value})}"

    def exchange_code(self, *, code: str, verifier: str) -> TokenAnswer:
        """Tokens for a code. Raises AuthorizationError (bad_verification_code, code_expired), InvalidRequest
        (invalid_client …), TransientError.
        """
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        return self._tokens(Step.EXCHANGE, form)

    def refresh(self, *, refresh_token: str) -> TokenAnswer:
        """Fresh tokens. The refresh token that comes back takes the place of the one that was given.

        Raises AuthorizationError (invalid_grant: a person must connect again), InvalidRequest, TransientError. After
        NoAnswer it is not known whether the old refresh token still works; asking again tells.
        """
        return self._tokens(Step.REFRESH, {"grant_type": "refresh_token", "refresh_token": refresh_token})

    def revoke(self, *, token: str) -> None:
        """End an access token and its refresh token at Yandex. Raises as `refresh` does; `unsupported_token_type`
        where the token was not issued for a device.
        """
        form = {"access_token": token, **self._credentials()}
        self._transport.call(Step.REVOKE, f"{self.base_url}/revoke_token", form=form, read=_done)

    def login_info(self, *, token: str) -> LoginInfo:
        """Whose token it is. Raises AuthorizationError (login_refused), TransientError."""
        return self._transport.call(Step.LOGIN, f"{self._login_url}?format=json", token=token, read=_login)

    def _tokens(self, step: Step, form: dict[str, str]) -> TokenAnswer:
        form = {**form, **self._credentials()}
        return self._transport.call(step, f"{self.base_url}/token", form=form, read=_tokens)

    def _credentials(self) -> dict[str, str]:
        return {"client_id": self._client_id, "client_secret": self._client_secret}


def error_of_consent(*, error: str, description: str) -> MetricaError:
    """What it means that the person came back with `error` instead of a code."""
    kind = kind_of(step=Step.CONSENT, status=400, error=error, description=description)
    return kind.error(error_type=error[:100], detail=mask_personal(description)[:300])


def _tokens(answer: dict[str, object]) -> TokenAnswer:
    token, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
        raise Unreadable("access_token")
    scope = answer.get("scope")
    return TokenAnswer(
        access_token=token,
        refresh_token=refresh if isinstance(refresh, str) else "",
        lifetime=_lifetime(answer.get("expires_in")),
        scopes=tuple(scope.split()) if isinstance(scope, str) else None,
    )


def _lifetime(value: object) -> timedelta | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit()):
        return None
    return min(timedelta(seconds=int(text[:12])), _LONGEST_LIFETIME)


def _login(answer: dict[str, object]) -> LoginInfo:
    login = answer.get("login")
    if not isinstance(login, str) or not login:
        raise Unreadable("login")
    return LoginInfo(login, str(answer.get("id") or ""), str(answer.get("client_id") or ""))


def _done(_answer: dict[str, object]) -> None:
    return None


def _checked(base_url: str) -> str:
    url = httpx.URL(base_url)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("The OAuth address must look like https://oauth.yandex.ru.")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("The OAuth address must hold no user name, password, query or fragment.")
    return base_url.rstrip("/")
