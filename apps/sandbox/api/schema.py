"""`/cdp/api/v1/counter/{id}/schema/…`: statuses, attributes, products, types (pages: mapOrderStatuses,
getOrderStatuses, createAttributes, getAttributes, createProducts, getTypes, getPredefinedTypes)."""

from typing import Any

from apps.metrica.serving import json_body
from apps.metrica.serving.envelope import ApiError
from apps.metrica.serving.methods import by_method
from apps.metrica.serving.schema_bodies import attributes_of, products_of, statuses_of, wire_types
from apps.metrica.serving.system_schema import PREDEFINED, SYSTEM_ATTRIBUTES, TYPES
from apps.metrica.vocabulary import (
    DEFAULT_STATUSES,
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
    statuses = statuses_of(body, bare_goal=bare_goal)
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
    attributes = attributes_of(body)
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
    attributes, items = products_of(body)
    schema.create_products(counter=counter, attributes=attributes, items=items, raw=raw)
    return _SUCCESS


@endpoint(Endpoint.SCHEMA)
def types(call: Call) -> dict[str, Any]:
    call.counter()
    return {"types": wire_types(TYPES.values())}


@endpoint(Endpoint.SCHEMA)
def predefined_types(call: Call) -> dict[str, Any]:
    call.counter()
    return {"types": wire_types(PREDEFINED.values())}


order_statuses = by_method(get=list_order_statuses, post=map_order_statuses)
attributes = by_method(get=list_attributes, post=create_attributes)


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
