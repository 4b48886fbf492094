"""What is wrong with the goals that the mapping names: not at Metrica, deleted, renamed, or not told apart there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from apps.counters.models import Counter
from apps.goals.models import Goal, StatusMapping, StepState
from apps.goals.statuses import bad_identifier
from apps.metrica.text import Text, _, filled

RENAMED_SHOWN: Final = timedelta(days=14)
"""How long a new name is worth a line."""

_LOOSE: Final = frozenset({"contain", "start", "regexp"})


@dataclass(frozen=True, slots=True)
class Issue:
    """One goal with what is wrong about it. `can_be_created`: by us, at Metrica. `serious`: reaches get lost."""

    identifier: str
    code: str
    text: Text
    can_be_created: bool = False
    serious: bool = True


def goals_in_use(mappings: Iterable[StatusMapping]) -> dict[str, list[str]]:
    """{identifier: CRM statuses that reach it}, in the mapping's order."""
    used: dict[str, list[str]] = {}
    for mapping in mappings:
        for goal in mapping.goal_action_ids:
            used.setdefault(goal, []).append(mapping.crm_status)
    return used


def issues_of(counter: Counter, *, now: datetime) -> list[Issue]:
    """Three queries. Nothing is said of goals at Metrica while they were never read."""
    used = goals_in_use(StatusMapping.objects.filter(counter=counter))
    if not used:
        return []
    goals = {goal.identifier: goal for goal in Goal.objects.filter(counter=counter)}
    was_read = StepState.objects.filter(counter=counter, goals_read_at__isnull=False).exists()
    return issues(used=used, goals=goals, was_read=was_read, now=now)


def issues(*, used: Iterable[str], goals: Mapping[str, Goal], was_read: bool, now: datetime) -> list[Issue]:
    """Of each goal in use what is wrong with it, in their order."""
    found = []
    present = {goal.metrica_goal_id: name for name, goal in goals.items() if goal.synced_at and not goal.missing_since}
    for identifier in used:
        goal = goals.get(identifier)
        if bad_identifier(identifier):
            text = _('Its identifier has a sign that orders cannot name: / \\ & # ? = " or a comma.')
            found.append(Issue(identifier, "goal_bad_identifier", text))
        elif goal is None or goal.synced_at is None:
            if was_read:
                text = _("Metrica has no such goal. Create it, or correct the identifier.")
                found.append(Issue(identifier, "goal_missing", text, can_be_created=True))
        elif goal.missing_since is not None:
            moved = present.get(goal.metrica_goal_id)
            if moved:
                text = filled(_("At Metrica it goes by the identifier “%(identifier)s” now."), identifier=moved)
                found.append(Issue(identifier, "goal_moved", text, can_be_created=True))
            else:
                text = _("It was deleted at Metrica. Create it again, or take it out of the mapping.")
                found.append(Issue(identifier, "goal_deleted", text, can_be_created=True))
        else:
            found += _of_present(goal, now)
    return found


def _of_present(goal: Goal, now: datetime) -> Iterable[Issue]:
    if goal.condition in _LOOSE:
        text = _(
            "Its condition at Metrica is not “exact match”, so other identifiers may reach it too. Change it there to "
            "an exact match."
        )
        yield Issue(goal.identifier, "goal_not_exact", text)
    if goal.renamed_at is not None and now - goal.renamed_at < RENAMED_SHOWN:
        text = filled(
            _("It was renamed at Metrica: “%(before)s” is “%(after)s” now. Orders reach it as before."),
            before=goal.earlier_name,
            after=goal.name,
        )
        yield Issue(goal.identifier, "goal_renamed", text, serious=False)
