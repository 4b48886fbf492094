"""The mapping of a counter: …/statuses/ as a whole, …/statuses/{crm_status}/ one by one."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import status_docs as docs
from apps.api.base import ApiView, checked_object, is_plain, text_field
from apps.api.etags import condition, etag_of, is_known
from apps.api.openapi import GOAL_ID, SHORT_TEXT, Schema, described, example, header, of
from apps.api.problems import FieldError, Problem, bad_request, field_error, invalid, not_found, renaming
from apps.counters.models import Counter
from apps.goals import services, status_sync
from apps.goals.models import StatusMapping
from apps.goals.statuses import StatusRow
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


def status_shape(mapping: StatusMapping | StatusRow) -> StatusShape:
    own = [goal.value for goal in system_goals(OrderType(mapping.type))]
    return {
        "crm_status": mapping.crm_status,
        "name": mapping.name,
        "metrica_id": mapping.metrica_id,
        "type": mapping.type,
        "goals": list(mapping.goal_action_ids),
        "reaches": [*own, *mapping.goal_action_ids],
    }


_FIELDS: dict[str, Schema] = {
    "type": {"type": "string", "enum": [order_type.value for order_type in OrderType]},
    "name": {**SHORT_TEXT, "nullable": True},
    "metrica_id": {
        "type": "string",
        "pattern": "^[A-Za-z0-9_:-]{0,255}$",
        "nullable": True,
        "description": "The status's id at Metrica, for the detailed mode; kept or derived if left out.",
    },
    "goals": {"type": "array", "items": GOAL_ID, "maxItems": MAX_GOALS_PER_STATUS, "nullable": True},
}
ONE_BODY: Schema = {"type": "object", "properties": _FIELDS, "required": ["type"], "additionalProperties": False}
LIST_BODY: Schema = {
    "type": "array",
    "maxItems": MAX_STATUSES,
    "items": {
        "type": "object",
        "properties": {"crm_status": {**SHORT_TEXT, "minLength": 1}, **_FIELDS},
        "required": ["crm_status", "type"],
        "additionalProperties": False,
    },
}
KNOWN_ALREADY = header("If-None-Match", "The ETag of what you have: 304 where it is still so.")
STILL_THE_SAME = header("If-Match", "The ETag of what you have: 412, and nothing is written, where it has changed.")
ONLY_NEW = header("If-None-Match", "* where the status must not be there yet: else 412, and nothing is written.")
TAG_OF_READ = header("ETag", "Names this very state.", statuses=[200, 304])
TAG_OF_WRITTEN = header("ETag", "Names the state after the change.", statuses=[200])
TAG_OF_SET = header("ETag", "Names the state after the change.", statuses=[200, 201])


class StatusesView(ApiView):
    @described(
        name="read_mapping",
        summary="The status mapping",
        description="What each CRM status means, in the mapping's order. The ETag names this very state.",
        answers={200: of(StatusListShape), 304: None},
        parameters=[KNOWN_ALREADY, TAG_OF_READ],
        examples=[example("Two statuses", docs.MAPPING, status=200)],
        tags=["statuses"],
    )
    def get(self, request: Request, metrica_id: int) -> Response:
        return _answer(request, _all(self.counter(metrica_id)))

    @described(
        name="replace_mapping",
        summary="Replace the whole status mapping",
        description="Statuses that the list lacks are removed. All or nothing. Orders held for their status are freed. "
        "With If-Match nothing is written where the mapping has changed since it had that ETag (412).",
        body=LIST_BODY,
        answers={200: of(StatusListShape)},
        errors=[400, 404, 411, 412, 413, 415],
        parameters=[STILL_THE_SAME, TAG_OF_WRITTEN],
        examples=[
            example("Two statuses", docs.MAPPING_IN),
            example("Two statuses", docs.MAPPING, status=200),
        ],
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
        check = condition(request)
        with transaction.atomic(), renaming(goal_action_ids="goals"):
            services.replace_statuses(counter=counter, statuses=statuses, look=lambda rows: check(_tag_of(rows)))
            answer = _all(counter)
        return Response(answer, headers={"ETag": etag_of(answer)})


class StatusView(ApiView):
    @described(
        name="read_status",
        summary="One status of the mapping",
        description="The status in the address is the CRM's own text, percent-encoded. The ETag names this very state.",
        answers={200: of(StatusShape), 304: None},
        parameters=[KNOWN_ALREADY, TAG_OF_READ],
        examples=[example("A branch's booking", docs.STATUS, status=200)],
        tags=["statuses"],
    )
    def get(self, request: Request, metrica_id: int, crm_status: str) -> Response:
        return _answer(request, status_shape(_one(self.counter(metrica_id), crm_status)))

    @described(
        name="set_status",
        summary="Say what a status means",
        description="Adds the status (201) or changes it (200). What is left out becomes empty. With If-Match "
        "nothing is written where it has changed since it had that ETag, with If-None-Match: * where it is there "
        "already (412).",
        body=ONE_BODY,
        answers={200: of(StatusShape), 201: of(StatusShape)},
        errors=[400, 404, 411, 412, 413, 415],
        parameters=[STILL_THE_SAME, ONLY_NEW, TAG_OF_SET],
        examples=[
            example("A branch's booking", docs.STATUS_IN),
            example("A branch's booking", docs.STATUS, status=200),
            example("A new one", docs.STATUS, status=201),
        ],
        tags=["statuses"],
    )
    def put(self, request: Request, metrica_id: int, crm_status: str) -> Response:
        counter = self.counter(metrica_id)
        status = _read(self.payload(), crm_status=crm_status)
        check, seen = condition(request), list[str | None]()

        def look(rows: Sequence[StatusRow]) -> None:
            seen.append(_tag_of_one(rows, crm_status))
            check(seen[-1])

        with renaming(goal_action_ids="goals"):
            answer = status_shape(services.set_status(counter=counter, look=look, **status))
        return Response(answer, status=201 if seen[-1] is None else 200, headers={"ETag": etag_of(answer)})

    @described(
        name="remove_status",
        summary="Remove a status from the mapping",
        description="Orders that come to it from now on are held until it is mapped again; what has gone stays. With "
        "If-Match nothing is removed where it has changed since it had that ETag (412).",
        answers={204: None},
        errors=[404, 412],
        parameters=[STILL_THE_SAME],
        tags=["statuses"],
    )
    def delete(self, request: Request, metrica_id: int, crm_status: str) -> Response:
        counter = self.counter(metrica_id)
        name, check = _one(counter, crm_status).crm_status, condition(request)
        if not services.remove_status(
            counter=counter, crm_status=name, look=lambda rows: check(_tag_of_one(rows, crm_status))
        ):
            raise _unknown()
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
        examples=[example("One differs", docs.DRIFT, status=200)],
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
        raise _unknown()
    return mapping


def _unknown() -> Problem:
    return not_found(_("This status is not in the mapping."), "unknown_status")


def _answer(request: Request, shape: StatusShape | StatusListShape) -> Response:
    etag = etag_of(shape)
    if is_known(request, etag):
        return Response(status=304, headers={"ETag": etag})
    return Response(shape, headers={"ETag": etag})


def _tag_of(rows: Sequence[StatusRow]) -> str:
    return etag_of({"results": [status_shape(row) for row in rows]})


def _tag_of_one(rows: Sequence[StatusRow], crm_status: str) -> str | None:
    return next((etag_of(status_shape(row)) for row in rows if row.crm_status == crm_status.strip()), None)


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
