"""What pages say of the calls to Metrica: how the login's day stands, and whether Metrica answers (R10)."""

from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from apps.counters.breaker import OpenBreaker, open_breakers
from apps.counters.models import AccountState, MetricaAccount
from apps.counters.quotas import DayStanding, standing
from apps.counters.templatetags.goalpost import moment


def traffic_of(account: MetricaAccount | None) -> dict[str, Any]:
    """For templates: `day` (DayStanding) and `day_tone`, and `outage`, a sentence. Two queries; nothing of an account
    that is not connected, whose calls nobody makes."""
    if account is None or account.state != AccountState.CONNECTED:
        return {}
    day = standing(account)
    outages = open_breakers([account])
    return {"day": day, "day_tone": _tone(day), "outage": _sentence(outages[0]) if outages else ""}


def _tone(day: DayStanding) -> str:
    if not day.left:
        return "bad"
    return "warn" if day.short else ""


def _sentence(outage: OpenBreaker) -> str:
    if outage.retry_at <= timezone.now():
        text = _("Metrica does not answer since {since}; the next attempt is due.")
    elif outage.account_id is None:
        text = _("Metrica does not answer since {since}; next attempt at {retry_at}.")
    else:
        text = _("Metrica does not answer this account since {since}; next attempt at {retry_at}.")
    return format_html(text, since=moment(outage.since), retry_at=moment(outage.retry_at))
