"""`/sandbox/control/…`: set up with POST, look with GET. No token: the sandbox runs for tests and demos only.

Whatever changes something must say `Content-Type: application/json`, which a form on another site cannot send.
Answers: 200 with the JSON, 400 `{"error": "…"}` for what cannot be, 404 for a counter that is not there.
"""

import functools
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import Model, Prefetch, QuerySet
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from apps.sandbox import limits, services, shapes, switches, traffic
from apps.sandbox.models import (
    Permission,
    SandboxCounter,
    SandboxFault,
    SandboxGoal,
    SandboxOrder,
    SandboxOrderEvent,
    SandboxReach,
    SandboxRequest,
    SandboxToken,
    SandboxUploading,
    SandboxVisit,
)

_LARGEST_PAGE = 1000

Body = dict[str, Any]
Handler = Callable[[HttpRequest, Body], Body]


class NotThere(Exception):
    """The counter that was named does not exist."""


def control(**handlers: Handler) -> Callable[[HttpRequest], JsonResponse]:
    """An address with one handler for each method: get, post, patch, delete."""

    @csrf_exempt
    @functools.wraps(next(iter(handlers.values())))
    def view(request: HttpRequest) -> JsonResponse:
        handler = handlers.get((request.method or "").lower())
        if handler is None:
            return _error(f"{request.method} is not possible here.", 405)
        try:
            return JsonResponse(handler(request, _body(request)))
        except NotThere as error:
            return _error(str(error), 404)
        except (ValueError, TypeError, KeyError) as error:
            return _error(f"{type(error).__name__}: {error}", 400)

    return view


def _error(text: str, status: int) -> JsonResponse:
    return JsonResponse({"error": text}, status=status)


def _body(request: HttpRequest) -> Body:
    if request.method == "GET":
        return {}
    if request.content_type != "application/json":
        raise ValueError("The body must be application/json.")
    body = json.loads(request.body or b"{}")
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")
    return body


def _counter(number: Any) -> SandboxCounter:
    counter = SandboxCounter.objects.filter(metrica_id=int(number)).first()
    if counter is None:
        raise NotThere(f"There is no counter {number}.")
    return counter


def _post_counter(_request: HttpRequest, body: Body) -> Body:
    """The parameters of services.create_counter."""
    counter = services.create_counter(**body)
    return {"metrica_id": counter.metrica_id, "token": counter.token}


def _get_counters(_request: HttpRequest, _body: Body) -> Body:
    rows = SandboxCounter.objects.values(
        "metrica_id", "name", "site", "time_zone_name", "owner_login", "first_upload_at", "first_contacts_at"
    )
    tokens = dict(SandboxToken.objects.filter(revoked=False).order_by("-pk").values_list("login", "token"))
    return {"counters": [row | {"token": tokens.get(row["owner_login"], "")} for row in rows]}


def _patch_counter(_request: HttpRequest, body: Body) -> Body:
    """`deleted` true or false."""
    services.delete_counter(counter=_counter(body["metrica_id"]), deleted=bool(body["deleted"]))
    return {}


def _post_goal(_request: HttpRequest, body: Body) -> Body:
    """The parameters of services.add_goal; `condition_type` "contain" makes one as Metrica's interface does."""
    if "created_at" in body:
        body["created_at"] = datetime.fromisoformat(body["created_at"])
    goal = services.add_goal(counter=_counter(body.pop("counter")), **body)
    return {"id": goal.pk, "identifier": goal.identifier}


def _delete_goal(_request: HttpRequest, body: Body) -> Body:
    goal = SandboxGoal.objects.living().filter(pk=int(body["id"]), type="action").first()
    if goal is None:
        raise NotThere(f"There is no goal {body['id']}.")
    services.delete_goal(goal=goal)
    return {}


def _get_limits(_request: HttpRequest, _body: Body) -> Body:
    return {"limits": limits.values()}


def _post_limit(request: HttpRequest, body: Body) -> Body:
    """The parameters of services.set_limit."""
    services.set_limit(**body)
    return _get_limits(request, body)


def _delete_limits(request: HttpRequest, body: Body) -> Body:
    services.restore_limits()
    return _get_limits(request, body)


def _post_access(_request: HttpRequest, body: Body) -> Body:
    permission = Permission(body.pop("permission"))
    services.add_access(counter=_counter(body.pop("counter")), permission=permission, **body)
    return {}


def _post_visits(_request: HttpRequest, body: Body) -> Body:
    """One visit, or many as `visits`; `started_at` in ISO 8601 with an offset."""
    counter = _counter(body.pop("counter"))
    listed = body.get("visits", [body])
    visits = [services.Visit(**{**row, "started_at": datetime.fromisoformat(row["started_at"])}) for row in listed]
    return {"visits": [shapes.visit(row) for row in services.add_visits(counter=counter, visits=visits)]}


def _get_visits(request: HttpRequest, _body: Body) -> Body:
    return page(request, SandboxVisit.objects.order_by("pk"), "visits", shapes.visit)


def _post_month(_request: HttpRequest, body: Body) -> Body:
    """The parameters of traffic.generate_visits; `client_id` is of one of the latest visits."""
    counter = _counter(body.pop("counter"))
    made = traffic.generate_visits(counter=counter, **body)
    latest = SandboxVisit.objects.filter(counter=counter).exclude(client_id="").order_by("-started_at", "-pk").first()
    return {"visits": made, "client_id": latest.client_id if latest else ""}


def _post_fault(_request: HttpRequest, body: Body) -> Body:
    """The parameters of services.add_fault; `counter` is a number."""
    return shapes.fault(services.add_fault(**body))


def _get_faults(_request: HttpRequest, _body: Body) -> Body:
    return {"faults": [shapes.fault(row) for row in SandboxFault.objects.select_related("counter")]}


def _delete_faults(_request: HttpRequest, body: Body) -> Body:
    services.clear_faults(fault_id=body.get("id"))
    return {}


def _post_switch(_request: HttpRequest, body: Body) -> Body:
    services.set_switch(**body)
    return {"switches": switches.values()}


def _get_switches(_request: HttpRequest, _body: Body) -> Body:
    return {"switches": switches.values()}


def _post_reset(_request: HttpRequest, _body: Body) -> Body:
    services.reset()
    return {}


def _get_orders(request: HttpRequest, _body: Body) -> Body:
    """Oldest first, each with its applied rows and reached goals; `id` picks one order id."""
    rows = SandboxOrder.objects.order_by("pk").prefetch_related(
        Prefetch("events", SandboxOrderEvent.objects.select_related("uploading").order_by("pk")),
        Prefetch("reaches", SandboxReach.objects.select_related("order").order_by("pk")),
    )
    if "id" in request.GET:
        rows = rows.filter(order_id=request.GET["id"])
    return page(request, rows, "orders", shapes.order)


def _get_uploadings(request: HttpRequest, _body: Body) -> Body:
    return page(request, SandboxUploading.objects.order_by("pk"), "uploadings", shapes.uploading)


def _get_reaches(request: HttpRequest, _body: Body) -> Body:
    rows = SandboxReach.objects.select_related("order").order_by("pk")
    if "goal" in request.GET:
        rows = rows.filter(goal=request.GET["goal"])
    return page(request, rows, "reaches", shapes.reach)


def _get_requests(request: HttpRequest, _body: Body) -> Body:
    rows = SandboxRequest.objects.order_by("pk")
    if "counter" in request.GET:
        rows = rows.filter(counter_number=int(request.GET["counter"]))
    return _window(request, rows, "requests", shapes.request)


def page(
    request: HttpRequest, rows: QuerySet[Any], name: str, shape: Callable[[Any], Body], *, counter: str = "counter"
) -> Body:
    """Rows of `?counter=` if given, from `?offset=`, at most `?limit=` (by default and at most 1,000); and `total`.

    `counter` is the field that leads to it.
    """
    if "counter" in request.GET:
        rows = rows.filter(**{counter: _counter(request.GET["counter"])})
    return _window(request, rows, name, shape)


def _window(request: HttpRequest, rows: QuerySet[Any], name: str, shape: Callable[[Any], Body]) -> Body:
    offset = max(0, int(request.GET.get("offset", 0)))
    limit = min(_LARGEST_PAGE, max(0, int(request.GET.get("limit", _LARGEST_PAGE))))
    shown: list[Model] = list(rows[offset : offset + limit])
    return {name: [shape(row) for row in shown], "total": rows.count()}


counters = control(post=_post_counter, get=_get_counters, patch=_patch_counter)
goals = control(post=_post_goal, delete=_delete_goal)
limits_view = control(get=_get_limits, post=_post_limit, delete=_delete_limits)
accesses = control(post=_post_access)
visits = control(post=_post_visits, get=_get_visits)
month = control(post=_post_month)
faults = control(post=_post_fault, get=_get_faults, delete=_delete_faults)
switches_view = control(post=_post_switch, get=_get_switches)
reset = control(post=_post_reset)
orders = control(get=_get_orders)
uploadings = control(get=_get_uploadings)
reaches = control(get=_get_reaches)
requests = control(get=_get_requests)
