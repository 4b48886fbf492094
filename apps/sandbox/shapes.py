"""JSON shapes of the control addresses: what a test in another process can see of the sandbox."""

from decimal import Decimal
from typing import Any

from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.sandbox.models import (
    SandboxFault,
    SandboxOrder,
    SandboxOrderEvent,
    SandboxReach,
    SandboxRequest,
    SandboxUploading,
    SandboxVisit,
)


def plain(number: Decimal | None) -> str | None:
    """A number without trailing zeros or an exponent: 1800, 150.5."""
    if number is None:
        return None
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def visit(row: SandboxVisit) -> dict[str, Any]:
    return {
        "id": row.pk,
        "started_at": row.started_at.isoformat(),
        "client_id": row.client_id,
        "emails": _parts(row.emails),
        "phones": _parts(row.phones),
    }


def order(row: SandboxOrder) -> dict[str, Any]:
    """Needs `events` and `reaches` prefetched."""
    return {
        "key": str(row.pk),
        "id": row.order_id or "",
        "create_date_time": row.create_date_time.isoformat(),
        "date_only": row.date_only,
        "client_uniq_id": row.client_uniq_id,
        **{kind: _parts(getattr(row, kind)) for kind in IDENTIFIER_KINDS},
        **_changeable(row),
        "unknown_status": row.unknown_status,
        "visit": row.visit_id,
        "bound_at": row.bound_at.isoformat() if row.bound_at else None,
        "updated_at": row.updated_at.isoformat(),
        "events": [event(applied) for applied in row.events.all()],
        "reaches": [reach(reached) for reached in row.reaches.all()],
    }


def event(row: SandboxOrderEvent) -> dict[str, Any]:
    """Needs `uploading` joined."""
    return {
        "uploading_id": str(row.uploading.uuid),
        "applied_at": row.uploading.received_at.isoformat(),
        "line": row.line,
        **_changeable(row),
        "visit": row.visit_id,
        "reached": [{"goal": goal, "income": income and plain(Decimal(income))} for goal, income in row.reached],
        "notes": _parts(row.notes),
    }


def _changeable(row: SandboxOrder | SandboxOrderEvent) -> dict[str, Any]:
    return {
        "order_status": row.order_status,
        "type": row.type,
        "revenue": plain(row.revenue),
        "cost": plain(row.cost),
        "currency": row.currency,
        "goals": row.goals,
    }


def reach(row: SandboxReach) -> dict[str, Any]:
    """Needs `order` joined."""
    return {
        "visit": row.visit_id,
        "order": row.order.order_id or "",
        "order_key": str(row.order_id),
        "goal": row.goal,
        "income": plain(row.income),
        "currency": row.currency,
        "reached_at": row.reached_at.isoformat(),
        "repeated_at": row.repeated_at.isoformat(),
    }


def uploading(row: SandboxUploading) -> dict[str, Any]:
    return {
        "uploading_id": str(row.uuid),
        "received_at": row.received_at.isoformat(),
        "status": row.status,
        "merge_mode": row.merge_mode,
        "delimiter_type": row.delimiter_type,
        "elements_count": row.elements_count,
        "filename": row.filename,
        "size": row.size,
        "sha256": row.sha256,
        "errors": row.errors,
    }


def request(row: SandboxRequest) -> dict[str, Any]:
    return {
        "started_at": row.started_at.isoformat(),
        "finished_at": row.finished_at.isoformat(),
        "counter": row.counter_number,
        "login": row.login,
        "method": row.method,
        "path": row.path,
        "query": row.query,
        "size": row.size,
        "status": row.status,
        "error_type": row.error_type,
        "fault": row.fault,
        "uploading_id": str(row.uploading) if row.uploading else None,
    }


def fault(row: SandboxFault) -> dict[str, Any]:
    return {
        "id": row.pk,
        "kind": row.kind,
        "counter": row.counter.metrica_id if row.counter else None,
        "endpoint": row.endpoint,
        "count": row.remaining,
        "applied": row.applied,
        **row.parameters,
    }


def _parts(text: str) -> list[str]:
    return text.split(",") if text else []
