"""The one way into the audit log (R12): `record`, in the transaction of the act itself."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from apps.agencies.actor import Actor
from apps.agencies.models import Agency
from apps.agencies.tenancy import counter_of
from apps.audit import trace
from apps.audit.models import AuditEntry

HIDDEN = "[hidden]"
_SECRET_KEY = re.compile(
    r"(^|[_-])(tokens?|secrets?|passwords?|authorization|api[_-]?keys?)([_-](hash|encrypted))?$", re.IGNORECASE
)


def record(
    *,
    action: str,
    agency: Agency | int | None,
    obj: models.Model | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
    actor: Actor | None = None,
) -> AuditEntry:
    """Write who did what. Who, from where and under which request come from the current trace.

    `agency`: the agency, its primary key, or None for the platform's own acts. `before`, `after`, `details`: anything
    JSON can carry besides dates, decimals, UUIDs and lazy texts; values under keys like `token` or `password` are
    hidden. `actor`: only where it is known better than the trace knows it.
    """
    current = trace.current()
    actor = actor or current.actor
    return AuditEntry.objects.create(
        agency_id=agency.pk if isinstance(agency, Agency) else agency,
        actor_kind=actor.kind,
        actor_id=clean_text(actor.id)[:64],
        actor_label=clean_text(actor.label)[:255],
        action=action,
        object_type=obj._meta.label_lower if obj is not None else "",
        object_id=clean_text(str(obj.pk))[:255] if obj is not None else "",
        object_label=clean_text(label_of(obj))[:255] if obj is not None else "",
        counter=counter_of(obj) if obj is not None else None,
        before=_stored(before),
        after=_stored(after),
        details=_stored(details) or {},
        source=current.source,
        ip=current.ip,
        request_id=current.request_id[:64],
    )


def label_of(obj: models.Model) -> str:
    """What an entry calls the object. The log is never changed, so it does not name people who may be erased: a model
    of such has an `audit_label`, which tells one from the other and nothing else."""
    return str(getattr(obj, "audit_label", None) or obj)


def snapshot(obj: models.Model, fields: Iterable[str]) -> dict[str, Any]:
    """The object's fields (attribute names such as `account_id`) as JSON can carry them."""
    return _plain({name: getattr(obj, name) for name in fields})


def clean_text(text: str) -> str:
    """The text as both databases take it: without NUL and half surrogates."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(values, cls=DjangoJSONEncoder, allow_nan=False))


def _stored(values: Mapping[str, Any] | None) -> Any:
    return None if values is None else _clean(_plain(values))


def _clean(value: Any, key: str = "") -> Any:
    if key and value not in (None, "", False, True) and _SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(name): _clean(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
