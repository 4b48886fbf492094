"""One address, several methods: each has a view of its own."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

Handler = Callable[..., "HttpResponse"]


def by_method(**handlers: Handler) -> Handler:
    """A view that hands the request on to `get`, `post`, `put` or `delete`; what is not there is answered 404."""

    def handle(request: "HttpRequest", **address: str) -> "HttpResponse":
        # A view refuses a method that is not its own, with the envelope.
        handler = handlers.get((request.method or "").lower()) or next(iter(handlers.values()))
        return handler(request, **address)

    handle.csrf_exempt = True  # type: ignore[attr-defined]
    return handle
