"""Alerts by Telegram: the installation's one bot writes into a chat, which proves itself by a code."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from apps.alerts.channels.outcome import NotSent, Sent
from apps.alerts.messages import Message
from apps.alerts.models import Channel
from apps.hooks import door
from apps.metrica.text import Text

TIMEOUT = 15.0
UPDATES_READ = 100
UPDATES_BYTES = 512 * 1024


def code_of(channel: Channel) -> str:
    """What is to be written to the bot in the chat that the channel shall use. Only this agency can read it."""
    return f"goalpost-{salted_hmac('apps.alerts.telegram', str(channel.pk), algorithm='sha256').hexdigest()[:12]}"


def problem(channel: Channel) -> Text:
    if not settings.TELEGRAM_BOT_TOKEN:
        return _("This installation has no Telegram bot yet: its owner writes TELEGRAM_BOT_TOKEN.")
    return "" if channel.chat_id else _("The chat is not known yet. The steps below find it.")


def send(channel: Channel, message: Message, to: Sequence[str]) -> Sent:
    """Raises NotSent."""
    _call(
        "sendMessage",
        {
            "chat_id": channel.chat_id,
            "text": message.telegram or message.text,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        },
    )
    return Sent()


def bot_name(*, timeout: float = TIMEOUT) -> str:
    """The bot's @name, without the sign. Raises NotSent."""
    return str(_call("getMe", {}, timeout=timeout)["username"])


def find_chat(channel: Channel) -> tuple[str, str] | None:
    """Id and title of the chat in which somebody lately wrote the channel's code to the bot; None if nobody did.

    Raises NotSent. The bot must not have a webhook of its own: Telegram then keeps its messages from us.
    """
    wanted = code_of(channel)
    updates = _call("getUpdates", {"offset": -UPDATES_READ, "limit": UPDATES_READ}, most=UPDATES_BYTES)
    for update in reversed(updates):
        told = update.get("message") or update.get("channel_post") or {}
        if wanted in str(told.get("text", "")):
            chat = told.get("chat", {})
            names = (chat.get(key) for key in ("title", "username", "first_name"))
            return str(chat["id"]), next((str(name) for name in names if name), str(chat["id"]))
    return None


def _call(method: str, body: Mapping[str, Any], *, most: int = door.MAX_ANSWER_BYTES, timeout: float = TIMEOUT) -> Any:
    """`result` of Telegram's answer. The token is part of the address, so no address gets into a message."""
    url = f"{settings.TELEGRAM_API_URL}/bot{settings.TELEGRAM_BOT_TOKEN}/{method}"
    headers = {"Content-Type": "application/json"}
    try:
        answer = door.post(url, body=json.dumps(body).encode(), headers=headers, timeout=timeout, most_bytes=most)
    except (door.DoorClosed, door.NotReached) as error:
        raise NotSent(f"telegram_{error.code}", f"Telegram: {error}") from None
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = {}
    if isinstance(said, dict) and said.get("ok") is True:
        return said.get("result")
    raise _refusal(answer.status, said if isinstance(said, dict) else {})


def _refusal(status: int, said: Mapping[str, Any]) -> NotSent:
    description = str(said.get("description", ""))[:300]
    if status == 429:
        wait = (said.get("parameters") or {}).get("retry_after")
        return NotSent("telegram_busy", _("Telegram asks to wait."), retry_after=float(wait) if wait else None)
    if status in (401, 404):
        return NotSent("telegram_token", _("Telegram does not know the bot. Check TELEGRAM_BOT_TOKEN."))
    if status == 403:
        told = _("The bot may not write into this chat: let it in again, or unblock it. Telegram says: %(said)s")
        return NotSent("telegram_forbidden", told % {"said": description})
    told = _("Telegram did not take the message (%(status)s): %(said)s")
    return NotSent("telegram_refused", told % {"status": status, "said": description or "—"})
