"""A worker that is asked to stop ends at the next step of a job; the job is put back and goes on elsewhere or later.

A step that takes longer than the worker may wait is left in the middle: what was written stays, what was being sent is
looked up by whoever takes the job next (R6).
"""

import contextlib
import multiprocessing
from collections.abc import Iterator
from multiprocessing.synchronize import Event

_event: Event | None = None
_in_step = False


class Left(BaseException):
    """The step is left here and now. No error, so nobody who handles errors catches it."""


def prepare() -> Event:
    """Called by the worker before it starts its processes, which inherit the event."""
    global _event
    _event = multiprocessing.get_context("fork").Event()
    return _event


def requested() -> bool:
    return _event is not None and _event.is_set()


@contextlib.contextmanager
def may_be_left() -> Iterator[None]:
    """Within it, `leave` raises Left wherever the work stands."""
    global _in_step
    _in_step = True
    try:
        yield
    finally:
        _in_step = False


def leave() -> None:
    """For a signal's handler: end what this process is doing, if that may be left. Else it goes on to its end."""
    global _in_step
    if _in_step:
        _in_step = False
        raise Left
