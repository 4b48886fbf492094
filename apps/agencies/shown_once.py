"""The page of a secret that was just made."""

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from apps.metrica.text import Text


def page(
    request: HttpRequest, *, model: type[models.Model], title: Text, why: Text, secret: str, back: str
) -> HttpResponse:
    """In the answer itself: the text is kept nowhere, not even in a session. `back`: where the person goes on."""
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "opts": model._meta,
        "title": title,
        "explanation": why,
        "secret": secret,
        "back": back,
    }
    return TemplateResponse(request, "agencies/shown_once.html", context)
