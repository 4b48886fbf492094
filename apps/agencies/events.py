"""What this app tells whoever listens. The audit log does; agencies know nothing of it."""

from typing import Any

from django.db import models
from django.dispatch import Signal

from apps.agencies.actor import Actor
from apps.agencies.models import Agency

Snapshot = dict[str, Any]

# Sent inside the transaction of the act, with: action, agency (Agency | None), obj (model), before (dict | None),
# after (dict | None), actor (Actor).
acted = Signal()

# Sent when a list leaves as a file: with `rows` among the details at the end, without them where it only begins. With:
# actor (Actor), agency_id (int | None), details (dict).
exported = Signal()


def tell(
    action: str,
    actor: Actor,
    agency: Agency | None,
    obj: models.Model,
    *,
    before: Snapshot | None = None,
    after: Snapshot | None = None,
) -> None:
    acted.send(sender=type(obj), action=action, agency=agency, obj=obj, before=before, after=after, actor=actor)
