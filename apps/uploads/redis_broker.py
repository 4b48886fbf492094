"""Messages to the workers through Redis instead of the database (QUEUE=redis).

Redis hands a message over at most once: what was on its way dies with a worker or with Redis. Nothing rests on that,
the tick finds what was lost. While Redis is away, whoever has a message is told so quickly, and workers wait for it.
"""

import time
from functools import cache
from typing import Any

import redis
import structlog
from django.conf import settings
from django_q.brokers import redis_broker
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""Longer than a worker waits for a message in one call."""

AWAY_SECONDS = 5.0
"""After a failure nobody of this process knocks again for so long: a request must not wait for a Redis that is away."""


@cache
def connection() -> Any:
    """This process's connections; a forked process gets its own."""
    return redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        # Once more for a connection that has died meanwhile; longer waits are for those who can afford them.
        retry=Retry(NoBackoff(), 1),
    )


class RedisBroker(redis_broker.Redis):
    """django-q2's broker, which a Redis that goes away and comes back does not disturb."""

    _away_until = 0.0

    @staticmethod
    def get_connection(list_key: str | None = None) -> Any:
        return connection()

    def enqueue(self, task: str) -> Any:
        """Raises redis.RedisError where the message could not be handed over."""
        if time.monotonic() < RedisBroker._away_until:
            raise redis.ConnectionError("Redis did not answer a moment ago.")
        try:
            return super().enqueue(task)
        except (redis.ConnectionError, redis.TimeoutError):
            RedisBroker._away_until = time.monotonic() + AWAY_SECONDS
            raise

    def dequeue(self) -> Any:
        try:
            return super().dequeue()
        except redis.RedisError as error:
            log.warning("no messages, Redis does not answer", error=str(error))
            time.sleep(1.0)
            return None

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """The queue's own statistics would be written twice a second for nobody."""

    def ping(self) -> bool:
        """A worker starts whether Redis is there or not, and takes messages as soon as it is."""
        return True
