"""Real ways to people on the loopback: a mail server, a Telegram, a receiver of webhooks; and an agency looked at."""

import email
import email.policy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.utils import timezone

from apps.agencies.models import Agency
from apps.alerts import looking, services, telling
from apps.alerts.models import Alert, AlertRules, Channel, ChannelKind
from project.processes import free_port
from tests.hooks.receiver import Came, Receiver
from tests.uploads.conftest import Shop, make_shop, quick, shop

__all__ = ["make_shop", "quick", "shop"]

BOT = "123456:bot-secret"
SITE = "https://goalpost.example"


@dataclass
class PostOffice:
    """A mail server. `refuse`: what it answers to an address instead of taking it; `refuse_mail`: to a mail for it."""

    letters: list[EmailMessage] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    refuse_mail: dict[str, str] = field(default_factory=dict)
    closed: str = ""
    port: int = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        refusal = self.closed or self.refuse_mail.get(envelope.rcpt_tos[0])
        if refusal:
            return refusal
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 OK"

    def last(self) -> EmailMessage:
        return self.letters[-1]

    def text(self, number: int = -1) -> str:
        return part(self.letters[number], "plain")


def part(letter: EmailMessage, kind: str) -> str:
    found = letter.get_body((kind,))
    assert found is not None
    return str(found.get_content())


@pytest.fixture
def post_office(settings: Any) -> Iterator[PostOffice]:
    office = PostOffice()
    office.port = free_port()
    controller = Controller(office, hostname="127.0.0.1", port=office.port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", office.port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_TIMEOUT = 3
    settings.SITE_URL = SITE
    yield office
    controller.stop()


class Telegram(Receiver):
    """Answers as the Bot API does: `said` are the messages, `updates` what people wrote to the bot."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.answer = self._answer

    @property
    def base(self) -> str:
        return self.url.removesuffix("/hook")

    def _answer(self, request: Came) -> Any:
        token, method = request.path.removeprefix("/bot").rsplit("/", 1)
        body = json.loads(request.body)
        if token != BOT:
            return self._json(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        if self.refusal is not None:
            status, more = self.refusal
            return self._json(status, {"ok": False, "error_code": status, **more})
        if method == "getUpdates":
            return self._json(200, {"ok": True, "result": self.updates[body["offset"] :]})
        if method == "getMe":
            return self._json(200, {"ok": True, "result": {"id": 1, "is_bot": True, "username": "goalpost_duty_bot"}})
        if method == "sendMessage":
            if len(body["text"]) > 4096:
                return self._json(400, {"ok": False, "description": "Bad Request: message is too long"})
            self.said.append(body)
            return self._json(200, {"ok": True, "result": {"message_id": len(self.said)}})
        return self._json(404, {"ok": False, "error_code": 404, "description": "Not Found"})

    @staticmethod
    def _json(status: int, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        return status, {"Content-Type": "application/json"}, json.dumps(body).encode()

    def hears(self, chat: int, title: str, text: str) -> None:
        chat_facts = {"id": chat, "type": "group", "title": title}
        self.updates.append({"update_id": len(self.updates) + 1, "message": {"chat": chat_facts, "text": text}})


@pytest.fixture
def telegram(settings: Any) -> Iterator[Telegram]:
    with Telegram() as running:
        settings.TELEGRAM_API_URL = running.base
        settings.TELEGRAM_BOT_TOKEN = BOT
        settings.SITE_URL = SITE
        yield running


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.SITE_URL = SITE
    with Receiver() as running:
        yield running


@dataclass
class Watch:
    """An agency as the tick sees it. `later`: the look is had so much later than now."""

    agency: Agency

    @property
    def rules(self) -> AlertRules:
        return services.rules_of(self.agency)

    def set(self, *, off: list[str] | None = None, **thresholds: int) -> None:
        services.change_rules(rules=self.rules, off=self.rules.off if off is None else off, **thresholds)

    def look(self, later: timedelta = timedelta(0)) -> dict[str, Alert]:
        """Open alerts by cause."""
        looking.look(self.rules, now=timezone.now() + later)
        return self.open()

    def open(self) -> dict[str, Alert]:
        return {alert.cause: alert for alert in Alert.objects.open().filter(agency=self.agency)}

    def channel(self, name: str = "Duty", **fields: Any) -> Channel:
        """By e-mail to duty@north.example where nothing else is said."""
        given: dict[str, Any] = {"kind": ChannelKind.EMAIL, "time_zone": "Europe/Moscow", "name": name}
        if fields.get("kind", ChannelKind.EMAIL) == ChannelKind.EMAIL and "members" not in fields:
            given["addresses"] = ["duty@north.example"]
        return services.save_channel(agency=self.agency, **{**given, **fields})[0]

    def tell(self, channel: Channel) -> bool:
        """The worker's part, if the look has found something to tell."""
        looking.mark_channels(self.rules, now=timezone.now())
        return telling.tell(channel.pk)


@pytest.fixture
def watch(shop: Shop) -> Watch:
    shop.counter.agency.name = "North Agency"
    shop.counter.agency.save()
    return Watch(shop.counter.agency)


@pytest.fixture
def trouble(shop: Shop, watch: Watch) -> Callable[[], Alert]:
    """A status that nobody has mapped holds an order: one warning. Mapping it ends the trouble."""

    def make() -> Alert:
        watch.set(held_count=1)
        shop.push("T-1", "unheard of")
        return watch.look()["holds_waiting"]

    return make
