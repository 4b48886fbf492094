"""Listens to what agencies and logins tell (they know nothing of the log)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.db.models import Model
from django.utils import timezone

from apps.agencies.access import memberships_of
from apps.agencies.actor import Actor
from apps.agencies.models import Agency, User
from apps.audit import trace
from apps.audit.models import AuditEntry
from apps.audit.services import record


def logged_in(*, user: User, **_: Any) -> None:
    """A line in the log of each agency that the person may now enter."""
    _tell_agencies("person.logged_in", user)


def logged_out(*, user: User | None, **_: Any) -> None:
    if user is not None:
        _tell_agencies("person.logged_out", user)


def locked_out(*, username: str, **_: Any) -> None:
    """Somebody guessed passwords: told to the agencies whose door it was, once an hour however long they go on."""
    user = User.objects.by_email(username)
    if user is None:
        return
    told = AuditEntry.objects.filter(action="person.locked_out", object_type="agencies.user", object_id=str(user.pk))
    if not told.filter(at__gt=timezone.now() - timedelta(hours=1)).exists():
        _tell_agencies("person.locked_out", user)


def _tell_agencies(action: str, user: User) -> None:
    # Outside of a request nobody logs in by hand.
    if trace.current().source != "web":
        return
    actor = Actor("person", user.email, str(user.pk))
    agencies: list[int | None] = [place.agency_id for place in memberships_of(user)]
    for agency_id in agencies or [None]:
        record(action=action, agency=agency_id, obj=user, actor=actor)


def name_request_in_log(**_: Any) -> None:
    """The request's log lines carry the id that the audit log has, not one of their own."""
    structlog.contextvars.bind_contextvars(request_id=trace.current().request_id)


def write_down(
    *,
    action: str,
    agency: Agency | None,
    obj: Model | None,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    actor: Actor,
    **_: Any,
) -> None:
    record(action=action, agency=agency, obj=obj, before=before, after=after, actor=actor)


def write_export(*, actor: Actor, agency_id: int | None, details: Mapping[str, Any], **_: Any) -> None:
    action = "list.exported" if "rows" in details else "list.export_begun"
    record(action=action, agency=agency_id, details=details, actor=actor)
