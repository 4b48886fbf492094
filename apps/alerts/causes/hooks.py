"""Webhooks for CRM developers that Goalpost has given up calling."""

from collections.abc import Iterable

from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.alerts.causes.base import Cause, Facts, Finding, Look, when
from apps.alerts.models import Alert
from apps.hooks.models import DisabledFor, Endpoint

MOST = 100


class WebhookDisabled(Cause):
    code = "webhook_disabled"
    title = _("A webhook is no longer called")
    step = _("Have its receiver mended, then let it be called again on its page: what waits for it is sent then.")

    def find(self, look: Look) -> Iterable[Finding]:
        """The agency's few endpoints, in one query. One that a person switched off is meant so."""
        given_up = Endpoint.objects.filter(agency=look.agency, active=True, disabled_at__isnull=False)
        for endpoint in given_up.order_by("pk")[:MOST]:
            assert endpoint.disabled_at is not None
            facts = {"endpoint": endpoint.pk, "at": endpoint.disabled_at.isoformat(), "why": endpoint.disabled_for}
            yield Finding(f"webhook {endpoint.pk}", endpoint.name, self.severity, facts)

    def sentence(self, facts: Facts) -> str:
        why = DisabledFor(facts["why"]).label if facts["why"] in DisabledFor.values else facts["why"]
        return _now("It has not been called since %(time)s: %(why)s.") % {"time": when(facts["at"]), "why": why}

    def page(self, alert: Alert) -> str:
        return reverse("admin:hooks_endpoint_change", args=[alert.facts["endpoint"]])
