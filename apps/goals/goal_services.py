"""Every write to the counter's goals: what Metrica says of them, and those that we made there."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.services import record
from apps.counters.models import Counter
from apps.counters.services import touch
from apps.goals.models import Goal, StepState
from apps.metrica.client import GoalInfo

_FIELDS = (
    *("name", "metrica_goal_id", "condition", "default_price", "is_favorite", "synced_at"),
    *("appeared_at", "missing_since", "earlier_name", "renamed_at"),
)


@transaction.atomic
def store_goals(*, counter: Counter, goals: Iterable[GoalInfo]) -> int:
    """Keep what Metrica says of the counter's JavaScript goals, all of them. Returns how many it has.

    Goals that are gone are marked, not forgotten: statuses and orders name them. What differs from the last reading
    leaves one entry in the audit log.
    """
    now = timezone.now()
    # A longer identifier no order can name.
    said = {
        goal.identifier: goal
        for goal in goals
        if goal.type == "action" and goal.identifier and len(goal.identifier) <= 255
    }
    known = {goal.identifier: goal for goal in Goal.objects.filter(counter=counter)}
    read_before = StepState.objects.filter(counter=counter, goals_read_at__isnull=False).exists()
    rows, renamed = [], {}
    for identifier, info in said.items():
        row = known.get(identifier) or Goal(counter=counter, identifier=identifier)
        is_another = row.synced_at is None or row.metrica_goal_id != info.id
        if is_another:
            # At the first reading nobody knows how long it has been there.
            row.appeared_at = now if read_before else None
        elif row.name != info.name:
            renamed[identifier] = [row.name, info.name]
            row.earlier_name, row.renamed_at = row.name, now
        row.name, row.metrica_goal_id, row.condition = info.name[:255], info.id, (info.condition_type or "")[:16]
        row.default_price, row.is_favorite = info.default_price, info.is_favorite
        row.synced_at, row.missing_since = now, None
        rows.append(row)
    gone = [goal for name, goal in known.items() if goal.synced_at and goal.missing_since is None and name not in said]
    added = [row.identifier for row in rows if row.pk is None]
    _write(rows)
    Goal.objects.filter(pk__in=[goal.pk for goal in gone]).update(missing_since=now)
    StepState.objects.update_or_create(counter=counter, defaults={"goals_read_at": now})
    differences: dict[str, Any] = {"added": added, "gone": [goal.identifier for goal in gone], "renamed": renamed}
    _record(counter, "goals.read_from_metrica", {name: value for name, value in differences.items() if value})
    if added:
        touch(counter)
    return len(rows)


@transaction.atomic
def store_created_goal(*, counter: Counter, goal: GoalInfo) -> None:
    """A goal that we made at Metrica a moment ago."""
    now = timezone.now()
    identifier = goal.identifier or ""
    row = Goal.objects.filter(counter=counter, identifier=identifier).first()
    is_new = row is None
    row = row or Goal(counter=counter, identifier=identifier)
    row.name, row.metrica_goal_id, row.condition = goal.name[:255], goal.id, (goal.condition_type or "")[:16]
    row.default_price, row.is_favorite = goal.default_price, goal.is_favorite
    row.synced_at = row.appeared_at = now
    row.missing_since, row.earlier_name, row.renamed_at = None, "", None
    row.save()
    after = {
        "identifier": identifier,
        "name": row.name,
        "number": goal.id,
        "default_price": row.default_price,
        "is_favorite": row.is_favorite,
    }
    record(
        action="goal.created_at_metrica",
        agency=counter.agency_id,
        obj=row,
        after=after,
        details={"counter": counter.metrica_id},
    )
    if is_new:
        touch(counter)


def _write(rows: Iterable[Goal]) -> None:
    Goal.objects.bulk_create(
        [Goal(**{field.attname: getattr(row, field.attname) for field in _plain_fields()}) for row in rows],
        update_conflicts=True,
        unique_fields=["counter", "identifier"],
        update_fields=list(_FIELDS),
    )


def _plain_fields() -> Iterable[Any]:
    """Without the key: on a conflict the row that is there keeps its own."""
    return (field for field in Goal._meta.concrete_fields if not field.primary_key)


def _record(counter: Counter, action: str, after: Mapping[str, Any]) -> None:
    if after:
        record(action=action, agency=counter.agency_id, obj=counter, after=after)
