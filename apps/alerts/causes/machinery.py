"""Goalpost's own workers: one that died without a word, or a queue through which no message passes."""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.alerts.causes.base import Cause, Facts, Finding, Look, when
from apps.alerts.models import Alert, Severity
from apps.uploads import heartbeats


class WorkerSilent(Cause):
    code = "worker_silent"
    title = _("A worker is silent")
    step = _("Start it again on that machine (python manage.py worker) and read its log.")
    severity = Severity.URGENT

    def find(self, look: Look) -> Iterable[Finding]:
        """The handful of signs of life, in one query. A worker that was stopped properly has said good-bye; one whose
        machine has another living worker was started anew."""
        limit = look.now - max(
            timedelta(minutes=look.rules.worker_minutes), 5 * timedelta(seconds=settings.TICK_SECONDS)
        )
        for machine, seen in heartbeats.last_of_machines().items():
            if seen <= limit:
                yield Finding(f"machine {machine}"[:200], machine, self.severity, {"seen": seen.isoformat()})
        queue = heartbeats.last(heartbeats.QUEUE)
        if queue is not None and queue <= limit and not heartbeats.job_in_hand():
            yield Finding("queue", "", self.severity, {"seen": queue.isoformat(), "queue": True})

    def sentence(self, facts: Facts) -> str:
        shown = {"time": when(facts["seen"])}
        if facts.get("queue"):
            return _now("No message has passed through the queue since %(time)s: nothing is delivered.") % shown
        return _now("The worker of this machine gave its last sign of life on %(time)s.") % shown

    def page(self, alert: Alert) -> str:
        return reverse("admin:uploads_uploadjob_changelist")
