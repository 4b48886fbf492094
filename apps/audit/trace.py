"""Under which request things happen: one context for web, API, commands and workers (R12)."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

import structlog

from apps.agencies import actor as actors
from apps.agencies.actor import Actor
from apps.agencies.ids import uuid7


@dataclass(frozen=True, slots=True)
class Trace:
    """Where an act comes from. `source`: web | api | command | worker."""

    actor: Actor
    source: str
    request_id: str = field(default_factory=lambda: str(uuid7()))
    ip: str | None = None


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current() -> Trace:
    """The trace of this request, command or task; outside of any, the system's own."""
    return _current.get() or Trace(actor=actors.system(), source="worker")


@contextlib.contextmanager
def traced(*, actor: Actor, source: str, request_id: str = "", ip: str | None = None) -> Iterator[Trace]:
    """All that happens inside is written under this actor and request id."""
    trace = Trace(actor=actor, source=source, request_id=request_id or str(uuid7()), ip=ip)
    token = _current.set(trace)
    try:
        # Log lines carry the id, and never who acts: that is personal data.
        with structlog.contextvars.bound_contextvars(request_id=trace.request_id):
            yield trace
    finally:
        _current.reset(token)


def set_actor(actor: Actor) -> None:
    """Name the one who acts once they are known: an API key is, only after its request came in."""
    trace = _current.get()
    if trace is not None:
        _current.set(replace(trace, actor=actor))
