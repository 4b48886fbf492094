"""A counter that delivers to the sandbox over real HTTP, and a worker without the queue."""

import itertools
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.counters.models import ApiCall, Counter
from apps.goals.models import Goal
from apps.orders.intake import accept_all
from apps.orders.models import Delivery, Order, StatusChange
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxCounter, SandboxOrderEvent, SandboxUploading
from apps.uploads import heartbeats
from apps.uploads.models import UNFINISHED_JOBS, Trigger, Upload, UploadJob
from apps.uploads.runner import run_job
from apps.uploads.services import request_upload
from project.processes import Processes
from tests.factories import make_account, make_agency, make_counter

GOALS = ("a1", "a2", "a3", "a4", "a5")
_numbers = itertools.count(40_000_001)


@dataclass
class Shop:
    """One counter: orders come in by intake, jobs are run here, and the sandbox says what arrived."""

    counter: Counter
    site: SandboxCounter
    began: datetime = field(default_factory=lambda: timezone.now() - timedelta(days=2))

    def push(self, order_id: str, *statuses: str, **more: Any) -> None:
        """Successive statuses of an order, an hour apart; `at` (hours after the order began) for a single one."""
        start = more.pop("at", 0)
        rows = [
            {
                "id": order_id,
                "create_date_time": self.began.isoformat(),
                "order_status": status,
                "status_date_time": (self.began + timedelta(hours=start + hour)).isoformat(),
                "client_ids": ["1700000000123456789"],
                **more,
            }
            for hour, status in enumerate(statuses)
        ]
        self.take(rows)

    def push_many(self, order_ids: Iterable[str], status: str) -> None:
        """An order of each id, all in one call."""
        row = {"create_date_time": self.began.isoformat(), "client_ids": ["1700000000123456789"]}
        self.take([{"id": order_id, "order_status": status, **row} for order_id in order_ids])

    def take(self, rows: list[dict[str, Any]]) -> None:
        report = accept_all(counter=self.counter, rows=rows, source="api")
        assert not report.rejected, [result.errors for result in report.results if result.errors]

    def ask(self, *, only_orders: list[int] | None = None) -> UploadJob:
        return request_upload(counter=self.counter, trigger=Trigger.PERSON, only_orders=only_orders)

    def upload(self, job: UploadJob | None = None, *, turns: int = 50) -> UploadJob:
        """Run the job until it has ended, as workers would who take it up whenever it may be taken."""
        job = job or self.ask()
        for _turn in range(turns):
            run_job(job.pk)
            job.refresh_from_db()
            if job.state not in UNFINISHED_JOBS:
                return job
        raise AssertionError(f"the job did not end: {job.state} {job.error_code} until {job.not_before}")

    def arrived(self, order_id: str) -> list[str]:
        """Statuses that the sandbox applied to the order, in the order of application."""
        events = SandboxOrderEvent.objects.filter(order__counter=self.site, order__order_id=order_id)
        return list(events.order_by("pk").values_list("order_status", flat=True))

    def received(self) -> list[SandboxUploading]:
        return list(SandboxUploading.objects.filter(counter=self.site).order_by("pk"))

    def uploads(self, **conditions: Any) -> list[Upload]:
        rows = Upload.objects.filter(job__counter=self.counter, **conditions)
        return list(rows.order_by("created_at", "pk"))

    def states(self, order_id: str) -> list[tuple[str, str]]:
        changes = StatusChange.objects.filter(order=self.order(order_id)).in_timeline_order()
        return list(changes.values_list("order_status", "delivery"))

    def order(self, order_id: str) -> Order:
        return Order.objects.get(counter=self.counter, order_id=order_id)

    def sends(self) -> int:
        """How often a file left for Metrica."""
        return ApiCall.objects.filter(counter=self.counter, method="POST").count()

    def fault(self, kind: str, **parameters: Any) -> None:
        sandbox.add_fault(kind=kind, counter=self.site, **parameters)

    def all_delivered(self) -> bool:
        changes = StatusChange.objects.filter(counter=self.counter)
        return changes.exists() and not changes.exclude(delivery=Delivery.DELIVERED).exists()


@pytest.fixture
def quick(settings: Any) -> Any:
    """Waits of moments instead of seconds."""
    settings.UPLOAD_RETRY_SECONDS = 0.01
    settings.UPLOAD_UNKNOWN_SECONDS = 0.2
    settings.METRICA_TIMEOUT_SECONDS = 5
    return settings


@pytest.fixture
def make_shop(transactional_db: None, live_server: Any, quick: Any) -> Callable[..., Shop]:
    def make(**fields: Any) -> Shop:
        number = next(_numbers)
        zone = fields.get("time_zone") or "Europe/Moscow"
        token = f"token-{number}"
        site = sandbox.create_counter(
            metrica_id=number, time_zone_name=zone, owner_login=f"login-{number}", token=token, goals=GOALS
        )
        account = make_account(make_agency(), token=token, base_url=f"{live_server.url}/sandbox")
        counter = make_counter(account=account, metrica_id=number, **fields)
        Goal.objects.bulk_create(Goal(counter=counter, identifier=goal) for goal in GOALS)
        return Shop(counter, site)

    return make


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Iterator[Shop]:
    yield make_shop()


@pytest.fixture
def processes(transactional_db: None, live_server: Any, settings: Any, tmp_path: Path) -> Iterator[Processes]:
    """Workers on the test's own database; Metrica is the sandbox of the test's live server."""
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
        "UPLOAD_LEASE_SECONDS": "2",
        "UPLOAD_RETRY_SECONDS": "0.1",
        "UPLOAD_UNKNOWN_SECONDS": "0.5",
        "METRICA_TIMEOUT_SECONDS": "3",
        "TICK_SECONDS": "1",
    }
    with Processes(environment=environment, log_dir=tmp_path / "logs", port=1) as started:
        yield started


def wait_for(question: Any, *, seconds: float = 40, processes: Processes) -> None:
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, processes.log("worker")[-3000:]
        time.sleep(0.1)


def started(processes: Processes) -> subprocess.Popen[bytes]:
    worker = processes.start_worker()
    wait_for(lambda: heartbeats.worker_seen(within=5), processes=processes)
    return worker
