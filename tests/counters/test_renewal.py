"""Tokens are renewed ahead of their end: once, visibly, and again later where that did not work."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from apps.audit.models import AuditEntry
from apps.counters import renewal, yandex
from apps.counters.encryption import decrypt
from apps.counters.expiry import refresh_problem, renew_at, warning_of
from apps.counters.models import AccountState, ApiCall, MetricaAccount
from apps.counters.renewal import FIRST_WAIT, LONGEST_WAIT, renew
from apps.counters.services import block_reason, connect_account, disconnect_account
from apps.sandbox import services as sandbox
from apps.sandbox.oauth import issuing
from apps.uploads import scheduler
from tests.counters.conftest import Yandex
from tests.factories import make_account, make_agency, make_counter


def fresh(account: MetricaAccount) -> MetricaAccount:
    return MetricaAccount.objects.get(pk=account.pk)


def test_a_due_token_is_renewed(at_yandex: Yandex):
    account = at_yandex.account()
    before = fresh(account)
    assert renew(account.pk)
    after = fresh(account)
    _old, new = at_yandex.grants()
    assert decrypt(after.token_encrypted) == new.token.token
    assert decrypt(after.refresh_token_encrypted) == new.refresh_token
    assert after.refreshed_at is not None and before.refreshed_at is not None
    assert after.refreshed_at > before.refreshed_at
    assert after.refresh_at is not None and after.refresh_at > timezone.now() + timedelta(days=80)
    assert (after.refresh_attempts, after.refresh_error_code) == (0, "")
    entry = AuditEntry.objects.get(action="account.renewed")
    assert set(entry.after) == {"token_expires_at", "state", "scopes"}


def test_what_is_proven_stays_proven(at_yandex: Yandex):
    account = at_yandex.account()
    MetricaAccount.objects.update(last_upload_ok_at=timezone.now())
    renew(account.pk)
    assert fresh(account).last_upload_ok_at is not None


def test_nothing_is_renewed_before_its_time(at_yandex: Yandex):
    account = at_yandex.connect().account
    assert not renew(account.pk)
    pasted = connect_account(agency=at_yandex.agency, login="pasted", token="t")
    MetricaAccount.objects.filter(pk=pasted.pk).update(refresh_at=timezone.now())
    assert not renew(pasted.pk)
    assert not renew(10**9)
    assert len(at_yandex.grants()) == 1


def test_of_many_machines_one_uses_the_refresh_token(at_yandex: Yandex):
    """The compare-and-swap: a refresh token used twice would end the access."""
    account = at_yandex.account()
    done: list[bool] = []
    start = threading.Barrier(6)

    def machine() -> None:
        try:
            start.wait()
            done.append(renew(account.pk))
        finally:
            connection.close()

    machines = [threading.Thread(target=machine) for _number in range(6)]
    for one in machines:
        one.start()
    for one in machines:
        one.join()
    assert sorted(done) == [False] * 5 + [True]
    assert ApiCall.objects.filter(request_body__contains="grant_type=refresh_token").count() == 1
    assert fresh(account).refresh_error_code == ""
    assert len(at_yandex.grants()) == 2


def test_a_claim_of_a_dead_worker_is_given_again(at_yandex: Yandex):
    account = at_yandex.account()
    assert renewal._claim(account.pk) is not None
    assert renewal._claim(account.pk) is None
    MetricaAccount.objects.update(refresh_at=timezone.now())  # as after the claim's time
    assert renew(account.pk)


@pytest.mark.parametrize("kind", ["server_error", "quota_429", "cut_before"])
def test_a_fault_is_shown_and_tried_again_later(at_yandex: Yandex, kind: str):
    account = at_yandex.account()
    sandbox.add_fault(kind=kind, endpoint="oauth", count=None)
    waits = []
    for attempt in range(1, 4):
        at_yandex.make_due(account)
        assert not renew(account.pk)
        after = fresh(account)
        assert after.state == AccountState.CONNECTED
        assert after.refresh_attempts == attempt
        assert after.refresh_error_code and after.refresh_error
        assert after.refresh_at is not None
        waits.append(after.refresh_at - timezone.now())
    assert waits[0] < waits[1] < waits[2]
    told = warning_of(after, timezone.now())
    assert told is not None and told.tone == "warn"
    assert "tried again" in told.text and "Yandex OAuth" in told.text
    assert AuditEntry.objects.filter(action="account.renewal_failed").count() == 1, "the same trouble is told once"
    sandbox.clear_faults()
    at_yandex.make_due(account)
    assert renew(account.pk)
    assert (fresh(account).refresh_attempts, warning_of(fresh(account), timezone.now())) == (0, None)


def test_waits_grow_up_to_six_hours():
    for attempt in range(1, 40):
        wait = renewal._wait(attempt, None)
        bound = min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT)
        assert bound / 2 <= wait <= bound
    assert renewal._wait(1, 7200.0) == timedelta(hours=2)


def test_a_revoked_access_is_told_at_once_and_not_tried_again(at_yandex: Yandex):
    account = at_yandex.account()
    issuing.take_back(login=account.login)
    assert not renew(account.pk)
    after = fresh(account)
    assert (after.refresh_error_code, after.refresh_at) == ("invalid_grant", None)
    assert after.state == AccountState.CONNECTED, "that the access token is gone is for Metrica to say"
    told = warning_of(after, timezone.now())
    assert told is not None and told.tone == "bad"
    assert "cannot be renewed" in told.text
    assert "“Connect Yandex”" in refresh_problem(after)
    assert not MetricaAccount.objects.refresh_due(timezone.now() + timedelta(days=1000)).exists()


def test_a_wrong_app_password_is_tried_again(at_yandex: Yandex, settings: Any):
    account = at_yandex.account()
    settings.YANDEX_CLIENT_SECRET = "wrong"
    assert not renew(account.pk)
    assert fresh(account).refresh_error_code == "invalid_client"
    settings.YANDEX_CLIENT_ID = settings.YANDEX_CLIENT_SECRET = ""
    at_yandex.make_due(account)
    assert not renew(account.pk)
    assert fresh(account).refresh_error_code == "oauth_not_configured"
    assert fresh(account).refresh_at is not None


def test_a_secret_that_cannot_be_read_here(at_yandex: Yandex, settings: Any):
    from cryptography.fernet import Fernet

    account = at_yandex.account()
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert not renew(account.pk)
    assert fresh(account).refresh_error_code == "unreadable_secret"


def test_a_person_who_is_quicker_wins(at_yandex: Yandex, monkeypatch: pytest.MonkeyPatch):
    """The fresh token of a renewal that came too late is ended, not left about."""
    account = at_yandex.account()
    asked = renewal._asked

    def meanwhile(held: MetricaAccount) -> Any:
        answer = asked(held)
        disconnect_account(account=held, reason="x", forget_token=True)
        return answer

    monkeypatch.setattr(renewal, "_asked", meanwhile)
    assert not renew(account.pk)
    after = fresh(account)
    assert (after.state, after.token_encrypted, after.refresh_token_encrypted) == (AccountState.DISCONNECTED, "", "")
    assert at_yandex.live() == 0


def test_a_refused_token_is_renewed_and_the_account_comes_back(at_yandex: Yandex):
    """The access token ended early, the refresh token did not: nobody needs to do anything."""
    account = at_yandex.connect().account
    counter = make_counter(account=account)
    MetricaAccount.objects.update(refreshed_at=timezone.now() - timedelta(days=1))
    disconnect_account(account=account, reason="Metrica refused the token")
    counter.refresh_from_db()
    revision = counter.revision
    assert block_reason(counter) == "account_disconnected"
    assert renew(account.pk)
    counter.refresh_from_db()
    assert counter.revision == revision + 1, "held orders are looked at again"
    after = fresh(account)
    assert (after.state, after.state_reason) == (AccountState.CONNECTED, "")


def test_a_token_that_is_refused_right_after_its_renewal_is_left_alone(at_yandex: Yandex):
    """Else the two would go round in circles."""
    account = at_yandex.connect().account
    disconnect_account(account=account, reason="Metrica refused the token")
    assert not renew(account.pk)
    assert fresh(account).state == AccountState.DISCONNECTED


def test_the_tick_sends_due_accounts_to_the_workers(at_yandex: Yandex):
    account = at_yandex.account()
    at_yandex.connect("south-metrica")
    scheduler.tick()
    messages = [message.task for message in OrmQ.objects.all()]
    mine = [task for task in messages if task["func"] == "apps.counters.tasks.renew_token"]
    assert [task["args"] for task in mine] == [(account.pk,)]
    from apps.counters.tasks import renew_token

    renew_token(account.pk)
    assert fresh(account).refresh_at > timezone.now()
    assert AuditEntry.objects.get(action="account.renewed").actor_kind == "system"
    OrmQ.objects.all().delete()
    assert scheduler.renew_tokens() == 0


def test_closed_agencies_renew_nothing(at_yandex: Yandex):
    account = at_yandex.account()
    at_yandex.agency.is_active = False
    at_yandex.agency.save()
    assert not renew(account.pk)


NOW = timezone.now()


@pytest.mark.parametrize(
    ("life", "after"),
    [
        (timedelta(days=365), timedelta(days=90)),
        (timedelta(hours=3), timedelta(hours=2)),
        (timedelta(minutes=1), timedelta(seconds=40)),
        (None, timedelta(days=90)),
    ],
)
def test_when_a_token_is_renewed(life: timedelta | None, after: timedelta):
    assert renew_at(now=NOW, expires_at=NOW + life if life else None) == NOW + after


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "tone"),
    [
        ({}, None),
        ({"token_expires_at": NOW + timedelta(days=31)}, None),
        ({"token_expires_at": NOW + timedelta(days=29)}, "warn"),
        ({"token_expires_at": NOW + timedelta(days=6)}, "bad"),
        ({"token_expires_at": NOW - timedelta(days=1)}, "bad"),
        ({"state": "disconnected"}, "bad"),
        ({"refresh_token_encrypted": "x", "token_expires_at": NOW + timedelta(hours=1), "refresh_at": NOW}, None),
        ({"refresh_token_encrypted": "x", "refresh_at": NOW - timedelta(days=2)}, "warn"),
        ({"refresh_token_encrypted": "x", "refresh_at": NOW, "refresh_error_code": "oauth_not_sent"}, "warn"),
        ({"refresh_token_encrypted": "x", "refresh_at": None, "refresh_error_code": "invalid_grant"}, "bad"),
        (
            {
                "refresh_token_encrypted": "x",
                "refresh_at": NOW,
                "refresh_error_code": "oauth_not_sent",
                "token_expires_at": NOW + timedelta(days=2),
            },
            "bad",
        ),
    ],
)
def test_what_somebody_should_know(fields: dict[str, Any], tone: str | None):
    account = make_account(make_agency())
    for name, value in fields.items():
        setattr(account, name, value)
    told = warning_of(account, NOW)
    assert (told and told.tone) == tone
    if told:
        assert account.login in told.text
    assert not yandex.is_configured()


def test_a_call_with_the_former_token_does_not_disconnect_what_was_renewed_meanwhile(at_yandex: Yandex):
    stale = fresh(at_yandex.account())
    assert renew(stale.pk)
    assert not disconnect_account(account=stale, reason="Metrica refused the token")
    after = fresh(stale)
    assert after.state == AccountState.CONNECTED
    assert yandex.read_test(after) == 2
    assert disconnect_account(account=after, reason="Metrica refused the token")


def test_a_refused_token_does_not_hurry_a_renewal_that_is_under_way(at_yandex: Yandex):
    """A refresh token serves once: whoever is at it now must not be overtaken."""
    account = fresh(at_yandex.account())
    claim = renewal._claim(account.pk)
    assert claim is not None
    assert disconnect_account(account=account, reason="Metrica refused the token")
    assert not MetricaAccount.objects.refresh_due(timezone.now()).filter(pk=account.pk).exists()


def test_a_token_that_came_back_the_same_is_not_ended(at_yandex: Yandex):
    account = at_yandex.connect().account
    token = decrypt(account.token_encrypted)
    assert yandex.is_kept(account_id=account.pk, token=token)
    assert not yandex.is_kept(account_id=account.pk, token="another")
