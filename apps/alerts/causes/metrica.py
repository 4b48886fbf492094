"""Metrica itself: it does not answer, or a login has used up what Metrica allows it in a day (R10)."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.alerts.causes.base import Cause, Facts, Finding, Look, account_page, number, when
from apps.alerts.models import Alert, Severity
from apps.counters.breaker import open_breakers
from apps.counters.models import AccountState
from apps.counters.quotas import standings
from apps.uploads.problems import describe


class MetricaUnreachable(Cause):
    code = "metrica_unreachable"
    title = _("Metrica does not answer")
    step = _(
        "Goalpost tries again by itself, and nothing is lost. If it lasts, see whether this machine reaches Metrica."
    )
    severity = Severity.URGENT

    def find(self, look: Look) -> Iterable[Finding]:
        """One query while all is well, for the handful of addresses that do not answer."""
        connected = {one.pk: one for one in look.accounts if one.state == AccountState.CONNECTED}
        late = look.now - timedelta(minutes=look.rules.unreachable_minutes)
        for broken in open_breakers(connected.values()):
            if broken.since > late:
                continue
            facts: dict[str, Any] = {"host": broken.host, "since": broken.since.isoformat(), "code": broken.code}
            if broken.account_id is None:
                yield Finding(f"host {broken.host}"[:200], broken.host, self.severity, facts)
            else:
                yield self.of_account(connected[broken.account_id], **facts)

    def sentence(self, facts: Facts) -> str:
        text = _now("No answer from %(host)s since %(time)s.") % {"host": facts["host"], "time": when(facts["since"])}
        problem = describe(facts["code"])
        return f"{text} {problem.message}" if problem else text

    def page(self, alert: Alert) -> str:
        return account_page(alert) if alert.account_id else reverse("admin:counters_metricaaccount_changelist")


class QuotaLow(Cause):
    code = "quota_low"
    title = _("The day's calls to Metrica are nearly used up")
    step = _("Let counters of this login upload less often, or connect some of them by another login.")
    calm = timedelta(minutes=15)

    page = staticmethod(account_page)

    def find(self, look: Look) -> Iterable[Finding]:
        """One short read of the shared counts, for all connected accounts together."""
        connected = {one.pk: one for one in look.accounts if one.state == AccountState.CONNECTED}
        for pk, day in standings(connected.values(), now=look.now).items():
            if day.left and 100 * day.used < look.rules.quota_percent * day.limit:
                continue
            severity = Severity.WARNING if day.left else Severity.URGENT
            facts = {"used": day.used, "limit": day.limit, "left": day.left, "resets": day.resets_at.isoformat()}
            yield self.of_account(connected[pk], severity=severity, **facts)

    def sentence(self, facts: Facts) -> str:
        shown = {
            "used": number(facts["used"]),
            "limit": number(facts["limit"]),
            "left": number(facts["left"]),
            "time": when(facts["resets"]),
        }
        if not facts["left"]:
            return _now("No call is left: %(used)s of %(limit)s are used. Uploads go on at %(time)s.") % shown
        return _now("%(used)s of %(limit)s calls are used, %(left)s are left until %(time)s.") % shown
