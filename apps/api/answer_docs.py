"""What the documentation shows of answers about counters, goals, uploads and holds."""

from typing import Any

_JOB_ID = "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c31"

COUNTER: dict[str, Any] = {
    "metrica_id": 40000001,
    "name": "Dental clinics",
    "site": "clinics.example",
    "account": {"login": "north-metrica", "state": "connected"},
    "time_zone": "Europe/Moscow",
    "mode": "detailed",
    "delivery": "every_status",
    "schedule": "1h",
    "currency": "RUB",
    "hash_identifiers": False,
    "keep_files_days": 365,
    "keep_people_days": None,
    "wave_pause_seconds": 0,
    "paused": False,
    "pause_reason": "",
    "blocked": None,
    "next_upload_at": "2026-11-04T15:00:00+03:00",
    "last_passed_at": "2026-11-04T14:00:07.420000+03:00",
    "first_clients_at": None,
}
COUNTERS: dict[str, Any] = {"results": [COUNTER], "next": None}

GOAL: dict[str, Any] = {
    "identifier": "good_lead",
    "name": "Good lead",
    "metrica_goal_id": 301,
    "condition": "exact",
    "default_price": None,
    "is_favorite": True,
    "statuses": ["Хороший лид"],
    "issues": [],
}
GOALS: dict[str, Any] = {"results": [GOAL]}

ATTRIBUTES: dict[str, Any] = {
    "results": [{"entity": "CONTACT", "name": "age", "type": "numeric", "multivalued": False, "humanized": "age"}],
    "at_metrica": False,
}
PRODUCTS: dict[str, Any] = {
    "results": [{"name": "sku-1", "humanized": "Mug"}, {"name": "sku-9", "humanized": "sku-9"}],
    "at_metrica": False,
}

WAITING_JOB: dict[str, Any] = {
    "id": _JOB_ID,
    "counter": 40000001,
    "state": "queued",
    "trigger": "api",
    "requested_by": "key crm",
    "created_at": "2026-11-04T14:05:00+03:00",
    "started_at": None,
    "finished_at": None,
    "next_attempt_at": None,
    "changes": 0,
    "delivered": 0,
    "held": 0,
    "rejected": 0,
    "resent": 0,
    "clients": 0,
    "clients_refused": 0,
    "error": None,
    "uploads": [],
}
JOB: dict[str, Any] = {
    **WAITING_JOB,
    "state": "succeeded",
    "started_at": "2026-11-04T14:05:00.200000+03:00",
    "finished_at": "2026-11-04T14:05:04+03:00",
    "changes": 2,
    "delivered": 2,
    "uploads": [
        {
            "id": "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c32",
            "wave": 1,
            "kind": "orders",
            "format": "csv",
            "state": "passed",
            "rows": 2,
            "bytes": 311,
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "cut_from": None,
            "part": None,
            "attempts": 1,
            "sent_again_because": None,
            "http_status": 200,
            "uploading_id": "8812",
            "error": None,
            "started_at": "2026-11-04T14:05:01+03:00",
            "finished_at": "2026-11-04T14:05:04+03:00",
        }
    ],
}
JOBS: dict[str, Any] = {"results": [JOB], "next": None}
CANCELLED_JOB: dict[str, Any] = {**WAITING_JOB, "state": "cancelled", "finished_at": "2026-11-04T14:05:02+03:00"}

HOLDS: dict[str, Any] = {
    "results": [
        {
            "id": "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c11",
            "counter": 40000001,
            "order": "D-1001",
            "order_status": "Новый лид",
            "status_date_time": "2026-11-04T14:05:00+03:00",
            "received_at": "2026-11-04T14:05:01.320000+03:00",
            "hold": "unmapped_status",
            "message": "Status is not mapped",
            "next_step": "Map the status on the counter's page.",
        }
    ],
    "next": None,
}
