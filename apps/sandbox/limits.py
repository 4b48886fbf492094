"""Documented limits (quotas page) and the numbers that a tester put in their place."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.sandbox.models import SandboxLimit


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    meaning: str | Promise
    default: int


LIMITS = {
    limit.name: limit
    for limit in (
        Limit("requests_by_ip", _("Calls from one address in a second"), 30),
        Limit("parallel_requests", _("Calls of one login at the same time"), 3),
        Limit("requests_by_uid", _("Calls of one login in a day, for reading, writing and reports each"), 5000),
        Limit(
            "requests_by_counter_id", _("Calls to one counter in a day, for reading, writing and reports each"), 5000
        ),
        Limit("reports", _("Reports of one login in five minutes"), 200),
        Limit("grants", _("Accesses given to one counter in an hour"), 3),
        # Not in the documents of the API: the pages that exist name no number.
        Limit("goals", _("Goals of one counter"), 200),
    )
}


def values() -> dict[str, int | None]:
    """Every limit as it stands now; None where there is none. One query."""
    moved = dict(SandboxLimit.objects.values_list("name", "value"))
    return {name: moved.get(name, limit.default) for name, limit in LIMITS.items()}
