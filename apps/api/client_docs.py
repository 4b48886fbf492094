"""What the documentation says of clients: the body's schema and its examples."""

from typing import Any

from apps.api.openapi import TEXT, Schema
from apps.api.rows_in import MAX_ROWS
from apps.metrica.vocabulary import IDENTIFIER_KINDS

_ID: Schema = {"type": "string", "maxLength": 255}
CLIENT_IN: Schema = {
    "type": "object",
    "description": "A name left out stays, null clears it. Identifiers are added to those that are known.",
    "properties": {
        "uniq_id": {**_ID, "description": "The client's id in the CRM."},
        "name": {**_ID, "nullable": True},
        **{kind: {"type": "array", "items": TEXT, "nullable": True} for kind in IDENTIFIER_KINDS},
        "attributes": {
            "type": "object",
            "nullable": True,
            "description": "Custom attributes by name; null takes one away.",
        },
    },
    "required": ["uniq_id"],
}
BODY: Schema = {"oneOf": [CLIENT_IN, {"type": "array", "items": CLIENT_IN, "maxItems": MAX_ROWS}]}

ONE_CLIENT: dict[str, Any] = {
    "uniq_id": "C-77",
    "name": "Anna",
    "client_ids": ["1700000000123456789"],
    "emails": ["anna@example.com"],
    "phones": ["+7 (903) 123-45-67"],
}
SEVERAL: list[dict[str, Any]] = [
    ONE_CLIENT,
    {"uniq_id": "C-78", "emails_md5": ["d6fa7d5ae1c0a8f5a19d3d2e2a5c1b9f"], "attributes": {"card": "gold"}},
    {"uniq_id": "", "name": "Nobody"},
]
ANSWER: dict[str, Any] = {
    "created": 2,
    "updated": 0,
    "unchanged": 0,
    "rejected": 1,
    "released": 0,
    "results": [
        {"index": 0, "id": "C-77", "result": "created"},
        {"index": 1, "id": "C-78", "result": "created"},
        {
            "index": 2,
            "id": None,
            "result": "rejected",
            "errors": [{"field": "uniq_id", "code": "required", "message": "This field is required."}],
        },
    ],
}
_SHOWN: dict[str, Any] = {
    "uniq_id": "C-77",
    "name": "Anna",
    "client_ids": ["1700000000123456789"],
    "emails": ["anna@example.com"],
    "phones": ["79031234567"],
    "emails_md5": [],
    "phones_md5": [],
    "attributes": {},
    "created_at": "2026-11-04T14:05:01.320000+03:00",
    "updated_at": "2026-11-04T14:05:01.320000+03:00",
    "delivered_at": None,
    "refusal": None,
}
PAGE: dict[str, Any] = {"results": [_SHOWN], "next": None}
CLIENT: dict[str, Any] = {
    **_SHOWN,
    "orders": {
        "count": 1,
        "more": False,
        "url": "https://goalpost.example/api/v1/counters/40000001/orders/?client=C-77",
        "newest": [
            {
                "id": "D-1001",
                "order_status": "PAID",
                "create_date_time": "2026-11-04T14:05:00+03:00",
                "url": "https://goalpost.example/api/v1/counters/40000001/orders/D-1001/",
            }
        ],
    },
    "money": [{"currency": "RUB", "orders": 1, "revenue": "5500.00", "paid": "5500.00"}],
}
