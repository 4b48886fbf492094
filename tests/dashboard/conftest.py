"""The same agencies as for the admin pages; and a counter whose orders were delivered, beside a Metrica of reports."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.counters.models import Counter
from apps.dashboard.comparison import running
from apps.dashboard.models import Comparison, DayFigures, RollUp, Side
from apps.dashboard.rollup import running as rollup
from apps.goals.resolve import Resolver
from apps.goals.services import set_status
from apps.orders.intake import accept_all
from apps.orders.models import Order, StatusChange
from apps.uploads.models import JobState, Trigger, Upload, UploadJob, UploadState
from tests.admin.conftest import browser, login, other, place
from tests.dashboard.metrica import Reports
from tests.factories import make_account, make_agency, make_counter

__all__ = ["browser", "login", "other", "place"]


@dataclass
class Loop:
    """One counter with its Metrica. Orders come in by intake; `deliver` does to them what passed uploads do."""

    counter: Counter
    metrica: Reports

    @property
    def today(self) -> date:
        assert self.counter.zone is not None
        return timezone.now().astimezone(self.counter.zone).date()

    def day(self, ago: int) -> date:
        return self.today - timedelta(days=ago)

    def at(self, ago: int, clock: time = time(0, 0)) -> datetime:
        """That time of the counter's day so many days ago."""
        return datetime.combine(self.day(ago), clock, self.counter.zone)

    def push(self, order_id: str, *statuses: str, ago: int = 2, clock: time = time(0, 0), **more: Any) -> Order:
        """Successive statuses of an order of that day, a second apart."""
        began = self.at(ago, clock)
        rows = [
            {
                "id": order_id,
                "create_date_time": began.isoformat(),
                "order_status": status,
                "status_date_time": (began + timedelta(seconds=number)).isoformat(),
                "client_ids": ["1700000000123456789"],
                **more,
            }
            for number, status in enumerate(statuses)
        ]
        report = accept_all(counter=self.counter, rows=rows, source="api")
        assert not report.rejected, [one.errors for one in report.results]
        return Order.objects.get(counter=self.counter, order_id=order_id)

    def deliver(self, *, at: datetime | None = None) -> Upload:
        """All that waits, in one passed file; `at`: when it passed."""
        at = at or timezone.now() - timedelta(hours=3)
        job = UploadJob.objects.create(counter=self.counter, state=JobState.SUCCEEDED, trigger=Trigger.PERSON)
        waiting = StatusChange.objects.filter(counter=self.counter, delivery="waiting")
        resolver = Resolver.for_counter(self.counter)
        mapping = {}
        for status in waiting.order_by().values_list("order_status", flat=True).distinct():
            meaning = resolver.meaning(status)
            assert meaning is not None
            mapping[status] = meaning.to_json()
        upload = Upload.objects.create(
            job=job, wave=1, state=UploadState.PASSED, mapping=mapping, finished_at=timezone.now()
        )
        waiting.update(delivery="delivered", upload_id=upload.pk, delivered_at=at)
        Counter.objects.filter(pk=self.counter.pk).update(last_passed_at=at)
        return upload

    def compare(self, days: int = 0) -> Comparison:
        """Ask for it, and be the worker."""
        running.request(counter=self.counter, days=days)
        running.run(self.counter.pk)
        return self.state()

    def state(self) -> Comparison:
        return Comparison.objects.select_related("counter").get(pk=self.counter.pk)

    def ours(self, ago: int) -> DayFigures:
        return DayFigures.objects.get(counter=self.counter, side=Side.OURS, day=self.day(ago))

    def theirs(self, ago: int) -> DayFigures:
        return DayFigures.objects.get(counter=self.counter, side=Side.METRICA, day=self.day(ago))


@pytest.fixture
def loop(transactional_db: None, settings: Any) -> Iterator[Loop]:
    settings.UPLOAD_RETRY_SECONDS = 0.01
    with Reports(goals=["good_lead", "deal"]) as metrica:
        account = make_account(make_agency("north"), base_url=metrica.url)
        counter = make_counter(account=account, name="North shop")
        map_statuses(counter)
        yield Loop(counter, metrica)


def map_statuses(counter: Counter) -> None:
    for status, kind, goals in (
        ("new", "IN_PROGRESS", []),
        ("lead", "OTHER", ["good_lead"]),
        ("won", "PAID", ["deal"]),
        ("lost", "CANCELLED", []),
        ("junk", "SPAM", []),
    ):
        set_status(counter=counter, crm_status=status, type=kind, goal_action_ids=goals)


def roll_up(*, turns: int = 1) -> None:
    """So many turns of the roll-up, without the rest between them."""
    for _turn in range(turns):
        RollUp.objects.update(next_at=timezone.now())
        rollup.run()
