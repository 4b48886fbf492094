"""What other apps tell this one."""

from typing import Any

from apps.counters import schedule
from apps.counters.models import Counter
from apps.uploads.services import request_if_wanted


def changes_were_accepted(*, counter_id: int, **_details: Any) -> None:
    """Counters whose orders go out as they come get their job at once. One query for all others."""
    counters = Counter.objects.filter(pk=counter_id, schedule=schedule.AS_THEY_COME)
    if counters.exists():  # of most there is nothing to do, and this is asked for each order
        for counter in counters.select_related("account"):
            request_if_wanted(counter)
