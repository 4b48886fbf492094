"""The text of a message, made from the database when it is sent. docs/webhooks.md shows one of each kind."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils import translation

from apps.hooks.models import Event, EventType
from apps.orders import hold_advice
from apps.orders.models import Delivery, HoldReason, StatusChange
from apps.uploads.models import UploadJob
from apps.uploads.problems import describe

MOST_CHANGES = 500
"""In one message."""

_READ = (
    *("id", "order__order_id", "order_status", "status_date_time", "received_at", "revenue", "currency"),
    *("delivered_at", "upload_id"),
)


def body(event: Event) -> bytes:
    """The message about an event, the same for everybody whom it is for. Its sentences are English."""
    with translation.override("en"):
        message = {
            "id": str(event.pk),
            "type": event.type,
            "created_at": _time(event.created_at),
            "agency": event.agency.slug,
            "counter": event.counter.metrica_id if event.counter else None,
            "data": _DATA[event.type](event),
        }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _delivered(event: Event) -> dict[str, Any]:
    """Of a range of the upload's changes, or of those that the event names."""
    which = {"pk__in": event.change_ids}
    if event.change_ids is None:
        which = {"pk__gte": event.first_change, "pk__lte": event.last_change}
    changes = StatusChange.objects.filter(upload_id=event.upload_id, delivery=Delivery.DELIVERED, **which)
    return {"upload": str(event.upload_id), "changes": _changes(changes, with_delivery=True)}


def _rejected(event: Event) -> dict[str, Any]:
    upload = str(event.upload_id) if event.upload_id else None
    return {"code": event.code, "message": event.message, "upload": upload, "changes": _named(event)}


def _held(event: Event) -> dict[str, Any]:
    reason = HoldReason(event.code)
    return {
        "reason": reason.value,
        "message": str(reason.label),
        "next_step": str(hold_advice.sentence(reason)),
        "whole_counter": event.change_ids is None,
        "changes": _named(event),
    }


def _finished(event: Event) -> dict[str, Any]:
    job = UploadJob.objects.filter(pk=event.job_id).first() if event.job_id else None
    if job is None:
        return {"job": str(event.job_id), "state": None}
    problem = describe(job.error_code)
    said = str(problem.message) if problem else job.error_message
    return {
        "job": str(job.pk),
        "state": job.state,
        "trigger": job.trigger,
        "created_at": _time(job.created_at),
        "finished_at": _time(job.finished_at),
        "changes": job.changes,
        "delivered": job.delivered,
        "held": job.held,
        "rejected": job.rejected,
        "error": {"code": job.error_code, "message": said} if job.error_code else None,
    }


def _test(event: Event) -> dict[str, Any]:
    return {"message": "A person asked Goalpost to send this test."}


_DATA: dict[str, Callable[[Event], dict[str, Any]]] = {
    EventType.ORDER_DELIVERED: _delivered,
    EventType.ORDER_REJECTED: _rejected,
    EventType.ORDER_HELD: _held,
    EventType.UPLOAD_FINISHED: _finished,
    EventType.TEST: _test,
}


def _named(event: Event) -> list[dict[str, Any]]:
    return _changes(StatusChange.objects.filter(pk__in=event.change_ids)) if event.change_ids else []


def _changes(rows: QuerySet[StatusChange], *, with_delivery: bool = False) -> list[dict[str, Any]]:
    """By the names of the REST API, in the order in which they were received."""
    found = []
    for row in rows.order_by("pk").values(*_READ):
        change = {
            "id": str(row["id"]),
            "order": row["order__order_id"],
            "order_status": row["order_status"],
            "status_date_time": _time(row["status_date_time"]),
            "received_at": _time(row["received_at"]),
            "revenue": _money(row["revenue"]),
            "currency": row["currency"],
        }
        if with_delivery:
            change["delivered_at"] = _time(row["delivered_at"])
        found.append(change)
    return found


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
