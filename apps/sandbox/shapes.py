"""JSON shapes of the control addresses: what a test in another process can see of the sandbox."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.sandbox.models import (
    SandboxAttribute,
    SandboxCustomer,
    SandboxCustomerEvent,
    SandboxFault,
    SandboxOrder,
    SandboxOrderEvent,
    SandboxProduct,
    SandboxReach,
    SandboxRequest,
    SandboxStatus,
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
        "bound_at": _moment(row.bound_at),
        "update_date_time": _moment(row.update_date_time),
        "finish_date_time": _moment(row.finished_at),
        "attribute_values": row.attribute_values or {},
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


def step(row: SandboxOrderEvent) -> dict[str, Any]:
    """An event by itself, for all orders in their order of application. Needs `order` and `uploading` joined."""
    return {"order": row.order.order_id or "", "order_key": str(row.order_id), **event(row)}


def customer(row: SandboxCustomer) -> dict[str, Any]:
    """Needs `events` prefetched, with `uploading` joined."""
    return {
        "key": str(row.pk),
        "uniq_id": row.uniq_id,
        "create_date_time": _moment(row.create_date_time),
        "update_date_time": _moment(row.update_date_time),
        **_of_customer(row),
        "updated_at": row.updated_at.isoformat(),
        "events": [customer_event(applied) for applied in row.events.all()],
    }


def customer_event(row: SandboxCustomerEvent) -> dict[str, Any]:
    return {
        "uploading_id": str(row.uploading.uuid),
        "applied_at": row.uploading.received_at.isoformat(),
        "line": row.line,
        **_of_customer(row),
        "notes": _parts(row.notes),
    }


def _of_customer(row: SandboxCustomer | SandboxCustomerEvent) -> dict[str, Any]:
    return {
        "name": row.name,
        "birth_date": row.birth_date.isoformat() if row.birth_date else None,
        **{kind: _parts(getattr(row, kind)) for kind in IDENTIFIER_KINDS},
        "attribute_values": row.attribute_values or {},
    }


def status(row: SandboxStatus) -> dict[str, Any]:
    return {
        "id": row.status_id,
        "humanized": row.humanized,
        "type": row.type,
        "goal_action_ids": row.goal_action_ids,
        "updated_at": row.updated_at.isoformat(),
    }


def attribute(row: SandboxAttribute) -> dict[str, Any]:
    return {
        "entity_type": row.entity_type,
        "name": row.name,
        "humanized": row.humanized,
        "type_name": row.type_name,
        "type_group": row.type_group,
        "multivalued": row.multivalued,
    }


def product(row: SandboxProduct) -> dict[str, Any]:
    return {"name": row.name, "humanized": row.humanized}


def _changeable(row: SandboxOrder | SandboxOrderEvent) -> dict[str, Any]:
    return {
        "order_status": row.order_status,
        "type": row.type,
        "revenue": plain(row.revenue),
        "cost": plain(row.cost),
        "currency": row.currency,
        "goals": row.goals,
        "products": row.products or {},
    }


def reach(row: SandboxReach) -> dict[str, Any]:
    """Needs `order` joined."""
    return {
        "visit": row.visit_id,
        "order": row.order.order_id or "",
        "order_key": str(row.order_id),
        "order_type": row.order.type,
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
        "kind": row.kind,
        "uploading_format": row.uploading_format,
        "status": row.status,
        "merge_mode": row.merge_mode,
        "delimiter_type": row.delimiter_type,
        "columns_mapping": row.columns_mapping,
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


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _parts(text: str) -> list[str]:
    return text.split(",") if text else []
