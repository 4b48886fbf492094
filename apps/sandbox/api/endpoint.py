"""What every address of the API shares: faults, the token, the counter, the error envelope, the log of requests."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from apps.metrica.serving.body import BodyReader
from apps.metrica.serving.envelope import ApiError
from apps.sandbox import quotas
from apps.sandbox.cutting import cut
from apps.sandbox.faults import Fault, answer_instead, take, wait_out
from apps.sandbox.models import Endpoint, FaultKind, Permission, SandboxCounter, SandboxRequest
from apps.sandbox.oauth import scopes
from apps.sandbox.oauth.issuing import live_token

log = logging.getLogger(__name__)

_LARGEST_NUMBER = 2**31 - 1


@dataclass(slots=True)
class Call:
    """One request on its way through: what a view needs, and what the log keeps."""

    request: HttpRequest
    body: BodyReader
    login: str = ""
    counter_number: int | None = None
    address: dict[str, str] = field(default_factory=dict)  # further parts of the path, such as goal_id
    faults: list[Fault] = field(default_factory=list)
    error_type: str = ""
    uploading: UUID | None = None
    started_at: datetime = field(default_factory=timezone.now)

    def has(self, kind: FaultKind) -> bool:
        return any(fault.kind is kind for fault in self.faults)

    def counter(self, *, to_change: bool = False) -> SandboxCounter:
        """The counter of the address. 404 where there is none, 403 where the login may not open or change it."""
        counter = SandboxCounter.objects.filter(metrica_id=self.counter_number or 0).first()
        if counter is None or (to_change and counter.deleted_at):
            raise ApiError("not_found", f"There is no counter {self.counter_number}.")
        permission = permission_of(login=self.login, counter=counter)
        if permission is None or (to_change and not permission.may_change):
            raise ApiError("access_denied", "Access is denied.")
        return counter


View = Callable[[Call], tuple[dict[str, Any], int] | dict[str, Any]]


def permission_of(*, login: str, counter: SandboxCounter) -> Permission | None:
    """The login's right to the counter. One query unless the login is its owner."""
    if counter.owner_login == login:
        return Permission.OWN
    access = counter.accesses.filter(login=login).first()
    return Permission(access.permission) if access else None


def endpoint(kind: Endpoint, *, method: str = "GET") -> Callable[[View], Callable[..., HttpResponse]]:
    """Makes an address of a view that takes a Call and returns the JSON to answer with, or raises ApiError."""

    def decorate(view: View) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @functools.wraps(view)
        def handle(request: HttpRequest, counter_id: str | None = None, **address: str) -> HttpResponse:
            call = Call(request=request, body=BodyReader(request), address=address)
            response = _answer(call=call, view=view, kind=kind, method=method, counter_id=counter_id)
            try:
                _log(call, response)
            except DatabaseError:
                # The upload is stored by now: its answer must not turn into another one.
                log.exception("sandbox call not logged")
            return cut(request) if response is None else response

        return handle

    return decorate


def _answer(*, call: Call, view: View, kind: Endpoint, method: str, counter_id: str | None) -> HttpResponse | None:
    """The answer, or None where the connection is to be cut."""
    try:
        if call.request.method != method:
            raise ApiError("not_found", f"There is no {call.request.method} at this address.")
        call.counter_number = _number(counter_id)
        with quotas.taken(_quotas(call, kind), login=call.login):
            call.faults = take(endpoint=kind, counter_number=call.counter_number)
            wait_out(call.faults)
            for fault in call.faults:
                if fault.kind is FaultKind.CUT_BEFORE:
                    call.body.drain(limit=fault.parameters.get("after_bytes"))
                    return None
                if error := answer_instead(fault):
                    raise error
            call.login = _login(call.request)
            response: HttpResponse = JsonResponse(view(call), json_dumps_params=_layout(call.request))
    except ApiError as error:
        call.error_type = error.error_type
        response = error.response()
    except Exception:
        log.exception("sandbox call failed")
        call.error_type = "backend_error"
        response = ApiError("backend_error", "The service failed.").response()
    # An answer that overtakes the body would reach the client as a broken connection.
    call.body.drain()
    return None if call.has(FaultKind.CUT_AFTER) else response


def _quotas(call: Call, kind: Endpoint) -> list[quotas.Quota]:
    """What the call counts in. A token that is not valid counts for its address only, and is refused later on."""
    try:
        call.login = _login(call.request)
    except ApiError:
        call.login = ""
    numbers = [call.counter_number] if call.counter_number else _ids(call.request)
    if kind is Endpoint.REPORT and len(numbers) == 1:
        call.counter_number = numbers[0]
    return quotas.of_call(
        kind=kind,
        method=call.request.method or "",
        login=call.login,
        counters=numbers,
        address=call.request.META.get("REMOTE_ADDR", ""),
    )


def _ids(request: HttpRequest) -> list[int]:
    """The counters of a report; what is no number is refused by the report itself."""
    parts = request.GET.get("ids", "").split(",")[:500]
    return sorted({int(part) for part in parts if part.isascii() and part.isdigit() and len(part) <= 10})


def _layout(request: HttpRequest) -> dict[str, Any]:
    """`pretty` formats the JSON (formats page)."""
    return {"indent": 2} if request.GET.get("pretty") in ("1", "true") else {}


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or not 0 < int(text) <= _LARGEST_NUMBER:
        raise ApiError("invalid_parameter", "The counter's number must be an int32.", location="counterId")
    return int(text)


def _login(request: HttpRequest) -> str:
    """The login of the token in `Authorization: OAuth <token>` (authorization page); the query is not looked at.

    403 invalid_token where it has expired or is revoked, 403 access_denied where its scopes are too small.
    """
    scheme, _space, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "oauth" or not token.strip():
        raise ApiError("unauthorized", "The request has no OAuth token.")
    held = live_token(token.strip())
    if held is None:
        raise ApiError("invalid_token", "The OAuth token is not valid.")
    scopes.check(request, held)
    return held.login


def _log(call: Call, response: HttpResponse | None) -> None:
    request = call.request
    SandboxRequest.objects.create(
        started_at=call.started_at,
        finished_at=timezone.now(),
        counter_number=call.counter_number,
        login=call.login,
        method=(request.method or "")[:8],
        path=request.path[:255],
        query=request.META.get("QUERY_STRING", ""),
        size=call.body.received,
        status=None if response is None else response.status_code,
        error_type=call.error_type,
        fault=",".join(fault.kind for fault in call.faults)[:255],
        uploading=call.uploading,
    )


@csrf_exempt
def unknown_address(request: HttpRequest, **_kwargs: str) -> HttpResponse:
    """Everything below the API's prefixes that Metrica does not have."""
    BodyReader(request).drain()
    return ApiError("not_found", "There is no such address.").response()
