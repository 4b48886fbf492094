"""`/management/v1/counter/{id}/goals` and `…/goal/{goalId}`: plural to list and create, singular for one."""

from collections.abc import Collection
from typing import Any

from django.db import transaction

from apps.metrica.serving.envelope import ApiError
from apps.metrica.serving.json_body import json_object
from apps.metrica.serving.methods import by_method
from apps.metrica.serving.query import flag
from apps.sandbox import limits, switches
from apps.sandbox.api.endpoint import Call, endpoint
from apps.sandbox.api.goal_body import fill
from apps.sandbox.models import Endpoint, SandboxCounter, SandboxGoal
from apps.sandbox.services import delete_goal


@endpoint(Endpoint.MANAGEMENT)
def _list(call: Call) -> dict[str, Any]:
    deleted_too = flag(call.request.GET, "useDeleted", default=False)
    found = SandboxGoal.objects.shown_of([call.counter()], deleted_too=deleted_too)
    return {"goals": [wire_goal(goal) for goal in found]}


@endpoint(Endpoint.MANAGEMENT, method="POST")
def _create(call: Call) -> dict[str, Any]:
    counter = call.counter(to_change=True)
    goal = SandboxGoal(counter=counter)
    _store(goal, json_object(call, "goal"))
    return {"goal": wire_goal(goal)}


@endpoint(Endpoint.MANAGEMENT)
def _one(call: Call) -> dict[str, Any]:
    return {"goal": wire_goal(_goal(call, call.counter()))}


@endpoint(Endpoint.MANAGEMENT, method="PUT")
def _edit(call: Call) -> dict[str, Any]:
    counter = call.counter(to_change=True)
    goal = _goal(call, counter)
    fields = json_object(call, "goal")
    number = fields.get("id")
    if number is None:
        raise ApiError("missing_parameter", "id is required to edit a goal.", location="goal.id")
    if number != goal.pk or isinstance(number, bool):
        raise ApiError("invalid_parameter", "id is not the goal of the address.", location="goal.id")
    _store(goal, fields)
    return {"goal": wire_goal(goal)}


@endpoint(Endpoint.MANAGEMENT, method="DELETE")
def _delete(call: Call) -> dict[str, Any]:
    goal = _goal(call, call.counter(to_change=True))
    if goal.is_crm:
        raise ApiError("invalid_parameter", "A goal that Metrica made itself cannot be deleted.", location="goalId")
    delete_goal(goal=goal)
    return {"success": True}


goals = by_method(get=_list, post=_create)
goal = by_method(get=_one, put=_edit, delete=_delete)


def wire_goal(goal: SandboxGoal) -> dict[str, Any]:
    """CRM goals come with number, name and type only."""
    if goal.is_crm:
        return {"id": goal.pk, "name": goal.name, "type": goal.type}
    row = {
        "id": goal.pk,
        "name": goal.name,
        "type": goal.type,
        "default_price": float(goal.default_price),
        "is_retargeting": 0,
        "goal_source": "user",
        "is_favorite": int(goal.is_favorite),
        "prev_goal_id": 0,
        "status": "Deleted" if goal.deleted_at else "Active",
        "flag": goal.flag,
        **goal.details,
    }
    if goal.condition_type or goal.more_conditions:
        row["conditions"] = [{"type": goal.condition_type, "url": goal.identifier}, *goal.more_conditions]
    return row


def _store(goal: SandboxGoal, fields: dict[str, Any]) -> None:
    """Checks and saves; two calls at once do not make two goals of one identifier, nor one too many."""
    moved = switches.values()
    with transaction.atomic():
        SandboxCounter.objects.select_for_update().get(pk=goal.counter_id)
        others = SandboxGoal.objects.living().filter(counter=goal.counter_id).exclude(pk=goal.pk)
        most = limits.values()["goals"]
        if goal.pk is None and most is not None and _made_by_people(others) >= most:
            raise ApiError("limit_exceeded", f"The counter has {most} goals already.")
        fill(goal, fields, empty_name=moved["empty_goal_name"] == "allow")
        if goal.type == "action" and moved["duplicate_goal"] == "refuse":
            _refuse_duplicates(goal, others)
        goal.save()


def _made_by_people(goals: Any) -> int:
    return sum(not goal.is_crm for goal in goals)


def _refuse_duplicates(goal: SandboxGoal, others: Collection[SandboxGoal]) -> None:
    taken = {identifier for other in others if other.type == "action" for identifier in other.identifiers}
    for identifier in goal.identifiers:
        if identifier in taken:
            message = f"The counter has a goal with the identifier {identifier!r} already."
            raise ApiError("conflict", message, location="goal.conditions")


def _goal(call: Call, counter: SandboxCounter) -> SandboxGoal:
    text = call.address["goal_id"]
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise ApiError("invalid_parameter", "The goal's number must be an int64.", location="goalId")
    goal = SandboxGoal.objects.shown_of([counter]).filter(pk=int(text)).first()
    if goal is None:
        raise ApiError("not_found", f"The counter has no goal {text}.")
    return goal
