"""Tells a channel its news: claimed by one, the attempt committed before anything leaves, what came of it committed
after. What failed goes again later, made anew by what is true then."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from apps.alerts import channels, messages, news
from apps.alerts.channels import NotSent, Sent
from apps.alerts.messages import Message
from apps.alerts.models import Alert, AlertDelivery, AlertRules, Channel, DeliveryState, Stage, Told
from apps.alerts.news import Item
from apps.alerts.readers import readers
from apps.counters import clock, turns
from apps.counters.turns import TurnLost
from apps.hooks import waits

log = structlog.get_logger(__name__)

LEASE = 240.0
"""Seconds; longer than the slowest sending takes."""

MOST_TRIES_OF_THE_REST = 6
"""How often recipients who were put off get a mail that others have."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to tell one channel."""

    channel_id: int
    fence: int

    def write(self, **fields: object) -> None:
        """Raises TurnLost."""
        if not self._mine().update(**fields):
            raise TurnLost

    def _mine(self) -> QuerySet[Channel]:
        return Channel.objects.filter(pk=self.channel_id, fence=self.fence)


def claim(channel_id: int) -> Turn | None:
    """Take a channel that has something to tell and that nobody holds."""
    fence = turns.take(Channel.objects.claimable(clock.present()), channel_id, seconds=LEASE)
    return None if fence is None else Turn(channel_id, fence)


def tell(channel_id: int) -> bool:
    """Send the channel's news, if it has any and it is its time. True if somebody was told."""
    turn = claim(channel_id)
    if turn is None:
        return False
    try:
        return _tell(turn)
    except TurnLost:
        log.warning("another worker took the channel over", channel=channel_id)
        return False


def _tell(turn: Turn) -> bool:
    channel = _read(turn.channel_id)
    prepared = _prepare(turn, channel)
    if prepared is None:
        return False
    delivery, message = prepared
    try:
        with translation.override(channel.language):
            sent = channels.send(channel, message, to=delivery.left)
    except NotSent as error:
        _failed(turn, channel, delivery, error)
        return False
    except Exception as error:
        log.exception("a message could not be sent", channel=channel.pk)
        _failed(turn, channel, delivery, NotSent("internal_error", f"{type(error).__name__}"))
        return False
    _sent(turn, channel, delivery, sent)
    return True


def send_test(channel: Channel) -> AlertDelivery:
    """Send a test now and say what came of it. A test that arrives lets waiting news go at once."""
    channel = _read(channel.pk)
    now = timezone.now()
    message = messages.compose_test(channel, now=now)
    delivery = AlertDelivery.objects.create(
        channel=channel, is_test=True, subject=message.subject, text=message.text, html=message.html
    )
    try:
        sent = channels.send(channel, message)
    except NotSent as error:
        _end(delivery, DeliveryState.FAILED, code=error.code, message=error.message)
        return delivery
    except Exception as error:
        _end(delivery, DeliveryState.FAILED, code="internal_error", message=type(error).__name__)
        raise
    _end(delivery, DeliveryState.SENT, code="partly" if sent.left or sent.note else "", message=_what_is_missing(sent))
    works_again = {"failures": 0, "not_before": None, "error_code": "", "error_message": ""}
    Channel.objects.filter(pk=channel.pk).update(last_sent_at=timezone.now(), **works_again)
    return delivery


def _read(channel_id: int) -> Channel:
    rows = Channel.objects.select_related("agency").prefetch_related("counters", "members__user")
    return rows.get(pk=channel_id)


@transaction.atomic
def _prepare(turn: Turn, channel: Channel) -> tuple[AlertDelivery, Message] | None:
    """The message, and its attempt written down; None where there is nothing to tell (any more)."""
    now = timezone.now()
    unfinished = _unfinished(channel)
    if unfinished is not None and unfinished.left:
        # Others have this very mail already: the rest get the same.
        message = Message(unfinished.subject, unfinished.text, unfinished.html)
        return _again(unfinished, now), _for_each(channel, message, _items_of(unfinished), now)
    rules, _made = AlertRules.objects.get_or_create(agency=channel.agency)
    items = news.of(channel, rules=rules, now=now)
    keys = [item.key for item in items]
    if unfinished is not None and unfinished.items != keys:
        _end(unfinished, DeliveryState.REPLACED, code=unfinished.error_code, message=unfinished.error_message)
        unfinished = None
    if not items:
        turn.write(due=False, lease_until=None, not_before=None, failures=0)
        return None
    message = _for_each(channel, messages.compose(channel, items, now=now), items, now)
    if unfinished is not None:
        return _again(unfinished, now), message
    delivery = AlertDelivery.objects.create(
        channel=channel, items=keys, subject=message.subject, text=message.text, html=message.html
    )
    return delivery, message


def _for_each(channel: Channel, message: Message, items: Sequence[Item], now: datetime) -> Message:
    """With a message of their own for members who may not read of all of it (R11)."""
    for_whom: dict[str, Message | None] = {}
    for reader in readers(channel):
        if reader.counters is not None:
            theirs = [item for item in items if reader.may_read(item.alert)]
            for_whom[reader.address] = (
                messages.compose(channel, theirs, now=now, sees_channel=False) if theirs else None
            )
    return replace(message, for_whom=for_whom) if for_whom else message


def _items_of(delivery: AlertDelivery) -> list[Item]:
    """What it told of, but for alerts whose counter or account was deleted meanwhile. One query."""
    there = Alert.objects.with_subjects().in_bulk([item[0] for item in delivery.items])
    return [Item(there[UUID(pk)], Stage(stage)) for pk, stage, _severity in delivery.items if UUID(pk) in there]


def _unfinished(channel: Channel) -> AlertDelivery | None:
    """The last message, if it did not arrive. One that is still being sent was left behind by a worker that died: it
    may have arrived, and goes again rather than not at all."""
    last = AlertDelivery.objects.filter(channel=channel, is_test=False).order_by("-id").first()
    return last if last is not None and last.state in (DeliveryState.SENDING, DeliveryState.WAITING) else None


def _again(delivery: AlertDelivery, now: datetime) -> AlertDelivery:
    delivery.attempts += 1
    delivery.state, delivery.tried_at = DeliveryState.SENDING, now
    delivery.save(update_fields=["attempts", "state", "tried_at"])
    return delivery


@transaction.atomic
def _sent(turn: Turn, channel: Channel, delivery: AlertDelivery, sent: Sent) -> None:
    now = timezone.now()
    left = list(sent.left) if delivery.attempts < MOST_TRIES_OF_THE_REST else []
    missing = _what_is_missing(sent)
    turn.write(
        due=bool(left),
        lease_until=None,
        not_before=now + _wait(delivery.attempts) if left else None,
        failures=0,
        last_sent_at=now,
        error_code="partly" if missing else "",
        error_message=missing[:500],
        failed_at=now if missing else F("failed_at"),
    )
    delivery.left = left
    _end(
        delivery,
        DeliveryState.WAITING if left else DeliveryState.SENT,
        code="partly" if missing else "",
        message=missing,
    )
    _note_told(channel, delivery.items, now)


@transaction.atomic
def _failed(turn: Turn, channel: Channel, delivery: AlertDelivery, error: NotSent) -> None:
    failures = channel.failures + 1
    wait = _wait(failures, asked=error.retry_after)
    now = timezone.now()
    given_up = bool(delivery.left) and delivery.attempts >= MOST_TRIES_OF_THE_REST
    turn.write(
        lease_until=None,
        due=not given_up,
        failures=failures,
        not_before=now + wait,
        error_code=error.code[:64],
        error_message=error.message[:500],
        failed_at=now,
    )
    state = DeliveryState.FAILED if given_up else DeliveryState.WAITING
    _end(delivery, state, code=error.code, message=error.message)
    log.warning("alert not sent", channel=channel.pk, code=error.code, failures=failures, wait=wait.total_seconds())


def _end(delivery: AlertDelivery, state: DeliveryState, *, code: str, message: str) -> None:
    delivery.state, delivery.error_code, delivery.error_message = state, code[:64], message[:500]
    delivery.finished_at = None if state == DeliveryState.WAITING else timezone.now()
    delivery.save(update_fields=["state", "error_code", "error_message", "finished_at", "left"])


def _note_told(channel: Channel, items: Sequence[Sequence[str]], now: datetime) -> None:
    there = set(Alert.objects.filter(pk__in=[item[0] for item in items]).values_list("pk", flat=True))
    Told.objects.bulk_create(
        [
            Told(channel=channel, alert_id=alert, stage=stage, severity=severity, at=now)
            for alert, stage, severity in items
            if UUID(alert) in there  # its counter may have been deleted meanwhile
        ],
        update_conflicts=True,
        unique_fields=["channel", "alert"],
        update_fields=["stage", "severity", "at"],
    )


def _what_is_missing(sent: Sent) -> str:
    later = _("Later: %(who)s") % {"who": ", ".join(sent.left)} if sent.left else ""
    return " ".join(filter(None, [sent.note, later]))


def _wait(failures: int, *, asked: float | None = None) -> timedelta:
    return waits.after(failures, first=settings.ALERT_RETRY_SECONDS, asked=asked)
