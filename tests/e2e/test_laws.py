"""What must hold whatever happens: random changes, mappings, faults and breakdowns, all the way over real HTTP.

R2 nothing lost, R3 the timeline only grows, R4 in order and the current state last, R6 nothing sent twice but what had
an unknown outcome, R7 a bad row hurts nobody else. In detailed mode no order goes before its client, and the last row
of a client is how it is.
"""

import contextlib
import csv
import io
import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from apps.audit import chain
from apps.clients.models import Client
from apps.counters.models import ApiCall
from apps.counters.services import connect_account, pause, resume
from apps.goals.resolve import Resolver
from apps.goals.services import remove_status, set_status
from apps.orders import holds
from apps.orders.intake import accept_all
from apps.orders.models import Delivery, Order, StatusChange
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxFault, SandboxOrderEvent, SandboxUploading
from apps.uploads.models import JobState, Resend, Upload, UploadJob
from apps.uploads.runner import run_job
from apps.uploads.selection import something_due
from apps.uploads.services import request_upload
from tests.factories import make_account, make_agency, make_counter

STATUSES = {
    "new": ("IN_PROGRESS", ()),
    "good": ("OTHER", ("good_lead",)),
    "meeting": ("OTHER", ("meeting", "any_contact")),
    "won": ("PAID", ("deal_won",)),
    "lost": ("CANCELLED", ()),
}
ORDERS = ("N-1", "N-2", "N-3", "N-bad")
CLIENTS = (None, None, "C-1", "C-2")
FAULTS = ("cut_after", "cut_before", "quota_429", "cut_after", "quota_420", "server_error", "bad_token")
TOKEN = "token-of-the-laws"

numbers = itertools.count(60_000_001)

pushes = st.tuples(
    st.just("push"),
    st.sampled_from(ORDERS),
    st.sampled_from(sorted(STATUSES)),
    st.tuples(st.one_of(st.none(), st.integers(0, 12)), st.sampled_from(CLIENTS)),
)
dying = st.one_of(st.none(), st.integers(1, 90))
runs = st.tuples(st.just("run"), dying, st.one_of(st.none(), st.sampled_from(FAULTS)), st.integers(1, 2))
rare = st.one_of(
    st.tuples(st.just("map"), st.sampled_from(sorted(STATUSES)), st.none(), st.none()),
    st.tuples(st.just("unmap"), st.sampled_from(sorted(STATUSES)), st.none(), st.none()),
    st.tuples(st.just("pause"), st.booleans(), st.none(), st.none()),
    st.tuples(st.just("reconnect"), st.none(), st.none(), st.none()),
)
# Bursts of changes with a run after each, and now and then somebody who changes the settings.
rounds = st.tuples(st.lists(pushes, min_size=1, max_size=5), st.lists(rare, max_size=1), runs)
histories = st.lists(rounds, min_size=2, max_size=6).map(
    lambda all_rounds: [step for pushed, settled, ran in all_rounds for step in (*pushed, *settled, ran)]
)


class Killed(BaseException):
    """The worker dies here: what is committed stays, what is not is gone."""


@contextlib.contextmanager
def dying_at(statement: int | None) -> Iterator[None]:
    """Die right before the n-th statement to the database."""
    seen = itertools.count(1)

    def execute(run: Any, *arguments: Any) -> Any:
        if next(seen) == statement:
            raise Killed
        return run(*arguments)

    with contextlib.suppress(Killed), connection.execute_wrapper(execute):
        yield


class World:
    """One counter with its sandbox, driven step by step; `clock` counts the steps."""

    def __init__(self, *, url: str, policy: str, mode: str) -> None:
        number = next(numbers)
        goals = ["good_lead", "meeting", "any_contact", "deal_won"]
        self.token = f"{TOKEN}-{number}"
        sandbox.create_counter(metrica_id=number, owner_login=f"login-{number}", token=self.token, goals=goals)
        sandbox.add_fault(kind="refuse_row", order_id="N-bad", counter=number, count=None)
        self.agency = make_agency()
        self.account = make_account(self.agency, token=self.token, base_url=f"{url}/sandbox")
        self.counter = make_counter(self.agency, account=self.account, metrica_id=number, delivery=policy, mode=mode)
        self.began = timezone.now() - timedelta(days=3)
        self.clock = 0
        self.money = itertools.count(1)
        self.snapshots: dict[UUID, tuple[Any, ...]] = {}
        self.accepted = 0
        self.waiting_since: dict[UUID, int] = {}
        self.sent_by: dict[UUID, int] = {}
        for status in ("new", "won", "good", "lost"):
            self.map(status)

    def map(self, status: str) -> None:
        order_type, goals = STATUSES[status]
        set_status(counter=self.counter, crm_status=status, type=order_type, goal_action_ids=goals)
        holds.review(self.counter)

    def push(self, order_id: str, status: str, when_and_whose: tuple[int | None, str | None]) -> None:
        """A row with an amount of its own, by which it is found again at the other end, and maybe a client with a name
        of its own."""
        hours, client = when_and_whose
        row: dict[str, Any] = {
            "id": order_id,
            "create_date_time": self.began.isoformat(),
            "order_status": status,
            "client_ids": ["1700000000123456789"],
            "revenue": str(amount := next(self.money)),
        }
        if client is not None:
            row.update(client_uniq_id=client, client_name=f"name {amount}")
        if hours is not None:
            row["status_date_time"] = (self.began + timedelta(hours=hours)).isoformat()
        [result] = accept_all(counter=self.counter, rows=[row], source="api").results
        assert not result.errors
        if result.change is not None:
            self.accepted += 1
            self.snapshots[result.change] = snapshot(StatusChange.objects.get(pk=result.change))

    def step(self, kind: str, what: Any, more: Any, last: Any) -> None:
        self.clock += 1
        if kind == "push":
            self.push(what, more, last)
        elif kind == "map":
            self.map(what)
        elif kind == "unmap":
            remove_status(counter=self.counter, crm_status=what)
            holds.review(self.counter)
        elif kind == "pause":
            if what:
                pause(counter=self.counter, reason="test")
            else:
                resume(counter=self.counter)
            holds.review(self.counter)
        elif kind == "reconnect":
            self.reconnect()
        else:
            if more:
                # A day's quota that is said to be used up would be waited for until midnight.
                at_once = {"retry_after": 0} if more.startswith("quota") else {}
                sandbox.add_fault(kind=more, count=last, counter=self.counter.metrica_id, **at_once)
            self.run(dying_after=what)
        self.look()

    def reconnect(self) -> None:
        connect_account(agency=self.agency, login=self.account.login, token=self.token, base_url=self.account.base_url)
        holds.review(self.counter)

    def look(self) -> None:
        """Note since when each change could have gone, and by when it had gone."""
        for pk, state in StatusChange.objects.filter(counter=self.counter).values_list("pk", "delivery"):
            if state == Delivery.WAITING:
                self.waiting_since.setdefault(pk, self.clock)
            elif state == Delivery.HELD:
                self.waiting_since.pop(pk, None)
            elif state in (Delivery.SENDING, Delivery.DELIVERED):
                self.waiting_since.setdefault(pk, self.clock)
                self.sent_by.setdefault(pk, self.clock)

    def run(self, *, dying_after: int | None = None) -> None:
        unfinished = UploadJob.objects.filter(counter=self.counter, state__in=[JobState.QUEUED, JobState.RUNNING])
        job = unfinished.order_by("-state").first() or request_upload(counter=self.counter, trigger="person")
        # Time passes until a worker that died is given up.
        UploadJob.objects.filter(pk=job.pk, lease_until__isnull=False).update(lease_until=timezone.now())
        with dying_at(dying_after):
            run_job(job.pk)

    def settle(self) -> None:
        """Mend everything and let the worker run until nothing is due."""
        faults = SandboxFault.objects.filter(counter__metrica_id=self.counter.metrica_id)
        faults.exclude(kind="refuse_row").delete()
        for status in STATUSES:
            self.map(status)
        resume(counter=self.counter)
        self.reconnect()
        for _turn in range(60):
            self.clock += 1
            self.look()
            unfinished = UploadJob.objects.filter(counter=self.counter, state__in=[JobState.QUEUED, JobState.RUNNING])
            if not unfinished.exists() and not something_due(counter=self.counter):
                break
            self.run()
        self.look()


def snapshot(change: StatusChange) -> tuple[Any, ...]:
    return (
        *(change.order_id, change.seq, change.order_status, change.status_date_time, change.received_at),
        *(change.source, change.revenue, change.cost, change.currency, change.goals, change.products),
    )


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    history=histories,
    policy=st.sampled_from(["every_status", "latest_only"]),
    mode=st.sampled_from(["simple", "detailed"]),
)
def test_nothing_is_lost_reordered_or_sent_twice(live_server, settings_for_speed, history, policy, mode):
    world = World(url=live_server.url, policy=policy, mode=mode)
    for step in history:
        world.step(*step)
    world.settle()
    changes = list(StatusChange.objects.filter(counter=world.counter).select_related("order"))

    # R2, R3: all that was accepted is there, as it was, and nothing waits without a word
    assert len(changes) == world.accepted
    assert {change.pk: snapshot(change) for change in changes} == world.snapshots
    ended = {Delivery.DELIVERED, Delivery.REJECTED}
    if policy == "latest_only":
        ended.add(Delivery.SUPERSEDED)
    assert {change.delivery for change in changes} <= ended, [(c.delivery, c.hold_reason) for c in changes]
    # R7: the bad row alone is rejected
    assert all((change.delivery == Delivery.REJECTED) <= (change.order.order_id == "N-bad") for change in changes)

    applied = applied_rows(world)
    resolver = Resolver.for_counter(world.counter)
    for order in Order.objects.filter(counter=world.counter).exclude(order_id="N-bad"):
        timeline = list(StatusChange.objects.filter(order=order).in_timeline_order())
        rows = applied[order.order_id]
        # R4: the last row is the current state
        meaning = resolver.meaning(timeline[-1].order_status)
        assert meaning is not None
        assert rows[-1] == timeline[-1].pk, (rows, timeline)
        assert timeline[-1].pk == order.current_change_id
        assert set(rows) == {change.pk for change in timeline if change.delivery == Delivery.DELIVERED}
        check_order(world, timeline, rows)
        check_repetitions(timeline, rows)
    event(f"orders with late statuses: {Resend.objects.filter(order__counter=world.counter).exists()}")
    event(f"outcome unknown: {ApiCall.objects.filter(counter=world.counter, outcome='unknown').exists()}")
    if mode == "detailed":
        check_clients(world)
    seal_all()
    assert chain.verify(world.agency).ok


def applied_rows(world: World) -> dict[str, list[UUID]]:
    """Per order the changes in the order in which the sandbox applied their rows, found by their amounts."""
    by_amount = {
        (change.order.order_id, change.revenue): change.pk
        for change in StatusChange.objects.filter(counter=world.counter).select_related("order")
    }
    rows: dict[str, list[UUID]] = defaultdict(list)
    events = SandboxOrderEvent.objects.filter(order__counter__metrica_id=world.counter.metrica_id)
    for one in events.select_related("order").order_by("pk"):
        rows[one.order.order_id].append(by_amount[one.order.order_id, one.revenue])
    return rows


def check_order(world: World, timeline: list[StatusChange], rows: list[UUID]) -> None:
    """An earlier status goes after a later one only if it could not have gone before it."""
    first = {pk: rows.index(pk) for pk in set(rows)}
    delivered = [change.pk for change in timeline if change.pk in first]
    for earlier, later in itertools.combinations(delivered, 2):
        if first[later] < first[earlier]:
            assert world.waiting_since[earlier] >= world.sent_by[later], (timeline, rows)


def check_repetitions(timeline: list[StatusChange], rows: list[UUID]) -> None:
    """R6: a row comes more than once only as a repeated current state, or after a call whose end nobody knew."""
    for change in timeline:
        resent = Resend.objects.filter(change=change)
        carried_by = {*resent.values_list("upload_id", flat=True), change.upload_id}
        uploads = Upload.objects.filter(pk__in=carried_by)
        parents = {upload.parent_id for upload in uploads if upload.parent_id}
        calls = ApiCall.objects.filter(subject__in=carried_by | parents, method="POST")
        unknown = calls.filter(outcome__in=["unknown", "pending"]).count()
        assert rows.count(change.pk) <= 1 + resent.count() + unknown


def check_clients(world: World) -> None:
    """Each order came after its client, and the last row of each client is what is known of it now."""
    names: dict[str, str] = {}
    uploadings = SandboxUploading.objects.filter(counter__metrica_id=world.counter.metrica_id, status="PASSED")
    for uploading in uploadings.order_by("pk"):
        for row in rows_of(uploading):
            if uploading.kind == "contacts":
                names[row["uniq_id"]] = row.get("name", "")
            elif uploading.kind == "orders":
                assert row["client_uniq_id"] in names
    clients = Client.objects.filter(counter=world.counter)
    assert not clients.due().exists()
    assert names == dict(clients.values_list("uniq_id", "name"))


def rows_of(uploading: SandboxUploading) -> list[dict[str, Any]]:
    with uploading.body.open() as body:
        text = body.read().decode()
    if uploading.uploading_format == "JSON":
        return [row for rows in json.loads(text).values() for row in rows]
    return list(csv.DictReader(io.StringIO(text)))


def seal_all() -> None:
    while chain.seal(limit=10_000):
        pass


@pytest.fixture
def settings_for_speed(settings):
    """No waiting: a lease runs out at once, retries come at once, an unknown outcome is decided at the first look."""
    settings.UPLOAD_LEASE_SECONDS = 0
    settings.UPLOAD_RETRY_SECONDS = 0
    settings.UPLOAD_UNKNOWN_SECONDS = 0
    settings.METRICA_TIMEOUT_SECONDS = 10
    return settings
