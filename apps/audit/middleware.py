"""Gives every request its id and its trace (R12)."""

import re
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context

from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse

from apps.agencies.access import actor_of
from apps.agencies.callers import address_of
from apps.agencies.ids import uuid7
from apps.audit import trace

_SANE_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_API_PATHS = ("/api/", "/cdp/")

Answer = Callable[[HttpRequest], HttpResponseBase]


class RequestIdMiddleware:
    """Stands before all others: whoever answers, `X-Request-ID` says under which id. The caller's own, if it is a sane
    one."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        wanted = request.headers.get("X-Request-ID", "")
        request_id = wanted if _SANE_ID.fullmatch(wanted) else str(uuid7())
        request.request_id = request_id  # type: ignore[attr-defined]
        response = self.get_response(request)
        response.headers["X-Request-ID"] = request_id
        return response


class TraceMiddleware:
    """Everything a request does is written under its id."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id: str = getattr(request, "request_id", "")
        source = "api" if request.path_info.startswith(_API_PATHS) else "web"
        with trace.traced(actor=actor_of(request), source=source, request_id=request_id, ip=address_of(request)):
            response = self.get_response(request)
            if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
                # Its content is made after we are gone: let that happen under the same trace.
                parts = iter(response.streaming_content)  # type: ignore[arg-type]
                response.streaming_content = _within(copy_context(), parts)
        return response


def _within(context: Context, parts: Iterator[bytes]) -> Iterator[bytes]:
    end = object()
    while (part := context.run(next, parts, end)) is not end:
        yield part  # type: ignore[misc]
