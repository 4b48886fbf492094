"""Steps of a counter's set-up that are about goals and the mapping."""

from collections.abc import Mapping, Sequence

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.counters.checkup import Finding, Level, act_of, page_of
from apps.counters.models import Counter
from apps.goals.goal_checks import goals_in_use, issues
from apps.goals.models import Goal, StatusMapping, StepState


def goals_and_mapping(counters: Sequence[Counter]) -> Mapping[int, Sequence[Finding]]:
    """Three queries for all of them."""
    keys = [counter.pk for counter in counters]
    mapped: dict[int, list[StatusMapping]] = {key: [] for key in keys}
    for mapping in StatusMapping.objects.filter(counter__in=keys):
        mapped[mapping.counter_id].append(mapping)
    known: dict[int, dict[str, Goal]] = {key: {} for key in keys}
    for goal in Goal.objects.filter(counter__in=keys):
        known[goal.counter_id][goal.identifier] = goal
    read = set(
        StepState.objects.filter(counter__in=keys, goals_read_at__isnull=False).values_list("counter_id", flat=True)
    )
    return {
        counter.pk: [
            _goals_of(counter, mapped[counter.pk], known[counter.pk], was_read=counter.pk in read),
            _mapping_of(counter, len(mapped[counter.pk])),
        ]
        for counter in counters
    }


def _goals_of(counter: Counter, mapped: list[StatusMapping], known: dict[str, Goal], *, was_read: bool) -> Finding:
    title, used = _("Goals"), goals_in_use(mapped)
    if not was_read:
        text = _("The counter's goals were never read from Metrica.")
        return Finding("goals", title, Level.HINT, text, _("Read them from Metrica."), act_of(counter, "read"))
    found = [one for one in issues(used=used, goals=known, was_read=True, now=timezone.now()) if one.serious]
    if found:
        text = _("Something is wrong with goals that the mapping names: %(goals)s.") % {
            "goals": ", ".join(one.identifier for one in found[:5])
        }
        return Finding("goals", title, Level.NEEDED, text, _("See above the mapping what it is."), page_of(counter))
    there = sum(goal.synced_at is not None and goal.missing_since is None for goal in known.values())
    if not there:
        text = _("Metrica has no goal that a status can reach; orders reach only Metrica's own goals.")
        step = _("Create JavaScript goals at Metrica for the statuses that matter.")
        return Finding("goals", title, Level.HINT, text, step, page_of(counter))
    told = ngettext(
        "Metrica has %(count)s goal that a status can reach.",
        "Metrica has %(count)s goals that a status can reach.",
        there,
    )
    return Finding("goals", title, Level.DONE, told % {"count": there})


def _mapping_of(counter: Counter, number: int) -> Finding:
    title = _("Status mapping")
    if not number:
        text = _("No CRM status is mapped, so every order would be held.")
        step = _("Say which type each status has at Metrica, and which goals it reaches.")
        return Finding("mapping", title, Level.NEEDED, text, step, page_of(counter))
    told = ngettext("%(count)s status is mapped.", "%(count)s statuses are mapped.", number) % {"count": number}
    return Finding("mapping", title, Level.DONE, told)
