"""Bodies by which a CRM tells a counter of its statuses, attributes and products, read strictly (pages:
mapOrderStatuses, createAttributes, createProducts)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.metrica.serving import json_body
from apps.metrica.serving.envelope import ApiError
from apps.metrica.serving.system_schema import TYPES, TypeOfAttribute
from apps.metrica.vocabulary import (
    MAX_GOALS_PER_STATUS,
    MAX_ID_LENGTH,
    MAX_PRODUCTS,
    AttributeGroup,
    OrderType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A CRM status: its id, its type, up to ten JavaScript goals that it reaches besides the type's own."""

    id: str
    type: OrderType
    humanized: str = ""
    goal_action_ids: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    name: str
    multivalued: bool = False
    humanized: str = ""
    type_name: str = "text"
    type_group: str = AttributeGroup.PREDEFINED.value
    type_humanized: str = ""


def statuses_of(body: Mapping[str, Any], *, bare_goal: bool = True) -> list[Status]:
    """`bare_goal`: one goal as a text instead of a list, which the published samples pass, is that goal."""
    rows = json_body.objects(body, "order_statuses")
    statuses = [_status(row, f"order_statuses[{number}]", bare_goal=bare_goal) for number, row in enumerate(rows)]
    _each_once((status.id for status in statuses), place="order_statuses", name="id")
    return statuses


def attributes_of(body: Mapping[str, Any], *, most: int | None = None) -> list[Attribute]:
    rows = json_body.objects(body, "attributes", most=most)
    attributes = [_attribute(row, f"attributes[{number}]") for number, row in enumerate(rows)]
    _each_once((attribute.name for attribute in attributes), place="attributes", name="name")
    return attributes


def products_of(body: Mapping[str, Any]) -> tuple[list[Attribute], list[tuple[str, str]]]:
    """The attributes of products, and the products: (id, name for people) each."""
    attributes = attributes_of(body, most=MAX_PRODUCTS)
    items = [
        (
            json_body.identifier(row, "name", f"items[{number}]"),
            json_body.text(row, "humanized", f"items[{number}]"),
        )
        for number, row in enumerate(json_body.objects({"items": [], **body}, "items", most=MAX_PRODUCTS))
    ]
    _each_once((name for name, _humanized in items), place="items", name="name")
    return attributes, items


def wire_types(kinds: Iterable[TypeOfAttribute]) -> list[dict[str, str]]:
    return [{"name": kind.name, "group": kind.group.value, "humanized": kind.humanized} for kind in kinds]


def _status(row: Mapping[str, Any], place: str, *, bare_goal: bool) -> Status:
    return Status(
        id=json_body.identifier(row, "id", place),
        type=json_body.one_of(row, "type", place, OrderType),
        humanized=json_body.text(row, "humanized", place),
        goal_action_ids=_goals(row.get("goal_action_ids"), f"{place}.goal_action_ids", bare_goal=bare_goal),
    )


def _goals(value: Any, location: str, *, bare_goal: bool) -> list[str]:
    """At most ten identifiers, each once."""
    if value is None:
        return []
    if isinstance(value, str) and bare_goal:
        value = [value]
    if not isinstance(value, list) or len(value) > MAX_GOALS_PER_STATUS:
        message = f"goal_action_ids must be a list of at most {MAX_GOALS_PER_STATUS} goals."
        raise ApiError("invalid_parameter", message, location=location)
    for number, goal in enumerate(value):
        if not isinstance(goal, str) or not 0 < len(goal) <= MAX_ID_LENGTH or not json_body.is_plain(goal):
            message = f"A goal is named by 1 to {MAX_ID_LENGTH} characters."
            raise ApiError("invalid_parameter", message, location=f"{location}[{number}]")
    if len(set(value)) < len(value):
        raise ApiError("invalid_parameter", "goal_action_ids must be unique.", location=location)
    return value


def _attribute(row: Mapping[str, Any], place: str) -> Attribute:
    """`type_group` follows from `type_name`; the name of a custom list is known by its group alone."""
    type_name = json_body.text(row, "type_name", place, most=MAX_ID_LENGTH) or "text"
    group = json_body.text(row, "type_group", place, most=MAX_ID_LENGTH).upper()
    kind = TYPES.get(type_name)
    expected = kind.group.value if kind else AttributeGroup.CUSTOM_LIST.value
    if kind is None and group != expected:
        raise ApiError("invalid_parameter", f"There is no type {type_name!r}.", location=f"{place}.type_name")
    if group not in ("", expected):
        message = f"The type {type_name} belongs to the group {expected}."
        raise ApiError("invalid_parameter", message, location=f"{place}.type_group")
    return Attribute(
        name=json_body.identifier(row, "name", place),
        multivalued=json_body.boolean(row, "multivalued", place),
        humanized=json_body.text(row, "humanized", place),
        type_name=type_name,
        type_group=expected,
        type_humanized=json_body.text(row, "type_humanized", place) or (kind.humanized if kind else ""),
    )


def _each_once(values: Iterable[str], *, place: str, name: str) -> None:
    seen: Sequence[tuple[str, int]] = Counter(values).most_common(1)
    if seen and seen[0][1] > 1:
        raise ApiError("invalid_parameter", f"{name} {seen[0][0]!r} is in the list twice.", location=place)
