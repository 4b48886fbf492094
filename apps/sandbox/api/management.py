"""`/management/v1/counters` and `/management/v1/counter/{id}` (counters, counter and manage-protocol pages)."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.metrica.serving.envelope import ApiError
from apps.metrica.serving.json_body import json_object
from apps.metrica.serving.methods import by_method
from apps.metrica.serving.query import flag, numbers, one_of, some_of, whole_number
from apps.sandbox.api.endpoint import Call, endpoint
from apps.sandbox.api.goals import wire_goal
from apps.sandbox.api.grants import wire_grant
from apps.sandbox.models import Endpoint, Permission, SandboxAccess, SandboxCounter, SandboxGoal, SandboxVisit
from apps.sandbox.models.site import CounterQuerySet

_BLOCKS = ("goals", "mirrors", "grants", "filters", "operations", "counter_flags", "measurement_tokens")
_PERMISSIONS = ("own", "view", "edit")
_MOST_IDS = 1000

# The block `counter_flags` as a counter has it before anybody changes it.
FLAGS: dict[str, bool | str] = {
    "use_in_benchmarks": True,
    "direct_allow_use_goals_without_access": False,
    "incognito": "disabled",
    "collect_first_party_data": False,
    "measurement_enabled": False,
    "news_enabled_by_user": False,
    "news_enabled_by_classifier": False,
}


class CounterStatus(StrEnum):
    ACTIVE = "Active"
    DELETED = "Deleted"


class CounterType(StrEnum):
    SIMPLE = "simple"
    PARTNER = "partner"


class CounterSort(StrEnum):
    NONE = "None"
    DEFAULT = "Default"
    VISITS = "Visits"
    HITS = "Hits"
    UNIQUES = "Uniques"
    NAME = "Name"


@endpoint(Endpoint.MANAGEMENT)
def counters(call: Call) -> dict[str, Any]:
    """Counters that the login may open. `rows` counts all of them, whatever the page."""
    query = call.request.GET
    per_page = whole_number(query, "per_page", default=1000)
    offset = whole_number(query, "offset", default=1)
    blocks = some_of(query, "field", _BLOCKS)
    found = _found(call)
    order = _order(
        one_of(query, "sort", CounterSort, default=CounterSort.DEFAULT), reverse=flag(query, "reverse", default=True)
    )
    page = list(_with_numbers(found, order).order_by(*order)[offset - 1 : offset - 1 + per_page])
    return {"rows": found.count(), "counters": _wire_counters(page, login=call.login, blocks=blocks)}


def _found(call: Call) -> CounterQuerySet:
    query = call.request.GET
    permissions = some_of(query, "permission", _PERMISSIONS)
    status = one_of(query, "status", CounterStatus, default=CounterStatus.ACTIVE)
    kind = one_of(query, "type", CounterType, default=CounterType.SIMPLE)
    found = SandboxCounter.objects.open_to(call.login).filter(deleted_at__isnull=status is CounterStatus.ACTIVE)
    if text := query.get("search_string", ""):
        found = found.matching(text)
    if permissions:
        found = found.filter(_permitted(call.login, permissions))
    if wanted := numbers(query, "counter_ids", most=_MOST_IDS):
        found = found.filter(metrica_id__in=wanted)
    if query.get("favorite"):
        found = found.filter(favorite=flag(query, "favorite", default=False))
    # Nobody has labels, and no counter belongs to a partner.
    if query.get("label_id"):
        whole_number(query, "label_id", default=1)
        return found.none()
    whole_number(query, "robots", default=1, most=2)
    return found.none() if kind is CounterType.PARTNER else found


def _order(sort: CounterSort, *, reverse: bool) -> Sequence[str]:
    """By number where nothing else is asked for. A visit of the sandbox has no hits, so Hits are its visits."""
    if sort in (CounterSort.NONE, CounterSort.DEFAULT):
        return ("metrica_id",)
    column = {CounterSort.NAME: "name", CounterSort.UNIQUES: "uniques"}.get(sort, "made")
    return (f"-{column}" if reverse else column, "metrica_id")


def _with_numbers(found: CounterQuerySet, order: Sequence[str]) -> CounterQuerySet:
    column = order[0].lstrip("-")
    if column not in ("made", "uniques"):
        return found
    counted = Count("pk") if column == "made" else Count("client_id", distinct=True)
    visits = SandboxVisit.objects.filter(counter=OuterRef("pk")).order_by().values("counter").annotate(number=counted)
    number = Coalesce(Subquery(visits.values("number")), 0, output_field=IntegerField())
    return found.annotate(**{column: number})


@endpoint(Endpoint.MANAGEMENT)
def _one(call: Call) -> dict[str, Any]:
    blocks = some_of(call.request.GET, "field", _BLOCKS)
    return {"counter": _wire_counters([call.counter()], login=call.login, blocks=blocks)[0]}


@endpoint(Endpoint.MANAGEMENT, method="PUT")
def _edit(call: Call) -> dict[str, Any]:
    """Changes flags, which is what `field=counter_flags` asks for; nothing else of a counter is changed here."""
    counter = call.counter(to_change=True)
    blocks = some_of(call.request.GET, "field", _BLOCKS)
    if "counter_flags" not in blocks:
        raise ApiError("missing_parameter", "field=counter_flags is required to change flags.", location="field")
    fields = json_object(call, "counter").get("counter_flags")
    if not isinstance(fields, dict):
        raise ApiError("missing_parameter", "counter_flags is required.", location="counter.counter_flags")
    for name, value in fields.items():
        _check_flag(name, value, counter)
    counter.flags = counter.flags | {name: value for name, value in fields.items() if name != "counter_id"}
    counter.save(update_fields=["flags"])
    return {"counter": _wire_counters([counter], login=call.login, blocks=blocks)[0]}


def _check_flag(name: str, value: Any, counter: SandboxCounter) -> None:
    location = f"counter.counter_flags.{name}"
    if name == "counter_id":
        if value != counter.metrica_id:
            raise ApiError("invalid_parameter", "counter_id is not the counter of the address.", location=location)
    elif name not in FLAGS:
        raise ApiError("invalid_parameter", f"There is no flag {name}.", location=location)
    elif type(value) is not type(FLAGS[name]):
        kind = "a text" if isinstance(FLAGS[name], str) else "true or false"
        raise ApiError("invalid_parameter", f"{name} must be {kind}.", location=location)


counter = by_method(get=_one, put=_edit)


def _permitted(login: str, permissions: Collection[str]) -> Q:
    invited = SandboxAccess.objects.filter(login=login, permission__in=permissions).values("counter_id")
    permitted = Q(pk__in=invited)
    return permitted | Q(owner_login=login) if Permission.OWN in permissions else permitted


def _wire_counters(
    counters: Collection[SandboxCounter], *, login: str, blocks: Collection[str]
) -> list[dict[str, Any]]:
    """One query for the guest rights, and one each for goals and accesses where they are asked for."""
    permissions = dict(
        SandboxAccess.objects.filter(login=login, counter__in=counters).values_list("counter_id", "permission")
    )
    parts: dict[tuple[str, int], list[dict[str, Any]]] = {}
    if "goals" in blocks:
        for goal in SandboxGoal.objects.shown_of(counters):
            parts.setdefault(("goals", goal.counter_id), []).append(wire_goal(goal))
    if "grants" in blocks:
        for access in SandboxAccess.objects.filter(counter__in=counters).select_related("counter").order_by("pk"):
            parts.setdefault(("grants", access.counter_id), []).append(wire_grant(access, access.counter))
    rows = []
    for counter in counters:
        permission = Permission.OWN.value if counter.owner_login == login else permissions.get(counter.pk, "view")
        row = _wire_counter(counter, permission=permission)
        for block in blocks:
            row[block] = _block(block, counter, parts.get((block, counter.pk), []), permission)
        rows.append(row)
    return rows


def _block(block: str, counter: SandboxCounter, listed: list[dict[str, Any]], permission: str) -> Any:
    """An extra block. Accesses are shown to the owner and editors only (grants page)."""
    if block == "counter_flags":
        return {"counter_id": counter.metrica_id, **FLAGS, **counter.flags}
    if block == "mirrors":
        return counter.mirrors.split(",") if counter.mirrors else []
    return listed if block != "grants" or Permission(permission).may_change else []


def _wire_counter(counter: SandboxCounter, *, permission: str) -> dict[str, Any]:
    created = counter.created_at.astimezone(counter.zone)
    offset = timezone.now().astimezone(counter.zone).utcoffset()
    assert offset is not None
    return {
        "id": counter.metrica_id,
        "status": (CounterStatus.DELETED if counter.deleted_at else CounterStatus.ACTIVE).value,
        "owner_login": counter.owner_login,
        "code_status": "CS_ERR_UNKNOWN",
        "activity_status": "low",
        "name": counter.name,
        "site": counter.site,
        "site2": {"site": counter.site, "domain": counter.site},
        "type": "simple",
        "favorite": int(counter.favorite),
        "hide_address": 0,
        "gdpr_agreement_accepted": 0,
        "delete_guest_allowed": 0,
        "permission": permission,
        "time_zone_name": counter.time_zone_name,
        "time_zone_offset": int(offset.total_seconds() // 60),
        "create_time": created.isoformat(timespec="seconds"),
    }
