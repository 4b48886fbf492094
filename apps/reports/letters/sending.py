"""Sends the letters of one link that are due: each attempt is had by one and committed before anything leaves."""

from datetime import date
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.agencies import invitation_mail
from apps.alerts.channels import NotSent, mail
from apps.audit.services import record
from apps.counters import clock, stopping
from apps.hooks import waits
from apps.reports import services
from apps.reports.letters import writing
from apps.reports.models import Recipient, ReportLink

log = structlog.get_logger(__name__)

ATTEMPT_SECONDS: Final = 300.0
"""Longer than one takes. After that, one of which nothing was heard is made again."""

MOST_ATTEMPTS: Final = 9
"""Over some eight hours; then the week is given up."""

FOR_GOOD: Final = frozenset({"mail_recipients", "not_good"})
"""The mail server does not know the recipient, or there is nothing to read: another attempt changes nothing."""


def send_due(link_id: int) -> int:
    """Returns how many letters were sent."""
    link = ReportLink.objects.select_related("counter__agency__look").filter(pk=link_id).first()
    if link is None:
        return 0
    ReportLink.objects.filter(pk=link_id).update(enqueued_at=None)
    sent = 0
    letters: dict[date, writing.Letter] = {}
    due = Recipient.objects.filter(link=link).wanting().due(timezone.now()).order_by("pk")
    for recipient in list(due):
        if stopping.requested():
            break
        sent += _send(link, recipient, letters)
    return sent


def _send(link: ReportLink, recipient: Recipient, letters: dict[date, writing.Letter]) -> bool:
    week = recipient.due_for
    assert week is not None
    if not _begin(recipient, week):
        return False
    try:
        if not link.is_good:
            raise NotSent("not_good", _("The link has expired or was withdrawn."))
        if not invitation_mail.is_configured():
            raise NotSent("not_set_up", _("No mail server is set up."))
        if not services.secret_of(link):
            raise NotSent("unreadable", _("The address cannot be read any more: give the report a new one."))
        if week not in letters:
            letters[week] = writing.write(link, week)
        letter = letters[week]
        with override(link.letter_language):
            sent = mail.post([recipient.email], lambda _address: writing.mail_to(letter, recipient))
        if sent.left:
            raise NotSent("mail_later", _("The mail server takes mail for these recipients later only."))
    except NotSent as error:
        _failed(recipient, week, error)
        return False
    except Exception as error:
        log.exception("a report was not sent", link=link.pk)
        _failed(recipient, week, NotSent("internal_error", type(error).__name__))
        return False
    _sent(link, recipient, week)
    return True


def _begin(recipient: Recipient, week: date) -> bool:
    """Have the attempt, if nobody else has it and it is still to be made. Committed when this returns."""
    mine = Recipient.objects.wanting().due(clock.present()).filter(pk=recipient.pk, fence=recipient.fence, due_for=week)
    taken = mine.update(
        fence=F("fence") + 1,
        attempts=F("attempts") + 1,
        sending_since=timezone.now(),
        not_before=clock.ahead(ATTEMPT_SECONDS),
    )
    recipient.fence += taken
    recipient.attempts += taken
    return bool(taken)


@transaction.atomic
def _sent(link: ReportLink, recipient: Recipient, week: date) -> None:
    now = timezone.now()
    done = {"due_for": None, "not_before": None, "sending_since": None, "error_code": "", "error_message": ""}
    if _of_attempt(recipient, week).update(last_sent_on=week, last_sent_at=now, **done):
        told = {"week_until": week, "email": recipient.email}
        record(action="report.letter_sent", agency=link.counter.agency_id, obj=link, details=told)


def _failed(recipient: Recipient, week: date, error: NotSent) -> None:
    now = timezone.now()
    given_up = error.code in FOR_GOOD or recipient.attempts >= MOST_ATTEMPTS
    wait = waits.after(recipient.attempts, first=settings.ALERT_RETRY_SECONDS, asked=error.retry_after)
    _of_attempt(recipient, week).update(
        due_for=None if given_up else week,
        not_before=None if given_up else now + wait,
        sending_since=None,
        error_code=error.code[:64],
        error_message=error.message[:500],
        failed_at=now,
    )
    log.warning("report not sent", recipient=recipient.pk, code=error.code, attempts=recipient.attempts)


def _of_attempt(recipient: Recipient, week: date) -> QuerySet[Recipient]:
    """The row, as long as nobody else has had another attempt and no person asked for the letter anew."""
    return Recipient.objects.filter(pk=recipient.pk, fence=recipient.fence, due_for=week)
