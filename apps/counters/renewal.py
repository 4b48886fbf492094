"""Tokens are renewed ahead of their end. Any number of machines may try at once: who moves `refresh_at` on by a
compare-and-swap does it, so that no refresh token is used twice. HTTP is made outside any transaction.
"""

import random
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.audit.services import record
from apps.counters.encryption import UnreadableSecret, decrypt, encrypt
from apps.counters.expiry import renew_at
from apps.counters.models import AccountState, Counter, MetricaAccount
from apps.counters.services import touch
from apps.counters.yandex import give_back, is_kept, oauth_client
from apps.metrica.errors import AuthorizationError, MetricaError
from apps.metrica.oauth import TokenAnswer
from apps.metrica.oauth_errors import UNREADABLE

log = structlog.get_logger(__name__)

CLAIM = timedelta(minutes=5)
"""How long a renewal may take, twice its longest call and more; one that a dead worker left is tried again then."""
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class _Claim:
    """The right to use an account's refresh token once."""

    account: MetricaAccount
    attempt: int


def renew(account_id: int) -> bool:
    """Renew the account's token if that is due and nobody else is at it. True if it was renewed.

    What Yandex refuses for good is told on the account's page and not tried again; all else is tried later.
    """
    claim = _claim(account_id)
    if claim is None:
        return False
    try:
        answer = _asked(claim.account)
    except MetricaError as error:
        _failed(claim, error)
        return False
    if _renewed(claim, answer):
        return True
    # A person was quicker. What Yandex just gave would otherwise stay good with nobody who knows of it.
    if is_kept(account_id=account_id, token=answer.access_token):
        return False
    with oauth_client(agency_id=claim.account.agency_id, account=claim.account) as client:
        give_back(client, answer.access_token)
    return False


def _claim(account_id: int) -> _Claim | None:
    now = timezone.now()
    account = MetricaAccount.objects.refresh_due(now).filter(pk=account_id).first()
    if account is None:
        return None
    rows = MetricaAccount.objects.filter(pk=account_id, refresh_at=account.refresh_at)
    taken = rows.filter(refresh_token_encrypted=account.refresh_token_encrypted).update(
        refresh_at=now + CLAIM, refresh_attempts=F("refresh_attempts") + 1
    )
    return _Claim(account, account.refresh_attempts + 1) if taken else None


def _asked(account: MetricaAccount) -> TokenAnswer:
    try:
        refresh_token = decrypt(account.refresh_token_encrypted)
    except UnreadableSecret:
        raise UNREADABLE.error() from None
    with oauth_client(agency_id=account.agency_id, account=account) as client:
        return client.refresh(refresh_token=refresh_token)


@transaction.atomic
def _renewed(claim: _Claim, answer: TokenAnswer) -> bool:
    account = _still(claim)
    if account is None:
        log.warning("a renewed token came too late", account=claim.account.pk)
        return False
    now = timezone.now()
    before = {"token_expires_at": account.token_expires_at, "state": account.state, "scopes": account.scopes}
    account.token_encrypted = encrypt(answer.access_token)
    if answer.refresh_token:
        account.refresh_token_encrypted = encrypt(answer.refresh_token)
    account.token_expires_at = now + answer.lifetime if answer.lifetime else None
    if answer.scopes is not None:
        account.scopes = " ".join(answer.scopes)[:255]
    account.refreshed_at = now
    account.refresh_at = renew_at(now=now, expires_at=account.token_expires_at)
    account.refresh_attempts, account.refresh_error_code, account.refresh_error = 0, "", ""
    account.state, account.state_reason = AccountState.CONNECTED, ""
    account.save()
    after = {"token_expires_at": account.token_expires_at, "state": account.state, "scopes": account.scopes}
    record(action="account.renewed", agency=account.agency_id, obj=account, before=before, after=after)
    if before["state"] != after["state"]:
        for counter in Counter.objects.filter(account=account):
            touch(counter)
    log.info("token renewed", account=account.pk, attempt=claim.attempt)
    return True


@transaction.atomic
def _failed(claim: _Claim, error: MetricaError) -> None:
    account = _still(claim)
    if account is None:
        return
    final = isinstance(error, AuthorizationError)
    is_news = account.refresh_error_code != error.code
    account.refresh_error_code, account.refresh_error = error.code, str(error)[:500]
    account.refresh_at = None if final else timezone.now() + _wait(claim.attempt, error.retry_after)
    account.save(update_fields=["refresh_error_code", "refresh_error", "refresh_at"])
    if is_news:
        record(
            action="account.renewal_failed",
            agency=account.agency_id,
            obj=account,
            details={"code": error.code, "said": error.detail, "tried_again_at": account.refresh_at},
        )
    log.warning("token not renewed", account=account.pk, code=error.code, attempt=claim.attempt, final=final)


def _still(claim: _Claim) -> MetricaAccount | None:
    """The account, unless a person has given it another token or taken it away meanwhile."""
    rows = MetricaAccount.objects.select_for_update().filter(pk=claim.account.pk)
    return rows.filter(refresh_token_encrypted=claim.account.refresh_token_encrypted).first()


def _wait(attempt: int, retry_after: float | None) -> timedelta:
    """Growing with each attempt, up to six hours; spread, so that many accounts do not come back together."""
    bound = min(FIRST_WAIT * 2 ** min(attempt - 1, 20), LONGEST_WAIT)
    wait = bound * random.uniform(0.5, 1)  # noqa: S311 - no secret
    return max(wait, timedelta(seconds=retry_after or 0))
