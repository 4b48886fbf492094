"""An account's own Metrica address: platform staff write it, and it leads to nothing that only this machine reaches."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from apps.counters.addresses import checked_address, reach_of
from apps.counters.gateway import metrica_client
from apps.counters.models import ApiCall, MetricaAccount
from apps.counters.services import connect_account, update_account
from apps.metrica.errors import NotSent
from tests.factories import make_account, make_agency, make_member, make_staff

ACCOUNTS = "/admin/counters/metricaaccount/"


@pytest.fixture(autouse=True)
def _as_in_production(settings: Any) -> None:
    settings.OUTGOING_ALLOWED_NETWORKS, settings.OUTGOING_PLAIN_HTTP = [], False


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("https://127.0.0.1", "not_public"),
        ("https://localhost:8000/sandbox", "not_public"),
        ("https://[::1]", "not_public"),
        ("https://10.0.0.8/", "not_public"),
        ("https://169.254.169.254/latest", "not_public"),
        ("http://metrica.example", "plain_http"),
        ("ftp://metrica.example", "bad_address"),
        ("https://me:secret@metrica.example", "bad_address"),
        ("https://metrica.example/?a=b", "bad_address"),
        ("https://metrica.example/#a", "bad_address"),
        ("https://metrica.example:port", "bad_address"),
        ("https://", "bad_address"),
        ("https://metrica.example\\@10.0.0.8", "bad_address"),
        ("javascript:alert(1)", "bad_address"),
    ],
)
def test_addresses_that_are_refused(text: str, code: str):
    with pytest.raises(ValidationError) as refusal:
        checked_address(text)
    assert refusal.value.error_dict["base_url"][0].code == code


def test_addresses_that_are_taken(settings: Any):
    assert checked_address(" https://metrica.example/ ") == "https://metrica.example"
    assert checked_address("") == ""
    settings.METRICA_URL = "http://127.0.0.1:9000/sandbox"  # the platform's own word
    assert checked_address("http://127.0.0.1:9000/other") == "http://127.0.0.1:9000/other"


@pytest.mark.django_db
def test_no_service_takes_another():
    agency = make_agency()
    account = make_account(agency)
    with pytest.raises(ValidationError):
        connect_account(agency=agency, login="new", token="y0_test", base_url="https://10.0.0.8")
    with pytest.raises(ValidationError):
        update_account(account=account, login="new", base_url="https://10.0.0.8")
    assert MetricaAccount.objects.get().base_url == ""


@pytest.mark.django_db
def test_the_settings_address_is_trusted_and_no_other(settings: Any):
    account = make_account(base_url="https://metrica.example")
    assert reach_of(account) is not None
    account.base_url = ""
    assert reach_of(account) is None
    settings.METRICA_URL = "https://metrica.example"
    account.base_url = "https://metrica.example/x"
    assert reach_of(account) is None


@pytest.mark.django_db
def test_what_was_written_before_is_looked_at_when_it_is_called(live_server: Any):
    account = make_account()
    MetricaAccount.objects.filter(pk=account.pk).update(base_url=f"{live_server.url}/sandbox")
    account.refresh_from_db()
    with metrica_client(account) as client, pytest.raises(NotSent) as refusal:
        client.counters()
    assert "OUTGOING_ALLOWED_NETWORKS" in refusal.value.detail
    assert ApiCall.objects.get().outcome == "transient"


@pytest.mark.django_db
def test_only_the_platforms_staff_write_it(settings: Any):
    agency = make_agency()
    staff, owner = Browser(), Browser()
    staff.force_login(make_staff())
    owner.force_login(make_member(agency))
    settings.SANDBOX = True
    new = {"login": "login", "token": "y0_test", "base_url": "https://metrica.example", "token_expires_at": ""}
    owner.post(f"{ACCOUNTS}add/", new)
    account = MetricaAccount.objects.get()
    assert account.base_url == ""
    assert "base_url" not in owner.get(f"{ACCOUNTS}{account.pk}/connect/").content.decode()
    owner.post(f"{ACCOUNTS}{account.pk}/connect/", new)
    account.refresh_from_db()
    assert account.base_url == ""
    assert (
        "private network"
        in staff.post(f"{ACCOUNTS}{account.pk}/connect/", {**new, "base_url": "https://10.0.0.8"}).content.decode()
    )
    staff.post(f"{ACCOUNTS}{account.pk}/connect/", new)
    account.refresh_from_db()
    assert account.base_url == "https://metrica.example"
