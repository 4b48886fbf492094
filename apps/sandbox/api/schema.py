"""`/cdp/api/v1/counter/{id}/schema/…`: statuses, attributes, products, types (pages: mapOrderStatuses,
getOrderStatuses, createAttributes, getAttributes, createProducts, getTypes, getPredefinedTypes)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apps.metrica.serving import json_body
from apps.metrica.serving.envelope import ApiError
from apps.metrica.serving.methods import by_method
from apps.metrica.serving.system_schema import PREDEFINED, SYSTEM_ATTRIBUTES, TYPES, TypeOfAttribute
from apps.metrica.vocabulary import (
    DEFAULT_STATUSES,
    MAX_GOALS_PER_STATUS,
    MAX_ID_LENGTH,
    MAX_PRODUCTS,
    AttributeGroup,
    OrderType,
)
from apps.sandbox import schema, switches
from apps.sandbox.api.endpoint import Call, endpoint
from apps.sandbox.models import Endpoint, EntityType, SandboxAttribute, SandboxStatus

_SUCCESS = {"success": True}


@endpoint(Endpoint.SCHEMA, method="POST")
def map_order_statuses(call: Call) -> dict[str, Any]:
    counter = call.counter(to_change=True)
    body, _raw = json_body.read_object(call)
    bare_goal = switches.values()["bare_goal"] == "accept"
    rows = json_body.objects(body, "order_statuses")
    statuses = [_status(row, f"order_statuses[{number}]", bare_goal=bare_goal) for number, row in enumerate(rows)]
    _each_once((status.id for status in statuses), place="order_statuses", name="id")
    try:
        schema.map_statuses(counter=counter, statuses=statuses)
    except schema.TooManyStatuses as error:
        raise ApiError("limit_exceeded", str(error), location="order_statuses") from error
    return _SUCCESS


@endpoint(Endpoint.SCHEMA)
def list_order_statuses(call: Call) -> dict[str, Any]:
    counter = call.counter()
    mapped = list(SandboxStatus.objects.filter(counter=counter))
    rows = [
        {
            "id": status.status_id,
            "humanized": status.humanized,
            "type": status.type,
            "goal_action_ids": status.goal_action_ids,
        }
        for status in mapped
    ]
    if switches.values()["default_statuses"] == "listed":
        own = {status.status_id for status in mapped}
        rows = [
            {"id": status, "humanized": status, "type": order_type.value, "goal_action_ids": []}
            for status, order_type in DEFAULT_STATUSES.items()
            if status not in own
        ] + rows
    return {"order_statuses": rows}


@endpoint(Endpoint.SCHEMA, method="POST")
def create_attributes(call: Call) -> dict[str, Any]:
    counter = call.counter(to_change=True)
    entity_type = _entity_type(call)
    body, _raw = json_body.read_object(call)
    attributes = _attributes(body)
    try:
        schema.create_attributes(counter=counter, entity_type=entity_type, attributes=attributes)
    except schema.AttributeRefused as refused:
        kind = "conflict" if refused.taken else "invalid_parameter"
        raise ApiError(kind, refused.message, location=f"attributes[{refused.number}].name") from refused
    return _SUCCESS


@endpoint(Endpoint.SCHEMA)
def list_attributes(call: Call) -> dict[str, Any]:
    counter = call.counter()
    entity_type = _entity_type(call)
    custom = SandboxAttribute.objects.filter(counter=counter, entity_type=entity_type)
    return {
        "system_attributes": [
            {
                "name": attribute.name,
                "humanized": attribute.humanized,
                "type_name": attribute.type.name,
                "type_group": attribute.type.group.value,
                "type_humanized": attribute.type.humanized,
                "multivalued": attribute.multivalued,
            }
            for attribute in SYSTEM_ATTRIBUTES[entity_type]
        ],
        "custom_attributes": [
            {
                "name": attribute.name,
                "humanized": attribute.humanized,
                "type_name": attribute.type_name,
                "type_group": attribute.type_group,
                "type_humanized": attribute.type_humanized,
                "multivalued": attribute.multivalued,
            }
            for attribute in custom
        ],
    }


@endpoint(Endpoint.SCHEMA, method="POST")
def create_products(call: Call) -> dict[str, Any]:
    counter = call.counter(to_change=True)
    body, raw = json_body.read_object(call)
    attributes = _attributes(body, most=MAX_PRODUCTS)
    items = [
        (
            json_body.identifier(row, "name", f"items[{number}]"),
            json_body.text(row, "humanized", f"items[{number}]"),
        )
        for number, row in enumerate(json_body.objects({"items": [], **body}, "items", most=MAX_PRODUCTS))
    ]
    _each_once((name for name, _humanized in items), place="items", name="name")
    schema.create_products(counter=counter, attributes=attributes, items=items, raw=raw)
    return _SUCCESS


@endpoint(Endpoint.SCHEMA)
def types(call: Call) -> dict[str, Any]:
    call.counter()
    return {"types": _wire_types(TYPES.values())}


@endpoint(Endpoint.SCHEMA)
def predefined_types(call: Call) -> dict[str, Any]:
    call.counter()
    return {"types": _wire_types(PREDEFINED.values())}


order_statuses = by_method(get=list_order_statuses, post=map_order_statuses)
attributes = by_method(get=list_attributes, post=create_attributes)


def _status(row: Mapping[str, Any], place: str, *, bare_goal: bool) -> schema.Status:
    return schema.Status(
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
        if not isinstance(goal, str) or not 0 < len(goal) <= MAX_ID_LENGTH or "\0" in goal:
            message = f"A goal is named by 1 to {MAX_ID_LENGTH} characters."
            raise ApiError("invalid_parameter", message, location=f"{location}[{number}]")
    if len(set(value)) < len(value):
        raise ApiError("invalid_parameter", "goal_action_ids must be unique.", location=location)
    return value


def _attributes(body: Mapping[str, Any], *, most: int | None = None) -> list[schema.Attribute]:
    rows = json_body.objects(body, "attributes", most=most)
    attributes = [_attribute(row, f"attributes[{number}]") for number, row in enumerate(rows)]
    _each_once((attribute.name for attribute in attributes), place="attributes", name="name")
    return attributes


def _attribute(row: Mapping[str, Any], place: str) -> schema.Attribute:
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
    return schema.Attribute(
        name=json_body.identifier(row, "name", place),
        multivalued=json_body.boolean(row, "multivalued", place),
        humanized=json_body.text(row, "humanized", place),
        type_name=type_name,
        type_group=expected,
        type_humanized=json_body.text(row, "type_humanized", place) or (kind.humanized if kind else ""),
    )


def _entity_type(call: Call) -> EntityType:
    """Upper or lower case: the guide writes it in lower case, the schema in upper case."""
    value = call.request.GET.get("entity_type", "")
    if not value:
        raise ApiError("missing_parameter", "entity_type is required.", location="entity_type")
    known = [kind for kind in EntityType if kind is not EntityType.PRODUCT]
    for kind in known:
        if value.upper() == kind:
            return kind
    listed = ", ".join(known)
    raise ApiError("invalid_parameter", f"entity_type must be one of {listed}.", location="entity_type")


def _each_once(values: Iterable[str], *, place: str, name: str) -> None:
    seen: Sequence[tuple[str, int]] = Counter(values).most_common(1)
    if seen and seen[0][1] > 1:
        raise ApiError("invalid_parameter", f"{name} {seen[0][0]!r} is in the list twice.", location=place)


def _wire_types(kinds: Iterable[TypeOfAttribute]) -> list[dict[str, str]]:
    return [{"name": kind.name, "group": kind.group.value, "humanized": kind.humanized} for kind in kinds]
