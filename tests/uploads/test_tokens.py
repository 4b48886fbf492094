"""What an upload proves of its account's token, and what happens when the token changes or ends under way."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.counters.encryption import encrypt
from apps.counters.models import AccountState, MetricaAccount
from apps.counters.services import connect_account
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxToken
from apps.uploads import sender
from apps.uploads.models import JobState
from tests.uploads.conftest import Shop


def account_of(shop: Shop) -> MetricaAccount:
    assert shop.counter.account_id is not None
    return MetricaAccount.objects.get(pk=shop.counter.account_id)


def test_a_passed_upload_proves_the_right(shop: Shop):
    assert account_of(shop).last_upload_ok_at is None
    shop.push("D-1", "PAID")
    assert shop.upload().state == JobState.SUCCEEDED
    assert account_of(shop).last_upload_ok_at is not None


def test_a_refused_upload_proves_nothing(shop: Shop):
    sandbox.add_fault(kind="failed", count=None)
    shop.push("D-1", "PAID")
    shop.upload()
    assert account_of(shop).last_upload_ok_at is None


def test_another_token_has_to_prove_itself(shop: Shop):
    shop.push("D-1", "PAID")
    shop.upload()
    account = account_of(shop)
    connect_account(agency=account.agency, login=account.login, token="another", base_url=account.base_url)
    assert account_of(shop).last_upload_ok_at is None


def test_a_token_renewed_under_way_costs_one_attempt_and_nothing_else(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """The file left with the old token, which the renewal has ended: it goes once more with the new one."""
    account = account_of(shop)
    site = shop.site
    make = sender.metrica_client

    def renewed_meanwhile(*args: Any, **options: Any) -> Any:
        client = make(*args, **options)
        if SandboxToken.objects.filter(login=site.owner_login).count() == 1:
            SandboxToken.objects.filter(login=site.owner_login).update(revoked=True)
            SandboxToken.objects.create(token="renewed", login=site.owner_login)
            MetricaAccount.objects.filter(pk=account.pk).update(token_encrypted=encrypt("renewed"))
        return client

    monkeypatch.setattr(sender, "metrica_client", renewed_meanwhile)
    shop.push("D-1", "PAID")
    assert shop.upload().state == JobState.SUCCEEDED
    assert account_of(shop).state == AccountState.CONNECTED
    assert shop.all_delivered()
    (upload,) = shop.uploads()
    assert upload.attempts == 2


def test_a_refused_token_that_can_be_renewed_is_due_at_once(shop: Shop):
    account = account_of(shop)
    later = timezone.now() + timedelta(days=50)
    MetricaAccount.objects.filter(pk=account.pk).update(refresh_token_encrypted=encrypt("r"), refresh_at=later)
    SandboxToken.objects.filter(login=shop.site.owner_login).update(revoked=True)
    shop.push("D-1", "PAID")
    assert shop.upload().state == JobState.FAILED
    after = account_of(shop)
    assert after.state == AccountState.DISCONNECTED
    assert MetricaAccount.objects.refresh_due(timezone.now()).filter(pk=account.pk).exists()
