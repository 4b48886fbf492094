"""django-q2's cluster with three repairs: a killed process cannot freeze it, it can be ended for certain, and none of
its processes outlives its parent.

A process that is killed while it waits at a queue takes the queue's lock with it, and everybody else waits for ever.
So when any process of the cluster dies by a signal, all of them are ended and the worker starts a new cluster. What was
under way is found again by the tick.

Asked to end, the processes finish what they do now; told once more, they leave it in the middle of a step.
"""

import ctypes
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable
from multiprocessing import Event
from types import FrameType
from typing import Any, NoReturn

import structlog
from django_q.cluster import Cluster, Sentinel, get_mp_context
from django_q.conf import Conf
from django_q.worker import worker

from apps.counters import stopping

_PR_SET_PDEATHSIG = 1

log = structlog.get_logger(__name__)

BROKEN = 70
"""Exit status of a cluster that gave itself up."""

_NOTICE_SECONDS = 1.0

LEAVE_SECONDS = 6.0
"""How long it may take to leave a step: to close its connections and to put its job back."""


def _bound_to_parent(target: Callable[..., None], *arguments: Any) -> None:
    """Run as a child that dies with its parent: an orphan would go on taking messages that nobody works on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    target(*arguments)


class CarefulSentinel(Sentinel):
    """Watches over the cluster's processes."""

    _ending = False

    def start(self) -> None:
        signal.signal(signal.SIGTERM, self._told_to_end)
        super().start()

    def stop(self) -> None:
        self._ending = True
        super().stop()

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
        """The sentinel's, and inherited by the processes that it starts."""
        if os.getpid() != self.pid:
            # An idle process stays until it is told through the queue, whose lock it may hold.
            stopping.leave()
        elif self._ending:
            for process in self.pool:
                if process.is_alive():
                    process.terminate()
        else:
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

    def end(self, *, seconds: float, hurry: Callable[[], bool]) -> bool:
        """Asks all processes to end after what they do now. After `seconds`, or once `hurry` says so, they leave it in
        the middle; who does not even do that is killed. False if anybody had to be."""
        if not self.alive:
            return True
        self.stop_event.set()
        # The sentinel needs a moment to notice: a signal before that would be the end of all its processes.
        self._wait(_NOTICE_SECONDS, lambda: False)
        self._wait(seconds - _NOTICE_SECONDS, hurry)
        leave_by = time.monotonic() + LEAVE_SECONDS
        while self.alive and time.monotonic() < leave_by:
            self.sentinel.terminate()  # once more for a process that was just beginning a step
            self._wait(1.0, lambda: False)
        if not self.alive:
            return True
        self.sentinel.kill()  # its processes die with it
        self.sentinel.join(5)
        return False

    def _wait(self, seconds: float, hurry: Callable[[], bool]) -> None:
        end = time.monotonic() + seconds
        while self.alive and time.monotonic() < end and not hurry():
            self.sentinel.join(0.1)
