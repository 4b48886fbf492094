"""Messages through Redis, which loses them with a worker or with itself: nothing of Goalpost's is lost with them."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Installation, installed, wait_for
from tests.e2e.test_killed import check_all_arrived, orders
from tests.redis import RedisServer, needs_redis, redis_server

pytestmark = [pytest.mark.processes, needs_redis]

AS_THEY_COME = 'schedule = "as they come"'


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def installation(
    broker: RedisServer, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    directory = tmp_path_factory.mktemp("with-redis")
    with installed(database_url, directory, QUEUE="redis", REDIS_URL=broker.url) as running:
        yield running


def checks(installation: Installation) -> dict[str, Any]:
    return dict(httpx.get(f"{installation.processes.url}/readyz", timeout=30).json()["checks"])


def test_orders_go_out_by_messages_through_redis(installation: Installation, broker: RedisServer) -> None:
    counter = installation.counter()
    installation.processes.stop(installation.worker)
    installation.push(counter, *orders("R", 3))
    job = installation.upload(counter)
    assert broker.waiting() == 1
    installation.restart_worker()
    assert installation.finished(job)["delivered"] == 9
    assert broker.waiting() == 0
    check_all_arrived(installation, counter, "R", 3)


def test_what_dies_with_a_worker_is_found_by_the_next(installation: Installation) -> None:
    """Redis forgot the message the moment the worker had it."""
    counter = installation.counter()
    installation.control("faults", kind="latency", counter=counter, count=2, seconds=1.5, endpoint="upload")
    installation.push(counter, *orders("D", 4))
    job = installation.upload(counter)
    wait_for(lambda: installation.seen("requests", counter=counter)["requests"], what="the first request")
    installation.processes.kill(installation.worker)
    installation.restart_worker()
    assert installation.finished(job, seconds=60)["delivered"] == 12
    check_all_arrived(installation, counter, "D", 4)


def test_redis_goes_away_and_comes_back_and_nobody_loses_an_order(
    installation: Installation, broker: RedisServer
) -> None:
    counter = installation.counter(settings=AS_THEY_COME)
    broker.stop()
    began = time.monotonic()
    report = installation.push(counter, *orders("A", 4))
    assert (report["created"], report["rejected"]) == (4, 0)
    assert time.monotonic() - began < 5, "the CRM waited for Redis"
    assert "Redis" in checks(installation)["broker"]
    assert installation.worker.poll() is None, "the worker gave up"
    broker.start()

    def delivered() -> bool:
        listed = installation.http.get(f"/api/v1/counters/{counter}/orders/").json()["results"]
        return len(listed) == 4 and all(order["delivery"] == "delivered" for order in listed)

    wait_for(delivered, seconds=30, what="the delivery of what was accepted without Redis")
    check_all_arrived(installation, counter, "A", 4)
    assert checks(installation)["broker"] == "ok"
