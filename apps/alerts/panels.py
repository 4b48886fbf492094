"""What the home page shows of alerts."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils import timezone

from apps.agencies.actor import Actor
from apps.alerts import messages
from apps.alerts.causes import title_of
from apps.alerts.models import Alert
from apps.alerts.news import muted_of
from apps.metrica.text import Text

SHOWN = 6


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """One line of the strip."""

    tone: str
    title: Text
    label: str
    sentence: str
    since: datetime
    url: str
    fix: str


def open_alerts(actor: Actor, *, but_accounts: Collection[int] = ()) -> tuple[list[OpenAlert], bool]:
    """Open alerts that nobody muted, the urgent ones first, and whether there are more. Two queries at most.

    `but_accounts`: accounts (primary keys) of which the page warns already.
    """
    rows = Alert.objects.visible_to(actor).open().filter(agency__is_active=True)
    found = [alert for alert in rows.worst_first()[:200] if alert.account_id not in but_accounts]
    agencies = {alert.agency_id for alert in found}
    muted = {agency: muted_of(agency, now=timezone.now()) for agency in list(agencies)[:10]}
    loud = [one for one in found if (one.cause, one.subject) not in muted.get(one.agency_id, set())]
    return [_line(alert) for alert in loud[:SHOWN]], len(loud) > SHOWN


def _line(alert: Alert) -> OpenAlert:
    return OpenAlert(
        tone="bad" if alert.is_urgent else "warn",
        title=title_of(alert.cause),
        label=alert.label,
        sentence=messages.sentence_of(alert),
        since=alert.opened_at,
        url=reverse("admin:alerts_alert_change", args=[alert.pk]),
        fix=messages.page_of(alert),
    )
