"""Yandex OAuth for accounts: from a person's consent to a connected account, and its end. HTTP is made outside any
transaction; every call is in the ledger, and no token is.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.utils import timezone

from apps.agencies.models import Agency
from apps.audit.services import record
from apps.counters import services
from apps.counters.encryption import UnreadableSecret, decrypt
from apps.counters.gateway import PAGE_SECONDS, LedgerRecorder, bounds_of, metrica_client
from apps.counters.leave import Way
from apps.counters.logins import same
from apps.counters.models import MetricaAccount
from apps.counters.quotas.sharing import Caller
from apps.counters.refusals import refusal
from apps.counters.services import Consent
from apps.metrica.client import MetricaClient
from apps.metrica.errors import AuthorizationError, MetricaError
from apps.metrica.oauth import OAuthClient, TokenAnswer
from apps.metrica.oauth_errors import LOGIN_UNKNOWN, NOT_CONFIGURED, UNREADABLE, WRONG_LOGIN

T = TypeVar("T")

log = structlog.get_logger(__name__)

DEVICE_NAME = "Goalpost"


@dataclass(frozen=True, slots=True)
class Connected:
    """A connected account. `counters`: how many its token reads; None where reading failed, and `problem` says why."""

    account: MetricaAccount
    counters: int | None
    problem: MetricaError | None


def is_configured() -> bool:
    return bool(settings.YANDEX_CLIENT_ID and settings.YANDEX_CLIENT_SECRET)


def oauth_client(*, agency_id: int, account: MetricaAccount | None = None) -> OAuthClient:
    """A client of Goalpost's own app. Raises InvalidRequest (oauth_not_configured) where there is none."""
    if not is_configured():
        raise NOT_CONFIGURED.error()
    return OAuthClient(
        base_url=settings.YANDEX_OAUTH_URL,
        login_url=settings.YANDEX_LOGIN_URL,
        client_id=settings.YANDEX_CLIENT_ID,
        client_secret=settings.YANDEX_CLIENT_SECRET,
        recorder=LedgerRecorder(agency_id=agency_id, account=account, counter=None, subject=None),
    )


def authorize_url(
    *, agency_id: int, state: str, challenge: str, redirect_uri: str, login_hint: str, force_confirm: bool
) -> str:
    """Where to send the person's browser. `redirect_uri` blank: Yandex shows the code there.

    Each consent is for a device of its own: only a token that was issued for a device can be revoked, and a second one
    for the same device may take the place of another account's.
    """
    with oauth_client(agency_id=agency_id) as client:
        return client.authorize_url(
            state=state,
            challenge=challenge,
            redirect_uri=redirect_uri,
            scopes=settings.YANDEX_SCOPES,
            optional_scopes=settings.YANDEX_OPTIONAL_SCOPES,
            login_hint=login_hint,
            force_confirm=force_confirm,
            device_id=secrets.token_hex(16),
            device_name=DEVICE_NAME,
        )


def connect(
    *, agency: Agency, code: str, verifier: str, typed_login: str = "", account: MetricaAccount | None = None
) -> Connected:
    """Exchange a code and keep what came. `account`: the one that is connected anew; its login must be the same.

    `typed_login` counts where neither Yandex nor Metrica says whose token it is. Raises MetricaError, ValidationError.
    """
    with oauth_client(agency_id=agency.pk, account=account) as client:
        answer = client.exchange_code(code=code.strip(), verifier=verifier)
        confirmed = _confirmed_login(client, answer, agency)
        try:
            login = _login_for(agency, account, confirmed, typed_login.strip())
        except MetricaError:
            give_back(client, answer.access_token)
            raise
    scopes = answer.scopes if answer.scopes is not None else tuple(_asked_for())
    before = MetricaAccount.objects.filter(agency=agency, login=login).first()
    connected = services.connect_account(
        agency=agency,
        login=login,
        token=answer.access_token,
        expires_at=timezone.now() + answer.lifetime if answer.lifetime else None,
        consent=Consent(answer.refresh_token, scopes, confirmed),
    )
    if before is not None and before.renews_itself:
        _end_former(before, now_used=answer.access_token)
    try:
        counters = read_test(connected)
    except MetricaError as error:
        return Connected(connected, None, error)
    return Connected(connected, counters, None)


def read_test(account: MetricaAccount) -> int:
    """How many counters the token reaches, by asking Metrica; that it answers is noted. Raises MetricaError."""
    with metrica_client(account, total_timeout=PAGE_SECONDS) as client:
        rows = client.counters(per_page=1).rows
    services.note_reading(account_id=account.pk, at=timezone.now())
    return rows


def asked(account: MetricaAccount, ask: Callable[[MetricaAccount], T]) -> T:
    """What Metrica answers to a person's test of this account's token; a token that it refuses is used no more. Raises
    MetricaError."""
    try:
        return ask(account)
    except AuthorizationError as error:
        # A token that cannot be decrypted here never reached Metrica: it may be as good as ever.
        if error.http_status is None or services.disconnect_account(account=account, reason=refusal(error)):
            raise
        # The token was renewed while the old one was asked about: the new one is asked about instead.
        return ask(MetricaAccount.objects.get(pk=account.pk))


def disconnect(*, account: MetricaAccount, reason: str) -> MetricaError | None:
    """Forget the account's tokens, then end them at Yandex where Goalpost's app got them.

    They are forgotten whatever Yandex says. Returns why it could not be told, if so.
    """
    held = MetricaAccount.objects.get(pk=account.pk)
    services.disconnect_account(account=held, reason=reason, forget_token=True)
    if not held.renews_itself:
        return None
    problem = _revoked(held)
    record(
        action="account.revoke_failed" if problem else "account.revoked",
        agency=held.agency_id,
        obj=held,
        details={"code": problem.code} if problem else {},
    )
    return problem


def _revoked(account: MetricaAccount) -> MetricaError | None:
    try:
        token = decrypt(account.token_encrypted)
    except UnreadableSecret:
        return UNREADABLE.error()
    try:
        with oauth_client(agency_id=account.agency_id, account=account) as client:
            client.revoke(token=token)
    except MetricaError as error:
        log.warning("token not revoked", account=account.pk, code=error.code)
        return error
    return None


def _end_former(account: MetricaAccount, *, now_used: str) -> None:
    """The token that an account had before it was connected anew serves nobody any more."""
    try:
        token = decrypt(account.token_encrypted)
    except UnreadableSecret:
        return
    if token != now_used:
        with oauth_client(agency_id=account.agency_id, account=account) as client:
            give_back(client, token)


def is_kept(*, account_id: int, token: str) -> bool:
    """True if the account uses this very token: Yandex may answer a renewal with the token that was there."""
    kept = MetricaAccount.objects.filter(pk=account_id).values_list("token_encrypted", flat=True).first()
    try:
        return bool(kept) and decrypt(kept or "") == token
    except UnreadableSecret:
        return False


def give_back(client: OAuthClient, token: str) -> None:
    """End a token that nobody will use. What comes of it changes nothing for the person, who reads another error."""
    try:
        client.revoke(token=token)
    except MetricaError as error:
        log.warning("unused token not revoked", code=error.code)


def _asked_for() -> list[str]:
    return list(dict.fromkeys([*settings.YANDEX_SCOPES, *settings.YANDEX_OPTIONAL_SCOPES]))


def _confirmed_login(client: OAuthClient, answer: TokenAnswer, agency: Agency) -> str:
    """Whose token it is: as Yandex says, else as Metrica's own counters say, else blank."""
    try:
        return client.login_info(token=answer.access_token).login
    except MetricaError as error:
        log.warning("login not told by Yandex", code=error.code)
    # Whose quota it is, is what is being asked: only the address counts.
    bounds = bounds_of(total_timeout=PAGE_SECONDS)
    way = Way(Caller(urlsplit(settings.METRICA_URL).netloc.lower(), "", agency.pk), None, bounds)
    recorder = LedgerRecorder(agency_id=agency.pk, account=None, counter=None, subject=None, way=way)
    try:
        with MetricaClient(
            base_url=settings.METRICA_URL,
            token=answer.access_token,
            recorder=recorder,
            timeout=bounds.step,
            total_timeout=bounds.total,
        ) as metrica:
            own = metrica.counters(permission="own", per_page=1).counters
    except MetricaError as error:
        log.warning("login not told by Metrica", code=error.code)
        return ""
    return own[0].owner_login if own else ""


def _login_for(agency: Agency, account: MetricaAccount | None, confirmed: str, typed: str) -> str:
    """The login under which the account is kept. Raises PermanentError for a login that is another, or is not known."""
    if account is not None:
        if confirmed and not same(confirmed, account.confirmed_login or account.login):
            raise WRONG_LOGIN.error(detail=confirmed)
        return account.login
    if not confirmed and not typed:
        raise LOGIN_UNKNOWN.error()
    for known in MetricaAccount.objects.filter(agency=agency).only("login", "confirmed_login")[:1000]:
        if same(known.confirmed_login or known.login, confirmed or typed):
            return known.login
    return confirmed or typed
