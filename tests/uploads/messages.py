"""The queue's messages, and a worker that does by hand what one of them says."""

from django.utils.module_loading import import_string
from django_q.models import OrmQ

from apps.uploads.models import Permit


def messages() -> int:
    return OrmQ.objects.count()


def forget_messages() -> None:
    """As if workers had used them all and found nothing."""
    OrmQ.objects.all().delete()
    Permit.objects.all().delete()


def work() -> None:
    """Take the oldest message and do as it says."""
    message = OrmQ.objects.order_by("pk")[0]
    task = message.task
    message.delete()
    import_string(task["func"])(*task["args"])
