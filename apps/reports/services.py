"""Every write to looks, links and who gets the letter. What the letters themselves write is theirs."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.actor import Actor
from apps.agencies.models import Agency
from apps.audit import trace
from apps.audit.services import record, snapshot
from apps.counters.encryption import UnreadableSecret, decrypt, encrypt
from apps.counters.models import Counter
from apps.reports import pictures
from apps.reports.models import AgencyLook, Recipient, ReportLink
from apps.reports.weeks import next_letter, told_by

LINK_FIELDS = ("name", "language", "weekly", "weekday", "hour", "letter_language")
LOOK_FIELDS = ("shown_name", "colour")
MOST_RECIPIENTS: Final = 20
MOST_DAYS: Final = 366


# ---- the agency's look ----


def look_of(agency: Agency) -> AgencyLook:
    """The agency's look; the usual one is made where it has none yet."""
    return AgencyLook.objects.select_related("agency").get_or_create(agency=agency)[0]


def look_or_usual(agency: Agency) -> AgencyLook:
    """For those who only look: nothing is made. No query where the look was read along."""
    found: AgencyLook | None = getattr(agency, "look", None)
    return found or AgencyLook(agency=agency)


def usual_look() -> AgencyLook:
    """Of a page that may not tell whose it is."""
    return AgencyLook()


@transaction.atomic
def change_look(
    *, look: AgencyLook, shown_name: str, colour: str, logo: bytes | None = None, remove_logo: bool = False
) -> AgencyLook:
    """`logo`: the file's bytes; None leaves what there is. Raises ValidationError by field."""
    look = AgencyLook.objects.select_for_update(of=("self",)).select_related("agency").get(pk=look.pk)
    before = _look_facts(look)
    fill_look(look, shown_name=shown_name, colour=colour, logo=logo, remove_logo=remove_logo)
    after = _look_facts(look)
    if after != before:
        look.changed_at = timezone.now()
        look.save(update_fields=[*LOOK_FIELDS, "logo", "changed_at"])
        record(action="report_look.changed", agency=look.agency_id, obj=look, before=before, after=after)
    return look


def fill_look(
    look: AgencyLook, *, shown_name: str, colour: str, logo: bytes | None = None, remove_logo: bool = False
) -> None:
    """Set it without keeping it: a preview shows what would be. Raises ValidationError by field."""
    look.shown_name, look.colour = " ".join(shown_name.split()), colour.strip().lower()
    if logo:
        try:
            look.logo = pictures.cleaned(logo)
        except ValidationError as error:
            raise ValidationError({"logo": error.error_list}) from error
    elif remove_logo:
        look.logo = b""
    look.full_clean(exclude=["agency"])


def _look_facts(look: AgencyLook) -> dict[str, Any]:
    picture = bytes(look.logo)
    return {**snapshot(look, LOOK_FIELDS), "logo": hashlib.sha256(picture).hexdigest()[:16] if picture else ""}


# ---- links ----


@transaction.atomic
def create_link(*, counter: Counter, days: int, emails: Iterable[str] = (), **fields: Any) -> ReportLink:
    """A link that is good for so many days. `fields`: LINK_FIELDS. Raises ValidationError by field."""
    link = ReportLink(counter=counter, created_by=trace.current().actor.label[:255])
    _fill(link, fields)
    _check_days(days)
    link.expires_at = timezone.now() + timedelta(days=days)
    _new_secret(link)
    _check(link)
    _plan(link)
    link.save()
    _keep_recipients(link, emails)
    record(action="report.created", agency=counter.agency_id, obj=link, after=facts_of(link))
    return link


@transaction.atomic
def change_link(*, link: ReportLink, emails: Iterable[str] | None = None, **fields: Any) -> ReportLink:
    """`emails`: who shall get the letter from now on; None leaves them. Raises ValidationError by field."""
    link = _locked(link)
    before, planned = facts_of(link), (link.weekly, link.weekday, link.hour)
    _fill(link, fields)
    _check(link)
    if planned != (link.weekly, link.weekday, link.hour):
        _plan(link)
    link.save(update_fields=[*LINK_FIELDS, "letter_at"])
    if emails is not None:
        _keep_recipients(link, emails)
    after = facts_of(link)
    if after != before:
        record(action="report.changed", agency=link.counter.agency_id, obj=link, before=before, after=after)
    return link


@transaction.atomic
def withdraw(*, link: ReportLink) -> None:
    """From now on the address opens nothing, and no letter leaves. Raises ValidationError where it was withdrawn."""
    link = _open(link)
    before = facts_of(link)
    link.withdrawn_at, link.letter_at = timezone.now(), None
    link.save(update_fields=["withdrawn_at", "letter_at"])
    link.recipients.update(due_for=None)
    record(action="report.withdrawn", agency=link.counter.agency_id, obj=link, before=before, after=facts_of(link))


@transaction.atomic
def prolong(*, link: ReportLink, days: int) -> ReportLink:
    """Good for so many days from now on. Raises ValidationError: what was withdrawn stays so."""
    link = _open(link)
    _check_days(days)
    before = facts_of(link)
    link.expires_at = timezone.now() + timedelta(days=days)
    if link.letter_at is None:
        _plan(link)
    link.save(update_fields=["expires_at", "letter_at"])
    record(action="report.prolonged", agency=link.counter.agency_id, obj=link, before=before, after=facts_of(link))
    return link


@transaction.atomic
def renew_address(*, link: ReportLink) -> ReportLink:
    """Another address for the same readers; the one before opens nothing any more. Raises ValidationError."""
    link = _open(link)
    _new_secret(link)
    link.save(update_fields=["secret_hash", "secret_encrypted"])
    record(action="report.address_renewed", agency=link.counter.agency_id, obj=link)
    return link


@transaction.atomic
def ask_for_letters(*, link: ReportLink) -> int:
    """The letter of the seven days before today goes to everybody now, whether they had it or not. Returns to how many.

    Raises ValidationError where nobody would get it.
    """
    link = _open(link)
    if not link.is_good:
        raise ValidationError(_("The link has expired: prolong it first."), code="expired")
    told = told_by(timezone.now(), link.counter)
    wanting = link.subscribers()
    if not wanting.exists():
        raise ValidationError(_("Nobody gets the letter: write down who shall."), code="nobody")
    under_way = {"sending_since__isnull": False, "not_before__gt": timezone.now()}
    number = _start(wanting.exclude(**under_way), told)
    record(
        action="report.letter_asked_for",
        agency=link.counter.agency_id,
        obj=link,
        after={"week_until": told, "recipients": number},
    )
    return number


def start_letters(link: ReportLink, told: date) -> int:
    """The week that ends with this day is to be told to all who want it and were not told. Returns to how many."""
    return _start(link.subscribers().exclude(last_sent_on=told).exclude(due_for=told), told)


def _start(recipients: QuerySet[Recipient], told: date) -> int:
    anew = {"sending_since": None, "not_before": None, "error_code": "", "error_message": ""}
    return recipients.update(due_for=told, attempts=0, **anew)


def secret_of(link: ReportLink) -> str:
    """What the address ends with; empty where no key opens it any more: then it needs a new one."""
    try:
        return decrypt(link.secret_encrypted)
    except UnreadableSecret:
        return ""


def find(secret: str) -> ReportLink | None:
    """The link of this address, be it good or not. One query."""
    rows = ReportLink.objects.select_related("counter__agency__look")
    return rows.filter(secret_hash=hash_of(secret)).first()


def note_opened(link: ReportLink) -> None:
    ReportLink.objects.filter(pk=link.pk).update(opened=F("opened") + 1, last_opened_at=timezone.now())


def hash_of(secret: str) -> str:
    """A fast hash is enough: the secret is long and random."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


# ---- those who get the letter ----


@transaction.atomic
def stop_letters(*, recipient: Recipient) -> bool:
    """Asked for by the recipient. False where they had stopped before."""
    stopped = Recipient.objects.filter(pk=recipient.pk, unsubscribed_at=None)
    if not stopped.update(unsubscribed_at=timezone.now(), due_for=None):
        return False
    _tell_of("report.letters_stopped", recipient)
    return True


@transaction.atomic
def want_letters_again(*, recipient: Recipient) -> bool:
    """Asked for by the recipient. False where they had not stopped."""
    if not Recipient.objects.filter(pk=recipient.pk, unsubscribed_at__isnull=False).update(unsubscribed_at=None):
        return False
    _tell_of("report.letters_wanted_again", recipient)
    return True


def _tell_of(action: str, recipient: Recipient) -> None:
    link, who = recipient.link, Actor("nobody", recipient.email)
    record(action=action, agency=link.counter.agency_id, obj=link, after={"email": recipient.email}, actor=who)


def _keep_recipients(link: ReportLink, emails: Iterable[str]) -> None:
    wanted = _checked_emails(emails)
    known = {recipient.email: recipient for recipient in link.recipients.all()}
    if stopped := [email for email in wanted if email in known and known[email].unsubscribed_at is not None]:
        message = _(
            "%(who)s has stopped the letters, and alone may have them again, by the same link at the end of any letter."
        )
        raise ValidationError({"emails": ValidationError(message, code="stopped", params={"who": ", ".join(stopped)})})
    # Who has stopped stays in the list, so that nobody writes to them again by mistake.
    link.subscribers().exclude(email__in=wanted).delete()
    Recipient.objects.bulk_create([Recipient(link=link, email=email) for email in wanted if email not in known])


def _checked_emails(written: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(email.strip().lower() for email in written if email.strip()))
    bad = [email for email in found if not _is_email(email)]
    if bad:
        message = _("These are no e-mail addresses: %(bad)s.")
        raise ValidationError({"emails": ValidationError(message, code="bad", params={"bad": ", ".join(bad)})})
    if len(found) > MOST_RECIPIENTS:
        message = _("At most %(most)s addresses; a mailing list of yours takes more.")
        raise ValidationError({"emails": ValidationError(message, code="many", params={"most": MOST_RECIPIENTS})})
    return found


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254


# ---- common ----


def facts_of(link: ReportLink) -> dict[str, Any]:
    """What it is set to, for the log. Never its address."""
    return {
        **snapshot(link, (*LINK_FIELDS, "expires_at", "withdrawn_at")),
        "counter": link.counter.metrica_id,
        "recipients": list(link.subscribers().values_list("email", flat=True)),
    }


def _locked(link: ReportLink) -> ReportLink:
    rows = ReportLink.objects.select_for_update(of=("self",)).select_related("counter__agency")
    return rows.get(pk=link.pk)


def _open(link: ReportLink) -> ReportLink:
    link = _locked(link)
    if link.is_withdrawn:
        raise ValidationError(_("This link was withdrawn. Make a new one."), code="withdrawn")
    return link


def _fill(link: ReportLink, fields: Mapping[str, Any]) -> None:
    if unknown := set(fields) - set(LINK_FIELDS):
        raise TypeError(f"a link has no {unknown}")
    for name, value in fields.items():
        setattr(link, name, value)
    link.name = " ".join(link.name.split())


def _check(link: ReportLink) -> None:
    known = dict(settings.LANGUAGES)
    errors: dict[str, ValidationError] = {}
    message = _("Choose one of the languages.")
    if link.language and link.language not in known:
        errors["language"] = ValidationError(message, code="unknown_language")
    if link.letter_language not in known:
        errors["letter_language"] = ValidationError(message, code="unknown_language")
    if errors:
        raise ValidationError(errors)
    link.full_clean(exclude=["secret_hash", "secret_encrypted"])


def _check_days(days: int) -> None:
    if not 1 <= days <= MOST_DAYS:
        message = _("A link is good for at least a day and at most %(most)s days.")
        raise ValidationError({"days": ValidationError(message, code="days", params={"most": MOST_DAYS})})


def _new_secret(link: ReportLink) -> None:
    secret = secrets.token_urlsafe(32)
    link.secret_hash, link.secret_encrypted = hash_of(secret), encrypt(secret)


def _plan(link: ReportLink) -> None:
    """When the next letter leaves; none where there is nothing to send."""
    link.letter_at = None
    if link.weekly and not link.is_withdrawn:
        link.letter_at = next_letter(link.counter, weekday=link.weekday, hour=link.hour, after=timezone.now())
