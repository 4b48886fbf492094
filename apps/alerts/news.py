"""What a channel is to be told now: what is true, is wanted there, and was not told yet."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.alerts.models import Alert, AlertMute, AlertRules, Channel, Ending, Stage, Told
from apps.alerts.readers import is_for_somebody

MOST = 500
"""Open alerts that are looked at; the urgent ones and the newest come first."""


@dataclass(frozen=True, slots=True)
class Item:
    """One alert in a message."""

    alert: Alert
    stage: Stage

    @property
    def key(self) -> list[str]:
        """As a delivery keeps it."""
        return [str(self.alert.pk), self.stage.value, self.alert.severity]


def of(channel: Channel, *, rules: AlertRules, now: datetime) -> list[Item]:
    """The channel's news, the most urgent first. Three queries; the channel's counters and members are read ahead.

    In quiet hours only what breaks through; the rest is news at their end, if it is still true by then.
    """
    quiet = channel.is_quiet(now)
    items = []
    still = list(Alert.objects.open().filter(agency=channel.agency_id).with_subjects().worst_first()[:MOST])
    told = {one.alert_id: one for one in Told.objects.filter(channel=channel, alert__in=still)}
    muted = muted_of(channel.agency_id, now=now)
    again = now - timedelta(hours=rules.remind_hours)
    for alert in still:
        if (alert.cause, alert.subject) in muted or not wants(channel, alert):
            continue
        before = told.get(alert.pk)
        grew_worse = before is not None and alert.is_urgent and before.severity != alert.severity
        news = before is None or grew_worse
        if quiet and not (news and alert.is_urgent and channel.urgent_breaks_quiet):
            continue
        if before is None:
            items.append(Item(alert, Stage.OPENED))
        elif grew_worse or before.at <= again:
            items.append(Item(alert, Stage.STILL))
    if not quiet:
        over = Told.objects.filter(channel=channel, alert__ending=Ending.OVER).exclude(stage=Stage.OVER)
        items += [
            Item(one.alert, Stage.OVER)
            for one in over.select_related("alert__counter", "alert__account").order_by("pk")[:MOST]
        ]
    return [item for item in items if is_for_somebody(channel, item.alert)]


def muted_of(agency_id: int, *, now: datetime) -> set[tuple[str, str]]:
    """(cause, subject) of which nobody is to be told now. One query."""
    rows = AlertMute.objects.filter(agency=agency_id, until__gt=now)
    return set(rows.values_list("cause", "subject"))


def wants(channel: Channel, alert: Alert) -> bool:
    """Whether the channel is for such alerts. Where it is for chosen counters, it is for their accounts as well, and
    for what concerns all of the agency. No query where the channel's counters are read ahead."""
    if channel.urgent_only and not alert.is_urgent:
        return False
    if channel.causes and alert.cause not in channel.causes:
        return False
    chosen = list(channel.counters.all())
    if not chosen:
        return True
    if alert.counter_id is not None:
        return any(counter.pk == alert.counter_id for counter in chosen)
    return alert.account_id is None or any(counter.account_id == alert.account_id for counter in chosen)
