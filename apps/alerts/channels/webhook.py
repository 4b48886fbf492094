"""Alerts for programs: one signed POST of JSON a message. How to check the signature: see apps/hooks/signing.py."""

import json
from collections.abc import Sequence

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext as _

from apps.alerts.channels.outcome import NotSent, Sent
from apps.alerts.messages import Message
from apps.alerts.models import Channel
from apps.counters.encryption import UnreadableSecret, decrypt
from apps.hooks import door, signing
from apps.metrica.text import Text


def problem(channel: Channel) -> Text:
    return "" if channel.url else _("No address is given yet.")


def send(channel: Channel, message: Message, to: Sequence[str]) -> Sent:
    """Taken is what is answered with a status below 300. Raises NotSent."""
    try:
        secret = decrypt(channel.secret_encrypted)
    except UnreadableSecret:
        told = _("The secret cannot be decrypted with ENCRYPTION_KEYS. Make a new one on the channel's page.")
        raise NotSent("secret_unreadable", told) from None
    body = json.dumps(message.payload, cls=DjangoJSONEncoder, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        signing.HEADER: signing.sign(body=body, secrets=[secret]),
    }
    try:
        answer = door.post(channel.url, body=body, headers=headers)
    except (door.DoorClosed, door.NotReached) as error:
        raise NotSent(error.code, str(error)) from None
    if answer.status >= 300:
        told = _("The receiver answered %(status)s: %(said)s")
        told %= {"status": answer.status, "said": answer.body[:200] or "—"}
        raise NotSent("receiver_refused", told, retry_after=answer.retry_after)
    return Sent()
