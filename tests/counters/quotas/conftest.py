"""Callers whose quotas are kept in each of the stores, at times of the test's choice."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import pytest
import redis

from apps.counters.kept_back import NoPlace
from apps.counters.quotas.kinds import Call, Kind
from apps.counters.quotas.places import Place, learn, reserve
from apps.counters.quotas.sharing import Caller

REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/1")
NOON = 1_795_694_400.0
"""2026-11-26 12:00 GMT."""
A, B, C = 1_000_001, 1_000_002, 1_000_003
"""Agencies."""


@dataclass
class Desk:
    """Takes places at a Metrica of its own (`host`), so that nothing is there from another test."""

    host: str = field(default_factory=lambda: f"{token_hex(4)}.example")

    def take(
        self,
        now: float = NOON,
        *,
        agency: int = A,
        login: str = "north",
        kind: Kind = Kind.READ,
        counters: tuple[int, ...] = (),
        seconds: float = 60.0,
        host: str = "",
    ) -> Place:
        caller = Caller(host=host or self.host, login=login, agency=agency)
        return reserve(caller=caller, call=Call(kind, counters), seconds=seconds, wait=0.0, now=now)

    def refused(self, now: float = NOON, **who: Any) -> str:
        """The code with which the call is kept back; "" where it may go, and then it goes and ends at once."""
        try:
            self.take(now, **who).release(now=now)
        except NoPlace as error:
            return error.code
        return ""

    def learn(self, code: str, now: float = NOON, *, kind: Kind = Kind.READ, **more: Any) -> None:
        caller = Caller(host=self.host, login=more.pop("login", "north"), agency=A)
        call = Call(kind, more.pop("counters", ()))
        learn(caller=caller, call=call, code=code, retry_after=more.pop("retry_after", None), now=now)


def redis_answers() -> bool:
    try:
        return bool(redis.Redis.from_url(REDIS_URL, socket_connect_timeout=1).ping())
    except redis.RedisError:
        return False


@pytest.fixture(params=["database", "redis"])
def kept_in(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    if request.param == "redis":
        if not redis_answers():
            pytest.skip(f"NO REDIS at {REDIS_URL}: quotas are not tested there")
        settings.REDIS_URL = REDIS_URL
    else:
        settings.REDIS_URL = ""
    yield request.param


@pytest.fixture
def desk(db: None, kept_in: str) -> Desk:
    return Desk()
