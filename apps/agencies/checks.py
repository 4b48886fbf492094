"""Settings under which agencies would see each other stop the start (R11)."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.checks import CheckMessage, Error, register

_ORDER = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.agencies.middleware.ActorMiddleware",
    "apps.audit.middleware.TraceMiddleware",
)


@register()
def check_admin_site(**_: Any) -> list[CheckMessage]:
    from apps.agencies.site import GoalpostAdminSite

    if not isinstance(admin.site, GoalpostAdminSite):
        return [
            Error(
                "The admin site is not Goalpost's own, so its pages do not keep agencies apart.",
                hint="INSTALLED_APPS takes unfold.apps.BasicAppConfig and project.apps.GoalpostAdminConfig.",
                id="agencies.E001",
            )
        ]
    return []


@register()
def check_middleware(**_: Any) -> list[CheckMessage]:
    places = [settings.MIDDLEWARE.index(name) if name in settings.MIDDLEWARE else -1 for name in _ORDER]
    if -1 in places or places != sorted(places):
        return [
            Error(
                "MIDDLEWARE lacks what names the actor of a request, or has it in the wrong order.",
                hint="In this order: " + ", ".join(_ORDER),
                id="agencies.E002",
            )
        ]
    return []
