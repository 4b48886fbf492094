"""How an account stands: does it deliver, will it still tomorrow, and what is proven of its rights.

One place for the account's page, the list and the home page, so that they say the same.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from apps.counters.models import AccountState, MetricaAccount
from apps.metrica.oauth import MAY_UPLOAD
from apps.metrica.oauth_errors import OAUTH_KINDS
from apps.metrica.text import Text

WARN_BEFORE = timedelta(days=30)
URGENT_BEFORE = timedelta(days=7)
OVERDUE_AFTER = timedelta(days=1)
LONGEST_WITHOUT_RENEWAL = timedelta(days=90)
"""Long-lived tokens are to be renewed every three months (page: refresh-client)."""


@dataclass(frozen=True, slots=True)
class AccountWarning:
    """What somebody should know of an account. `tone`: bad, where it delivers nothing or soon will not; else warn."""

    tone: str
    text: str


def renew_at(*, now: datetime, expires_at: datetime | None) -> datetime:
    """When a token that is given at `now` is renewed: with a third of its life left, within three months at most."""
    if expires_at is None:
        return now + LONGEST_WITHOUT_RENEWAL
    return now + min((expires_at - now) * 2 / 3, LONGEST_WITHOUT_RENEWAL)


def warning_of(account: MetricaAccount, now: datetime) -> AccountWarning | None:
    """What is the matter with the account, the gravest first. No query."""
    login = {"login": account.login}
    if account.state == AccountState.DISCONNECTED:
        text = _("The account %(login)s is not connected: orders of its counters are held.")
        return AccountWarning("bad", text % login)
    ends = account.token_expires_at
    if ends is not None and ends <= now:
        told = _("The token of %(login)s has expired: connect the account again.") % login
        return AccountWarning("bad", f"{told} {renewal_text(account)}".strip())
    if account.refresh_error_code:
        urgent = account.refresh_at is None or (ends is not None and ends <= now + URGENT_BEFORE)
        return AccountWarning("bad" if urgent else "warn", renewal_text(account))
    if account.renews_itself:
        overdue = account.refresh_at is not None and account.refresh_at < now - OVERDUE_AFTER
        if overdue:
            text = _("The token of %(login)s should have been renewed long ago. Is a worker running?")
            return AccountWarning("warn", text % login)
        return None
    if ends is not None and ends <= now + WARN_BEFORE:
        tone = "bad" if ends <= now + URGENT_BEFORE else "warn"
        text = _("The token of %(login)s expires soon. Connect the account with a new one.")
        return AccountWarning(tone, text % login)
    return None


def renewal_text(account: MetricaAccount) -> str:
    """What became of the last renewal; empty where it succeeded or none was tried."""
    if not account.refresh_error_code:
        return ""
    if account.refresh_at is None:
        text = _("The token of %(login)s cannot be renewed. Connect the account again. %(why)s")
    else:
        text = _("The token of %(login)s could not be renewed yet; it is tried again. %(why)s")
    return text % {"login": account.login, "why": refresh_problem(account)}


def refresh_problem(account: MetricaAccount) -> str:
    """Why the last renewal failed, in the viewer's language where the reason is a known one."""
    for kind in OAUTH_KINDS:
        if kind.code == account.refresh_error_code:
            return f"{kind.message} {kind.next_step}"
    return account.refresh_error


def may_upload(account: MetricaAccount) -> bool | None:
    """By the rights that were granted; None where they are not known. Access to the counter is another matter."""
    granted = account.scopes.split()
    return not MAY_UPLOAD.isdisjoint(granted) if granted else None


def rights_text(account: MetricaAccount) -> Text:
    """What the token was seen to do. The right to upload cannot be read off, only proven."""
    if may_upload(account) is False:
        return _("Its rights do not include uploading: connect it again and confirm that right.")
    if account.last_upload_ok_at is not None:
        return _("Reading and uploading work.")
    if account.reading_ok_at is not None:
        return _("Reading works; uploading not yet proven: the first upload that passes will show it.")
    return _("Nothing is proven yet. “Check the connection” tries whether reading works.")
