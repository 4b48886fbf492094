"""Brings a counter's facts and goals from Metrica, and makes goals there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.services import record
from apps.counters.gateway import metrica_client
from apps.counters.models import Counter, MetricaAccount
from apps.counters.services import note_info, note_reading, update_counter
from apps.counters.yandex import asked
from apps.goals.goal_services import store_created_goal, store_goals
from apps.goals.models import Goal
from apps.goals.statuses import clean_goals
from apps.metrica.client import GoalDraft, MetricaClient
from apps.metrica.errors import CATALOGUE, MetricaError

CREATED_AT_ONCE: Final = 20
"""Goals that one press of a button makes; each is a call, and a person waits."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    time_zone: str
    site: str
    permission: str
    goals: int
    advanced_matching: bool | None


@dataclass(frozen=True, slots=True)
class Created:
    """`created` by us now; `there`: somebody had made them before."""

    created: list[str]
    there: list[str]


def refresh(*, counter: Counter) -> Refreshed:
    """Read zone, site, goals and switches of the counter, and our right to it, from Metrica and keep them.

    Two requests. Raises the errors of apps.metrica.errors; nothing is written unless both were answered. Call it
    outside any transaction.
    """
    with _client(counter) as client:
        info = client.counter(counter.metrica_id, field=["counter_flags"])
        goals = client.goals(counter.metrica_id)
    update_counter(
        counter=counter,
        time_zone=info.time_zone_name or counter.time_zone,
        site=(info.site or counter.site)[:255],
    )
    note_info(counter=counter, info=info)
    return Refreshed(
        time_zone=info.time_zone_name,
        site=info.site,
        permission=info.permission,
        goals=store_goals(counter=counter, goals=goals),
        advanced_matching=info.collect_first_party_data,
    )


def check(*, counter: Counter) -> Refreshed:
    """A person's test of the connection: `refresh`, which leaves a trace whatever comes of it. A token that Metrica
    refuses is used no more."""
    if counter.account is None:
        raise CATALOGUE["unauthorized"].error()

    def ask(account: MetricaAccount) -> Refreshed:
        counter.account = account
        return refresh(counter=counter)

    try:
        read = asked(counter.account, ask)
    except MetricaError as error:
        _note_check(counter, outcome=error.code)
        raise
    note_reading(account_id=counter.account.pk, at=timezone.now())
    _note_check(counter, outcome="ok", permission=read.permission, time_zone=read.time_zone)
    return read


def _note_check(counter: Counter, **found: str) -> None:
    record(action="counter.checked", agency=counter.agency_id, obj=counter, details=found)


def create_goals(*, counter: Counter, goals: Sequence[GoalDraft]) -> Created:
    """Make these JavaScript goals at Metrica, with the condition "exact" (page: addGoal).

    The counter's goals are read first, so a goal that is there is not made twice, whatever an earlier attempt that was
    cut off has left behind. One call, and one for each goal; what was made before an error is kept. Raises
    ValidationError (`bad_goal_identifier`, `too_many`, `required`) and the errors of apps.metrica.errors. Call it
    outside any transaction.
    """
    wanted = {goal.identifier.strip(): goal for goal in goals}
    for identifier in wanted:
        _check(identifier)
    if len(wanted) > CREATED_AT_ONCE:
        message = _("At most %(limit)s goals are created at once; choose fewer.")
        raise ValidationError(message, code="too_many", params={"limit": CREATED_AT_ONCE})
    created: list[str] = []
    with _client(counter) as client:
        store_goals(counter=counter, goals=client.goals(counter.metrica_id))
        there = set(
            Goal.objects.filter(
                counter=counter, identifier__in=wanted, synced_at__isnull=False, missing_since=None
            ).values_list("identifier", flat=True)
        )
        for identifier, goal in wanted.items():
            if identifier not in there:
                named = replace(goal, identifier=identifier, name=goal.name.strip() or identifier)
                info = client.create_goal(counter.metrica_id, named)
                store_created_goal(counter=counter, goal=info)
                created.append(identifier)
    return Created(created, [identifier for identifier in wanted if identifier in there])


def _check(identifier: str) -> None:
    try:
        found = clean_goals([identifier])
    except ValidationError as error:
        raise ValidationError({"identifier": error}) from error
    if not found:
        raise ValidationError({"identifier": ValidationError(_("Write the goal's identifier."), code="required")})


def _client(counter: Counter) -> MetricaClient:
    if counter.account is None:
        raise CATALOGUE["unauthorized"].error()
    return metrica_client(counter.account, counter=counter)
