"""With real processes: a post to a web server, the message in the queue, a worker that reads the CRM."""

import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection

from apps.counters.models import Counter
from apps.orders.models import StatusChange
from apps.receivers import addresses, services
from apps.uploads import heartbeats
from project.processes import Processes
from tests.receivers.crm import Crm, sample

pytestmark = pytest.mark.processes


@pytest.fixture
def processes(counter: Counter, settings: Any, tmp_path: Path) -> Any:
    config = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{config['NAME']}"
    else:
        where = f"{config['USER']}@{config['HOST']}:{config['PORT'] or 5432}" if config["HOST"] else ""
        url = f"postgres://{where}/{config['NAME']}"
    environment = {
        "DATABASE_URL": url,
        "DEBUG": "on",
        "SANDBOX": "on",
        "ENV_FILE": os.devnull,
        "STORAGE_URL": f"file://{settings.MEDIA_ROOT}",
        "OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8",
        "OUTGOING_PLAIN_HTTP": "on",
        "TICK_SECONDS": "1",
    }
    with Processes(environment=environment, log_dir=tmp_path / "logs", port=1) as started:
        yield started


def test_a_worker_reads_the_deal(counter: Counter, live_server: Any, portal: Crm, processes: Processes) -> None:
    address = f"{portal.address}/rest/1/invented-secret/"
    receiver, secret = services.create_receiver(counter=counter, name="B24", kind="bitrix24", crm_url=address)
    processes.start_worker()
    end = time.monotonic() + 120
    while not heartbeats.worker_seen(within=5):
        assert time.monotonic() < end, processes.log("worker")[-3000:]
        time.sleep(0.2)
    answer = httpx.post(
        f"{live_server.url}{addresses.path_of(receiver, secret)}",
        content=sample("bitrix24_deal_update.form"),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        timeout=30,
    )
    assert answer.status_code == 200
    while not StatusChange.objects.filter(order__order_id="759").exists():
        assert time.monotonic() < end, processes.log("worker")[-3000:]
        time.sleep(0.2)
    change = StatusChange.objects.get(order__order_id="759")
    assert (change.order_status, change.request_id) == ("Записан на приём", answer.headers["X-Request-ID"])
    assert "invented-secret" not in processes.log("worker")
