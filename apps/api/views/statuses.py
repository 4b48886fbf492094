"""The mapping of a counter: …/statuses/ as a whole, …/statuses/{crm_status}/ one by one."""

from collections.abc import Mapping
from typing import Any, TypedDict

from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.base import ApiView, checked_object, is_plain, text_field
from apps.api.openapi import TEXT, Schema, described, example, of
from apps.api.problems import FieldError, Problem, bad_request, field_error, invalid, not_found, renaming
from apps.counters.models import Counter
from apps.goals import services, status_sync
from apps.goals.models import StatusMapping
from apps.metrica.rules import system_goals
from apps.metrica.vocabulary import MAX_GOALS_PER_STATUS, OrderType

MAX_STATUSES = 1000


class StatusShape(TypedDict):
    """`goals`: JavaScript goals by identifier, in order. `reaches`: they and Metrica's own that the type brings."""

    crm_status: str
    name: str
    metrica_id: str
    type: str
    goals: list[str]
    reaches: list[str]


class StatusListShape(TypedDict):
    results: list[StatusShape]


def status_shape(mapping: StatusMapping) -> StatusShape:
    own = [goal.value for goal in system_goals(OrderType(mapping.type))]
    return {
        "crm_status": mapping.crm_status,
        "name": mapping.name,
        "metrica_id": mapping.metrica_id,
        "type": mapping.type,
        "goals": mapping.goal_action_ids,
        "reaches": own + mapping.goal_action_ids,
    }


_FIELDS: dict[str, Schema] = {
    "type": {"type": "string", "enum": [order_type.value for order_type in OrderType]},
    "name": TEXT,
    "metrica_id": {
        **TEXT,
        "description": "The status's id at Metrica, for the detailed mode; kept or derived if left out.",
    },
    "goals": {"type": "array", "items": TEXT, "maxItems": MAX_GOALS_PER_STATUS},
}
ONE_BODY: Schema = {"type": "object", "properties": _FIELDS, "required": ["type"], "additionalProperties": False}
LIST_BODY: Schema = {
    "type": "array",
    "maxItems": MAX_STATUSES,
    "items": {
        "type": "object",
        "properties": {"crm_status": TEXT, **_FIELDS},
        "required": ["crm_status", "type"],
        "additionalProperties": False,
    },
}
_EXAMPLE = {"type": "OTHER", "name": "Booked at branch 1", "goals": ["zapis1", "vse_zapisi"]}


class StatusesView(ApiView):
    @described(name="read_mapping", summary="The status mapping", answers={200: of(StatusListShape)}, tags=["statuses"])
    def get(self, request: Request, metrica_id: int) -> Response:
        return Response(_all(self.counter(metrica_id)))

    @described(
        name="replace_mapping",
        summary="Replace the whole status mapping",
        description="Statuses that the list lacks are removed. All or nothing. Orders held for their status are freed.",
        body=LIST_BODY,
        answers={200: of(StatusListShape)},
        errors=[400, 404, 413, 415],
        examples=[example("Two statuses", [{"crm_status": "Запись в филиал №1", **_EXAMPLE}])],
        tags=["statuses"],
    )
    def put(self, request: Request, metrica_id: int) -> Response:
        counter = self.counter(metrica_id)
        items = self.payload()
        if not isinstance(items, list) or len(items) > MAX_STATUSES:
            message = _("The body must be an array of up to %(limit)s statuses.") % {"limit": MAX_STATUSES}
            raise bad_request("not_an_array", message)
        statuses: list[dict[str, Any]] = []
        errors: list[FieldError] = []
        for index, item in enumerate(items):
            try:
                statuses.append(_read(item, crm_status=None))
            except Problem as problem:
                for error in problem.errors:
                    error["index"] = index
                errors += problem.errors
        names = [status["crm_status"].strip() for status in statuses]
        if len(set(names)) < len(names):
            errors.append(field_error("crm_status", "duplicate", _("One status stands in the list twice.")))
        if errors:
            raise invalid(errors)
        with renaming(goal_action_ids="goals"):
            services.replace_statuses(counter=counter, statuses=statuses)
        return Response(_all(counter))


class StatusView(ApiView):
    @described(
        name="read_status", summary="One status of the mapping", answers={200: of(StatusShape)}, tags=["statuses"]
    )
    def get(self, request: Request, metrica_id: int, crm_status: str) -> Response:
        return Response(status_shape(_one(self.counter(metrica_id), crm_status)))

    @described(
        name="set_status",
        summary="Say what a status means",
        description="Adds the status or changes it. What is left out becomes empty.",
        body=ONE_BODY,
        answers={200: of(StatusShape), 201: of(StatusShape)},
        errors=[400, 404, 415],
        examples=[example("A branch's booking", _EXAMPLE)],
        tags=["statuses"],
    )
    def put(self, request: Request, metrica_id: int, crm_status: str) -> Response:
        counter = self.counter(metrica_id)
        status = _read(self.payload(), crm_status=crm_status)
        known = _find(counter, crm_status) is not None
        with renaming(goal_action_ids="goals"):
            mapping = services.set_status(counter=counter, **status)
        return Response(status_shape(mapping), status=200 if known else 201)

    @described(name="remove_status", summary="Remove a status from the mapping", answers={204: None}, tags=["statuses"])
    def delete(self, request: Request, metrica_id: int, crm_status: str) -> Response:
        counter = self.counter(metrica_id)
        services.remove_status(counter=counter, crm_status=_one(counter, crm_status).crm_status)
        return Response(status=204)


class SideShape(TypedDict):
    type: str
    name: str
    goal_action_ids: list[str]


class DriftLineShape(TypedDict):
    """`kind`: ours_only, theirs_only or differs. `blocks`: somebody else changed at Metrica what the mapping says, and
    nothing is delivered until a person has chosen. `crm_status` is empty where the status is at Metrica alone.
    """

    metrica_id: str
    crm_status: str
    kind: str
    blocks: bool
    ours: SideShape | None
    theirs: SideShape | None


class DriftShape(TypedDict):
    in_step: bool
    results: list[DriftLineShape]


class DriftView(ApiView):
    @described(
        name="compare_mapping",
        summary="What differs between the mapping here and at Metrica",
        description="Asks Metrica now; nothing is changed at either side. For the detailed mode.",
        answers={200: of(DriftShape)},
        errors=[404, 502, 503],
        tags=["statuses"],
    )
    def get(self, request: Request, metrica_id: int) -> Response:
        comparison = status_sync.compare(counter=self.counter(metrica_id))
        results = [
            {
                "metrica_id": line.metrica_id,
                "crm_status": line.crm_status,
                "kind": line.kind,
                "blocks": line.blocks,
                "ours": line.ours.to_json() if line.ours else None,
                "theirs": line.theirs.to_json() if line.theirs else None,
            }
            for line in comparison.lines
        ]
        return Response({"in_step": not results, "results": results})


def _all(counter: Counter) -> StatusListShape:
    return {"results": [status_shape(mapping) for mapping in StatusMapping.objects.filter(counter=counter)]}


def _find(counter: Counter, crm_status: str) -> StatusMapping | None:
    if not is_plain(crm_status):
        return None
    return StatusMapping.objects.filter(counter=counter, crm_status=crm_status.strip()).first()


def _one(counter: Counter, crm_status: str) -> StatusMapping:
    mapping = _find(counter, crm_status)
    if mapping is None:
        raise not_found(_("This status is not in the mapping."), "unknown_status")
    return mapping


def _read(value: Any, *, crm_status: str | None) -> dict[str, Any]:
    """One status out of a body, as `goals.services` takes it. Raises a Problem (400)."""
    required = ("type",) if crm_status is not None else ("crm_status", "type")
    values = checked_object(value, known=(*_FIELDS, "crm_status"), required=required)
    errors: list[FieldError] = []
    status: dict[str, Any] = {
        "crm_status": text_field(values, "crm_status", errors, default=crm_status or ""),
        "type": text_field(values, "type", errors),
        "name": text_field(values, "name", errors),
        "metrica_id": text_field(values, "metrica_id", errors),
        "goal_action_ids": _goals(values, errors),
    }
    if crm_status is not None and status["crm_status"].strip() != crm_status.strip():
        message = _("The status in the body is another than in the address.")
        errors.append(field_error("crm_status", "other_status", message))
    if errors:
        raise invalid(errors)
    return status


def _goals(values: Mapping[str, Any], errors: list[FieldError]) -> list[str]:
    goals = values.get("goals") or []
    if isinstance(goals, list) and all(isinstance(goal, str) and is_plain(goal) for goal in goals):
        return goals
    errors.append(field_error("goals", "not_a_list", _("Write a list of goal identifiers.")))
    return []
