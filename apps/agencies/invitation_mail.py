"""The mail that carries an invitation's link."""

import smtplib

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import connection as database
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.agencies import invitations
from apps.agencies.models import Invitation

_NOWHERE = ("console", "dummy", "filebased")


def is_configured() -> bool:
    """Mail leaves this installation, and it knows the address under which people open it."""
    return bool(settings.SITE_URL) and settings.EMAIL_BACKEND.split(".")[-2] not in _NOWHERE


def path_of(secret: str) -> str:
    return reverse("invitation", args=[secret])


def send(invitation: Invitation, secret: str) -> str:
    """Mail the link, in the language in force. Returns why it did not leave; empty where it did."""
    if not is_configured():
        return _("No mail server is set up.")
    if database.in_atomic_block:
        raise RuntimeError("Mail must not leave inside a transaction.")
    context = {"invitation": invitation, "link": f"{settings.SITE_URL}{path_of(secret)}"}
    subject = _("You are invited to %(agency)s in Goalpost") % {"agency": " ".join(invitation.agency.name.split())}
    text = render_to_string("agencies/invitation_mail.txt", context)
    mail = EmailMultiAlternatives(subject, text, to=[invitation.email])
    mail.extra_headers = {"Auto-Submitted": "auto-generated"}
    mail.attach_alternative(render_to_string("agencies/invitation_mail.html", context), "text/html")
    try:
        mail.send()
    except (smtplib.SMTPException, OSError) as trouble:
        return str(trouble) or type(trouble).__name__
    invitations.note_mailed(invitation)
    return ""
