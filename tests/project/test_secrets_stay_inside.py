"""Secrets that were let in come out nowhere: not in the log, in no table, on no page, in no error and in no ledger.

Each is marked, the application is driven through what it does with them, errors included, and then everything that it
left behind is searched.
"""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client as Browser
from django.test.utils import override_settings
from django.urls import path
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.agencies import second_step
from apps.agencies.services import password_link
from apps.counters.gateway import metrica_client
from apps.counters.services import Consent, connect_account
from apps.hooks import door
from apps.hooks.services import create_endpoint
from apps.metrica.errors import MetricaError
from project import logs, urls
from tests.admin.access import found
from tests.admin.access.conftest import world
from tests.admin.access.table import ADDRESSES
from tests.admin.access.world import World, asked
from tests.agencies.test_second_step import code_of, forget_waits
from tests.factories import SYSTEM, make_key
from tests.metrica.servers import answering

__all__ = ["world"]

OAUTH, REFRESH = "y0_markedoauthtoken1234567890", "1:markedrefreshtoken1234567890"
PASSWORD, WRONG, WEBHOOK = (
    "marked-password-7777",
    "marked-wrong-password-8888",
    "whsec_bWFya2Vkd2ViaG9va3NlY3JldDEyMzQ1Ng==",
)
SECRET_KEY, APP_SECRET, BOT = "marked-secret-key-" + "k" * 40, "marked-app-secret", "7777:marked-bot-token"
PLAIN_IN = {"otp_totp_totpdevice"}
"""Where the key of the second step stands as it is: django-otp keeps it so (docs/security.md)."""


def fails(request: Any) -> HttpResponse:
    password = request.POST.get("password") or request.headers.get("Authorization")
    raise RuntimeError(f"on purpose, with {len(password or '')} characters of it at hand")


urlpatterns = [*urls.urlpatterns, path("fails/", fails), path("api/fails/", fails)]
handler500 = urls.handler500


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the project writes to its log, as in production and as while developing."""
    stream, root, handlers = io.StringIO(), logging.getLogger(), []
    for debug in (False, True):
        facts = dict(logs.config(debug=debug)["formatters"]["line"])
        make = facts.pop("()")
        handlers.append(handler := logging.StreamHandler(stream))
        handler.setFormatter(make(**facts))
        root.addHandler(handler)
    yield stream
    for handler in handlers:
        root.removeHandler(handler)


@pytest.fixture
def secrets(settings: Any) -> dict[str, str]:
    settings.SECRET_KEY, settings.YANDEX_CLIENT_SECRET, settings.TELEGRAM_BOT_TOKEN = SECRET_KEY, APP_SECRET, BOT
    marked = {"oauth": OAUTH, "refresh": REFRESH, "password": PASSWORD, "wrong": WRONG, "webhook": WEBHOOK}
    return {**marked, "SECRET_KEY": SECRET_KEY, "app": APP_SECRET, "bot": BOT}


@pytest.mark.django_db
def test_no_secret_comes_out(
    world: World, secrets: dict[str, str], log: io.StringIO, capsys: pytest.CaptureFixture[str]
):
    _key, secrets["api key"] = make_key(world.place.agency, name="marked")
    _metrica(world)
    create_endpoint(
        agency=world.place.agency, name="marked", url="https://crm.example/in", events=["order.held"], secret=WEBHOOK
    )
    with pytest.raises(door.NotReached):
        door.post("https://127.0.0.1:61234/", body=b"{}", headers={"X-Signature": WEBHOOK})
    with override_settings(ROOT_URLCONF=__name__, DEBUG=False, ALLOWED_HOSTS=["testserver"]):
        answers = _driven(world, secrets)

    told = capsys.readouterr()
    for name, secret in secrets.items():
        assert secret not in log.getvalue() + told.out + told.err, f"{name} is in the log"
        assert secret not in answers, f"{name} is in an answer"
    assert "on purpose" in log.getvalue(), "the log was not looked at"
    for table, text in _tables():
        for name, secret in secrets.items():
            if not (name == "second step" and table in PLAIN_IN):
                assert secret not in text, f"{name} is in {table}"
    _pages(world, secrets)


def _driven(world: World, secrets: dict[str, str]) -> str:
    """What is answered to everything that is done with them, errors of every kind included."""
    place, answers = world.place, io.StringIO()
    headers = {"Authorization": f"Bearer {secrets['api key']}"}
    owner, nobody = Browser(raise_request_exception=False), Browser(raise_request_exception=False)
    _passwords(world, owner, nobody, secrets)
    for browser in (owner, nobody):
        for url in ("/fails/", "/api/fails/", "/nowhere/"):
            for answer in (
                browser.post(url, {"password": PASSWORD, "token": OAUTH}, headers=headers),
                browser.get(url, headers=headers),
            ):
                answers.write(answer.content.decode())
    for url in ("counters/", f"counters/{place.counter.metrica_id}/orders/", "nowhere/"):
        body = json.dumps({"id": "D-9", "token": "x"})
        answer = nobody.post(f"/api/v1/{url}", body, content_type="application/json", headers=headers)
        answers.write(answer.content.decode())
    account = f"/admin/counters/metricaaccount/{place.account.pk}"
    answers.write(owner.post(f"{account}/connect/", {"token": f"{OAUTH} x", "token_expires_at": ""}).content.decode())
    answers.write(owner.post(f"{account}/check/").content.decode())
    with suppress(CommandError):  # of this world it has something to say
        call_command("doctor", "--offline", stdout=answers)
    return answers.getvalue()


def _metrica(world: World) -> None:
    """A server that says again what it was told, as some do in their errors."""
    place = world.place
    consent = Consent(refresh_token=REFRESH, scopes=("metrika:read",), confirmed_login="marked")
    said = {
        "errors": [{"error_type": "invalid_token", "message": f"token {OAUTH} is no good"}],
        "code": 500,
        "message": OAUTH,
    }
    with answering(500, said) as server:
        account = connect_account(
            agency=place.agency, login=place.account.login, token=OAUTH, base_url=server.url, consent=consent
        )
        with metrica_client(account) as client, pytest.raises(MetricaError) as refusal:
            client.counters()
    assert OAUTH not in f"{refusal.value!r} {refusal.value} {refusal.value.detail}"
    assert OAUTH not in repr(client)
    assert REFRESH not in repr(consent)


def _passwords(world: World, owner: Browser, nobody: Browser, secrets: dict[str, str]) -> None:
    user = world.place.owner
    page = nobody.get(password_link(actor=SYSTEM, member=user.memberships.get()), follow=True)
    nobody.post(page.redirect_chain[-1][0], {"new_password1": PASSWORD, "new_password2": WRONG})
    nobody.post(page.redirect_chain[-1][0], {"new_password1": PASSWORD, "new_password2": PASSWORD})
    nobody.post("/admin/login/", {"username": user.email, "password": WRONG})
    assert owner.post("/admin/login/", {"username": user.email, "password": PASSWORD}).status_code == 302
    owner.get("/admin/profile/second-step/")
    device = TOTPDevice.objects.get(user=user)
    secrets["second step"], secrets["second step, spelled"] = device.key, second_step.spelled(device).replace(" ", "")
    codes = second_step.switch_on(user=user, code=code_of(user))
    secrets["backup code"], secrets["backup code, plain"] = codes[0], codes[0].replace("-", "")
    forget_waits()
    owner.post("/admin/login/", {"username": user.email, "password": PASSWORD})
    owner.post("/admin/login/code/", {"code": "zzzzz-zzzzz"})
    forget_waits()
    owner.post("/admin/login/code/", {"code": codes[0]})
    secrets.pop("backup code")  # spent: it is tried below no more
    secrets.pop("backup code, plain")
    secrets["another backup code"] = codes[1]


def _tables() -> Iterator[tuple[str, str]]:
    """Every table as text."""
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {quote(table)}")
            yield table, "\n".join(map(repr, cursor.fetchall()))


def _pages(world: World, secrets: dict[str, str]) -> None:
    browser = Browser(raise_request_exception=False)
    staff = world.people["staff"]
    assert staff is not None
    browser.force_login(staff)
    for address in found.addresses():
        if not address.group.startswith(("counters_", "hooks_", "agencies_", "alerts_channel", "audit_", "site")):
            continue
        if "logout" in address.route or address.key in ("second-step", "fails/", "api/fails/"):
            continue
        url = found.written(address, found.values_of(world, address.group))
        answer: Any = browser.get(url, asked(ADDRESSES[address.key].query, world) or {})
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        for name, secret in secrets.items():
            assert secret.encode() not in content, f"{name} is on {url}"
