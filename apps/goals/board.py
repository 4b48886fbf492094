"""Statuses and goals of several counters at once, for lists: two queries however many counters there are."""

from collections import defaultdict
from collections.abc import Iterable

from apps.counters.models import Counter
from apps.goals.models import Goal, StatusMapping
from apps.goals.resolve import Resolver


def resolvers(counters: Iterable[Counter]) -> dict[int, Resolver]:
    """A resolver for each counter, by its primary key."""
    wanted = {counter.pk: counter for counter in counters}
    mappings: dict[int, list[StatusMapping]] = defaultdict(list)
    for mapping in StatusMapping.objects.filter(counter__in=wanted):
        mappings[mapping.counter_id].append(mapping)
    goals: dict[int, set[str]] = defaultdict(set)
    for counter_id, identifier in Goal.objects.filter(counter__in=wanted).values_list("counter_id", "identifier"):
        goals[counter_id].add(identifier)
    return {
        pk: Resolver(mode=counter.mode, mappings=mappings[pk], goal_ids=frozenset(goals[pk]))
        for pk, counter in wanted.items()
    }


def known_goals(counter: Counter) -> list[tuple[str, str]]:
    """(identifier, name) of the counter's goals, favourites first."""
    rows = Goal.objects.filter(counter=counter).order_by("-is_favorite", "identifier")
    return list(rows.values_list("identifier", "name")[:500])
