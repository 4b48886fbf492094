"""A code becomes an account: whose it is, what it may, and what is left behind when it does not come about."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.counters import yandex
from apps.counters.encryption import decrypt
from apps.counters.models import AccountState, ApiCall, MetricaAccount
from apps.counters.services import connect_account
from apps.metrica.errors import MetricaError
from apps.sandbox import services as sandbox
from tests.counters.conftest import LOGIN, Yandex


def test_a_consent_becomes_a_connected_account(at_yandex: Yandex):
    connected = at_yandex.connect()
    account = connected.account
    (grant,) = at_yandex.grants()
    assert (account.login, account.confirmed_login, account.state) == (LOGIN, LOGIN, AccountState.CONNECTED)
    assert decrypt(account.token_encrypted) == grant.token.token
    assert decrypt(account.refresh_token_encrypted) == grant.refresh_token
    assert account.scopes == "metrika:read metrika:offline_data metrika:write"
    assert account.token_expires_at is not None and account.refresh_at is not None
    assert timedelta(days=364) < account.token_expires_at - timezone.now() < timedelta(days=366)
    assert timedelta(days=89) < account.refresh_at - timezone.now() < timedelta(days=91)
    assert (connected.counters, connected.problem) == (2, None)
    account.refresh_from_db()
    assert account.reading_ok_at is not None
    assert account.last_upload_ok_at is None


def test_a_right_that_was_left_out_is_not_shown(at_yandex: Yandex):
    assert at_yandex.connect(allow=[]).account.scopes == "metrika:read metrika:offline_data"


def test_the_same_login_again_is_the_same_account(at_yandex: Yandex):
    first = at_yandex.connect().account
    MetricaAccount.objects.update(last_upload_ok_at=timezone.now(), refresh_error_code="invalid_grant", refresh_at=None)
    second = at_yandex.connect().account
    assert second.pk == first.pk
    assert (second.refresh_error_code, second.last_upload_ok_at) == ("", None)
    assert second.refresh_at is not None
    assert at_yandex.live() == 1, "the former token serves nobody any more"


def test_an_account_that_was_typed_by_hand_is_found_again(at_yandex: Yandex):
    """Yandex takes dots for hyphens and its mail addresses for logins."""
    typed = connect_account(agency=at_yandex.agency, login="North.Metrica@yandex.ru", token="pasted")
    connected = at_yandex.connect().account
    assert connected.pk == typed.pk
    assert (connected.login, connected.confirmed_login) == ("North.Metrica@yandex.ru", LOGIN)


def test_another_agency_has_an_account_of_its_own(at_yandex: Yandex):
    from tests.factories import make_agency

    other = make_agency()
    mine, theirs = at_yandex.connect().account, at_yandex.connect(agency=other).account
    assert mine.pk != theirs.pk
    assert theirs.agency == other


def test_connecting_anew_with_another_login_changes_nothing(at_yandex: Yandex):
    account = at_yandex.connect().account
    before = MetricaAccount.objects.values().get()
    with pytest.raises(MetricaError) as caught:
        at_yandex.connect("south-metrica", account=account)
    assert (caught.value.code, caught.value.detail) == ("wrong_login", "south-metrica")
    assert MetricaAccount.objects.values().get() == before
    assert at_yandex.live("south-metrica") == 0, "the token that nobody uses is ended"


def test_without_yandex_s_word_metrica_says_whose_it_is(at_yandex: Yandex, settings: Any):
    settings.YANDEX_LOGIN_URL = f"{at_yandex.url}/nowhere"
    assert at_yandex.connect(typed_login="typed").account.login == LOGIN


def test_without_any_word_the_typed_login_counts(at_yandex: Yandex, settings: Any):
    settings.YANDEX_LOGIN_URL = f"{at_yandex.url}/nowhere"
    account = at_yandex.connect("no-counters", typed_login=" typed ").account
    assert (account.login, account.confirmed_login) == ("typed", "")


def test_without_any_login_nothing_is_kept(at_yandex: Yandex, settings: Any):
    settings.YANDEX_LOGIN_URL = f"{at_yandex.url}/nowhere"
    with pytest.raises(MetricaError) as caught:
        at_yandex.connect("no-counters")
    assert caught.value.code == "login_unknown"
    assert not MetricaAccount.objects.exists()
    assert at_yandex.live("no-counters") == 0


def test_reading_that_does_not_work_is_told_and_the_account_kept(at_yandex: Yandex):
    code, verifier = at_yandex.consent()
    sandbox.add_fault(kind="quota_429", endpoint="management")
    connected = yandex.connect(agency=at_yandex.agency, code=code, verifier=verifier)
    assert connected.account.state == AccountState.CONNECTED
    assert connected.problem is not None and connected.problem.code == "quota_requests_by_uid"
    assert connected.account.reading_ok_at is None


@pytest.mark.parametrize(
    ("code", "said"), [("123", "bad_verification_code"), ("abcdefgh12345678", "bad_verification_code")]
)
def test_a_mistyped_code(at_yandex: Yandex, code: str, said: str):
    with pytest.raises(MetricaError) as caught:
        yandex.connect(agency=at_yandex.agency, code=code, verifier="v")
    assert caught.value.code == said


def test_a_stolen_code_is_of_no_use(at_yandex: Yandex):
    """PKCE: whoever has the code has not the verifier."""
    code, _verifier = at_yandex.consent()
    with pytest.raises(MetricaError):
        yandex.connect(agency=at_yandex.agency, code=code, verifier="another-verifier")
    assert not MetricaAccount.objects.exists()


def test_without_an_app_nothing_is_asked(at_yandex: Yandex, settings: Any):
    settings.YANDEX_CLIENT_ID = ""
    with pytest.raises(MetricaError) as caught:
        yandex.connect(agency=at_yandex.agency, code="abcdefgh12345678", verifier="v")
    assert caught.value.code == "oauth_not_configured"
    assert not ApiCall.objects.exists()


def test_disconnecting_forgets_here_and_ends_there(at_yandex: Yandex):
    account = at_yandex.connect().account
    assert yandex.disconnect(account=account, reason="the client left") is None
    account.refresh_from_db()
    assert (account.state, account.state_reason) == (AccountState.DISCONNECTED, "the client left")
    assert (account.token_encrypted, account.refresh_token_encrypted, account.refresh_at) == ("", "", None)
    assert at_yandex.live() == 0
    assert AuditEntry.objects.filter(action="account.revoked", object_id=str(account.pk)).exists()


def test_a_token_that_yandex_cannot_be_told_of_is_forgotten_all_the_same(at_yandex: Yandex):
    account = at_yandex.connect().account
    sandbox.add_fault(kind="server_error", endpoint="oauth")
    problem = yandex.disconnect(account=account, reason="x")
    assert problem is not None and problem.code == "oauth_server_error"
    account.refresh_from_db()
    assert (account.token_encrypted, account.refresh_token_encrypted) == ("", "")
    entry = AuditEntry.objects.get(action="account.revoke_failed")
    assert entry.details == {"code": "oauth_server_error"}


def test_a_pasted_token_is_not_ours_to_end(at_yandex: Yandex):
    account = connect_account(agency=at_yandex.agency, login="x", token="pasted")
    assert yandex.disconnect(account=account, reason="x") is None
    assert not ApiCall.objects.exists()


def test_no_secret_reaches_ledger_or_audit(at_yandex: Yandex):
    account = at_yandex.account()
    from apps.counters.renewal import renew

    assert renew(account.pk)
    secrets = at_yandex.secrets()
    yandex.disconnect(account=account, reason="x")
    at_yandex.connect()
    secrets += at_yandex.secrets()
    kept = repr([list(ApiCall.objects.values()), list(AuditEntry.objects.values())])
    assert len(secrets) > 6
    assert ApiCall.objects.filter(url__endswith="/token").count() == 3
    assert ApiCall.objects.filter(url__endswith="/revoke_token").count() == 1
    for secret in secrets:
        assert secret not in kept
