"""Goalpost's app at the sandbox's OAuth, a login with counters, and a person who consents over real HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.utils import timezone

from apps.agencies.models import Agency
from apps.counters import yandex
from apps.counters.models import MetricaAccount
from apps.metrica.oauth import Pkce
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxGrant, SandboxToken
from apps.sandbox.oauth import issuing
from tests.factories import make_agency

APP, SECRET, LOGIN = "goalpost-app", "goalpost-app-secret", "north-metrica"


@dataclass
class Yandex:
    """The sandbox as Yandex, seen from an agency that connects its logins there."""

    agency: Agency
    url: str

    def consent(self, login: str = LOGIN, **more: Any) -> tuple[str, str]:
        """A person gave access: the code, and the verifier that goes with it."""
        pkce = Pkce.new()
        address = yandex.authorize_url(
            agency_id=self.agency.pk,
            state="s",
            challenge=pkce.challenge,
            redirect_uri=more.pop("redirect_uri", ""),
            login_hint="",
            force_confirm=True,
        )
        with httpx.Client() as http:
            page = http.get(address)
            assert page.status_code == 200, page.text
            token = page.text.split('name="csrfmiddlewaretoken" value="')[-1].split('"')[0]
            form = {
                "csrfmiddlewaretoken": token,
                "login": login,
                "answer": "confirm",
                "allow": ["metrika:write"],
                **more,
            }
            answer = http.post(address, data=form, headers={"Referer": address})
        told = parse_qs(urlsplit(answer.headers["Location"]).query)
        return told["code"][0], pkce.verifier

    def connect(self, login: str = LOGIN, **more: Any) -> yandex.Connected:
        options = {name: more.pop(name) for name in ("typed_login", "account", "agency") if name in more}
        code, verifier = self.consent(login, **more)
        return yandex.connect(**{"agency": self.agency, "code": code, "verifier": verifier, **options})

    def account(self, login: str = LOGIN) -> MetricaAccount:
        """A connected account whose renewal is due."""
        account = self.connect(login).account
        self.make_due(account)
        return account

    def make_due(self, account: MetricaAccount) -> None:
        MetricaAccount.objects.filter(pk=account.pk).update(refresh_at=timezone.now())

    def grants(self, login: str = LOGIN) -> list[SandboxGrant]:
        """What the sandbox issued to apps, the oldest first."""
        return list(SandboxGrant.objects.filter(token__login=login).select_related("token").order_by("pk"))

    def live(self, login: str = LOGIN) -> int:
        return SandboxGrant.objects.alive(timezone.now()).filter(token__login=login).count()

    def secrets(self) -> list[str]:
        """Every token and refresh token that the sandbox ever issued, and the app's password."""
        held = SandboxToken.objects.values_list("token", flat=True)
        return [SECRET, *held, *filter(None, SandboxGrant.objects.values_list("refresh_token", flat=True))]


@pytest.fixture
def at_yandex(transactional_db: None, live_server: Any, settings: Any) -> Iterator[Yandex]:
    url = f"{live_server.url}/sandbox"
    settings.METRICA_URL = settings.YANDEX_OAUTH_URL = url
    settings.YANDEX_LOGIN_URL = f"{url}/info"
    settings.YANDEX_CLIENT_ID, settings.YANDEX_CLIENT_SECRET = APP, SECRET
    settings.METRICA_TIMEOUT_SECONDS = 5
    callback = f"{live_server.url}/admin/counters/metricaaccount/yandex/callback/"
    issuing.create_app(client_id=APP, client_secret=SECRET, name="Goalpost", redirect_uris=[callback])
    sandbox.create_counter(
        metrica_id=40000001, name="Dental", site="dental.example", owner_login=LOGIN, goals=["zapis1", "zapis2"]
    )
    sandbox.create_counter(metrica_id=40000002, name="Coffee", site="coffee.example", owner_login=LOGIN)
    yield Yandex(make_agency(), url)
