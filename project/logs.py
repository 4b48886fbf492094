"""Structured logs, one line an event; no personal data is put into them."""

import re
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_QUERY = re.compile(r"(/[^\s?]*)\?[^\s?]\S*")
_SECRET_IN_ADDRESS = re.compile(
    r"(/(?:report/letters|report|invitation|welcome/[^/\s?]+|in/[^/\s?]+|rest/\d+)/|/bot(?=\d+:))[^/\s?\"']+"
)
_QUERIES = frozenset({"query_string", "http.query", "http.fragment"})
_TOLD_HEADERS = frozenset({"accept", "accept-language", "content-length", "content-type", "host", "user-agent"})


def hide_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Addresses that are a key by themselves, as whoever has one may enter: the log keeps where they lead, not the key.
    And what stands behind their question mark: people are searched for by e-mail and phone.

    A page that is not there is told with its address, and so is a page that breaks.
    """
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _masked(value)
    return event


def _masked(text: str) -> str:
    return _SECRET_IN_ADDRESS.sub(r"\1…", _QUERY.sub(r"\1?…", text)) if "/" in text else text


def for_sentry(event: Any, hint: Any) -> Any:
    """What leaves for Sentry, masked as the log is; of a request's headers those that are no secret."""
    request = event.get("request")
    if isinstance(request, dict) and isinstance(request.get("headers"), dict):
        told = {name: value for name, value in request["headers"].items() if name.lower() in _TOLD_HEADERS}
        event = {**event, "request": {**request, "headers": told}}
    return _all_masked(event)


def _all_masked(value: Any) -> Any:
    if isinstance(value, str):
        return _masked(value)
    if isinstance(value, dict):
        return {name: "…" if name in _QUERIES and one else _all_masked(one) for name, one in value.items()}
    return [_all_masked(one) for one in value] if isinstance(value, (list, tuple)) else value


# Local variables and bodies hold tokens and what people bought: they stay here.
SENTRY: Final[dict[str, Any]] = {
    "send_default_pii": False,
    "include_local_variables": False,
    "max_request_body_size": "never",
    "before_send": for_sentry,
    "before_send_transaction": for_sentry,
}


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    hide_secrets,
]


def config(*, debug: bool) -> dict[str, Any]:
    """Django's LOGGING: readable lines while developing, JSON lines in production."""
    # Where “rich” is installed, structlog would write local variables beside each line of a traceback, secrets too.
    console = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = console if debug else structlog.processors.JSONRenderer()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processor": renderer,
                "foreign_pre_chain": _SHARED,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            # httpx logs each URL at INFO; the call ledger already holds it, redacted.
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "django_structlog": {"level": "WARNING"},
            "django-q": {"level": "WARNING"},
        },
    }


def configure_structlog() -> None:
    structlog.configure(
        processors=[
            *_SHARED,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
