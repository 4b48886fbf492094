"""The ways to people, one file each: `send(channel, message, to)` and `problem(channel)`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

from apps.alerts.channels import mail, telegram, webhook
from apps.alerts.channels.outcome import NotSent, Sent
from apps.alerts.messages import Message
from apps.alerts.models import Channel, ChannelKind
from apps.metrica.text import Text

__all__ = ["NotSent", "Sent", "problem", "send"]


@dataclass(frozen=True, slots=True)
class _Way:
    send: Callable[..., Sent]
    problem: Callable[[Channel], Text]


def _way(module: ModuleType) -> _Way:
    return _Way(module.send, module.problem)


_WAYS = {ChannelKind.EMAIL: _way(mail), ChannelKind.TELEGRAM: _way(telegram), ChannelKind.WEBHOOK: _way(webhook)}


def problem(channel: Channel) -> Text:
    """What is still to be set up before anything can be sent, as a sentence; empty where nothing is."""
    return _WAYS[ChannelKind(channel.kind)].problem(channel)


def send(channel: Channel, message: Message, *, to: Sequence[str] = ()) -> Sent:
    """Send the message once, outside any transaction. `to`: of an e-mail, only these recipients. Raises NotSent."""
    if missing := problem(channel):
        raise NotSent("not_set_up", str(missing))
    return _WAYS[ChannelKind(channel.kind)].send(channel, message, to)
