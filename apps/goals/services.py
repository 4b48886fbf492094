"""Every write to goals and to the status mapping. A change of either may free held orders (R8)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.services import record, snapshot
from apps.counters.models import Counter, Mode
from apps.counters.services import touch
from apps.goals.models import Goal, StatusMapping
from apps.metrica.client import GoalInfo
from apps.metrica.vocabulary import GOAL_ID_FORBIDDEN, ID_PATTERN, MAX_GOALS_PER_STATUS, OrderType

STATUS_FIELDS = ("crm_status", "name", "type", "metrica_id", "goal_action_ids", "position")


def clean_goals(goal_action_ids: Iterable[str]) -> list[str]:
    """Identifiers of JavaScript goals in their order, without blanks and repetitions. Raises ValidationError."""
    goals = list(dict.fromkeys(goal.strip() for goal in goal_action_ids if goal.strip()))
    if len(goals) > MAX_GOALS_PER_STATUS:
        message = _("A status reaches at most %(count)s goals; here are %(given)s. Take some away.")
        raise ValidationError(message % {"count": MAX_GOALS_PER_STATUS, "given": len(goals)}, code="too_many_goals")
    for goal in goals:
        if any(sign in GOAL_ID_FORBIDDEN or ord(sign) < 32 for sign in goal) or "," in goal or len(goal) > 255:
            message = _('“%(goal)s” is no goal identifier: it must not contain / \\ & # ? = " or a comma.')
            raise ValidationError(message % {"goal": goal}, code="bad_goal_identifier")
    return goals


@transaction.atomic
def set_status(
    *,
    counter: Counter,
    crm_status: str,
    type: str,
    goal_action_ids: Sequence[str] = (),
    name: str = "",
    metrica_id: str = "",
    position: int | None = None,
) -> StatusMapping:
    """Say what a CRM status means: its type and goals. Adds it or changes it; the same again changes nothing.

    Raises ValidationError by field. Goals named here that the counter does not know yet are added to its list.
    """
    mapping, changed = _write_status(
        counter=counter,
        crm_status=crm_status,
        type=type,
        goal_action_ids=goal_action_ids,
        name=name,
        metrica_id=metrica_id,
        position=position,
    )
    if changed:
        touch(counter)
    return mapping


def _write_status(
    *,
    counter: Counter,
    crm_status: str,
    type: str,
    goal_action_ids: Sequence[str],
    name: str,
    metrica_id: str,
    position: int | None,
) -> tuple[StatusMapping, bool]:
    crm_status = crm_status.strip()
    if not crm_status or len(crm_status) > 255 or "\0" in crm_status:
        message = _("Write the status as the CRM writes it, 1 to 255 characters.")
        raise ValidationError({"crm_status": ValidationError(message, code="bad_status")})
    if type not in list(OrderType):
        offered = {"choices": ", ".join(OrderType)}
        wrong = ValidationError(_("Choose one of: %(choices)s."), code="invalid_choice", params=offered)
        raise ValidationError({"type": wrong})
    try:
        goals = clean_goals(goal_action_ids)
    except ValidationError as error:
        raise ValidationError({"goal_action_ids": error}) from error
    if type == OrderType.OTHER and not goals and counter.mode == Mode.SIMPLE:
        message = _("In simple mode a status of type OTHER is sent as its first goal: name at least one goal.")
        raise ValidationError({"goal_action_ids": ValidationError(message, code="status_without_goal")})
    metrica_id = metrica_id.strip()
    if metrica_id and not ID_PATTERN.match(metrica_id):
        message = _("Only Latin letters, digits, _, - and : are allowed here.")
        raise ValidationError({"metrica_id": ValidationError(message, code="bad_metrica_id")})
    mapping = StatusMapping.objects.select_for_update().filter(counter=counter, crm_status=crm_status).first()
    before = snapshot(mapping, STATUS_FIELDS) if mapping else None
    if mapping is None:
        last = StatusMapping.objects.filter(counter=counter).aggregate(last=Max("position"))["last"]
        mapping = StatusMapping(counter=counter, crm_status=crm_status, position=0 if last is None else last + 1)
    mapping.type, mapping.goal_action_ids = type, goals
    mapping.name, mapping.metrica_id = name.strip(), metrica_id
    if position is not None:
        mapping.position = position
    after = snapshot(mapping, STATUS_FIELDS)
    if before == after:
        return mapping, False
    mapping.full_clean()
    mapping.save()
    Goal.objects.bulk_create([Goal(counter=counter, identifier=goal) for goal in goals], ignore_conflicts=True)
    record(
        action="status.changed" if before else "status.added",
        agency=counter.agency_id,
        obj=mapping,
        before=before,
        after=after,
        details={"counter": counter.metrica_id},
    )
    return mapping, True


@transaction.atomic
def remove_status(*, counter: Counter, crm_status: str) -> bool:
    """Take a status out of the mapping. True if it was there."""
    removed = _remove(counter, crm_status)
    if removed:
        touch(counter)
    return removed


def _remove(counter: Counter, crm_status: str) -> bool:
    mapping = StatusMapping.objects.filter(counter=counter, crm_status=crm_status).first()
    if mapping is None:
        return False
    record(
        action="status.removed",
        agency=counter.agency_id,
        obj=mapping,
        before=snapshot(mapping, STATUS_FIELDS),
        details={"counter": counter.metrica_id},
    )
    mapping.delete()
    return True


@transaction.atomic
def replace_statuses(*, counter: Counter, statuses: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Make the mapping exactly this list, in this order. Returns {"changed": n, "removed": n}.

    Each item: crm_status, type, and optionally name, metrica_id, goal_action_ids. Raises ValidationError by index and
    field, and then nothing is changed.
    """
    wanted = [str(status.get("crm_status", "")).strip() for status in statuses]
    changed = 0
    removed = sum(
        _remove(counter, crm_status)
        for crm_status in StatusMapping.objects.filter(counter=counter)
        .exclude(crm_status__in=wanted)
        .values_list("crm_status", flat=True)
    )
    for position, status in enumerate(statuses):
        changed += _write_status(
            counter=counter,
            crm_status=str(status.get("crm_status", "")),
            type=str(status.get("type", "")),
            goal_action_ids=status.get("goal_action_ids") or (),
            name=str(status.get("name") or ""),
            metrica_id=str(status.get("metrica_id") or ""),
            position=position,
        )[1]
    if changed or removed:
        touch(counter)
    return {"changed": changed, "removed": removed}


@transaction.atomic
def store_goals(*, counter: Counter, goals: Iterable[GoalInfo]) -> int:
    """Keep what Metrica says of the counter's JavaScript goals. Returns how many it has."""
    now = timezone.now()
    rows = [
        Goal(
            counter=counter,
            identifier=goal.identifier,
            name=goal.name,
            metrica_goal_id=goal.id,
            condition=goal.condition_type or "",
            default_price=goal.default_price,
            is_favorite=goal.is_favorite,
            synced_at=now,
        )
        for goal in {goal.identifier: goal for goal in goals if goal.type == "action" and goal.identifier}.values()
        if goal.identifier
    ]
    known = set(Goal.objects.filter(counter=counter).values_list("identifier", flat=True))
    Goal.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["counter", "identifier"],
        update_fields=["name", "metrica_goal_id", "condition", "default_price", "is_favorite", "synced_at"],
    )
    if any(row.identifier not in known for row in rows):
        touch(counter)
    return len(rows)
