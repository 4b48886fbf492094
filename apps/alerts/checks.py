"""Alerts lead to the pages that mend things, so they need the address of this installation."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DatabaseError


@register(Tags.database)
def check_site_url(databases: Sequence[str] | None = None, **_details: Any) -> list[CheckMessage]:
    """Asked where the database may be (migrate, check --database default)."""
    from apps.alerts.models import Channel

    if settings.SITE_URL or not databases:
        return []
    try:
        if not Channel.objects.filter(is_active=True).exists():
            return []
    except DatabaseError:
        return []  # before the first migration
    return [
        Warning(
            "Alerts are sent without links: SITE_URL is not set.",
            hint="Write SITE_URL=https://<the address under which people open Goalpost>.",
            id="alerts.W001",
        )
    ]
