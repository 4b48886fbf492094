"""Planning and intake write the same orders and clients at the same time, and never wait for each other in a circle."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from apps.orders import intake
from apps.orders.chunks import Chunk
from apps.orders.models import Order
from apps.uploads import planner
from apps.uploads.models import JobState
from tests.threads import Thread, on_postgresql, wait_for_a_lock
from tests.uploads.conftest import Shop


@on_postgresql
def test_detailed_planning_takes_all_orders_before_their_clients(
    make_shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """D-1 is paid and will be noted so, D-2 has yet to be made ready, and both have one client. Intake has D-1 in hand
    and comes for the client when the planner has begun: who has waited for whom would wait for ever."""
    shop = make_shop(mode="detailed")
    shop.push("D-1", "IN_PROGRESS", client_uniq_id="C-1")
    shop.upload()
    shop.push("D-1", "PAID", at=1, client_uniq_id="C-1")
    shop.push("D-2", "IN_PROGRESS", client_uniq_id="C-1")
    Order.objects.filter(order_id="D-2").update(client_revision=0)
    monkeypatch.setattr(intake, "_TRIES", 1)
    monkeypatch.setattr(planner, "_TRIES", 1)
    has_order = threading.Event()
    load_clients = Chunk._load_clients

    def once_the_planner_waits(chunk: Chunk, *arguments: Any) -> None:
        has_order.set()
        wait_for_a_lock(1)
        load_clients(chunk, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Chunk, "_load_clients", once_the_planner_waits)
        taking = Thread(lambda: shop.push("D-1", "PAID", at=1, client_uniq_id="C-1", revenue="5"))
        assert has_order.wait(10)
        job = shop.upload()
        taking.result()
    assert job.state == JobState.SUCCEEDED
    assert "job broke off" not in caplog.text
    assert shop.upload().state == JobState.SUCCEEDED
    assert shop.all_delivered()
