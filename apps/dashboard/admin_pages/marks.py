"""What the roll-up adds to the list of counters: what each has to do, as the home page has it."""

from collections.abc import Iterable
from typing import Any

from apps.counters.models import Counter
from apps.counters.panels import Mark
from apps.dashboard.models import CounterNumbers
from apps.orders import numbers
from apps.orders.admin_pages.panels import work_marks


def marks_of_work(counters: Iterable[Counter]) -> dict[int, list[Mark]]:
    """One query for all of them; two more where some are so new that the roll-up has not come to them, and so are
    counted now."""
    keys = [counter.pk for counter in counters]
    found: dict[int, Any] = CounterNumbers.objects.filter(work_at__isnull=False).in_bulk(keys)
    uncounted = [key for key in keys if key not in found]
    new = work_marks(numbers.work_of(uncounted), exact=False) if uncounted else {}
    return {**work_marks(found, exact=True), **new}
