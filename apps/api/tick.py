"""What the clock does for the API: answers, counts and lines of the gateway's log whose time is over go."""

from datetime import datetime, timedelta

from django.conf import settings

from apps.agencies.bulk import delete_rows
from apps.api import limits, repeating
from apps.api.models import ReceivedUpload


def on_tick(*, now: datetime, **_details: object) -> None:
    repeating.prune(now)
    limits.prune(now.timestamp())
    old = ReceivedUpload.objects.filter(received_at__lt=now - timedelta(days=settings.GATEWAY_KEPT_DAYS))
    delete_rows(old.order_by("received_at"))
