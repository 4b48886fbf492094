"""`/cdp/api/v1/counter/{id}/schema/…`: what a script says of statuses, attributes and products becomes the counter's
own, and goes on to Metrica from there (pages: mapOrderStatuses, getOrderStatuses, createAttributes, getAttributes,
createProducts, getTypes, getPredefinedTypes)."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from apps.api.gateway.endpoint import Call, endpoint, told
from apps.api.models import ReceivedKind, ReceivedState, ReceivedUpload
from apps.audit import trace
from apps.counters import declaring
from apps.counters.models import AttributeEntity, AttributeType, Counter, CustomAttribute, Product
from apps.goals import services
from apps.goals.models import StatusMapping
from apps.goals.statuses import clean_status
from apps.metrica.serving import json_body
from apps.metrica.serving.envelope import ApiError
from apps.metrica.serving.methods import by_method
from apps.metrica.serving.schema_bodies import (
    Attribute,
    Status,
    attributes_of,
    products_of,
    statuses_of,
    wire_types,
)
from apps.metrica.serving.system_schema import PREDEFINED, SYSTEM_ATTRIBUTES, TYPES
from apps.metrica.text import _, filled
from apps.metrica.vocabulary import EntityType

_SUCCESS = {"success": True}
_CONFLICTS = ("metrica_id_fixed", "metrica_id_taken")


@endpoint(method="POST")
def map_order_statuses(call: Call) -> dict[str, Any]:
    """Statuses that are named are added or changed, the others stay. A status is found by its id at Metrica, else by
    the CRM's own word; a new one gets the id as its word."""
    body, _raw = json_body.read_object(call, strict=False)
    statuses = statuses_of(body)
    known = list(StatusMapping.objects.filter(counter=call.counter).values_list("crm_status", "metrica_id"))
    by_id = {metrica_id: crm_status for crm_status, metrica_id in known if metrica_id}
    words = {crm_status for crm_status, _metrica_id in known}
    put = [_as_mapped(status, by_id, words) for status in statuses]
    for number, one in enumerate(put):
        with _said(f"order_statuses[{number}]"):
            clean_status(mode=call.counter.mode, **one)
    with _said("order_statuses"):
        services.change_statuses(counter=call.counter, put=put)
    return _SUCCESS


@endpoint()
def list_order_statuses(call: Call) -> dict[str, Any]:
    rows = StatusMapping.objects.visible_to(call.actor).filter(counter=call.counter)
    return {
        "order_statuses": [
            {
                "id": row.metrica_id or row.crm_status,
                "humanized": row.name or row.crm_status,
                "type": row.type,
                "goal_action_ids": row.goal_action_ids,
            }
            for row in rows
        ]
    }


@endpoint(method="POST")
def create_attributes(call: Call) -> dict[str, Any]:
    """Attributes that are named are added or changed, the others stay."""
    entity = _entity_type(call)
    body, _raw = json_body.read_object(call, strict=False)
    attributes = attributes_of(body)
    if attributes and entity not in AttributeEntity.values:
        message = _("Goalpost keeps attributes of CONTACT and of ORDER.")
        next_step = _("Declare them for one of these: orders of the simple format carry no attributes.")
        said = told(message, code="entity_type", next_step=next_step)
        raise ApiError("invalid_parameter", said, location="entity_type")
    wanted = [_as_declared(one, entity, number) for number, one in enumerate(attributes)]
    with _said("attributes"), transaction.atomic():
        Counter.objects.select_for_update().get(pk=call.counter.pk)
        declared = CustomAttribute.objects.filter(counter=call.counter).order_by("pk")
        held = {(one["entity"], one["name"]): one for one in declared.values(*_OF_ATTRIBUTE)}
        held.update({(one["entity"], one["name"]): one for one in wanted})
        declaring.set_attributes(counter=call.counter, attributes=list(held.values()))
    return _SUCCESS


_OF_ATTRIBUTE = ("entity", "name", "type", "multivalued", "humanized")


@endpoint()
def list_attributes(call: Call) -> dict[str, Any]:
    entity = _entity_type(call)
    custom = CustomAttribute.objects.visible_to(call.actor).filter(counter=call.counter, entity=entity)
    return {
        "system_attributes": [
            {
                "name": one.name,
                "humanized": one.humanized,
                "type_name": one.type.name,
                "type_group": one.type.group.value,
                "type_humanized": one.type.humanized,
                "multivalued": one.multivalued,
            }
            for one in SYSTEM_ATTRIBUTES[entity]
        ],
        "custom_attributes": [
            {
                "name": one.name,
                "humanized": one.humanized,
                "type_name": one.type,
                "type_group": TYPES[one.type].group.value,
                "type_humanized": TYPES[one.type].humanized,
                "multivalued": one.multivalued,
            }
            for one in custom
        ],
    }


@endpoint(method="POST")
def create_products(call: Call) -> dict[str, Any]:
    """Products are added or get new names; none is taken away. Attributes of products are not kept; that is noted."""
    body, raw = json_body.read_object(call, strict=False)
    attributes, items = products_of(body)
    current = trace.current()
    with _said("items"), transaction.atomic():
        Counter.objects.select_for_update().get(pk=call.counter.pk)
        held = dict(Product.objects.filter(counter=call.counter).values_list("name", "humanized"))
        new = {name: title for name, title in items if name not in held}
        changed = sum(name in held and held[name] != title for name, title in items)
        wanted = {**held, **dict(items)}
        products = [{"name": name, "humanized": title} for name, title in wanted.items()]
        declaring.set_products(counter=call.counter, products=products)
        ReceivedUpload.objects.create(
            counter=call.counter,
            kind=ReceivedKind.PRODUCTS,
            format="JSON",
            state=ReceivedState.PASSED,
            size=len(raw),
            sha256=hashlib.sha256(raw).hexdigest(),
            elements=len(items),
            created=len(new),
            updated=changed,
            unchanged=len(items) - len(new) - changed,
            ignored=[one.name for one in attributes[:50]],
            received_by=current.actor.label[:255],
            request_id=current.request_id[:64],
            received_at=timezone.now(),
        )
    return _SUCCESS


@endpoint()
def types(call: Call) -> dict[str, Any]:
    return {"types": wire_types(TYPES.values())}


@endpoint()
def predefined_types(call: Call) -> dict[str, Any]:
    return {"types": wire_types(PREDEFINED.values())}


order_statuses = by_method(get=list_order_statuses, post=map_order_statuses)
attributes = by_method(get=list_attributes, post=create_attributes)


def _as_mapped(status: Status, by_id: Mapping[str, str], words: set[str]) -> dict[str, Any]:
    """The status as `goals.services` takes it."""
    crm_status = by_id.get(status.id, status.id)
    return {
        "crm_status": crm_status,
        "type": status.type.value,
        "goal_action_ids": status.goal_action_ids,
        "name": status.humanized,
        "metrica_id": "" if status.id in words and status.id not in by_id else status.id,
    }


def _as_declared(attribute: Attribute, entity: str, number: int) -> dict[str, Any]:
    if attribute.type_name not in AttributeType.values:
        message = filled(_("The type %(type)s is not kept here."), type=attribute.type_name)
        next_step = filled(_("Choose one of: %(choices)s."), choices=", ".join(AttributeType.values))
        said = told(message, code="type_name", next_step=next_step)
        raise ApiError("invalid_parameter", said, location=f"attributes[{number}].type_name")
    return {
        "entity": entity,
        "name": attribute.name,
        "type": attribute.type_name,
        "multivalued": attribute.multivalued,
        "humanized": attribute.humanized,
    }


def _entity_type(call: Call) -> EntityType:
    """Upper or lower case: the guide writes it in lower case, the schema in upper case."""
    text = call.request.GET.get("entity_type", "")
    if not text:
        said = told(_("entity_type is missing."), code="required")
        raise ApiError("missing_parameter", said, location="entity_type")
    try:
        return EntityType(text.upper())
    except ValueError:
        message = filled(_("Choose one of: %(choices)s."), choices=", ".join(EntityType))
        said = told(message, code="invalid_choice")
        raise ApiError("invalid_parameter", said, location="entity_type") from None


@contextlib.contextmanager
def _said(place: str) -> Iterator[None]:
    """A service's complaints as Metrica would make them, at `place` of the body."""
    try:
        yield
    except ValidationError as error:
        raise _refusal(error, place) from error


def _refusal(error: ValidationError, place: str) -> ApiError:
    found: list[tuple[Any, str]] = []
    codes: list[str] = []
    for name, items in _by_field(error):
        for item in items:
            code = item.code or "invalid"
            codes.append(code)
            where = f"{place}.{_NAMES.get(name, name)}" if name else place
            found.append((told(" ".join(item.messages), code=code), where))
    error_type = "invalid_parameter"
    if any(code in _CONFLICTS for code in codes):
        error_type = "conflict"
    elif "too_many" in codes:
        error_type = "limit_exceeded"
    return ApiError(error_type, found[0][0], errors=found)


_NAMES = {"crm_status": "id", "metrica_id": "id", "name": "humanized"}


def _by_field(error: ValidationError) -> Sequence[tuple[str, list[ValidationError]]]:
    if hasattr(error, "error_dict"):
        return [("" if name == "__all__" else name, items) for name, items in error.error_dict.items()]
    return [("", error.error_list)]
