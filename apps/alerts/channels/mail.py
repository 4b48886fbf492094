"""Alerts by e-mail: to members of the agency and to other addresses, each on its own, over one connection.

`post` is the way of every mail that goes by itself: which refusals are for good, and which are worth another attempt.
"""

import contextlib
import smtplib
import time
from collections.abc import Callable, Sequence

from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import connection as database
from django.utils.translation import gettext as _

from apps.alerts.channels.outcome import NotSent, Sent
from apps.alerts.messages import Message
from apps.alerts.models import Channel
from apps.alerts.readers import recipients
from apps.metrica.text import Text

DEADLINE = 60.0
"""Seconds for all recipients together; who has not got it by then gets it with the next attempt."""


def problem(channel: Channel) -> Text:
    return "" if recipients(channel) else _("Nobody gets it yet: choose people of the agency or write addresses.")


def send(channel: Channel, message: Message, to: Sequence[str]) -> Sent:
    """To each what is meant for them. Raises NotSent where nobody got it."""
    reached = recipients(channel)
    # Who has left the agency meanwhile gets nothing any more.
    letters = {one: message.for_whom.get(one, message) for one in to or reached if one in reached}
    wanted = {address: letter for address, letter in letters.items() if letter is not None}
    if not wanted:
        return Sent()  # of this those who are left may read nothing

    def mail_to(address: str) -> EmailMultiAlternatives:
        letter = wanted[address]
        mail = EmailMultiAlternatives(letter.subject, letter.text, to=[address])
        if letter.html:
            mail.attach_alternative(letter.html, "text/html")
        return mail

    return post(list(wanted), mail_to)


def post(wanted: Sequence[str], mail_to: Callable[[str], EmailMultiAlternatives]) -> Sent:
    """To each address its own mail, over one connection. Raises NotSent where nobody got it."""
    if database.in_atomic_block:
        raise RuntimeError("Mail must not leave inside a transaction.")
    left, refused, got = [], [], 0
    trouble: Exception | None = None  # with the server, so that nobody further is tried
    said: Exception | None = None  # to one mail; the next may be taken
    deadline = time.monotonic() + DEADLINE
    server = get_connection()
    try:
        server.open()
        for address in wanted:
            if trouble is not None or time.monotonic() > deadline:
                left.append(address)
                continue
            mail = mail_to(address)
            mail.connection = server
            mail.extra_headers = {"Auto-Submitted": "auto-generated", **mail.extra_headers}
            try:
                mail.send()
                got += 1
            except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
                code, why = _refusal(error)
                if code < 500:
                    left.append(address)
                else:
                    refused.append(f"{address}: {code} {why}")
                if isinstance(error, smtplib.SMTPDataError):
                    said = error
            except (smtplib.SMTPException, OSError) as error:
                trouble = error
                left.append(address)
    except (smtplib.SMTPException, OSError) as error:
        trouble = error
    finally:
        _close(server)
    if not got:
        raise _not_sent(said or trouble, refused)
    note = _("Refused: %(who)s") % {"who": "; ".join(refused)} if refused else ""
    return Sent(tuple(left), note)


def _not_sent(trouble: Exception | None, refused: list[str]) -> NotSent:
    if isinstance(trouble, smtplib.SMTPAuthenticationError):
        return NotSent("mail_login", _("The mail server does not accept the login. Check EMAIL_URL."))
    if isinstance(trouble, TimeoutError):
        return NotSent("mail_timeout", _("The mail server did not answer in time."))
    if isinstance(trouble, smtplib.SMTPResponseException):
        said = {"code": trouble.smtp_code, "said": _plain(trouble.smtp_error)}
        return NotSent("mail_refused", _("The mail server said: %(code)s %(said)s") % said)
    if isinstance(trouble, (smtplib.SMTPException, OSError)):
        return NotSent(
            "mail_unreachable", _("The mail server cannot be reached (%(why)s). Check EMAIL_URL.") % {"why": trouble}
        )
    if refused:
        return NotSent(
            "mail_recipients", _("The mail server refused all recipients: %(who)s") % {"who": "; ".join(refused)}
        )
    return NotSent("mail_later", _("The mail server takes mail for these recipients later only."))


def _refusal(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError) -> tuple[int, str]:
    """The server's code and words for the one recipient of a mail."""
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code, _plain(error.smtp_error)
    code, said = next(iter(error.recipients.values()))
    return code, _plain(said)


def _plain(said: object) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _close(server: object) -> None:
    with contextlib.suppress(smtplib.SMTPException, OSError):  # what was sent is sent
        server.close()  # type: ignore[attr-defined]
