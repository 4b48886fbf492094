"""Listens to what agencies tell (they know nothing of the log)."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model

from apps.agencies.actor import Actor
from apps.agencies.models import Agency
from apps.audit.services import record


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
