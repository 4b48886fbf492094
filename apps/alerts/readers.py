"""Whom a channel's mail reaches, and what of it each may read (R11)."""

from dataclasses import dataclass

from apps.alerts.models import Alert, Channel, ChannelKind


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a channel reaches. `counters`: numbers of those that a member is limited to; None: no limit."""

    address: str
    counters: frozenset[int] | None = None

    def may_read(self, alert: Alert) -> bool:
        """As on the pages (R11): who is limited sees alerts of their counters, and none of what concerns an account or
        all of the agency."""
        if self.counters is None:
            return True
        return alert.counter is not None and alert.counter.metrica_id in self.counters


def readers(channel: Channel) -> list[Reader]:
    """The members as they are now, and the other addresses; each once. No query where the members are read ahead."""
    limits = [
        (member.user.email, None if member.counter_ids is None else frozenset(member.counter_ids))
        for member in channel.members.all()
        if member.user.is_active
    ]
    known = {address for address, _limit in limits}
    return [Reader(*one) for one in limits] + [
        Reader(address) for address in dict.fromkeys(channel.addresses) if address not in known
    ]


def recipients(channel: Channel) -> list[str]:
    return [reader.address for reader in readers(channel)]


def is_for_somebody(channel: Channel, alert: Alert) -> bool:
    """Whether anybody there may read of it. True where nobody is chosen yet: that is another trouble."""
    if channel.kind != ChannelKind.EMAIL:
        return True
    reached = readers(channel)
    return not reached or any(reader.may_read(alert) for reader in reached)
