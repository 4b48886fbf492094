"""What the weekly letter says: the same numbers as the page, of the week before, in the agency's name and colour."""

from dataclasses import dataclass
from datetime import date
from email.utils import formataddr, parseaddr
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import formats, timezone, translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from apps.dashboard.rollup.running import zone_of
from apps.reports import services
from apps.reports.letters import stopping
from apps.reports.models import Recipient, ReportLink
from apps.reports.numbers import report_of
from apps.reports.weeks import week_until


@dataclass(frozen=True, slots=True)
class Letter:
    """The same for all recipients of a link but for the address that stops it, which is put in for each."""

    link: ReportLink
    week: date
    subject: str
    sender: str
    text: str
    html: str


_STOP = "https://stop.invalid/"


def write(link: ReportLink, week: date) -> Letter:
    """`week`: its last day. Reads the numbers as they are now."""
    counter, period = link.counter, week_until(week)
    look = services.look_or_usual(counter.agency)
    with translation.override(link.letter_language), timezone.override(zone_of(counter)):
        query = urlencode({"from": period.first.isoformat(), "to": period.last.isoformat()})
        # Without a key nothing is sent; what a person looks at meanwhile has an address that opens nothing.
        secret = services.secret_of(link) or "-"
        page = f"{settings.SITE_URL}{reverse('report', args=[secret])}?{query}"
        context: dict[str, Any] = {
            "look": look,
            "counter": counter,
            "report": report_of(counter, period),
            "page": page,
            "stop": _STOP,
            "until": timezone.localtime(link.expires_at),
        }
        # Translators: a day and a short month in Django's letters; "b" writes the month in lower case.
        short = _("j M")
        days = f"{formats.date_format(period.first, short)} – {formats.date_format(period.last, short)}"
        subject = _("%(counter)s: orders of %(days)s") % {"counter": counter.name, "days": days}
        return Letter(
            link=link,
            week=week,
            subject=" ".join(subject.split()),
            sender=formataddr((" ".join(look.name.split()), parseaddr(settings.DEFAULT_FROM_EMAIL)[1])),
            text=render_to_string("reports/letter.txt", context),
            html=render_to_string("reports/letter.html", context),
        )


def mail_to(letter: Letter, recipient: Recipient) -> EmailMultiAlternatives:
    """The letter to this one."""
    stop = f"{settings.SITE_URL}{stopping.path_of(recipient)}"
    mail = EmailMultiAlternatives(
        letter.subject, letter.text.replace(_STOP, stop), from_email=letter.sender, to=[recipient.email]
    )
    mail.attach_alternative(letter.html.replace(_STOP, stop), "text/html")
    mail.extra_headers = {
        "Message-ID": _message_id(letter, recipient),
        "List-Unsubscribe": f"<{stop}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    return mail


def _message_id(letter: Letter, recipient: Recipient) -> str:
    """The same for every attempt at one week's letter, so that a second one is known for the first."""
    told = f"{letter.link.secret_hash} {recipient.pk} {letter.week}"
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return f"<report-{sha256(told.encode()).hexdigest()[:32]}@{host}>"


def sample(link: ReportLink, week: date) -> str:
    """The letter's page for who sends it, with an address that stops nobody's letters."""
    return write(link, week).html.replace(_STOP, "#")
