"""A worker that is asked to stop ends at the next step of a job; the job is put back and goes on elsewhere or later."""

import multiprocessing
from multiprocessing.synchronize import Event

_event: Event | None = None


def prepare() -> Event:
    """Called by the worker before it starts its processes, which inherit the event."""
    global _event
    _event = multiprocessing.get_context("fork").Event()
    return _event


def requested() -> bool:
    return _event is not None and _event.is_set()
