"""One row of the mapping, checked: whatever way it comes in, the same is refused with the same words."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.counters.models import Mode
from apps.goals.models import StatusMapping
from apps.metrica.vocabulary import GOAL_ID_FORBIDDEN, ID_PATTERN, MAX_GOALS_PER_STATUS, OrderType

STATUS_FIELDS = ("crm_status", "name", "type", "metrica_id", "goal_action_ids", "position")


@dataclass(frozen=True, slots=True)
class StatusRow:
    """A status as it is to stand in the mapping. `position` None: where it stands, a new one at the end."""

    crm_status: str
    type: str
    goal_action_ids: tuple[str, ...] = ()
    name: str = ""
    metrica_id: str = ""
    position: int | None = None

    @classmethod
    def of(cls, mapping: StatusMapping) -> Self:
        return cls(
            crm_status=mapping.crm_status,
            type=mapping.type,
            goal_action_ids=tuple(mapping.goal_action_ids),
            name=mapping.name,
            metrica_id=mapping.metrica_id,
            position=mapping.position,
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        return cls(**{**value, "goal_action_ids": tuple(value["goal_action_ids"])})

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "goal_action_ids": list(self.goal_action_ids)}


def clean_goals(goal_action_ids: Iterable[str]) -> list[str]:
    """Identifiers of JavaScript goals in their order, without blanks and repetitions. Raises ValidationError."""
    goals = list(dict.fromkeys(goal.strip() for goal in goal_action_ids if goal.strip()))
    if len(goals) > MAX_GOALS_PER_STATUS:
        message = _("A status reaches at most %(count)s goals; here are %(given)s. Take some away.")
        raise ValidationError(message % {"count": MAX_GOALS_PER_STATUS, "given": len(goals)}, code="too_many_goals")
    for goal in goals:
        if bad_identifier(goal):
            message = _('“%(goal)s” is no goal identifier: it must not contain / \\ & # ? = " or a comma.')
            raise ValidationError(message % {"goal": goal}, code="bad_goal_identifier")
    return goals


def bad_identifier(goal: str) -> bool:
    """Whether a goal of this identifier cannot be named by an order (page: goal-js-event)."""
    return any(sign in GOAL_ID_FORBIDDEN or ord(sign) < 32 for sign in goal) or "," in goal or len(goal) > 255


def clean_status(
    *,
    mode: str,
    crm_status: str,
    type: str,
    goal_action_ids: Iterable[str] = (),
    name: str = "",
    metrica_id: str = "",
    position: int | None = None,
) -> StatusRow:
    """The row in its canonical form. Raises ValidationError by field."""
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
    if type == OrderType.OTHER and not goals and mode == Mode.SIMPLE:
        message = _("In simple mode a status of type OTHER is sent as its first goal: name at least one goal.")
        raise ValidationError({"goal_action_ids": ValidationError(message, code="status_without_goal")})
    name = name.strip()
    if len(name) > 255 or "\0" in name:
        raise ValidationError({"name": ValidationError(_("Write at most 255 characters."), code="max_length")})
    metrica_id = metrica_id.strip()
    if metrica_id and not ID_PATTERN.match(metrica_id):
        message = _("Only Latin letters, digits, _, - and : are allowed here.")
        raise ValidationError({"metrica_id": ValidationError(message, code="bad_metrica_id")})
    return StatusRow(crm_status, str(type), tuple(goals), name, metrica_id, position)
