"""What the queue calls, and how the calls get there. Arguments are keys only; a message may be lost or doubled."""

import structlog
from django.utils import timezone
from django_q.tasks import async_task

from apps.agencies import actor as actors
from apps.audit import trace
from apps.counters import breaker, clock, renewal, yandex
from apps.counters.models import AccountState, MetricaAccount
from apps.metrica.errors import MetricaError

log = structlog.get_logger(__name__)

AT_ONCE = 100


def renew_token(account_id: int) -> None:
    """Renew one account's token."""
    with trace.traced(actor=actors.system("worker"), source="worker"):
        renewal.renew(account_id)


def send_due_renewals() -> int:
    """Messages for accounts whose token is to be renewed. Returns how many; beyond a hundred, next time."""
    due = MetricaAccount.objects.refresh_due(timezone.now()).order_by("refresh_at").values_list("pk", flat=True)
    found = list(due[:AT_ONCE])
    for account_id in found:
        async_task("apps.counters.tasks.renew_token", account_id, task_name=f"renew {account_id}")
    return len(found)


def ask_again(account_id: int) -> None:
    """See whether Metrica answers again, by the lightest call there is."""
    account = MetricaAccount.objects.filter(pk=account_id, state=AccountState.CONNECTED).first()
    if account is None:
        return
    with trace.traced(actor=actors.system("worker"), source="worker"):
        try:
            yandex.read_test(account)
        except MetricaError as error:
            log.info("Metrica was asked again", account=account_id, code=error.code)


def send_due_questions() -> int:
    """Messages for accounts that are to ask whether Metrica answers again. Returns how many."""
    found = breaker.accounts_to_try(clock.now())[:AT_ONCE]
    for account_id in found:
        async_task("apps.counters.tasks.ask_again", account_id, task_name=f"ask again {account_id}")
    return len(found)
