"""Accounts whose token ends, was refused or is not renewed. They cost one query for all accounts of the agency."""

from collections.abc import Iterable
from datetime import timedelta

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.alerts.causes.base import Cause, Facts, Finding, Look, account_page, when
from apps.alerts.models import Severity
from apps.counters.models import AccountState
from apps.counters.refusals import told
from apps.metrica.oauth_errors import OAUTH_KINDS

URGENT_BEFORE = timedelta(days=3)
TRIES_BEFORE_ALERT = 2
"""One renewal that did not work is tried again within the hour and is nobody's business."""


class AccountRefused(Cause):
    code = "account_refused"
    title = _("Metrica refused the token")
    step = _("Connect the account again: everything that waits for it is released.")
    severity = Severity.URGENT
    page = staticmethod(account_page)

    def find(self, look: Look) -> Iterable[Finding]:
        """No query of its own. An account that a person disconnected has no token any more, and is meant so."""
        for account in look.accounts:
            if account.state == AccountState.DISCONNECTED and account.token_encrypted:
                yield self.of_account(account, why=account.state_reason)

    def sentence(self, facts: Facts) -> str:
        text = _now("The account is disconnected, and orders of its counters are held. %(why)s")
        return text % {"why": told(facts["why"])}


class TokenExpiring(Cause):
    code = "token_expiring"
    title = _("The token expires soon")
    step = _("Connect the account with a new token before that day. One connected at Yandex renews itself.")
    page = staticmethod(account_page)

    def find(self, look: Look) -> Iterable[Finding]:
        """No query of its own. A token that renews itself is the renewal's business until it has expired."""
        for account in look.accounts:
            ends = account.token_expires_at
            if ends is None or account.state != AccountState.CONNECTED:
                continue
            soon = ends <= look.now + timedelta(days=look.rules.token_days) and not account.renews_itself
            if soon or ends <= look.now:
                urgent = ends <= look.now + URGENT_BEFORE
                severity = Severity.URGENT if urgent else Severity.WARNING
                yield self.of_account(account, severity=severity, ends=ends.isoformat(), over=ends <= look.now)

    def sentence(self, facts: Facts) -> str:
        if facts["over"]:
            return _now("The token has expired on %(day)s: nothing is delivered.") % {"day": when(facts["ends"])}
        text = _now("The token expires on %(day)s. From then on nothing is delivered.")
        return text % {"day": when(facts["ends"])}


class RenewalFailing(Cause):
    code = "renewal_failing"
    title = _("The token cannot be renewed")
    step = _("Connect the account again.")
    page = staticmethod(account_page)

    def find(self, look: Look) -> Iterable[Finding]:
        """No query of its own."""
        for account in look.accounts:
            if not account.refresh_error_code or account.state != AccountState.CONNECTED:
                continue
            final = account.refresh_at is None
            if final or account.refresh_attempts >= TRIES_BEFORE_ALERT:
                severity = Severity.URGENT if final else Severity.WARNING
                facts = {
                    "code": account.refresh_error_code,
                    "said": account.refresh_error,
                    "again": None if account.refresh_at is None else account.refresh_at.isoformat(),
                }
                yield self.of_account(account, severity=severity, **facts)

    def sentence(self, facts: Facts) -> str:
        known = next((kind for kind in OAUTH_KINDS if kind.code == facts["code"]), None)
        why = str(known.message) if known else facts["said"]
        if facts["again"] is None:
            return _now("Yandex does not renew the token any more: %(why)s") % {"why": why}
        text = _now("The token could not be renewed yet: %(why)s Tried again on %(time)s.")
        return text % {"why": why, "time": when(facts["again"])}
