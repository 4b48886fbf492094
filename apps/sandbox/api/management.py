"""`/management/v1/…`: counters and goals, as far as they are read (counters, counter, goals pages)."""

from collections.abc import Collection
from enum import StrEnum
from typing import Any

from django.db.models import Q
from django.utils import timezone

from apps.sandbox.api.endpoint import Call, endpoint
from apps.sandbox.api.query import one_of, some_of, whole_number
from apps.sandbox.models import Endpoint, Permission, SandboxAccess, SandboxCounter, SandboxGoal

_BLOCKS = ("goals", "mirrors", "grants", "filters", "operations", "counter_flags", "measurement_tokens")


class Flag(StrEnum):
    TRUE = "true"
    FALSE = "false"


class CounterStatus(StrEnum):
    ACTIVE = "Active"
    DELETED = "Deleted"


@endpoint(Endpoint.MANAGEMENT)
def counters(call: Call) -> dict[str, Any]:
    """Counters that the login may open, by number. `rows` counts all of them, whatever the page."""
    query = call.request.GET
    per_page = whole_number(query, "per_page", default=1000)
    offset = whole_number(query, "offset", default=1)
    blocks = some_of(query, "field", _BLOCKS)
    permissions = some_of(query, "permission", [permission.value for permission in Permission])
    status = one_of(query, "status", CounterStatus, default=CounterStatus.ACTIVE)
    found = SandboxCounter.objects.open_to(call.login)
    if status is CounterStatus.DELETED:
        found = found.none()
    if text := query.get("search_string", ""):
        found = found.matching(text)
    if permissions:
        found = found.filter(_permitted(call.login, permissions))
    page = list(found.order_by("metrica_id")[offset - 1 : offset - 1 + per_page])
    return {"rows": found.count(), "counters": _wire_counters(page, login=call.login, blocks=blocks)}


@endpoint(Endpoint.MANAGEMENT)
def counter(call: Call) -> dict[str, Any]:
    blocks = some_of(call.request.GET, "field", _BLOCKS)
    return {"counter": _wire_counters([call.counter()], login=call.login, blocks=blocks)[0]}


@endpoint(Endpoint.MANAGEMENT)
def goals(call: Call) -> dict[str, Any]:
    one_of(call.request.GET, "useDeleted", Flag, default=Flag.FALSE)
    return {"goals": [wire_goal(goal) for goal in SandboxGoal.objects.shown_of([call.counter()])]}


def wire_goal(goal: SandboxGoal) -> dict[str, Any]:
    """CRM goals come with number, name and type only."""
    if goal.type != "action":
        return {"id": goal.pk, "name": goal.name, "type": goal.type}
    return {
        "id": goal.pk,
        "name": goal.name,
        "type": goal.type,
        "default_price": float(goal.default_price),
        "is_retargeting": 0,
        "goal_source": "user",
        "is_favorite": int(goal.is_favorite),
        "prev_goal_id": 0,
        "conditions": [{"type": goal.condition_type, "url": goal.identifier}],
    }


def _permitted(login: str, permissions: Collection[str]) -> Q:
    invited = SandboxAccess.objects.filter(login=login, permission__in=permissions).values("counter_id")
    permitted = Q(pk__in=invited)
    return permitted | Q(owner_login=login) if Permission.OWN in permissions else permitted


def _wire_counters(
    counters: Collection[SandboxCounter], *, login: str, blocks: Collection[str]
) -> list[dict[str, Any]]:
    """One query for the guest rights, and one for the goals where they are asked for."""
    permissions = dict(
        SandboxAccess.objects.filter(login=login, counter__in=counters).values_list("counter_id", "permission")
    )
    goals: dict[int, list[dict[str, Any]]] = {}
    if "goals" in blocks:
        for goal in SandboxGoal.objects.shown_of(counters):
            goals.setdefault(goal.counter_id, []).append(wire_goal(goal))
    rows = []
    for counter in counters:
        permission = Permission.OWN.value if counter.owner_login == login else permissions.get(counter.pk, "view")
        row = _wire_counter(counter, permission=permission)
        for block in blocks:
            row[block] = goals.get(counter.pk, []) if block == "goals" else _empty_block(block, counter)
        rows.append(row)
    return rows


def _empty_block(block: str, counter: SandboxCounter) -> Any:
    return {"counter_id": counter.metrica_id} if block == "counter_flags" else []


def _wire_counter(counter: SandboxCounter, *, permission: str) -> dict[str, Any]:
    created = counter.created_at.astimezone(counter.zone)
    offset = timezone.now().astimezone(counter.zone).utcoffset()
    assert offset is not None
    return {
        "id": counter.metrica_id,
        "status": CounterStatus.ACTIVE.value,
        "owner_login": counter.owner_login,
        "code_status": "CS_ERR_UNKNOWN",
        "activity_status": "low",
        "name": counter.name,
        "site": counter.site,
        "site2": {"site": counter.site, "domain": counter.site},
        "type": "simple",
        "favorite": 0,
        "hide_address": 0,
        "gdpr_agreement_accepted": 0,
        "delete_guest_allowed": 0,
        "permission": permission,
        "time_zone_name": counter.time_zone_name,
        "time_zone_offset": int(offset.total_seconds() // 60),
        "create_time": created.isoformat(timespec="seconds"),
    }
