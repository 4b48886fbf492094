"""Structured logs, one line an event; no personal data is put into them."""

import re
from collections.abc import MutableMapping
from typing import Any

import structlog

_QUERY = re.compile(r"(/[^\s?]*)\?[^\s?]\S*")
_SECRET_IN_ADDRESS = re.compile(r"(/(?:report/letters|report|invitation|welcome/[^/\s?]+|in/[^/\s?]+)/)[^/\s?\"']+")


def hide_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Addresses that are a key by themselves, as whoever has one may enter: the log keeps where they lead, not the key.
    And what stands behind their question mark: people are searched for by e-mail and phone.

    A page that is not there is told with its address, and so is a page that breaks.
    """
    for name, value in event.items():
        if isinstance(value, str) and "/" in value:
            event[name] = _SECRET_IN_ADDRESS.sub(r"\1…", _QUERY.sub(r"\1?…", value))
    return event


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
