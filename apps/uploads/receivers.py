"""What other apps tell this one."""

from typing import Any

from apps.counters import schedule
from apps.counters.models import Counter
from apps.uploads.services import request_if_wanted


def changes_were_accepted(*, counter_id: int, counter: Counter | None = None, **_details: Any) -> None:
    """Counters whose orders go out as they come get their job at once."""
    if counter is None:
        counter = Counter.objects.select_related("account").filter(pk=counter_id).first()
    if counter is not None and counter.schedule == schedule.AS_THEY_COME:
        request_if_wanted(counter)
