"""Where the gates' states are kept, for all processes on all machines: in the database, or in Redis.

Both do one thing: they let a function change several states at once as if nobody else were there, and tell it the time
by the store's own clock, since clocks of machines differ. The rules are in gates.py, the same for both.
"""

import json
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import redis
from django.conf import settings
from django.db import connection, transaction

from apps.counters import clock
from apps.counters.models import QuotaState

State = dict[str, Any]
T = TypeVar("T")
Work = Callable[[dict[str, State], float], T]
"""Gets the states by key and the time (seconds since 1970). May be called more than once for one change, so it changes
nothing but the states."""
Seeds = Callable[[Collection[str]], dict[str, State]]
"""The states with which those keys begin that the store does not know."""

_KEPT_SECONDS = 3 * 86_400
_PREFIX = "goalpost:quota:"
_MOST_TRIES = 400

_READ = """
SELECT EXTRACT(EPOCH FROM clock_timestamp()), kept.key, kept.state
FROM (SELECT) AS clock LEFT JOIN counters_quotastate AS kept ON kept.key = ANY(%s)
"""
"""PostgreSQL tells its clock along with what it knows, and where it knows nothing."""


class StoreUnavailable(Exception):
    """The store does not answer: nobody knows what is used."""


class Store(Protocol):
    def change(self, keys: Sequence[str], work: Work[T], *, seeds: Seeds, lazy: bool = False, now: float | None) -> T:
        """What `work` returns, after its changes were kept. `lazy`: they may be forgotten if the store's machine goes
        down this very moment. `now`: in place of the store's clock. Raises StoreUnavailable."""

    def read(self, keys: Collection[str], *, seeds: Seeds, now: float | None = None) -> tuple[dict[str, State], float]:
        """The states as they stand, and the time, with one question for all. Nothing is locked or kept. Raises
        StoreUnavailable."""


class DatabaseStore:
    """Rows that are locked in the order of their keys, so that no two changes wait for each other."""

    def change(
        self, keys: Sequence[str], work: Work[T], *, seeds: Seeds, lazy: bool = False, now: float | None = None
    ) -> T:
        while True:
            with transaction.atomic():
                if lazy and connection.vendor == "postgresql":
                    with connection.cursor() as cursor:
                        cursor.execute("SET LOCAL synchronous_commit = off")
                before = self._locked(keys)
                if len(before) == len(set(keys)):
                    return self._changed(before, work, now)
            # Made where nothing is locked: who holds one row and makes another could wait for whoever does the reverse.
            self._make(sorted(set(keys) - set(before)), seeds)

    def _changed(self, before: Mapping[str, str], work: Work[T], now: float | None) -> T:
        states = {key: json.loads(text) for key, text in before.items()}
        # After the rows are locked: whoever waited for them must not go by an earlier time.
        result = work(states, clock.now().timestamp() if now is None else now)
        texts = {key: _dumped(states[key]) for key in sorted(states)}
        changed = [QuotaState(key=key, state=text) for key, text in texts.items() if text != before[key]]
        if changed:
            QuotaState.objects.bulk_update(changed, ["state"])
        return result

    def read(self, keys: Collection[str], *, seeds: Seeds, now: float | None = None) -> tuple[dict[str, State], float]:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(_READ, [list(keys)])
                rows = cursor.fetchall()
            at, found = float(rows[0][0]), {key: text for _at, key, text in rows if key is not None}
        else:
            found = dict(QuotaState.objects.filter(pk__in=keys).values_list("pk", "state"))
            at = time.time()
        return _known_or_seeded(keys, found, seeds), (at if now is None else now)

    def _locked(self, keys: Sequence[str]) -> dict[str, str]:
        rows = QuotaState.objects.select_for_update().filter(pk__in=keys).order_by("pk")
        return dict(rows.values_list("pk", "state"))

    def _make(self, keys: Sequence[str], seeds: Seeds) -> None:
        begun = seeds(keys)
        QuotaState.objects.bulk_create(
            [QuotaState(key=key, state=_dumped(begun[key])) for key in keys], ignore_conflicts=True
        )


class RedisStore:
    """Keys that are watched while they change: if another was quicker, the change is made anew."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5, decode_responses=True)

    def change(
        self, keys: Sequence[str], work: Work[T], *, seeds: Seeds, lazy: bool = False, now: float | None = None
    ) -> T:
        names = [_PREFIX + key for key in keys]
        try:
            for number in range(_MOST_TRIES):
                with self._client.pipeline() as pipe:
                    try:
                        pipe.watch(*names)
                        at = _seconds(pipe.time()) if now is None else now
                        before = _by_key(keys, pipe.mget(names))
                        states = _known_or_seeded(keys, before, seeds)
                        result = work(states, at)
                        texts = {key: _dumped(state) for key, state in states.items()}
                        pipe.multi()
                        for key, text in texts.items():
                            if text != before[key]:
                                pipe.set(_PREFIX + key, text, ex=_KEPT_SECONDS)
                        if len(pipe):
                            pipe.execute()
                        return result
                    except redis.WatchError:
                        time.sleep(random.uniform(0, min(0.001 * (number + 1), 0.02)))  # noqa: S311 - no secret
        except redis.RedisError as error:
            raise StoreUnavailable(str(error)) from error
        raise StoreUnavailable("Too many changes at once.")

    def read(self, keys: Collection[str], *, seeds: Seeds, now: float | None = None) -> tuple[dict[str, State], float]:
        try:
            pipe = self._client.pipeline(transaction=False)
            pipe.mget([_PREFIX + key for key in keys])
            pipe.time()
            texts, answer = pipe.execute()
        except redis.RedisError as error:
            raise StoreUnavailable(str(error)) from error
        return _known_or_seeded(keys, _by_key(keys, texts), seeds), (_seconds(answer) if now is None else now)


@lru_cache(maxsize=4)
def _of_url(url: str) -> Store:
    return RedisStore(url) if url else DatabaseStore()


def store() -> Store:
    return _of_url(settings.REDIS_URL)


def _by_key(keys: Collection[str], texts: Sequence[Any]) -> dict[str, str | None]:
    return dict(zip(keys, texts, strict=True))


def _known_or_seeded(keys: Collection[str], found: Mapping[str, str | None], seeds: Seeds) -> dict[str, State]:
    missing = [key for key in keys if found.get(key) is None]
    states = seeds(missing) if missing else {}
    return states | {key: json.loads(text) for key, text in found.items() if text is not None}


def _dumped(state: State) -> str:
    return json.dumps(state, separators=(",", ":"), sort_keys=True)


def _seconds(answer: tuple[int, int]) -> float:
    return answer[0] + answer[1] / 1_000_000
