"""Every write to accounts and counters. What may free held orders raises the counter's revision (R8)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.models import Agency
from apps.audit.services import record, snapshot
from apps.counters import schedule as schedules
from apps.counters.addresses import checked_address
from apps.counters.encryption import encrypt
from apps.counters.events import counter_changed
from apps.counters.expiry import renew_at
from apps.counters.models import AccountState, Counter, DeliveryPolicy, MetricaAccount, Mode
from apps.counters.quotas.late_logins import count_anew
from apps.counters.quotas.sharing import Caller, caller_of
from apps.metrica.answers import CounterInfo
from apps.metrica.vocabulary import CURRENCIES

ACCOUNT_FIELDS = ("login", "base_url", "state", "state_reason", "token_expires_at", "scopes", "confirmed_login")
COUNTER_FIELDS = (
    "account_id",
    "metrica_id",
    "name",
    "site",
    "time_zone",
    "mode",
    "delivery",
    "schedule",
    "currency",
    "hash_identifiers",
    "keep_files_days",
    "keep_people_days",
    "wave_pause_seconds",
    "pause_reason",
)
# A change of one of these may free held orders, or hold what waited.
_READINESS_FIELDS = frozenset({"account_id", "account", "time_zone", "mode"})


# A token that was renewed this lately and is refused all the same will not get better by another renewal.
JUST_RENEWED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Consent:
    """What came with a token that Yandex OAuth gave, besides itself: how it renews itself, its rights, its login."""

    refresh_token: str = field(repr=False)
    scopes: tuple[str, ...]
    confirmed_login: str


@transaction.atomic
def connect_account(
    *,
    agency: Agency,
    login: str,
    token: str,
    base_url: str = "",
    expires_at: datetime | None = None,
    consent: Consent | None = None,
) -> MetricaAccount:
    """Keep a token for a Yandex login (encrypted) and mark the account connected; orders held for its lack get free.

    `consent` left out: a token that was pasted, which nobody renews and whose rights are not known.
    """
    login, token = login.strip(), token.strip()
    if not login:
        raise ValidationError({"login": ValidationError(_("Write the Yandex login."), code="required")})
    if not token or not token.isascii() or any(sign.isspace() for sign in token):
        message = _("This is no OAuth token. Copy it once more, without spaces.")
        raise ValidationError({"token": ValidationError(message, code="bad_token")})
    account = MetricaAccount.objects.select_for_update().filter(agency=agency, login=login).first()
    before = snapshot(account, ACCOUNT_FIELDS) if account else None
    former = caller_of(account) if account else None
    account = account or MetricaAccount(agency=agency, login=login)
    account.token_encrypted = encrypt(token)
    account.base_url = checked_address(base_url)
    account.state = AccountState.CONNECTED
    account.state_reason = ""
    account.token_expires_at = expires_at
    _take_consent(account, consent)
    account.full_clean(exclude=["token_encrypted", "refresh_token_encrypted"])
    account.save()
    record(
        action="account.connected",
        agency=agency,
        obj=account,
        before=before,
        after=snapshot(account, ACCOUNT_FIELDS),
        details={"token_replaced": before is not None, "renews_itself": account.renews_itself},
    )
    _touch_counters(Q(account=account))
    if former is not None:
        _count_for_its_login(account, former)
    return account


def _take_consent(account: MetricaAccount, consent: Consent | None) -> None:
    """How the new token is renewed and what it may do; nothing of it is proven yet."""
    now = timezone.now()
    refresh_token = consent.refresh_token if consent else ""
    account.refresh_token_encrypted = encrypt(refresh_token) if refresh_token else ""
    account.refresh_at = renew_at(now=now, expires_at=account.token_expires_at) if refresh_token else None
    account.refresh_attempts, account.refresh_error_code, account.refresh_error = 0, "", ""
    account.refreshed_at = now if refresh_token else None
    account.scopes = " ".join(consent.scopes)[:255] if consent else ""
    account.confirmed_login = consent.confirmed_login[:100] if consent else ""
    account.reading_ok_at = account.last_upload_ok_at = None


@transaction.atomic
def update_account(*, account: MetricaAccount, login: str, base_url: str) -> MetricaAccount:
    """Correct what can be corrected without a new token."""
    before, former = snapshot(account, ACCOUNT_FIELDS), caller_of(account)
    account.login, account.base_url = login.strip(), checked_address(base_url)
    account.full_clean(exclude=["token_encrypted"])
    account.save(update_fields=["login", "base_url"])
    after = snapshot(account, ACCOUNT_FIELDS)
    if after != before:
        record(action="account.changed", agency=account.agency_id, obj=account, before=before, after=after)
        _count_for_its_login(account, former)
    return account


def _count_for_its_login(account: MetricaAccount, former: Caller) -> None:
    transaction.on_commit(lambda: count_anew(account=account, former=former), robust=True)


@transaction.atomic
def disconnect_account(*, account: MetricaAccount, reason: str, forget_token: bool = False) -> bool:
    """Stop using the account's token: Metrica refused it, or a person took it away (then it is forgotten as well).

    A refused token is the one that `account` holds, refused at the address that it names. Where another has taken its
    place meanwhile, nothing is done, and the answer is False. One that can be renewed is renewed at once; if that
    succeeds, the account is connected again.
    """
    refused = account.token_encrypted, account.base_url
    account = MetricaAccount.objects.select_for_update().get(pk=account.pk)
    if not forget_token and (account.token_encrypted, account.base_url) != refused:
        return False
    if account.state == AccountState.DISCONNECTED and not (forget_token and account.token_encrypted):
        return True
    before = snapshot(account, ACCOUNT_FIELDS)
    account.state = AccountState.DISCONNECTED
    account.state_reason = reason[:255]
    if forget_token:
        account.token_encrypted = account.refresh_token_encrypted = account.scopes = ""
        account.token_expires_at = account.refresh_at = None
        account.refresh_attempts, account.refresh_error_code, account.refresh_error = 0, "", ""
    elif account.refresh_at is not None and not account.refresh_attempts and not _just_renewed(account):
        # With attempts, somebody is at it now or waits to try again: a refresh token serves once.
        account.refresh_at = timezone.now()
    account.save()
    record(
        action="account.disconnected",
        agency=account.agency_id,
        obj=account,
        before=before,
        after=snapshot(account, ACCOUNT_FIELDS),
    )
    _touch_counters(Q(account=account))
    return True


def _just_renewed(account: MetricaAccount) -> bool:
    return account.refreshed_at is not None and account.refreshed_at > timezone.now() - JUST_RENEWED


def note_reading(*, account_id: int, at: datetime) -> None:
    """The account's token was seen to read."""
    MetricaAccount.objects.filter(pk=account_id).update(last_ok_at=at, reading_ok_at=at)


def note_passed_upload(*, account_id: int, at: datetime) -> None:
    """The account's token was seen to upload: nothing else proves that it may."""
    MetricaAccount.objects.filter(pk=account_id).update(last_ok_at=at, last_upload_ok_at=at)


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a counter in their one canonical form. Raises ValidationError by field."""
    values, errors = dict(fields), {}
    if "schedule" in values:
        try:
            values["schedule"] = schedules.parse(str(values["schedule"])).text
        except schedules.ScheduleError as error:
            errors["schedule"] = ValidationError(str(error), code="bad_schedule")
    if values.get("time_zone"):
        try:
            ZoneInfo(values["time_zone"])
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, "Europe"
            message = _("Unknown time zone. Write an IANA name, for example Europe/Moscow.")
            errors["time_zone"] = ValidationError(message, code="unknown_time_zone")
    if "currency" in values:
        values["currency"] = str(values["currency"]).strip().upper()
        if values["currency"] not in CURRENCIES:
            message = _("No ISO 4217 currency code. Write for example RUB, USD or EUR.")
            errors["currency"] = ValidationError(message, code="unknown_currency")
    for name, choices in (("mode", Mode), ("delivery", DeliveryPolicy)):
        if name in values and values[name] not in choices.values:
            offered = {"choices": ", ".join(choices.values)}
            errors[name] = ValidationError(_("Choose one of: %(choices)s."), code="invalid_choice", params=offered)
    if errors:
        raise ValidationError(errors)
    return values


@transaction.atomic
def create_counter(*, agency: Agency, metrica_id: int, name: str, **fields: Any) -> Counter:
    """Add a counter to the agency. `fields` are the model's; raises ValidationError by field."""
    counter = Counter(agency=agency, metrica_id=metrica_id, name=name.strip(), **_checked(fields))
    _check_account(counter)
    counter.full_clean()
    _plan_next_upload(counter)
    counter.save()
    record(action="counter.created", agency=agency, obj=counter, after=snapshot(counter, COUNTER_FIELDS))
    return counter


@transaction.atomic
def update_counter(*, counter: Counter, **fields: Any) -> Counter:
    """Change settings of a counter; what is the same already changes nothing and leaves no trace."""
    counter = Counter.objects.select_for_update().get(pk=counter.pk)
    before = snapshot(counter, COUNTER_FIELDS)
    values = _checked(fields)
    for name, value in values.items():
        setattr(counter, name, value)
    _check_account(counter)
    counter.full_clean()
    after = snapshot(counter, COUNTER_FIELDS)
    if after == before:
        return counter
    if before["schedule"] != after["schedule"] or before["time_zone"] != after["time_zone"]:
        _plan_next_upload(counter)
    counter.save()
    record(action="counter.changed", agency=counter.agency_id, obj=counter, before=before, after=after)
    if any(before.get(name) != after.get(name) for name in _READINESS_FIELDS):
        touch(counter)
    return counter


def note_info(*, counter: Counter, info: CounterInfo) -> None:
    """Keep what Metrica says of our right there, and of advanced matching where it was asked for. No trace: it is read,
    not decided."""
    known: dict[str, Any] = {"permission": info.permission[:32]}
    if info.flags is not None:
        known["advanced_matching"] = info.collect_first_party_data
    Counter.objects.filter(pk=counter.pk).exclude(**known).update(**known)


@transaction.atomic
def pause(*, counter: Counter, reason: str) -> None:
    """Nothing leaves for Metrica until `resume`; what comes in is kept and held."""
    if Counter.objects.filter(pk=counter.pk, paused_at=None).update(
        paused_at=timezone.now(), pause_reason=reason[:255]
    ):
        record(action="counter.paused", agency=counter.agency_id, obj=counter, after={"reason": reason[:255]})
        touch(counter)


@transaction.atomic
def resume(*, counter: Counter) -> None:
    """Let the counter deliver again; what its pause held is released."""
    if Counter.objects.filter(pk=counter.pk).exclude(paused_at=None).update(paused_at=None, pause_reason=""):
        record(action="counter.resumed", agency=counter.agency_id, obj=counter)
        touch(counter)


def touch(counter: Counter) -> None:
    """Say that held orders of the counter may be free now (or waiting ones no longer)."""
    Counter.objects.filter(pk=counter.pk).update(revision=F("revision") + 1)
    counter_changed.send(sender=Counter, counter=counter)


def block_reason(counter: Counter) -> str:
    """Why nothing of this counter can go now, as a hold reason; empty where nothing blocks."""
    if counter.paused_at is not None:
        return "counter_paused"
    if counter.account is None or counter.account.state != AccountState.CONNECTED:
        return "account_disconnected"
    if not counter.time_zone:
        return "unknown_time_zone"
    return ""


def _touch_counters(condition: Q) -> None:
    for counter in Counter.objects.filter(condition):
        touch(counter)


def _check_account(counter: Counter) -> None:
    if counter.account is not None and counter.account.agency_id != counter.agency_id:
        message = _("This account belongs to another agency.")
        raise ValidationError({"account": ValidationError(message, code="foreign_account")})


def _plan_next_upload(counter: Counter) -> None:
    counter.next_upload_at = schedules.parse(counter.schedule).next_after(timezone.now(), counter.zone)
