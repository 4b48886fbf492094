"""What the documentation says of imports: the form and its examples."""

from typing import Any

from apps.api.openapi import TEXT, Schema
from apps.imports.columns import KNOWN

FIELDS = ("delimiter", "encoding", "columns", "dry_run")
FORM: Schema = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "delimiter": {
            "type": "string",
            "enum": ["comma", "semicolon", "tab"],
            "description": "Or the sign itself. Found out if left out.",
        },
        "encoding": {
            "type": "string",
            "enum": ["utf-8", "windows-1251"],
            "description": "A file in another one is refused. Found out if left out.",
        },
        "columns": {
            **TEXT,
            "description": 'A JSON object: {"id": "Order number"} where the file calls the id so; null for what '
            f"is not to be used. Columns: {', '.join(KNOWN)}, attribute:NAME, client_attribute:NAME. What is not named "
            "is found by the header's words, and as the counter's last file had it.",
        },
        "dry_run": {
            "type": "string",
            "enum": ["true", "false"],
            "description": "Only check the file, all of it: counts and report say what would become of it.",
        },
    },
    "required": ["file"],
    "additionalProperties": False,
}
FORM_EXAMPLE: dict[str, Any] = {
    "file": "Order number;create_date_time;order_status;client_ids\nD-1;2026-11-04 14:05:00;PAID;1700000000123456789\n",
    "delimiter": "semicolon",
    "columns": '{"id": "Order number"}',
}
_ID = "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c21"
WAITING: dict[str, Any] = {
    "id": _ID,
    "counter": 40000001,
    "state": "queued",
    "file": "orders.csv",
    "format": "csv",
    "bytes": 1734,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "encoding": "UTF-8",
    "delimiter": ";",
    "columns": {"Order number": "id", "create_date_time": "create_date_time", "order_status": "order_status"},
    "dry_run": False,
    "requested_by": "key crm",
    "request_id": "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c20",
    "created_at": "2026-11-04T14:05:00+03:00",
    "started_at": None,
    "finished_at": None,
    "progress": {"percent": 0, "line": 1},
    "rows": 0,
    "created": 0,
    "updated": 0,
    "unchanged": 0,
    "rejected": 0,
    "held": {},
    "warnings": {},
    "report": None,
    "corrects": None,
    "error": None,
}
PAGE: dict[str, Any] = {"results": [WAITING], "next": None}
ENDED: dict[str, Any] = {
    **WAITING,
    "state": "partly_failed",
    "started_at": "2026-11-04T14:05:01+03:00",
    "finished_at": "2026-11-04T14:05:02+03:00",
    "progress": {"percent": 100, "line": 31},
    "rows": 30,
    "created": 27,
    "unchanged": 2,
    "rejected": 1,
    "held": {"unmapped_status": 3},
    "warnings": {"outside_binding_window": 1},
    "report": f"/api/v1/imports/{_ID}/errors.csv",
}
CANCELLED: dict[str, Any] = {
    **WAITING,
    "state": "cancelled",
    "finished_at": "2026-11-04T14:05:02+03:00",
    "error": {
        "code": "cancelled",
        "message": "A person stopped the import. What was taken in until then stays.",
        "said": None,
        "next_step": "To take in the rest, upload the file again: what is known already changes nothing.",
    },
}
REPORT = (
    "line;column;code;reason;goalpost_import;Order number;create_date_time;order_status\n"
    f"7;create_date_time;date_format;This is no date.;{_ID};D-6;soon;PAID\n"
)
