"""Every cause of alerts, by its code. A new one is a class with its line here."""

from apps.alerts.causes.accounts import AccountRefused, RenewalFailing, TokenExpiring
from apps.alerts.causes.base import Cause
from apps.alerts.causes.delivery import CounterFailing, QueueOld, RejectedShare
from apps.alerts.causes.hooks import WebhookDisabled
from apps.alerts.causes.machinery import WorkerSilent
from apps.alerts.causes.matching import MatchDropped
from apps.alerts.causes.metrica import MetricaUnreachable, QuotaLow
from apps.alerts.causes.orders import BindingWindowClosing, HoldsWaiting, UpdateWindowClosing
from apps.metrica.text import Text

CAUSES: dict[str, Cause] = {
    cause.code: cause
    for cause in (
        AccountRefused(),
        TokenExpiring(),
        RenewalFailing(),
        MetricaUnreachable(),
        QuotaLow(),
        CounterFailing(),
        QueueOld(),
        WorkerSilent(),
        HoldsWaiting(),
        RejectedShare(),
        BindingWindowClosing(),
        UpdateWindowClosing(),
        MatchDropped(),
        WebhookDisabled(),
    )
}


def title_of(code: str) -> Text:
    """What a cause is called; an unknown one, of an older version perhaps, by its code."""
    cause = CAUSES.get(code)
    return cause.title if cause else code


def choices() -> list[tuple[str, Text]]:
    """For forms."""
    return [(code, cause.title) for code, cause in CAUSES.items()]
