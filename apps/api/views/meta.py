"""The description of the API, its pages, and the answer to addresses that do not exist."""

from typing import Any

from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_page
from django.views.decorators.vary import vary_on_headers
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.base import ApiView
from apps.api.problems import Problem

SCHEMA_KEPT = 600
"""Seconds."""


@method_decorator([cache_page(SCHEMA_KEPT), vary_on_headers("Accept")], name="get")
class SchemaView(SpectacularAPIView):
    """GET schema/: open to everybody, like the pages made of it. It tells nothing of any agency.

    It is the same until the next release, and writing it down takes a second: so it is kept for a while, in each
    language and format.
    """

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []


class DocsView(SpectacularSwaggerSplitView):
    """GET docs/: everything that the page loads comes from here, its script too, in a file of its own."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    url_name = "api:schema"


class NothingHereView(ApiView):
    """Every other address below /api/v1/: a problem and no bare page, for every method."""

    authentication_classes = []
    permission_classes = []
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if request.path_info.endswith("/"):
            next_step = _("See /api/v1/docs/ for the addresses that there are.")
        else:
            next_step = _("Addresses here end with a slash.")
        raise Problem(status=404, code="unknown_address", message=_("There is nothing here."), next_step=next_step)

    def get(self, request: Request, path: str) -> Response:
        raise AssertionError("initial() has answered")
