"""What other apps tell this one."""

from typing import Any

from django.db.models import Exists, OuterRef

from apps.counters import schedule
from apps.counters.models import Counter
from apps.uploads.models import UploadJob
from apps.uploads.services import request_if_wanted


def changes_were_accepted(*, counter_id: int, **_details: Any) -> None:
    """Counters whose orders go out as they come get their job at once. One query for all others, and where a job waits
    or runs already, as it does for most of many orders that come one by one."""
    at_it = UploadJob.objects.unfinished().filter(counter=OuterRef("pk"), only_orders__isnull=True)
    counters = Counter.objects.filter(~Exists(at_it), pk=counter_id, schedule=schedule.AS_THEY_COME)
    for counter in counters.select_related("account").order_by():
        request_if_wanted(counter)
