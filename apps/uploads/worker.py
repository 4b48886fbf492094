"""A worker: the queue's processes, and beside them one that ticks, gives signs of life and brings up waiting jobs."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

import structlog
from django.conf import settings
from django.db import DatabaseError, connections

from apps.agencies import actor as actors
from apps.audit import trace
from apps.counters import stopping
from apps.uploads import heartbeats, queueing, scheduler
from apps.uploads.cluster import CarefulCluster

log = structlog.get_logger(__name__)


class Worker:
    """Runs until SIGTERM or SIGINT; a second one of them hastens the end. `say` prints a line for people."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self._say = say
        self._asked_to_stop = threading.Event()
        self._in_a_hurry = threading.Event()
        self._stopping = stopping.prepare()
        self._name = heartbeats.this_worker()
        self._next_beat = 0.0

    def run(self) -> bool:
        """True if everything ended by itself, or left what it did."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        cluster = self._start()
        while not self._asked_to_stop.wait(1.0):
            if not cluster.alive:
                self._say("The queue's processes died; starting them anew.")
                cluster = self._start()
            self._safely(self._look_around)
        return self._end(cluster)

    def _start(self) -> CarefulCluster:
        connections.close_all()
        cluster = CarefulCluster()
        cluster.start()
        # Messages that died with earlier processes are not waited for.
        self._safely(lambda: queueing.send_missing(lost_after=0))
        return cluster

    def _look_around(self) -> None:
        if time.monotonic() >= self._next_beat:
            heartbeats.beat(self._name, slots=settings.Q_CLUSTER["workers"])
            self._next_beat = time.monotonic() + heartbeats.SECONDS
        if heartbeats.turn_of(heartbeats.TICK, every=settings.TICK_SECONDS):
            scheduler.tick()
        else:
            scheduler.bring_up_jobs()

    def _safely(self, work: Callable[[], object]) -> None:
        """What fails here is tried again in a second: the database may be away for a while."""
        try:
            with trace.traced(actor=actors.system("scheduler"), source="worker"):
                work()
        except scheduler.TickFailed:
            pass
        except DatabaseError:
            log.exception("the worker cannot reach its database")
            connections.close_all()
        except Exception:
            log.exception("the worker's own round failed")

    def _end(self, cluster: CarefulCluster) -> bool:
        self._say("Stopping: running uploads end their present step. A second signal makes them leave it.")
        self._stopping.set()
        in_time = cluster.end(seconds=settings.STOP_SECONDS, hurry=self._in_a_hurry.is_set)
        self._safely(lambda: heartbeats.forget_worker(self._name))
        self._say("Stopped." if in_time else "Stopped by force; what was being sent will be looked up at Metrica.")
        return in_time

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._asked_to_stop.is_set():
            self._in_a_hurry.set()
        self._asked_to_stop.set()


def prepare() -> None:
    """What must be in the database before a worker starts."""
    queueing.plan_ticks()
