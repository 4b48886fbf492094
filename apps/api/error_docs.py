"""What the documentation shows of errors: for each status a problem as it may come."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

from apps.api.problems import CONTENT_TYPE

_TITLES: Final = {
    400: ("invalid", "Bad Request", "Some fields do not fit."),
    401: ("bad_key", "Unauthorized", "This key is unknown, expired or revoked."),
    403: ("missing_scope", "Forbidden", "This key lacks the scope “write”."),
    404: ("unknown_counter", "Not Found", "There is no counter 40000007."),
    409: ("job_ended", "Conflict", "The job has ended already."),
    411: ("length_required", "Length Required", "The request does not say how long it is."),
    412: ("stale_etag", "Precondition Failed", "The mapping has changed since it was read."),
    413: ("too_large", "Request Entity Too Large", "The request is larger than is taken at once."),
    415: ("unsupported_media_type", "Unsupported Media Type", "This kind of body is not taken here."),
    429: ("too_many_requests", "Too Many Requests", "This key has sent as many requests as it may in a minute."),
    502: ("access_denied", "Bad Gateway", "Metrica does not let the account do this."),
    503: ("unavailable", "Service Unavailable", "Metrica does not answer."),
}
_NEXT: Final = {
    400: "Correct the fields named in errors and send the request again.",
    401: "Check the key; its owner finds the state of all keys in the admin.",
    403: "Ask the owner of the agency for a key with this scope.",
    404: "Check the address, and that the key is of the right agency and not limited to other counters.",
    409: "Nothing needs to be done.",
    411: "Send Content-Length instead of Transfer-Encoding: chunked.",
    412: "Read it again, apply your change to what is there now, and send it with the new ETag.",
    413: "Send fewer orders in one request.",
    415: "Send JSON as application/json in UTF-8.",
    429: "Wait as many seconds as Retry-After says, then send it again.",
    502: "Give the account's login access to the counter at Metrica.",
    503: "Try again in a minute.",
}
_FIELD: Final = {"field": "name", "code": "max_length", "message": "Ensure this value has at most 255 characters."}


def problem_example(status: int) -> OpenApiExample:
    code, title, detail = _TITLES[status]
    return OpenApiExample(
        title, value=_problem(status, code, title, detail), response_only=True, status_codes=[str(status)],
        media_type=CONTENT_TYPE,
    )  # fmt: skip


def _problem(status: int, code: str, title: str, detail: str) -> dict[str, Any]:
    itself = {"field": None, "code": code, "message": detail, "next_step": _NEXT[status]}
    return {
        "type": f"urn:goalpost:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "next_step": _NEXT[status],
        "request_id": "0192f0c1-7a52-7c3e-9d51-8a1f0e5b7c20",
        "errors": [_FIELD if status == 400 else itself],
    }
