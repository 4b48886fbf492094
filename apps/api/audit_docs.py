"""What the documentation shows of the audit log."""

from typing import Any

PAGE: dict[str, Any] = {
    "results": [
        {
            "id": 4711,
            "at": "2026-11-04T11:05:00.120000+00:00",
            "actor": {"kind": "key", "id": "7", "name": "key crm"},
            "action": "counter.changed",
            "summary": "Counter's settings changed",
            "object": {"type": "counters.counter", "id": "12", "name": "Dental clinics"},
            "counter": 40000001,
            "before": {"schedule": "manual"},
            "after": {"schedule": "1h"},
            "details": {},
            "source": "api",
            "ip": "192.0.2.10",
            "request_id": "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c20",
            "seal": {
                "position": 4711,
                "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            },
        }
    ],
    "next": None,
}
