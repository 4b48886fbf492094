"""One address with several methods, each of them an endpoint of its own."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

Endpoint = Callable[..., HttpResponse]


def by_method(**endpoints: Endpoint) -> Endpoint:
    """`by_method(GET=…, POST=…)`. Another method gets the answer that the first endpoint has for it."""
    first = next(iter(endpoints.values()))

    @csrf_exempt
    def handle(request: HttpRequest, **place: Any) -> HttpResponse:
        return endpoints.get(request.method or "", first)(request, **place)

    return handle
