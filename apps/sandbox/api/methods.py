"""One address, several methods: each has a view of its own, with its own faults and quotas."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

Handler = Callable[..., HttpResponse]


def by_method(**handlers: Handler) -> Handler:
    """A view that hands the request on to `get`, `post`, `put` or `delete`; what is not there is answered 404."""

    @csrf_exempt
    def handle(request: HttpRequest, **address: str) -> HttpResponse:
        # A view refuses a method that is not its own, with the envelope and a line in the log.
        handler = handlers.get((request.method or "").lower()) or next(iter(handlers.values()))
        return handler(request, **address)

    return handle
