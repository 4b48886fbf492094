"""The history of the mapping: every change is a version, and an earlier one can be gone back to (as a new one)."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.audit import trace
from apps.counters.models import Counter
from apps.goals.differences import difference
from apps.goals.models import MappingVersion
from apps.goals.statuses import StatusRow


def keep_version(
    *, counter: Counter, before: Sequence[StatusRow], after: Sequence[StatusRow], restores: int | None = None
) -> MappingVersion | None:
    """Write down that the mapping changed, in the transaction of the change, which has locked the counter.

    None where nothing differs. A mapping that is older than its history gets its first version here, of nobody.
    """
    lines = difference(before, after)
    if not lines:
        return None
    last = _last(counter)
    if last is None and before:
        last = 1
        MappingVersion.objects.create(counter=counter, number=1, mapping=[row.to_json() for row in before])
    current = trace.current()
    return MappingVersion.objects.create(
        counter=counter,
        number=(last or 0) + 1,
        by=current.actor.label[:255],
        source=current.source,
        restores=restores,
        mapping=[row.to_json() for row in after],
        difference=lines,
    )


def check_newest(*, counter: Counter, number: int) -> None:
    """Raises ValidationError where the mapping has a newer version than this one (0: none)."""
    if (_last(counter) or 0) != number:
        message = _("Somebody has changed the mapping this very moment. Look again, and save once more.")
        raise ValidationError(message, code="changed_meanwhile")


def _last(counter: Counter) -> int | None:
    versions = MappingVersion.objects.filter(counter=counter).order_by("-number")
    return versions.values_list("number", flat=True).first()
