"""Errors as RFC 9457 problem details: what is wrong, where, under which code, and what to do next."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import structlog
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, RequestDataTooBig, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views import defaults
from rest_framework import exceptions

from apps.audit import trace
from apps.counters.encryption import UnreadableSecret
from apps.metrica.errors import MetricaError, TransientError
from apps.metrica.text import Text

if TYPE_CHECKING:  # REST framework loads this module while it loads its views
    from rest_framework.views import APIView

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"


class FieldError(TypedDict):
    """One thing wrong. `field` is null where it concerns the request as a whole."""

    field: str | None
    code: str
    message: str
    next_step: NotRequired[str]
    index: NotRequired[int]
    id: NotRequired[str | None]


class ProblemShape(TypedDict):
    """RFC 9457. `code` is stable; the sentences are in the language of Accept-Language."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    next_step: str
    request_id: str
    errors: list[FieldError]


class Problem(Exception):
    """Raise to answer with a problem. `errors` are the fields' own; without them the problem stands for itself."""

    def __init__(
        self,
        *,
        status: int,
        code: str,
        message: Text,
        next_step: Text = "",
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.next_step = next_step
        self.errors = list(errors)
        self.headers = dict(headers or {})


def field_error(field: str | None, code: str, message: Text, next_step: Text = "") -> FieldError:
    error: FieldError = {"field": field, "code": code, "message": str(message)}
    if next_step:
        error["next_step"] = str(next_step)
    return error


def not_found(message: Text, code: str = "not_found") -> Problem:
    """Not there, or somebody else's: the caller cannot tell, and must not (R11)."""
    next_step = _("Check the address, and that the key is of the right agency and not limited to other counters.")
    return Problem(status=404, code=code, message=message, next_step=next_step)


def bad_request(code: str, message: Text, next_step: Text = "", *, field: str | None = None) -> Problem:
    errors = [field_error(field, code, message, next_step)]
    return Problem(status=400, code=code, message=message, next_step=next_step, errors=errors)


def invalid(errors: Sequence[FieldError]) -> Problem:
    """The request was understood and some fields do not fit."""
    return Problem(
        status=400,
        code="invalid",
        message=_("Some fields do not fit."),
        next_step=_("Correct the fields named in errors and send the request again."),
        errors=errors,
    )


@contextlib.contextmanager
def renaming(**names: str) -> Iterator[None]:
    """A service's complaints, under the names that this API has for its fields: `renaming(theirs="ours")`."""
    try:
        yield
    except ValidationError as error:
        errors = list(_fields_of(error))
        for item in errors:
            item["field"] = names.get(item["field"] or "", item["field"])
        raise invalid(errors) from error


def conflict(code: str, message: Text, next_step: Text = "") -> Problem:
    return Problem(status=409, code=code, message=message, next_step=next_step)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """What REST framework asks for every exception of a view. None lets it go on as a fault of ours."""
    problem = _as_problem(error)
    if problem is None:
        return None
    view: APIView | None = context.get("view")
    headers = problem.headers
    if problem.status == 401:
        headers = {"WWW-Authenticate": "Bearer", **headers}
    if problem.status == 405 and view is not None:
        headers = {"Allow": ", ".join(view.allowed_methods), **headers}
    return _answer(problem, headers)


def body(problem: Problem) -> ProblemShape:
    errors = problem.errors or [field_error(None, problem.code, problem.message, problem.next_step)]
    return {
        "type": f"urn:goalpost:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": str(problem.message),
        "code": problem.code,
        "next_step": str(problem.next_step),
        "request_id": trace.current().request_id,
        "errors": errors,
    }


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: a fault of ours is a problem too in the API; the log tells it under the request id."""
    if not _is_of_api(request):
        return defaults.server_error(request)
    return _answer(fault())


def fault(error: Exception | None = None) -> Problem:
    """What is our side's alone: that no key opens what is kept, or anything else."""
    if isinstance(error, UnreadableSecret):
        return Problem(status=error.status, code=error.code, message=error.message, next_step=error.next_step)
    return Problem(
        status=500,
        code="server_error",
        message=_("Something went wrong on our side; whether the request took effect is not certain."),
        next_step=_("Send it again: a repetition does no harm. If it stays so, tell us the request id."),
    )


def bad_page(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a request that is refused before it comes to a view, such as one for another host."""
    if not _is_of_api(request):
        return defaults.bad_request(request, exception)
    return _answer(
        Problem(
            status=400,
            code="bad_request",
            message=_("The request is not one that this server answers."),
            next_step=_("Check the host in the address, and the request's headers."),
        ),
        request=request,
    )


def missing_page(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404: an address that belongs to no version of the API."""
    if not _is_of_api(request):
        return defaults.page_not_found(request, exception)
    next_step = _("See /api/v1/docs/ for the addresses that there are.")
    problem = Problem(status=404, code="unknown_address", message=_("There is nothing here."), next_step=next_step)
    return _answer(problem, request=request)


def _is_of_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def _answer(
    problem: Problem, headers: Mapping[str, str] | None = None, *, request: HttpRequest | None = None
) -> JsonResponse:
    """JSON whatever the address speaks otherwise (the schema's is YAML, the docs' is HTML). `request`: one that was
    refused before its trace began."""
    shape = body(problem)
    if request is not None:
        shape["request_id"] = getattr(request, "request_id", shape["request_id"])
    return JsonResponse(
        shape,
        status=problem.status,
        headers=dict(headers or {}),
        content_type=CONTENT_TYPE,
        json_dumps_params={"ensure_ascii": False},
    )


def _as_problem(error: Exception) -> Problem | None:
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return invalid(list(_fields_of(error)))
    if isinstance(error, UnreadableSecret):
        log.error("no key opens what is kept", exc_info=error)
        return fault(error)
    if isinstance(error, MetricaError):
        return _of_metrica(error)
    if isinstance(error, Http404):
        return not_found(_("There is nothing here."))
    if isinstance(error, PermissionDenied):
        return Problem(status=403, code="forbidden", message=_("This key may not do this."))
    if isinstance(error, RequestDataTooBig):
        return too_large()
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    return None


def _of_metrica(error: MetricaError) -> Problem:
    """What a call to Metrica ended in, for a caller who asked for something that needs it."""
    later = isinstance(error, TransientError)
    headers = {"Retry-After": str(max(1, int(error.retry_after or 60)))} if later else {}
    return Problem(
        status=503 if later else 502, code=error.code, message=str(error), next_step=error.next_step, headers=headers
    )


def too_large() -> Problem:
    return Problem(
        status=413,
        code="too_large",
        message=_("The request is larger than is taken at once."),
        next_step=_("Send fewer orders in one request."),
    )


def _of_framework(error: exceptions.APIException) -> Problem:
    code = error.get_codes()
    code = code if isinstance(code, str) else error.default_code
    message: Text = str(error.detail)
    next_step: Text = ""
    headers: dict[str, str] = {}
    if isinstance(error, exceptions.NotAuthenticated):
        code, message = "no_key", _("The request carries no API key.")
        next_step = _("Send the header “Authorization: Bearer <key>”.")
    elif isinstance(error, exceptions.AuthenticationFailed):
        next_step = _("Check the key; its owner finds the state of all keys in the admin.")
    elif isinstance(error, exceptions.MethodNotAllowed):
        message, next_step = _("This address does not take this method."), _("The header Allow names those it takes.")
    elif isinstance(error, exceptions.UnsupportedMediaType):
        message, next_step = _("This kind of body is not taken here."), _("Send JSON as application/json in UTF-8.")
    elif isinstance(error, exceptions.Throttled):
        headers = {"Retry-After": str(int(getattr(error, "wait", None) or 1))}
    return Problem(status=error.status_code, code=code, message=message, next_step=next_step, headers=headers)


def _fields_of(error: ValidationError) -> Iterator[FieldError]:
    """A service's complaints by field, flat."""
    if not hasattr(error, "error_dict"):
        for item in error.error_list:
            yield field_error(None, item.code or "invalid", " ".join(item.messages))
        return
    for field, items in error.error_dict.items():
        for item in items:
            name = None if field == NON_FIELD_ERRORS else field
            yield field_error(name, item.code or "invalid", " ".join(item.messages))
