"""Listens to what agencies tell (they know nothing of the log)."""

from collections.abc import Mapping
from typing import Any

import structlog
from django.db.models import Model

from apps.agencies.actor import Actor
from apps.agencies.models import Agency
from apps.audit import trace
from apps.audit.services import record


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
