"""Where the time of an upload goes: seconds by stage, each second in one stage only. Kept in the thread until taken."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

PLANNING: Final = "planning"
WRITING: Final = "writing"
SENDING: Final = "sending"
RECONCILING: Final = "reconciling"
SETTLING: Final = "settling"
ALL: Final = (PLANNING, WRITING, SENDING, RECONCILING, SETTLING)


class _Watch(threading.local):
    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.open: list[str] = []
        self.since = 0.0

    def turn(self) -> None:
        now = time.monotonic()
        if self.open:
            self.seconds[self.open[-1]] += now - self.since
        self.since = now


_watch = _Watch()


@contextmanager
def stage(name: str) -> Iterator[None]:
    """What happens within it is this stage's, but for what a stage within has for itself. Also a decorator."""
    _watch.turn()
    _watch.open.append(name)
    try:
        yield
    finally:
        _watch.turn()
        _watch.open.pop()


def take() -> dict[str, float]:
    """{stage: seconds} of this thread since the last call."""
    taken, _watch.seconds = dict(_watch.seconds), defaultdict(float)
    return taken
