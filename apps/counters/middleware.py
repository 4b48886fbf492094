"""A page that meets what no key of ENCRYPTION_KEYS opens says so, and what to do, instead of a bare fault of ours."""

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from apps.agencies.middleware import KEY_ONLY_PATHS
from apps.audit import trace
from apps.counters.encryption import UnreadableSecret

log = structlog.get_logger(__name__)


class UnreadableSecretMiddleware:
    """For pages alone: the API tells it in its own way."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, UnreadableSecret) or request.path_info.startswith(KEY_ONLY_PATHS):
            return None
        log.error("no key opens what is kept", path=request.path_info, exc_info=error)
        told = {"error": error, "request_id": trace.current().request_id}
        return render(request, "problems/unreadable.html", told, status=error.status)
