"""Queue entry points; they do nothing of their own. Arguments are primary keys: a message may be lost or come twice."""

from apps.counters.models import Counter
from apps.orders import holds


def review_holds(counter_id: int) -> int:
    """Look again at what a counter holds. Returns how many changes are free again."""
    counter = Counter.objects.filter(pk=counter_id).first()
    return holds.review(counter) if counter is not None else 0
