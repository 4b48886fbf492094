"""What every address of the gateway shares: the key, its scope, the counter (R11), Metrica's error envelope.

Whatever goes wrong is answered in Metrica's shape: scripts that are already running look for its `error_type`.
"""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt

from apps.agencies.access import actor_for_key
from apps.agencies.actor import Actor, Right
from apps.agencies.models import ApiKey
from apps.api import limits
from apps.api.authentication import NotAdmitted, admitted
from apps.api.problems import Problem, fault
from apps.audit import trace
from apps.counters.models import Counter
from apps.metrica.serving.body import BodyReader
from apps.metrica.serving.envelope import ApiError
from apps.metrica.text import Text, filled

log = logging.getLogger(__name__)

_LARGEST_NUMBER = 2**31 - 1
_READ_IN_VAIN = 16 * 2**20
"""So much of a body is read for nothing, so that whoever sends it hears why: an answer that overtakes a body reaches
the sender as a broken connection."""


@dataclass(slots=True)
class Call:
    """One request on its way through: what a view needs."""

    request: HttpRequest
    body: BodyReader
    counter: Counter
    actor: Actor
    key: ApiKey

    @property
    def zone(self) -> ZoneInfo:
        """The clock of the answers: the counter's; while that is not known, the installation's."""
        return self.counter.zone or ZoneInfo(settings.TIME_ZONE)


View = Callable[[Call], dict[str, Any]]


def endpoint(*, method: str = "GET") -> Callable[[View], Callable[..., HttpResponse]]:
    """Makes an address of a view that takes a Call and returns the JSON to answer with, or raises ApiError. Reading
    takes a key's scope `read`, anything else `write`."""

    def decorate(view: View) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @functools.wraps(view)
        def handle(request: HttpRequest, counter_id: str) -> HttpResponse:
            body = BodyReader(request)
            response: HttpResponse
            try:
                call = _admitted(request, body, method=method, counter_id=counter_id)
                response = JsonResponse(view(call), json_dumps_params={"ensure_ascii": False})
            except ApiError as error:
                response = error.response(readable=True)
            except Exception as error:
                log.exception("a call of the gateway failed")
                response = failed(error).response(readable=True)
            body.drain(limit=_READ_IN_VAIN)
            return response

        return handle

    return decorate


def told(message: Text, *, code: str, next_step: Text = "") -> Text:
    """A sentence, what to do, and the code by which it is known here: all that the envelope has room for."""
    if next_step:
        return filled("%(message)s %(next_step)s [%(code)s]", message=message, next_step=next_step, code=code)
    return filled("%(message)s [%(code)s]", message=message, code=code)


def failed(error: Exception | None = None) -> ApiError:
    problem = fault(error)
    return ApiError("backend_error", told(problem.message, code=problem.code, next_step=problem.next_step))


@csrf_exempt
def unknown_address(request: HttpRequest, **_kwargs: str) -> HttpResponse:
    """Everything below the prefix that Metrica does not have, or that is not taken here."""
    BodyReader(request).drain(limit=_READ_IN_VAIN)
    message = _("There is no such address.")
    next_step = _("Compare it with Metrica's documentation of CRM data.")
    return ApiError("not_found", told(message, code="unknown_address", next_step=next_step)).response(readable=True)


def _admitted(request: HttpRequest, body: BodyReader, *, method: str, counter_id: str) -> Call:
    """The call, if its key may make it. Three queries at most."""
    actor, key = _caller(request)
    within_limits(lambda: limits.enter(key.pk))
    if request.method != method:
        message = filled(_("This address does not take %(method)s."), method=request.method or "")
        next_step = filled(_("Use %(method)s."), method=method)
        raise ApiError("not_found", told(message, code="method_not_allowed", next_step=next_step), status=405)
    right, scope = (Right.READ, "read") if method == "GET" else (Right.OPERATE, "write")
    if not actor.can(right):
        message = filled(_("This key lacks the scope “%(scope)s”."), scope=scope)
        next_step = _("Ask the owner of the agency for a key with this scope.")
        raise ApiError("access_denied", told(message, code="missing_scope", next_step=next_step))
    if body.chunked:
        message = _("The request does not say how long it is.")
        next_step = _("Send Content-Length instead of Transfer-Encoding: chunked.")
        raise ApiError("invalid_parameter", told(message, code="length_required", next_step=next_step), status=411)
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity"):
        message = _("The body is compressed, and compressed bodies are not taken here.")
        next_step = _("Send it as it is, without Content-Encoding.")
        raise ApiError("not_acceptable", told(message, code="content_encoding", next_step=next_step))
    return Call(request, body, _counter(actor, counter_id), actor, key)


def _caller(request: HttpRequest) -> tuple[Actor, ApiKey]:
    """Whose key is in `Authorization: OAuth <api key>`, as Metrica wants it; `Bearer` is taken too."""
    scheme, _space, text = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() not in ("oauth", "bearer") or not text.strip():
        message = _("The request carries no API key.")
        next_step = _("Send the header “Authorization: OAuth <key>” with a key of this Goalpost, not Yandex's token.")
        raise ApiError(
            "unauthorized",
            told(message, code="no_key", next_step=next_step),
            headers={"WWW-Authenticate": 'OAuth realm="goalpost"'},
        )
    try:
        key = admitted(request, text.strip())
    except NotAdmitted as refusal:
        kind = "access_denied" if refusal.outside else "invalid_token"
        raise ApiError(kind, told(refusal.message, code=refusal.code, next_step=refusal.next_step)) from None
    actor = actor_for_key(key)
    trace.set_actor(actor)
    request.actor = actor  # type: ignore[attr-defined]
    return actor, key


def within_limits(count: Callable[[], object]) -> None:
    """Count for the key, as for the REST API. Raises ApiError (429, with Retry-After) where it is too much."""
    try:
        count()
    except Problem as problem:
        said = told(problem.message, code=problem.code, next_step=problem.next_step)
        raise ApiError("quota_requests_by_uid", said, headers=problem.headers) from None


def _counter(actor: Actor, text: str) -> Counter:
    """The counter with its agency and account. Not there, or somebody else's: the caller cannot tell (R11)."""
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or not 0 < int(text) <= _LARGEST_NUMBER:
        wrong = told(_("A counter's number is a whole number."), code="counter_number")
        raise ApiError("invalid_parameter", wrong, location="counterId")
    found = Counter.objects.visible_to(actor).select_related("agency", "account").filter(metrica_id=int(text)).first()
    if found is None:
        message = filled(_("There is no counter %(number)s."), number=text)
        next_step = _("Check the address, and that the key is of the right agency and not limited to other counters.")
        raise ApiError("not_found", told(message, code="unknown_counter", next_step=next_step))
    return found
