"""The queue's messages, and a worker that does by hand what one of them says."""

from django.utils.module_loading import import_string
from django_q.models import OrmQ

from apps.uploads.models import Permit


def messages() -> int:
    return len(_to_workers())


def forget_messages() -> None:
    """As if workers had used them all and found nothing."""
    OrmQ.objects.all().delete()
    Permit.objects.all().delete()


def work() -> None:
    """Take the oldest message and do as it says."""
    message = _to_workers()[0]
    task = message.task
    message.delete()
    import_string(task["func"])(*task["args"])


def _to_workers() -> list[OrmQ]:
    """Those about uploads, the oldest first: others have their own."""
    return [one for one in OrmQ.objects.order_by("pk") if one.func() == "apps.uploads.tasks.work"]
