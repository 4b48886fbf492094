"""A counter's page that is saved may let orders go to Metrica: then it asks first, and says how many and when."""

import hashlib
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfoNotFoundError

from apps.counters.leaving import leaves, sends_by_itself
from apps.counters.models import Counter
from apps.counters.panels import COUNTED_AT_MOST, freed_counts, waiting_counts
from apps.counters.schedule import MANUAL, ScheduleError, parse
from apps.goals.statuses import StatusRow

_FREEING = ("account_id", "time_zone")
_SETTINGS = ("schedule", *_FREEING)


def what_leaves(counter: Counter, draft: Callable[[], Sequence[StatusRow]], *, mapping_changed: bool) -> str:
    """How much leaves for Metrica, and when, because the counter is saved as it is in memory, with the mapping that
    `draft` gives; empty where nothing does. One query, and what the counting takes where something may be let go.
    Raises what `draft` raises."""
    if not _is_sound(counter) or not sends_by_itself(counter):
        return ""
    was = Counter.objects.get(pk=counter.pk)
    planned_anew = was.schedule != counter.schedule or was.time_zone != counter.time_zone
    count = 0
    if _sooner(was.schedule, counter.schedule):
        count += sum(waiting(counter) for waiting in waiting_counts)
    if mapping_changed or any(getattr(was, name) != getattr(counter, name) for name in _FREEING):
        rows = draft()
        count += sum(freed(counter, rows) for freed in freed_counts)
    if not count:
        return ""
    plan = parse(counter.schedule) if planned_anew else None
    return leaves(counter, changes=count, or_more=count >= COUNTED_AT_MOST, schedule=plan)


def meant(counter: Counter, changes: object) -> str:
    """Tells what is said yes to from whatever is written after that."""
    settings = [str(getattr(counter, name)) for name in _SETTINGS]
    return hashlib.sha256(repr((settings, changes)).encode()).hexdigest()[:32]


def _is_sound(counter: Counter) -> bool:
    """What is not, the service refuses."""
    try:
        return parse(counter.schedule) is not None and counter.zone is not None
    except (ScheduleError, ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _sooner(was: str, now: str) -> bool:
    return was != now and (was == MANUAL or parse(now).kind == "as_they_come")
