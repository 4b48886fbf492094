"""A goal as it comes in (addGoal and editGoal pages), checked field by field."""

from decimal import Decimal
from typing import Any

from apps.metrica.serving.envelope import ApiError
from apps.metrica.serving.json_body import flag_of, text_of
from apps.metrica.vocabulary import GOAL_ID_FORBIDDEN
from apps.sandbox.conditions import CONDITION_TYPES, FLAGS, GOAL_TYPES
from apps.sandbox.models import SandboxGoal

_MOST_CONDITIONS = 10
_MOST_STEPS = 5
_DETAILS = ("depth", "duration", "steps", "hide_phone_number")


def fill(goal: SandboxGoal, fields: dict[str, Any], *, empty_name: bool) -> None:
    """Takes over what `fields` says of a goal that people may make. What is left out gets its default again: whether
    Metrica would keep it is not documented, so a client has to send the whole goal.

    `empty_name`: whether the name may be empty. Raises ApiError.
    """
    goal.name = text_of(fields, "name", where="goal", least=0 if empty_name else 1)
    goal.default_price = _price(fields)
    goal.is_favorite = flag_of(fields, "is_favorite", where="goal")
    if goal.is_crm:
        return
    kind = text_of(fields, "type", where="goal")
    if kind not in GOAL_TYPES:
        raise ApiError("invalid_parameter", f"The type {kind!r} cannot be made.", location="goal.type")
    if goal.pk and kind != goal.type:
        raise ApiError("invalid_parameter", "The type of a goal cannot be changed.", location="goal.type")
    goal.type = kind
    goal.flag = text_of(fields, "flag", where="goal", default="")
    if goal.flag not in FLAGS:
        raise ApiError("invalid_parameter", "flag must be basket, order or empty.", location="goal.flag")
    _conditions(goal, fields)
    goal.details = {name: _detail(name, fields[name]) for name in _DETAILS if fields.get(name) is not None}
    needed = GOAL_TYPES[kind]
    if needed and needed != "conditions" and needed not in goal.details:
        raise ApiError("missing_parameter", f"A goal of type {kind} needs {needed}.", location=f"goal.{needed}")


def _price(fields: dict[str, Any]) -> Decimal:
    value = fields.get("default_price")
    if value is None:
        return Decimal(0)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not 0 <= value < 10**15:
        raise ApiError(
            "invalid_parameter", "default_price must be a number that is not negative.", location="goal.default_price"
        )
    return Decimal(value).quantize(Decimal("0.01"))


def _conditions(goal: SandboxGoal, fields: dict[str, Any]) -> None:
    listed = fields.get("conditions") or []
    if not isinstance(listed, list):
        raise ApiError("invalid_parameter", "conditions must be a list.", location="goal.conditions")
    if not listed and GOAL_TYPES[goal.type] == "conditions":
        raise ApiError("missing_parameter", "The goal needs at least one condition.", location="goal.conditions")
    if len(listed) > _MOST_CONDITIONS:
        raise ApiError(
            "limit_exceeded", f"A goal has at most {_MOST_CONDITIONS} conditions.", location="goal.conditions"
        )
    conditions = [_condition(goal.type, row, f"goal.conditions[{place}]") for place, row in enumerate(listed)]
    first = conditions[0] if conditions else {"type": "", "url": ""}
    goal.condition_type, goal.identifier, goal.more_conditions = first["type"], first["url"], conditions[1:]


def _condition(kind: str, row: Any, where: str) -> dict[str, str]:
    if not isinstance(row, dict):
        raise ApiError("invalid_parameter", "A condition must be an object.", location=where)
    javascript, named = kind == "action", kind in ("action", "url")
    allowed = (*CONDITION_TYPES, "action") if javascript else CONDITION_TYPES
    condition = {
        # Other kinds have further types of their own, such as all_messengers.
        "type": text_of(row, "type", where=where, least=1, most=32),
        "url": text_of(row, "url", where=where, least=1 if named else 0, default=None if named else ""),
    }
    if named and condition["type"] not in allowed:
        raise ApiError(
            "invalid_parameter", f"A condition's type is one of {', '.join(allowed)}.", location=f"{where}.type"
        )
    if javascript and any(character in GOAL_ID_FORBIDDEN for character in condition["url"]):
        raise ApiError("invalid_parameter", f"An identifier has none of {GOAL_ID_FORBIDDEN}", location=f"{where}.url")
    return condition


def _detail(name: str, value: Any) -> Any:
    location = f"goal.{name}"
    if name == "steps":
        if not isinstance(value, list) or not all(isinstance(step, dict) for step in value):
            raise ApiError("invalid_parameter", "steps must be a list of goals.", location=location)
        if len(value) > _MOST_STEPS:
            raise ApiError("limit_exceeded", f"A goal has at most {_MOST_STEPS} steps.", location=location)
        for place, step in enumerate(value):
            fill(SandboxGoal(), step, empty_name=True)
            if step["type"] not in ("url", "action"):
                raise ApiError("invalid_parameter", "A step is of type url or action.", location=f"{location}[{place}]")
        return [_plain(step) for step in value]
    if name == "hide_phone_number":
        return flag_of({name: value}, name, where="goal")
    least = 2 if name == "depth" else 1
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
        raise ApiError("invalid_parameter", f"{name} must be a whole number from {least}.", location=location)
    return value


def _plain(value: Any) -> Any:
    """The same without Decimal, for a JSON column."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value
