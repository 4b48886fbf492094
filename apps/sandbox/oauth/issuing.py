"""Everything that makes, renews and ends codes and tokens: for the endpoints, the pages, the control addresses and
tests in the same process.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from secrets import choice, token_urlsafe
from string import ascii_lowercase, digits

from django.db import transaction
from django.utils import timezone

from apps.metrica.oauth import CODE_LIFETIME, Scope
from apps.sandbox import switches
from apps.sandbox.models import SandboxAccess, SandboxApp, SandboxCode, SandboxCounter, SandboxGrant, SandboxToken

CODE_LENGTH = 16
LIFETIMES = {
    "year": timedelta(seconds=31_536_000),
    "ten_minutes": timedelta(minutes=10),
    "minute": timedelta(minutes=1),
}
TOKENS_OF_DEVICES = 20


class OAuthRefused(Exception):
    """Ends a call with `{"error": …, "error_description": …}`."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


def create_app(
    *,
    client_id: str = "",
    client_secret: str = "",
    name: str = "",
    redirect_uris: Iterable[str] = (),
    scopes: Iterable[str] = tuple(Scope),
) -> SandboxApp:
    """Registers an app; one with this client id is brought to what is said. Raises ValueError for unknown rights."""
    wanted = [Scope(scope).value for scope in scopes]
    client_id = client_id or token_urlsafe(24)
    known = SandboxApp.objects.filter(client_id=client_id).first()
    app, _created = SandboxApp.objects.update_or_create(
        client_id=client_id,
        defaults={
            "client_secret": client_secret or (known.client_secret if known else token_urlsafe(24)),
            "name": name or client_id,
            "redirect_uris": list(redirect_uris),
            "scopes": wanted,
        },
    )
    return app


def known_logins() -> list[str]:
    """Logins that the sandbox knows: owners and guests of counters, holders of tokens. Three queries."""
    found = {
        *SandboxCounter.objects.values_list("owner_login", flat=True).distinct()[:500],
        *SandboxAccess.objects.values_list("login", flat=True).distinct()[:500],
        *SandboxToken.objects.values_list("login", flat=True).distinct()[:500],
    }
    return sorted(found)[:500]


def give_code(
    *,
    app: SandboxApp,
    login: str,
    scopes: Iterable[str],
    code_challenge: str = "",
    code_challenge_method: str = "",
    device_id: str = "",
) -> SandboxCode:
    """The code of a consent that was given."""
    return SandboxCode.objects.create(
        app=app,
        code="".join(choice(ascii_lowercase + digits) for _position in range(CODE_LENGTH)),
        login=login,
        scopes=list(scopes),
        code_challenge=code_challenge,
        code_challenge_method=code_challenge_method,
        device_id=device_id,
        expires_at=timezone.now() + CODE_LIFETIME,
    )


@transaction.atomic
def exchange(*, app: SandboxApp, code: str, verifier: str) -> SandboxGrant:
    """A token for a code, once. Raises OAuthRefused."""
    if not (7 <= len(code) <= 64 and code.isascii() and code.isalnum()):
        raise OAuthRefused("bad_verification_code", "The code is not of the right form.")
    held = SandboxCode.objects.filter(code=code).first()
    if held is None or held.app_id != app.pk:
        raise OAuthRefused("invalid_grant", "The code is unknown, or was given to another app.")
    now = timezone.now()
    if held.expires_at <= now:
        raise OAuthRefused("invalid_grant", "Code has expired")
    if not _proves(held, verifier):
        raise OAuthRefused("invalid_grant", "The code verifier does not fit the challenge.")
    if not SandboxCode.objects.filter(pk=held.pk, used_at=None).update(used_at=now):
        raise OAuthRefused("invalid_grant", "The code was used already.")
    token = SandboxToken.objects.create(token=new_token(), login=held.login)
    grant = SandboxGrant.objects.create(
        token=token,
        app=app,
        scopes=held.scopes,
        device_id=held.device_id,
        refresh_token=token_urlsafe(30),
        issued_at=now,
        expires_at=now + lifetime(),
    )
    if held.device_id:
        _end_oldest(app=app, login=held.login)
    return grant


@transaction.atomic
def refresh(*, app: SandboxApp, refresh_token: str) -> SandboxGrant:
    """A fresh token and a fresh refresh token for the one that is given, which ends. Raises OAuthRefused."""
    now = timezone.now()
    held = SandboxGrant.objects.alive(now).filter(refresh_token=refresh_token, app=app).select_related("token").first()
    if held is None:
        raise OAuthRefused("invalid_grant", "The refresh token is unknown, expired or revoked.")
    # The one that is given is taken out first: of two who present it at once, one gets nothing.
    fresh = token_urlsafe(30)
    if not SandboxGrant.objects.filter(pk=held.pk, refresh_token=refresh_token).update(refresh_token=None):
        raise OAuthRefused("invalid_grant", "The refresh token is unknown, expired or revoked.")
    SandboxToken.objects.filter(pk=held.token_id).update(revoked=True)
    token = SandboxToken.objects.create(token=new_token(), login=held.token.login)
    return SandboxGrant.objects.create(
        token=token,
        app=app,
        scopes=held.scopes,
        device_id=held.device_id,
        refresh_token=fresh,
        issued_at=now,
        expires_at=now + lifetime(),
    )


def revoke(*, app: SandboxApp, token: str) -> None:
    """Ends a token of the app with its refresh token. Raises OAuthRefused; for a token that no device has, too."""
    held = SandboxGrant.objects.filter(token__token=token, app=app).first()
    if held is None:
        raise OAuthRefused("invalid_grant", "The token is unknown, or was given to another app.")
    if not held.device_id:
        raise OAuthRefused("unsupported_token_type", "The token was not issued for a device.")
    SandboxToken.objects.filter(pk=held.token_id).update(revoked=True)


def end_token(*, token: str, expires_at: datetime) -> None:
    """Lets a token and its refresh token expire at a time of the tester's choice. Raises ValueError for no token."""
    held = SandboxToken.objects.filter(token=token).first()
    if held is None:
        raise ValueError("There is no such token.")
    rows = SandboxGrant.objects.filter(token=held)
    if not rows.update(expires_at=expires_at):
        everything = [scope.value for scope in Scope]
        SandboxGrant.objects.create(token=held, scopes=everything, issued_at=timezone.now(), expires_at=expires_at)


def take_back(*, login: str) -> int:
    """The person took the access away in the settings of their login: all that apps got ends. Returns how many."""
    rows = SandboxToken.objects.filter(login=login, revoked=False, grant__app__isnull=False)
    return rows.update(revoked=True)


def live_token(text: str) -> SandboxToken | None:
    """The token with its grant where it is neither unknown nor revoked nor expired. One query."""
    held = SandboxToken.objects.filter(token=text, revoked=False).select_related("grant").first()
    if held is None:
        return None
    grant = getattr(held, "grant", None)
    if grant is not None and grant.expires_at is not None and grant.expires_at <= timezone.now():
        return None
    return held


def lifetime() -> timedelta:
    """How long a new token lives, by the switch `token_lifetime`."""
    return LIFETIMES[switches.values()["token_lifetime"]]


def new_token() -> str:
    return f"y0_sandbox_{token_urlsafe(30)}"


def _proves(held: SandboxCode, verifier: str) -> bool:
    if not held.code_challenge:
        return True
    proof = verifier
    if held.code_challenge_method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(proof.encode(), held.code_challenge.encode())


def _end_oldest(*, app: SandboxApp, login: str) -> None:
    """An app has at most 20 tokens of devices of one login; with one more, the oldest stops working."""
    rows = SandboxGrant.objects.alive(timezone.now()).filter(app=app, token__login=login).exclude(device_id="")
    surplus = list(rows.order_by("-pk").values_list("token_id", flat=True)[TOKENS_OF_DEVICES : TOKENS_OF_DEVICES + 100])
    SandboxToken.objects.filter(pk__in=surplus).update(revoked=True)
