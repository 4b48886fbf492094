"""What other apps tell this one."""

from typing import Any

from apps.counters import schedule
from apps.counters.models import Counter
from apps.uploads.services import request_if_wanted


def changes_were_accepted(*, counter_id: int, counter: Counter | None = None, **_details: Any) -> None:
    """Counters whose orders go out as they come get their job at once. No query for all others, where who tells it has
    read the counter."""
    if counter is not None and counter.schedule != schedule.AS_THEY_COME:
        return
    counters = Counter.objects.filter(pk=counter_id, schedule=schedule.AS_THEY_COME).select_related("account")
    for found in counters:
        request_if_wanted(found)
