"""Two agencies that know nothing of each other, each with one of everything that has a page."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from apps.agencies.models import Agency, Role, User
from apps.counters.models import ApiCall, Counter, MetricaAccount
from apps.goals.models import Goal
from apps.goals.services import set_status
from apps.orders.intake import accept_all
from apps.orders.models import Order, StatusChange
from apps.uploads import files
from apps.uploads.models import JobState, Trigger, Upload, UploadJob, UploadState
from tests.factories import make_account, make_agency, make_counter, make_member

FILE = b"id,create_date_time,order_status\r\nA-1,2026-01-01 10:00:00,PAID\r\n"


@dataclass
class Place:
    """One agency. `mark` is in every text of it, so that nothing of it can be somewhere unnoticed."""

    mark: str
    agency: Agency
    owner: User
    manager: User
    analyst: User
    account: MetricaAccount
    counter: Counter
    began: datetime = field(default_factory=lambda: timezone.now() - timedelta(days=2))

    def push(self, order_id: str, *statuses: str, counter: Counter | None = None, **more: Any) -> Order:
        """Successive statuses of an order, an hour apart, by the REST API."""
        counter = counter or self.counter
        rows = [
            {
                "id": order_id,
                "create_date_time": self.began.isoformat(),
                "order_status": status,
                "status_date_time": (self.began + timedelta(hours=hour)).isoformat(),
                "emails": [f"{self.mark.lower()}@mail.example"],
                **more,
            }
            for hour, status in enumerate(statuses)
        ]
        report = accept_all(counter=counter, rows=rows, source="api", actor_label="key crm")
        assert not report.rejected, [one.errors for one in report.results]
        return Order.objects.get(counter=counter, order_id=order_id)

    def change(self, order_id: str, status: str = "") -> StatusChange:
        rows = StatusChange.objects.filter(counter__agency=self.agency, order__order_id=order_id)
        return rows.get(order_status=status) if status else rows.get()

    def job(self, *, order: Order | None = None, **fields: Any) -> UploadJob:
        """A job with one file that has passed, its call, and the exact bytes."""
        given = {"state": JobState.SUCCEEDED, "changes": 1, "delivered": 1, "requested_by": f"{self.mark} person"}
        fields = {**given, **fields}
        job = UploadJob.objects.create(
            counter=self.counter,
            trigger=Trigger.PERSON,
            started_at=timezone.now() - timedelta(seconds=5),
            finished_at=None if fields["state"] in ("queued", "running") else timezone.now(),
            **fields,
        )
        upload = Upload(job=job, wave=1, rows=1, state=UploadState.PASSED, attempts=1, http_status=200)
        upload.uploading_id = f"{self.mark}-at-metrica"
        upload.started_at = upload.sent_at = timezone.now() - timedelta(seconds=3)
        upload.finished_at = timezone.now()
        keep(upload, self.counter)
        ApiCall.objects.create(
            agency=self.agency,
            account=self.account,
            counter=self.counter,
            subject=upload.pk,
            method="POST",
            url=f"https://metrica.example/cdp/api/v1/counter/{self.counter.metrica_id}/data/simple_orders?{self.mark}",
            request_headers={"authorization": "•••"},
            request_body=f"id,order_status {self.mark}",
            request_size=len(FILE),
            finished_at=timezone.now(),
            status=200,
            response_body=f'{{"uploading": {{"uploading_id": "{self.mark}-at-metrica", "status": "PASSED"}}}}',
            outcome="ok",
        )
        if order is not None:
            order.changes.update(delivery="delivered", upload_id=upload.pk, delivered_at=timezone.now())
        return job


def keep(upload: Upload, counter: Counter, content: bytes = FILE) -> None:
    """Store the bytes as the upload's file, as the planner does."""
    import hashlib

    with files.Draft() as draft:
        draft.stream.write(content)
        upload.bytes, upload.sha256 = len(content), hashlib.sha256(content).hexdigest()
        upload.file = draft.keep(files.name_of(upload, counter))
    upload.save()


def make_place(mark: str) -> Place:
    agency = make_agency(name=f"{mark} Agency")
    account = make_account(agency, token=f"token-of-{mark}")
    MetricaAccount.objects.filter(pk=account.pk).update(login=f"{mark}-login")
    account.refresh_from_db()
    counter = make_counter(account=account, name=f"{mark} shop", site=f"{mark.lower()}.example")
    set_status(counter=counter, crm_status="new", type="IN_PROGRESS")
    set_status(counter=counter, crm_status="won", type="PAID", goal_action_ids=[f"goal_{mark}"])
    Goal.objects.filter(counter=counter).update(name=f"{mark} goal")
    people = {
        role: make_member(agency, role, f"{role}@{mark.lower()}.example")
        for role in (Role.OWNER, Role.MANAGER, Role.ANALYST)
    }
    return Place(mark, agency, people[Role.OWNER], people[Role.MANAGER], people[Role.ANALYST], account, counter)


@pytest.fixture
def place(db: None) -> Place:
    return make_place("Mine")


@pytest.fixture
def other(db: None) -> Place:
    return make_place("Zeta")


@pytest.fixture
def full(place: Place) -> Place:
    """One's own agency, with one of everything."""
    from tests.admin.access.world import fill

    return fill(place)


@pytest.fixture
def login() -> Callable[[User], Browser]:
    """A browser in which the person is logged in."""

    def make(user: User) -> Browser:
        browser = Browser()
        browser.force_login(user)
        return browser

    return make


@pytest.fixture
def browser(place: Place, login: Callable[[User], Browser]) -> Browser:
    """The owner's."""
    return login(place.owner)
