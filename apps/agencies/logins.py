"""What the lock-out of guessed passwords (django-axes) asks of us: whose login it is, and what the locked out see."""

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from apps.agencies.models import folded

LONGEST_NAME: Final = 255
"""Of django-axes' column. Folded, a name may be longer than it was written."""


def login_name(request: HttpRequest | None, credentials: Mapping[str, Any] | None) -> str:
    """The e-mail that is tried, in the form in which it is looked for: an attempt with other capitals counts as the
    same."""
    given = credentials or (request.POST if request is not None else {})
    return folded(str(given.get("username") or given.get("email") or ""))[:LONGEST_NAME]


def locked_out(
    request: HttpRequest, answer: HttpResponse | None, credentials: Mapping[str, Any] | None
) -> HttpResponse:
    """The page instead of the login page, with status 429."""
    context = {**admin.site.each_context(request), "title": _("Too many wrong passwords")}
    return TemplateResponse(request, "agencies/locked_out.html", context, status=429).render()
