"""Metrica's error envelope (errors page): `{"errors": [{error_type, message, location}], "code", "message"}`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from apps.metrica.text import Text

if TYPE_CHECKING:  # the package is of use without Django's requests, and their modules are slow to load
    from django.http import JsonResponse

STATUS = {
    "invalid_parameter": 400,
    "missing_parameter": 400,
    "invalid_json": 400,
    "invalid_uploading": 400,
    "limit_exceeded": 400,
    "filter_limits": 400,
    "query_error": 400,
    "too_much_rows": 400,
    "unauthorized": 401,
    "access_denied": 403,
    "invalid_token": 403,
    "counter_in_connect": 403,
    "not_found": 404,
    "not_acceptable": 406,
    "conflict": 409,
    "quota_requests_by_uid": 429,
    "quota_requests_by_ip": 429,
    "quota_parallel_requests": 429,
    "quota_requests_by_counter_id": 429,
    "quota_delegate_requests": 429,
    "quota_grants_requests": 429,
    "backend_error": 503,
    "timeout": 504,
}


class ApiError(Exception):
    """Ends a request with the envelope. `location` says where: a parameter, or a line and a column of the file."""

    def __init__(
        self,
        error_type: str,
        message: Text,
        *,
        location: str = "",
        status: int | None = None,
        errors: Sequence[tuple[Text, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`errors`: several (message, location) pairs instead of the one; `status` where it is not the usual one."""
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.status = status or STATUS[error_type]
        self.errors = list(errors) or [(message, location)]
        self.headers = dict(headers or {})

    def response(self, *, readable: bool = False) -> "JsonResponse":
        """`readable`: letters of all alphabets as they are."""
        from django.http import JsonResponse

        rows: list[dict[str, Any]] = []
        for message, location in self.errors:
            row = {"error_type": self.error_type, "message": str(message)}
            if location:
                row["location"] = location
            rows.append(row)
        body = {"errors": rows, "code": self.status, "message": str(self.message)}
        # 420 has no registered phrase; Metrica's English pages call it so.
        reason = "Too Many Requests" if self.status == 420 else None
        layout = {"ensure_ascii": False} if readable else {}
        return JsonResponse(body, status=self.status, reason=reason, headers=self.headers, json_dumps_params=layout)
