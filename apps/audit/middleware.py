"""Gives every request its id and its trace (R12)."""

import re
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context

from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse

from apps.agencies.access import actor_of
from apps.agencies.callers import address_of
from apps.audit import trace

_SANE_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_API_PATHS = ("/api/", "/cdp/")

Answer = Callable[[HttpRequest], HttpResponseBase]


class TraceMiddleware:
    """Everything a request does is written under its id, which goes back in `X-Request-ID`."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        wanted = request.headers.get("X-Request-ID", "")
        request_id = wanted if _SANE_ID.fullmatch(wanted) else ""
        source = "api" if request.path_info.startswith(_API_PATHS) else "web"
        with trace.traced(
            actor=actor_of(request), source=source, request_id=request_id, ip=address_of(request)
        ) as current:
            response = self.get_response(request)
            if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
                # Its content is made after we are gone: let that happen under the same trace.
                parts = iter(response.streaming_content)  # type: ignore[arg-type]
                response.streaming_content = _within(copy_context(), parts)
        response.headers["X-Request-ID"] = current.request_id
        return response


def _within(context: Context, parts: Iterator[bytes]) -> Iterator[bytes]:
    end = object()
    while (part := context.run(next, parts, end)) is not end:
        yield part  # type: ignore[misc]
