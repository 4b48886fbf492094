"""An alert for people: a receiver whose posts are held, or turned away."""

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Count, Min
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.alerts.causes.base import Cause, Facts, Finding, Look, number, when
from apps.alerts.models import Alert
from apps.receivers.models import Post, Receiver
from apps.receivers.problems import REFUSALS

MOST = 100
MOST_COUNTED = 1000
REFUSED_LATELY = timedelta(hours=1)


class ReceiverHeld(Cause):
    code = "receiver_held"
    title = _("Posts of a CRM are not taken in")
    step = _("The receiver's page says why. Mend it there, then process the held posts again: none of them is lost.")

    def find(self, look: Look) -> Iterable[Finding]:
        """Two queries: the agency's receivers, and held posts by an index of those alone."""
        rows = Receiver.objects.filter(counter__agency=look.agency, active=True).select_related("counter")
        receivers = {receiver.pk: receiver for receiver in rows.order_by("pk")[:MOST]}
        newest = Post.objects.held().filter(receiver__in=receivers).order_by("-pk").values("pk")[:MOST_COUNTED]
        by_receiver = Post.objects.filter(pk__in=newest).order_by().values_list("receiver")
        counted = by_receiver.annotate(Count("pk"), Min("received_at"))
        held = {receiver: (count, oldest) for receiver, count, oldest in counted}
        for pk, receiver in receivers.items():
            count, oldest = held.get(pk, (0, None))
            refused = receiver.refused_at is not None and receiver.refused_at > look.now - REFUSED_LATELY
            if not count and not refused:
                continue
            facts = {
                "receiver": pk,
                "held": count,
                "since": oldest.isoformat() if oldest else "",
                "refused_for": receiver.refused_for if refused else "",
            }
            yield Finding(
                f"receiver {pk}",
                f"{receiver.counter} · {receiver.name}"[:300],
                self.severity,
                facts,
                receiver.counter_id,
            )

    def sentence(self, facts: Facts) -> str:
        told = []
        if facts["held"]:
            shown = {
                "number": number(facts["held"], at_least=facts["held"] >= MOST_COUNTED),
                "time": when(facts["since"]),
            }
            told.append(_now("Posts that need a person: %(number)s, the oldest since %(time)s.") % shown)
        if facts["refused_for"]:
            why = REFUSALS.get(facts["refused_for"], facts["refused_for"])
            told.append(_now("Posts are turned away: %(why)s.") % {"why": why})
        return " ".join(told)

    def page(self, alert: Alert) -> str:
        return reverse("admin:receivers_receiver_change", args=[alert.facts["receiver"]])
