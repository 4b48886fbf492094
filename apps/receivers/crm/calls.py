"""Calls to a CRM, through the guarded door: an answer as JSON, or one of two ways in which there is none.

Addresses of CRMs are secrets, or lie beside one: no error here repeats them.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings

from apps.hooks import door
from apps.hooks.door import Answer, DoorClosed, NotReached

MOST_BYTES: Final = 2 * 1024 * 1024
_REFUSED_TOKEN: Final = frozenset(
    {"invalid_credentials", "no_auth_found", "expired_token", "invalid_token", "invalid_grant", "wrong_token"}
)
_BUSY: Final = frozenset({"query_limit_exceeded", "operation_time_limit", "overload_limit", "internal_server_error"})


class CrmTrouble(Exception):
    """`code`: of `apps.receivers.problems`; `detail`: in the CRM's own words, without addresses."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = " ".join(detail.split())[:300]


class CrmSilent(CrmTrouble):
    """It passes by itself: tried again later. `retry_after`: seconds, where the CRM names them."""

    def __init__(self, code: str, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class CrmRefused(CrmTrouble):
    """A person has to do something first."""


class NotThere(CrmTrouble):
    """The CRM has no such thing (any more)."""

    def __init__(self) -> None:
        super().__init__("deal_gone")


def post(url: str, content: Mapping[str, Any], *, headers: Mapping[str, str] | None = None) -> Any:
    """The answer's JSON. Raises CrmSilent, CrmRefused, NotThere."""
    body = json.dumps(content, ensure_ascii=False).encode()
    sent = {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
    return _asked(
        lambda: door.post(
            url, body=body, headers=sent, timeout=settings.RECEIVER_TIMEOUT_SECONDS, most_bytes=MOST_BYTES
        )
    )


def get(url: str, *, headers: Mapping[str, str] | None = None) -> Any:
    """As `post`; None where the answer is 204."""
    sent = {"Accept": "application/json", **(headers or {})}
    return _asked(lambda: door.get(url, headers=sent, timeout=settings.RECEIVER_TIMEOUT_SECONDS, most_bytes=MOST_BYTES))


def _asked(call: Any) -> Any:
    try:
        answer: Answer = call()
    except DoorClosed as closed:
        raise CrmRefused("bad_crm_address", str(closed)) from None
    except NotReached as trouble:
        raise CrmSilent("crm_silent", str(trouble)) from None
    if answer.status == 204:
        return None
    content = _json(answer.body)
    if 200 <= answer.status < 300 and not (isinstance(content, dict) and "error" in content):
        if content is None:
            raise CrmSilent("crm_answer", f"HTTP {answer.status}")
        return content
    raise _refusal(answer, content)


def _refusal(answer: Answer, content: Any) -> CrmTrouble:
    code, said = _words(content)
    detail = f"HTTP {answer.status} {said}".strip()
    if answer.status == 429 or answer.status >= 500 or code.lower() in _BUSY:
        return CrmSilent("crm_silent", detail, retry_after=answer.retry_after)
    if 300 <= answer.status < 400:
        return CrmRefused("crm_moved", detail)
    if answer.status == 401 or code.lower() in _REFUSED_TOKEN:
        return CrmRefused("crm_token", detail)
    if (answer.status == 404 and not code) or said.strip().lower().rstrip(".").endswith("not found"):
        # Bitrix24 says so with HTTP 400; of a method that it does not know it says so with a code of its own.
        return NotThere() if code.upper() != "ERROR_METHOD_NOT_FOUND" else CrmRefused("crm_refused", detail)
    return CrmRefused("crm_refused", detail)


def _words(content: Any) -> tuple[str, str]:
    """The CRM's code of an error, and code and sentence together."""
    if not isinstance(content, dict):
        return "", ""
    code = str(content.get("error") or "")
    said = str(content.get("error_description") or content.get("detail") or content.get("title") or "")
    return code, f"{code} {said}".strip()


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_float=str, parse_int=_integer, parse_constant=str)
    except (json.JSONDecodeError, RecursionError):
        return None


def _integer(text: str) -> int | str:
    return int(text) if len(text) < 19 else text
