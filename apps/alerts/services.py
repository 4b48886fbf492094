"""Every write of people to rules, mutes and channels. What the looks and the messages write is theirs."""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.models import Agency, Membership
from apps.alerts.causes import CAUSES
from apps.alerts.channels import NotSent, telegram
from apps.alerts.models import Alert, AlertMute, AlertRules, Channel, ChannelKind
from apps.audit import trace
from apps.audit.services import record, snapshot
from apps.counters.encryption import encrypt
from apps.counters.models import Counter
from apps.hooks import door
from apps.hooks.signing import new_secret

THRESHOLDS = (
    *("token_days", "failed_jobs", "unreachable_minutes", "quota_percent", "queue_minutes", "worker_minutes"),
    *("held_count", "held_hours", "rejected_percent", "window_days", "window_orders", "match_drop_points"),
    "remind_hours",
)
CHANNEL_FIELDS = (
    *("kind", "name", "is_active", "language", "time_zone", "addresses", "chat_id", "url", "urgent_only", "causes"),
    *("quiet_from", "quiet_to", "urgent_breaks_quiet"),
)
MOST_ADDRESSES = 20
_CHAT_ID = re.compile(r"-?\d{1,20}|@\w{4,64}")


def rules_of(agency: Agency) -> AlertRules:
    """The agency's rules; the usual ones are made where it has none yet."""
    return AlertRules.objects.select_related("agency").get_or_create(agency=agency)[0]


@transaction.atomic
def change_rules(*, rules: AlertRules, off: Collection[str], **thresholds: int) -> AlertRules:
    """From when on something is worth an alert. Alerts of causes that are switched off end with the next look."""
    rules = AlertRules.objects.select_for_update().get(pk=rules.pk)
    before = snapshot(rules, (*THRESHOLDS, "off"))
    for name, value in thresholds.items():
        if name not in THRESHOLDS:
            raise TypeError(f"no rule {name}")
        setattr(rules, name, value)
    rules.off = _known_causes(off, "off")
    rules.full_clean()
    after = snapshot(rules, (*THRESHOLDS, "off"))
    if after != before:
        rules.save(update_fields=[*THRESHOLDS, "off"])
        record(action="alert_rules.changed", agency=rules.agency_id, obj=rules, before=before, after=after)
    return rules


@transaction.atomic
def mute(*, alert: Alert, until: datetime) -> AlertMute:
    """Until then (aware) nobody is told of this cause at what the alert is about. The pages still show it."""
    if until <= timezone.now():
        raise ValidationError({"until": ValidationError(_("Choose a day that lies ahead."), code="past")})
    who = trace.current().actor.label[:255]
    made, _new = AlertMute.objects.update_or_create(
        agency_id=alert.agency_id,
        cause=alert.cause,
        subject=alert.subject,
        defaults={"until": until, "muted_by": who},
    )
    after = {"cause": alert.cause, "about": alert.label, "until": until}
    record(action="alert.muted", agency=alert.agency_id, obj=alert, after=after)
    return made


@transaction.atomic
def unmute(*, alert: Alert) -> bool:
    """Tell of it again. False where it was not muted."""
    gone, _each = AlertMute.objects.filter(agency_id=alert.agency_id, cause=alert.cause, subject=alert.subject).delete()
    if gone:
        record(action="alert.unmuted", agency=alert.agency_id, obj=alert, after={"cause": alert.cause})
    return bool(gone)


@transaction.atomic
def save_channel(
    *,
    agency: Agency,
    channel: Channel | None = None,
    members: Iterable[Membership] | None = None,
    counters: Iterable[Counter] | None = None,
    **fields: Any,
) -> tuple[Channel, str]:
    """Make a channel, or change one. Returns it and, where a webhook got its first secret, that: it is shown once.

    `fields`: CHANNEL_FIELDS. Raises ValidationError by field.
    """
    if unknown := set(fields) - set(CHANNEL_FIELDS):
        raise TypeError(f"a channel has no {unknown}")
    made = channel is None
    if channel is None:
        channel = Channel(agency=agency)
        before, before_whom = None, None
    else:
        channel = Channel.objects.select_for_update().get(pk=channel.pk)
        before, before_whom = _facts(channel), _whom(channel)
    url = channel.url
    for name, value in fields.items():
        setattr(channel, name, value)
    _check(channel, members=members, counters=counters)
    secret = ""
    if channel.kind == ChannelKind.WEBHOOK and not channel.secret_encrypted:
        secret = new_secret()
        channel.secret_encrypted = encrypt(secret)
    if before is not None and (before["chat_id"], before["kind"]) != (channel.chat_id, channel.kind):
        channel.chat_title = ""
    # Whatever failed, it failed with what was written then.
    channel.failures, channel.not_before = 0, None
    channel.save()
    if members is not None:
        channel.members.set(members)
    if counters is not None:
        channel.counters.set(counters)
    after, whom = _facts(channel), _whom(channel)
    # Of an address the log shows only a part; that the rest was changed stands there all the same.
    if made or before != after or before_whom != whom or channel.url != url:
        record(
            action="alert_channel.created" if made else "alert_channel.changed",
            agency=channel.agency_id,
            obj=channel,
            before=None if before is None else {**before, **(before_whom or {})},
            after={**after, **whom},
        )
    return channel, secret


@transaction.atomic
def delete_channel(*, channel: Channel) -> None:
    """With the log of its messages."""
    record(
        action="alert_channel.deleted",
        agency=channel.agency_id,
        obj=channel,
        before=_facts(channel),
    )
    channel.delete()


@transaction.atomic
def renew_secret(*, channel: Channel) -> str:
    """A new secret in place of the old one, with which nothing is signed from now on. Shown once."""
    secret = new_secret()
    Channel.objects.filter(pk=channel.pk).update(secret_encrypted=encrypt(secret), failures=0, not_before=None)
    record(action="alert_channel.secret_renewed", agency=channel.agency_id, obj=channel)
    return secret


def find_chat(*, channel: Channel) -> str:
    """Let the channel write into the chat in which its code was written to the bot. Returns the chat's title.

    Asks Telegram, so not to be called inside a transaction. Raises ValidationError with the next step.
    """
    try:
        found = telegram.find_chat(channel)
    except NotSent as error:
        raise ValidationError(error.message, code=error.code) from error
    if found is None:
        told = _("The bot has not seen the code yet. Write it in the chat exactly as it stands here, then try again.")
        raise ValidationError(told, code="code_not_seen")
    with transaction.atomic():
        chat, title = found
        before = snapshot(channel, ("chat_id", "chat_title"))
        Channel.objects.filter(pk=channel.pk).update(
            chat_id=chat, chat_title=title[:255], failures=0, not_before=None, error_code="", error_message=""
        )
        after = {"chat_id": chat, "chat_title": title[:255]}
        record(action="alert_channel.chat_found", agency=channel.agency_id, obj=channel, before=before, after=after)
    return title


def _check(channel: Channel, *, members: Iterable[Membership] | None, counters: Iterable[Counter] | None) -> None:
    errors: dict[str, Any] = {}
    channel.name = channel.name.strip()
    if channel.language not in dict(settings.LANGUAGES):
        errors["language"] = ValidationError(_("Choose one of the languages offered."), code="invalid_choice")
    try:
        ZoneInfo(channel.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = _("Unknown time zone. Write an IANA name, for example Europe/Moscow.")
        errors["time_zone"] = ValidationError(message, code="unknown_time_zone")
    if (channel.quiet_from is None) != (channel.quiet_to is None):
        message = _("Write both ends of the quiet hours, or neither.")
        errors["quiet_to"] = ValidationError(message, code="one_end")
    try:
        channel.causes = _known_causes(channel.causes, "causes")
        channel.addresses = _addresses(channel.addresses)
    except ValidationError as error:
        errors.update(error.error_dict)
    channel.chat_id = channel.chat_id.strip()
    if channel.chat_id and not _CHAT_ID.fullmatch(channel.chat_id):
        message = _("A chat id is a whole number, of groups with a minus in front, or the @name of a public channel.")
        errors["chat_id"] = ValidationError(message, code="bad_chat_id")
    channel.url = channel.url.strip()
    if channel.kind == ChannelKind.WEBHOOK and not channel.url:
        errors["url"] = ValidationError(_("Write the address that takes the alerts."), code="required")
    elif channel.url:
        try:
            door.check_text(channel.url)
        except door.DoorClosed as error:
            errors["url"] = ValidationError(str(error), code=error.code)
    agencies = {member.agency_id for member in members or ()} | {counter.agency_id for counter in counters or ()}
    if agencies - {channel.agency_id}:
        raise ValidationError(_("These belong to another agency."), code="foreign")
    if errors:
        raise ValidationError(errors)
    channel.full_clean(exclude=["secret_encrypted"])


def _known_causes(codes: Collection[str], field: str) -> list[str]:
    unknown = [code for code in codes if code not in CAUSES]
    if unknown:
        message = _("Unknown causes: %(codes)s.")
        raise ValidationError({field: ValidationError(message, code="unknown", params={"codes": ", ".join(unknown)})})
    return [code for code in CAUSES if code in codes]


def _addresses(written: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(address.strip() for address in written if address.strip()))
    bad = []
    for address in found:
        try:
            validate_email(address)
        except ValidationError:
            bad.append(address)
    if bad:
        message = _("These are no e-mail addresses: %(bad)s.")
        raise ValidationError({"addresses": ValidationError(message, code="bad", params={"bad": ", ".join(bad)})})
    if len(found) > MOST_ADDRESSES:
        message = _("At most %(most)s addresses; a mailing list of yours takes more.")
        raise ValidationError({"addresses": ValidationError(message, code="many", params={"most": MOST_ADDRESSES})})
    return found


def _facts(channel: Channel) -> dict[str, Any]:
    """What it is set to, for the log."""
    return {**snapshot(channel, CHANNEL_FIELDS), "url": door.shown(channel.url)}


def _whom(channel: Channel) -> Mapping[str, Any]:
    """Who it reaches and of which counters, for the log."""
    return {
        "members": sorted(channel.members.values_list("user__email", flat=True)),
        "counters": sorted(channel.counters.values_list("metrica_id", flat=True)),
    }
