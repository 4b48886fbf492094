"""One look at an agency: which causes are the case now, and what that makes of its alerts."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction

from apps.alerts import news
from apps.alerts.causes import CAUSES
from apps.alerts.causes.base import Finding, Look
from apps.alerts.models import Alert, AlertDelivery, AlertMute, AlertRules, Channel, Ending, Stage, Told

log = structlog.get_logger(__name__)

THOROUGH_EVERY = timedelta(hours=6)
SECONDS_A_CAUSE = 10
"""The longest that the database may take for one cause; then the cause is left as it was."""

ALERTS_KEPT = timedelta(days=180)
DELIVERIES_KEPT = timedelta(days=90)


def look(rules: AlertRules, *, now: datetime) -> None:
    """Find out what is the case in the agency, keep it, and mark the channels that have something to tell."""
    thorough = rules.thorough_at is None or rules.thorough_at <= now - THOROUGH_EVERY
    seen = Look(agency=rules.agency, rules=rules, now=now)
    found: list[tuple[str, Finding]] = []
    watched: set[str] = set()
    for code, cause in CAUSES.items():
        if code in rules.off or (cause.changes_slowly and not thorough):
            continue
        try:
            with _bounded():
                findings = list(cause.find(seen))
        except Exception:
            # Neither there nor over: this cause is as it was, and the others have their turn.
            log.exception("cause of alerts could not be looked at", cause=code, agency=rules.agency_id)
            continue
        watched.add(code)
        found += [(code, finding) for finding in findings]
    keep(rules, found=found, watched=watched, now=now)
    mark_channels(rules, now=now)
    if thorough:
        _keep_house(rules, now=now)


@transaction.atomic
def keep(rules: AlertRules, *, found: list[tuple[str, Finding]], watched: set[str], now: datetime) -> None:
    """Open, go on with and close the agency's alerts. Four statements, whatever their number."""
    known = {(alert.cause, alert.subject): alert for alert in Alert.objects.open().filter(agency=rules.agency)}
    there = {(code, finding.subject): finding for code, finding in found}
    new = [
        Alert(agency=rules.agency, cause=code, opened_at=now, last_seen=now, **_fields(finding))
        for (code, subject), finding in there.items()
        if (code, subject) not in known
    ]
    Alert.objects.bulk_create(new, ignore_conflicts=True)
    on = []
    for key, alert in known.items():
        if (finding := there.get(key)) is not None:
            alert.last_seen = now
            for name, value in _fields(finding).items():
                setattr(alert, name, value)
            on.append(alert)
        elif alert.cause in rules.off or alert.cause not in CAUSES:
            alert.closed_at, alert.ending = now, Ending.UNWATCHED
            on.append(alert)
        elif alert.cause in watched and _calm(alert, now):
            alert.closed_at, alert.ending = now, Ending.OVER
            on.append(alert)
    changing = ["last_seen", "label", "counter_id", "account_id", "severity", "facts", "closed_at", "ending"]
    Alert.objects.bulk_update(on, changing, batch_size=500)
    unwatched = [alert.pk for alert in on if alert.ending == Ending.UNWATCHED]
    if unwatched:
        # Nobody says “resolved” of what is only no longer looked at.
        Told.objects.filter(alert__in=unwatched).update(stage=Stage.OVER)
    for alert in new:
        log.warning("alert", cause=alert.cause, agency=rules.agency_id, subject=alert.subject)


def mark_channels(rules: AlertRules, *, now: datetime) -> int:
    """Channels that have something to tell now. Returns how many. Some three queries a channel."""
    channels = Channel.objects.filter(agency=rules.agency, is_active=True)
    channels = channels.prefetch_related("counters", "members__user")
    marked = [channel.pk for channel in channels if news.of(channel, rules=rules, now=now)]
    return Channel.objects.filter(pk__in=marked).update(due=True) if marked else 0


def _calm(alert: Alert, now: datetime) -> bool:
    """Whether it has not been seen for long enough to be over."""
    calm = CAUSES[alert.cause].calm
    return not calm or alert.last_seen <= now - calm


def _fields(finding: Finding) -> dict[str, object]:
    return {
        "subject": finding.subject,
        "label": finding.label[:300],
        "severity": finding.severity,
        "facts": dict(finding.facts),
        "counter_id": finding.counter_id,
        "account_id": finding.account_id,
    }


def _keep_house(rules: AlertRules, *, now: datetime) -> None:
    Alert.objects.filter(agency=rules.agency, closed_at__lt=now - ALERTS_KEPT).delete()
    AlertDelivery.objects.filter(channel__agency=rules.agency, created_at__lt=now - DELIVERIES_KEPT).delete()
    AlertMute.objects.filter(agency=rules.agency, until__lt=now).delete()
    AlertRules.objects.filter(pk=rules.pk).update(thorough_at=now)


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """PostgreSQL breaks off what takes too long. SQLite knows no such limit, and a transaction there would keep others
    from writing meanwhile."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{SECONDS_A_CAUSE}s'")
        yield
