"""What the queue calls, and how the calls get there. Arguments are keys only; a message may be lost or doubled."""

from django.utils import timezone
from django_q.tasks import async_task

from apps.agencies import actor as actors
from apps.audit import trace
from apps.counters import renewal
from apps.counters.models import MetricaAccount

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
