"""What the documentation says of orders: the body's schema and its examples."""

from typing import Any

from apps.api.openapi import GOAL_ID, TEXT, Schema
from apps.api.rows_in import MAX_ROWS
from apps.metrica.vocabulary import IDENTIFIER_KINDS


def _nullable(schema: Schema, description: str = "") -> Schema:
    return {**schema, "nullable": True, **({"description": description} if description else {})}


_ID: Schema = {"type": "string", "maxLength": 255}
_AMOUNT: Schema = {"oneOf": [{"type": "string"}, {"type": "number"}], "example": "5000.00"}
_MOMENT: Schema = {"type": "string", "example": "2026-11-04T14:05:00+03:00"}
_LIST: Schema = {"type": "array", "items": TEXT}
_GOALS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"goal_action_id": GOAL_ID, "price": _nullable(_AMOUNT)},
        "required": ["goal_action_id"],
    },
}
STATE_PROPERTIES: dict[str, Schema] = {
    "order_status": {
        **_ID,
        "minLength": 1,
        "description": "As the CRM writes it, or one of Metrica's four, or a goal's identifier.",
    },
    "status_date_time": _nullable(
        _MOMENT, "When it came so. Left out: the creation time for the first status, the time of receipt for others."
    ),
    "revenue": _nullable(_AMOUNT),
    "cost": _nullable(_AMOUNT, "Unknown is null, not 0."),
    "currency": _nullable({**TEXT, "description": "ISO 4217; null: the counter's."}),
    "goals": _nullable(_GOALS, "JavaScript goals besides those of the mapping."),
    "products": _nullable({"type": "object", "additionalProperties": {"type": "integer"}}),
    "attributes": _nullable(
        {"type": "object"}, "Custom attributes of the order, by name; those that the counter declares are sent."
    ),
}
ORDER: Schema = {
    "type": "object",
    "description": "A field left out keeps its value, null clears it. A time without offset is the counter's.",
    "properties": {
        "id": _ID,
        "create_date_time": {**_MOMENT, "description": "Required for an order that is not known yet."},
        **STATE_PROPERTIES,
        "client_uniq_id": _nullable(_ID),
        "client_name": _nullable(TEXT),
        "client_attributes": _nullable(
            {"type": "object"}, "Custom attributes of the order's client, by name; null takes one away."
        ),
        **{kind: _nullable(_LIST) for kind in IDENTIFIER_KINDS},
    },
    "required": ["id", "order_status"],
}
BODY: Schema = {"oneOf": [ORDER, {"type": "array", "items": ORDER, "maxItems": MAX_ROWS}]}
CHANGE: Schema = {
    "type": "object",
    "properties": STATE_PROPERTIES,
    "required": ["order_status"],
    "additionalProperties": False,
}

ONE_ORDER: dict[str, Any] = {
    "id": "D-1001",
    "create_date_time": "2026-11-04T14:05:00+03:00",
    "order_status": "Новый лид",
    "status_date_time": "2026-11-04T14:05:00+03:00",
    "client_uniq_id": "C-77",
    "client_name": "Anna",
    "client_ids": ["1700000000123456789"],
    "emails": ["anna@example.com"],
    "phones": ["+7 (903) 123-45-67"],
    "revenue": "5000.00",
    "cost": "3200.00",
    "currency": "RUB",
    "goals": [{"goal_action_id": "deal_won", "price": "5000"}],
    "products": {"sku-1": 2},
    "attributes": {"branch": "north"},
}
SEVERAL: list[dict[str, Any]] = [
    ONE_ORDER,
    {"id": "D-1001", "order_status": "PAID", "status_date_time": "2026-11-04T15:00:00+03:00"},
    {"id": "D-1002", "create_date_time": "2026-02-30", "order_status": "PAID"},
]
ANSWER: dict[str, Any] = {
    "created": 1,
    "updated": 1,
    "unchanged": 0,
    "rejected": 1,
    "results": [
        {
            "index": 0,
            "id": "D-1001",
            "result": "created",
            "change": "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c11",
            "hold": "unmapped_status",
        },
        {
            "index": 1,
            "id": "D-1001",
            "result": "updated",
            "change": "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c12",
            "hold": None,
        },
        {
            "index": 2,
            "id": "D-1002",
            "result": "rejected",
            "errors": [
                {
                    "field": "create_date_time",
                    "code": "date_nonexistent",
                    "message": "There is no such date or time in the calendar.",
                }
            ],
        },
    ],
}
ONE_CHANGE: dict[str, Any] = {"order_status": "PAID", "revenue": "5500.00"}
APPENDED: dict[str, Any] = {
    "index": 0,
    "id": "D-1001",
    "result": "updated",
    "change": "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c12",
    "hold": None,
}
_SHOWN: dict[str, Any] = {
    "id": "D-1001",
    "create_date_time": "2026-11-04T14:05:00+03:00",
    "order_status": "PAID",
    "type": "PAID",
    "status_date_time": "2026-11-04T15:00:00+03:00",
    "client_uniq_id": "C-77",
    "client_name": "Anna",
    "client_ids": ["1700000000123456789"],
    "emails": ["anna@example.com"],
    "phones": ["79031234567"],
    "emails_md5": [],
    "phones_md5": [],
    "revenue": "5000.00",
    "cost": "3200.00",
    "currency": "RUB",
    "goals": [{"goal_action_id": "deal_won", "price": "5000"}],
    "products": {"sku-1": 2},
    "attributes": {"branch": "north"},
    "delivery": "delivered",
    "hold": None,
    "changes": 1,
    "received_at": "2026-11-04T14:05:01.320000+03:00",
    "updated_at": "2026-11-04T14:05:01.320000+03:00",
}
LISTED: dict[str, Any] = {"results": [_SHOWN], "next": None}
WITH_TIMELINE: dict[str, Any] = {
    **_SHOWN,
    "window": {
        "bind_until": "2026-11-25T14:05:00+03:00",
        "bind_open": True,
        "update_until": "2027-02-23T14:05:00+03:00",
        "update_open": True,
    },
    "timeline": [
        {
            "id": "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c12",
            "order_status": "PAID",
            "type": "PAID",
            "status_date_time": "2026-11-04T15:00:00+03:00",
            "received_at": "2026-11-04T14:05:01.320000+03:00",
            "source": "api",
            "received_by": "key crm",
            "request_id": "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c20",
            "revenue": "5000.00",
            "cost": "3200.00",
            "currency": "RUB",
            "extra_goals": [{"goal_action_id": "deal_won", "price": "5000"}],
            "products": {"sku-1": 2},
            "attributes": {"branch": "north"},
            "changed": ["order_status", "revenue", "cost", "currency", "goals", "products", "attributes"],
            "goals": {
                "reached": [
                    {"goal": "cdp_order_in_progress", "income": "1800.00"},
                    {"goal": "cdp_order_paid", "income": "1800.00"},
                    {"goal": "deal_won", "income": "5000.00"},
                ],
                "forecast": [],
            },
            "delivery": "delivered",
            "hold": None,
            "forced": False,
            "rejection": None,
            "upload": "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c32",
            "delivered_at": "2026-11-04T15:00:04+03:00",
        }
    ],
}
