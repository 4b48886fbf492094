"""django-q2's cluster with three repairs: a killed process cannot freeze it, it can be ended for certain, and none of
its processes outlives its parent.

A process that is killed while it waits at a queue takes the queue's lock with it, and everybody else waits for ever.
So when any process of the cluster dies by a signal, all of them are ended and the worker starts a new cluster. What was
under way is found again by the tick.
"""

import ctypes
import os
import signal
import sys
import uuid
from collections.abc import Callable
from multiprocessing import Event
from types import FrameType
from typing import Any, NoReturn

import structlog
from django_q.cluster import Cluster, Sentinel, get_mp_context
from django_q.conf import Conf
from django_q.worker import worker

_PR_SET_PDEATHSIG = 1

log = structlog.get_logger(__name__)

BROKEN = 70
"""Exit status of a cluster that gave itself up."""


def _bound_to_parent(target: Callable[..., None], *arguments: Any) -> None:
    """Run as a child that dies with its parent: an orphan would go on taking messages that nobody works on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    target(*arguments)


class CarefulSentinel(Sentinel):
    """Watches over the cluster's processes."""

    def start(self) -> None:
        signal.signal(signal.SIGTERM, self._told_to_end)
        super().start()

    def spawn_process(self, target: Callable[..., None], *arguments: Any) -> Any:
        process: Any = get_mp_context().Process(
            target=_bound_to_parent, args=(target, *arguments), name=f"Process-{uuid.uuid4().hex}", daemon=True
        )
        if target is worker:
            process.daemon = Conf.DAEMONIZE_WORKERS
            process.timer = arguments[2]
            self.pool.append(process)
        process.start()
        return process

    def reincarnate(self, process: Any) -> None:
        timed_out = process in self.pool and process.timer.value == 0
        if not timed_out and not process.is_alive() and (process.exitcode or 0) < 0:
            log.critical("a process of the cluster was killed, starting anew", signal=-process.exitcode)
            self._end_all(BROKEN)
        super().reincarnate(process)

    def _told_to_end(self, number: int, frame: FrameType | None) -> None:
        # Processes that are started later inherit the handler; it speaks for the sentinel only.
        if os.getpid() != self.pid:
            os._exit(128 + number)
        self._end_all(0)

    def _end_all(self, status: int) -> NoReturn:
        for process in (*self.pool, self.monitor, self.pusher):
            if process is not None and process.is_alive():
                process.kill()
        os._exit(status)


class CarefulCluster(Cluster):
    """A cluster whose signals are handled by whoever runs it."""

    def __init__(self) -> None:
        kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        super().__init__()
        for number, handler in kept.items():
            signal.signal(number, handler)

    def start(self) -> int:
        """Starts the processes. Close all database connections before: they must not be shared."""
        self.stop_event, self.start_event = Event(), Event()
        self.sentinel = get_mp_context().Process(
            target=_bound_to_parent,
            name=f"Process-{uuid.uuid4().hex}",
            args=(CarefulSentinel, self.stop_event, self.start_event, self.cluster_id, self.broker, self.timeout),
        )
        self.sentinel.start()
        return int(self.pid)

    @property
    def alive(self) -> bool:
        return bool(self.sentinel is not None and self.sentinel.is_alive())

    def end(self, *, seconds: float) -> bool:
        """Asks all processes to end after what they do now, and ends them by force after `seconds`. True if in time."""
        if not self.alive:
            return True
        self.stop_event.set()
        self.sentinel.join(seconds)
        if not self.alive:
            return True
        self.sentinel.terminate()
        self.sentinel.join(5)
        if self.alive:
            self.sentinel.kill()
        return False
