"""A worker that was thought dead comes back at any moment of its work, and finds that nothing of it is left to do.

"Suspended" here means that its very thread stands still at a seam while another worker takes the job over and brings it
to its end; then the first goes on from where it stood. Whatever it does then, nothing is different from before.
"""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection, connections
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.counters import clock
from apps.counters.models import AccountState, ApiCall, Counter, MetricaAccount
from apps.goals.models import AgreedStatus, StepState
from apps.goals.services import set_status
from apps.metrica import transport
from apps.metrica.client import MetricaClient
from apps.orders.models import HoldReview, Order, StatusChange
from apps.sandbox.models import SandboxUploading
from apps.uploads import files, formats, heartbeats, reconciler, schema, sender
from apps.uploads import lease as leases
from apps.uploads.lease import Lease, LeaseLost, claim
from apps.uploads.models import JobState, Resend, Upload, UploadJob, UploadState
from apps.uploads.runner import run_job
from tests.uploads.conftest import Shop

TABLES = (
    *(Upload, UploadJob, Resend, StatusChange, Order, Client, HoldReview),
    *(Counter, MetricaAccount, StepState, AgreedStatus, AuditEntry),
)


def everything(shop: Shop) -> dict[str, Any]:
    """All that a worker could write: here, in the storage, at Metrica."""
    found: dict[str, Any] = {model.__name__: list(model.objects.order_by("pk").values()) for model in TABLES}
    found["files"] = dict(_files("uploads"))
    found["Metrica"] = list(SandboxUploading.objects.filter(counter=shop.site).order_by("pk").values())
    return found


def _files(directory: str) -> Iterator[tuple[str, bytes]]:
    if not default_storage.exists(directory):
        return
    directories, names = default_storage.listdir(directory)
    for name in names:
        with default_storage.open(f"{directory}/{name}") as file:
            yield f"{directory}/{name}", file.read()
    for name in directories:
        yield from _files(f"{directory}/{name}")


class Seam:
    """A place where the first worker stands still, once, while another brings the job to its end."""

    def __init__(self, shop: Shop, job: UploadJob) -> None:
        self._shop, self._job = shop, job
        self.after: dict[str, Any] | None = None
        self.taken_over = False

    def __call__(self) -> None:
        if self.taken_over:
            return
        self.taken_over = True
        expire()
        self._shop.upload(self._job)
        self.after = everything(self._shop)

    def check(self) -> None:
        assert self.after is not None, "nobody ever came to this place"
        now = everything(self._shop)
        for what, before in self.after.items():
            assert now[what] == before, f"{what}: the worker that came back has written"


def expire() -> None:
    """The lease of whoever has a job is over: no sign of life came."""
    UploadJob.objects.filter(state=JobState.RUNNING).update(lease_until=timezone.now() - timedelta(seconds=1))


def before(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, seam: Callable[[], None]) -> None:
    """Stand still right before this is called."""
    whole = getattr(owner, name)

    def paused(*args: Any, **options: Any) -> Any:
        seam()
        return whole(*args, **options)

    monkeypatch.setattr(owner, name, paused)


def after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, seam: Callable[[], None]) -> None:
    """Stand still right after this has come back, or has raised."""
    whole = getattr(owner, name)

    def paused(*args: Any, **options: Any) -> Any:
        try:
            return whole(*args, **options)
        finally:
            seam()

    monkeypatch.setattr(owner, name, paused)


@contextlib.contextmanager
def standing_still(monkeypatch: pytest.MonkeyPatch, *, at: int, seam: Seam) -> Iterator[None]:
    """The first worker stands still before its step of this number."""
    whole = Lease.step
    numbers = itertools.count(1)

    def step(self: Lease, **options: Any) -> Any:
        if not seam.taken_over and next(numbers) == at:
            seam()
        return whole(self, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Lease, "step", step)
        yield


def start_anew(shop: Shop) -> None:
    for rows in (StatusChange, Order, Client, Upload, UploadJob, ApiCall, AgreedStatus, StepState):
        rows.objects.all().delete()
    for kept in (shop.site.orders, shop.site.uploadings, shop.site.faults):
        kept.all().delete()
    shop.site.customers.all().delete()
    shop.site.statuses.all().delete()
    for name, _bytes in list(_files("uploads")):
        default_storage.delete(name)


def a_refused_row(shop: Shop) -> None:
    """A late status with the repeated state after it, a file cut in halves, a rejected row."""
    shop.push("F-1", "a3", at=5)
    StatusChange.objects.update(delivery="delivered")
    shop.push("F-1", "a1")
    shop.push("F-2", "a1")
    shop.fault("refuse_row", order_id="F-2", count=None, location=False)


def a_lost_answer(shop: Shop) -> None:
    shop.push("F-1", "a1")
    shop.fault("cut_after")


def a_lost_request(shop: Shop) -> None:
    shop.push("F-1", "a1")
    shop.fault("cut_before")


def a_passing_fault(shop: Shop) -> None:
    shop.push("F-1", "a1")
    shop.fault("server_error")


def a_refused_token(shop: Shop) -> None:
    """Once; the other worker's calls are accepted."""
    shop.push("F-1", "a1")
    shop.fault("bad_token")


def run_suspended(shop: Shop, job: UploadJob, monkeypatch: pytest.MonkeyPatch, step: int) -> bool:
    """True if the first worker came as far as this step."""
    seam = Seam(shop, job)
    with standing_still(monkeypatch, at=step, seam=seam):
        for _turn in range(50):
            run_job(job.pk)
            job.refresh_from_db()
            if seam.taken_over or job.state not in (JobState.QUEUED, JobState.RUNNING):
                break
    if seam.taken_over:
        seam.check()
    return seam.taken_over


@pytest.mark.parametrize(
    ("story", "fewest"),
    [(a_refused_row, 16), (a_lost_answer, 6), (a_lost_request, 7), (a_passing_fault, 6), (a_refused_token, 4)],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_worker_that_comes_back_before_any_step_writes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, quick: Any, story: Callable[[Shop], None], fewest: int
) -> None:
    quick.UPLOAD_UNKNOWN_SECONDS = 0.05
    for step in itertools.count(1):
        start_anew(shop)
        Counter.objects.filter(pk=shop.counter.pk).update(known_address="")
        story(shop)
        if not run_suspended(shop, shop.ask(), monkeypatch, step):
            assert step > fewest, "the work has fewer steps than it should"
            return
        account = MetricaAccount.objects.get(pk=shop.counter.account_id)
        # The one refusal either met the first worker, who came too late with it, or the other one.
        assert story is a_refused_token or account.state == AccountState.CONNECTED
        MetricaAccount.objects.update(state=AccountState.CONNECTED, state_reason="")


def test_the_same_in_detailed_mode(make_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statuses are told to Metrica, clients go before their orders."""
    shop = make_shop(mode="detailed")
    for step in itertools.count(1):
        start_anew(shop)
        Counter.objects.filter(pk=shop.counter.pk).update(known_address="", first_clients_at=None)
        set_status(counter=shop.counter, crm_status="Lead", type="IN_PROGRESS")
        shop.push("F-1", "Lead", client_uniq_id="C-1")
        if not run_suspended(shop, shop.ask(), monkeypatch, step):
            assert step > 10, "the work has fewer steps than it should"
            return


@pytest.mark.parametrize("place", [before, after], ids=["before", "after"])
def test_a_file_that_is_being_written_leaves_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch, place: Any) -> None:
    """The planner's file: the next owner makes one of its own, under a name of its own."""
    shop.push("W-1", "a1")
    job = shop.ask()
    seam = Seam(shop, job)
    place(monkeypatch, files.Draft, "keep", seam)
    run_job(job.pk)
    seam.check()
    assert shop.arrived("W-1") == ["a1"]


@pytest.mark.parametrize("number", [2, 3], ids=["the first half", "the second half"])
@pytest.mark.parametrize("place", [before, after], ids=["before", "after"])
def test_two_who_divide_one_file_write_different_files(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, place: Any, number: int
) -> None:
    shop.push("W-1", "a1")
    shop.push("W-2", "a1")
    shop.fault("refuse_row", order_id="W-2", count=None, location=False)
    job = shop.ask()
    seam = Seam(shop, job)
    calls = itertools.count(1)
    place(monkeypatch, files.Draft, "keep", lambda: seam() if next(calls) == number else None)
    run_job(job.pk)
    seam.check()
    assert shop.states("W-1") == [("a1", "delivered")]
    assert shop.states("W-2") == [("a1", "rejected")]


@pytest.mark.parametrize(
    ("owner", "name"),
    [(formats, "upload"), (sender.metrica_client, ""), (files, "plain")],
    ids=["before the call", "before its client", "before the file is read"],
)
def test_who_has_lost_the_job_sends_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Up to the step that counts the attempt, which is the last thing before the call."""
    shop.push("S-1", "a1")
    job = shop.ask()
    seam = Seam(shop, job)
    if name:
        before(monkeypatch, owner, name, seam)
    else:
        before(monkeypatch, sender, "metrica_client", seam)
    run_job(job.pk)
    seam.check()
    assert len(shop.received()) == 1


def test_who_was_stopped_for_longer_than_a_call_may_take_sends_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after the attempt was counted, on the way to the first byte: the call's own time is over by then."""
    shop.push("S-2", "a1")
    job = shop.ask()
    seam = Seam(shop, job)
    seconds = transport._seconds

    def wake_late() -> None:
        if not seam.taken_over:
            seam()
            monkeypatch.setattr(transport, "_seconds", lambda: seconds() + 3600)

    after(monkeypatch, ApiCall.objects, "create", wake_late)
    run_job(job.pk)
    seam.check()
    assert len(shop.received()) == 1
    [late] = ApiCall.objects.filter(method="POST", error_code="not_sent")
    assert late.outcome == "transient"


def test_where_the_very_clocks_stood_still_the_present_state_goes_once_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that was frozen, clocks and all, sends an old state after its successor's newer ones. Nobody can call
    that back; but the order's present state follows it (R4)."""
    shop.push("S-3", "a1", "a2")
    shop.push("S-4", "a1")
    job = shop.ask()
    seam = Seam(shop, job)
    after(monkeypatch, ApiCall.objects, "create", seam)
    run_job(job.pk)
    assert shop.arrived("S-3") == ["a1", "a2", "a1"]
    [entry] = AuditEntry.objects.filter(action="upload.came_after_all")
    assert entry.details["repeated"] == 2
    [first] = shop.uploads(wave=1)
    assert (first.state, first.attempts) == (UploadState.PASSED, 2), "the worker that came back has settled it"
    assert shop.upload().state == JobState.SUCCEEDED
    assert shop.arrived("S-3") == ["a1", "a2", "a1", "a2"]
    assert shop.arrived("S-4")[-1] == "a1"


@pytest.mark.parametrize("name", ["look_up", "metrica_client"])
@pytest.mark.parametrize("place", [before, after], ids=["before", "after"])
def test_who_looks_an_upload_up_for_too_long_decides_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, place: Any, name: str
) -> None:
    shop.push("L-1", "a1", "a2")
    shop.fault("cut_after")
    job = shop.ask()
    seam = Seam(shop, job)
    place(monkeypatch, reconciler, name, seam)
    for _turn in range(10):
        if not seam.taken_over:
            run_job(job.pk)
    seam.check()
    assert shop.arrived("L-1") == ["a1", "a2"]


def test_a_refusal_of_the_token_that_comes_too_late_disconnects_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next owner's calls were accepted with that very token."""
    shop.push("T-1", "a1")
    shop.fault("bad_token")
    job = shop.ask()
    seam = Seam(shop, job)
    before(monkeypatch, sender, "disconnect", seam)
    run_job(job.pk)
    seam.check()
    account = MetricaAccount.objects.get(pk=shop.counter.account_id)
    assert account.state == AccountState.CONNECTED
    assert shop.all_delivered()


@pytest.mark.parametrize("number", [1, 2], ids=["looking", "reading back"])
@pytest.mark.parametrize("place", [before, after], ids=["before", "after"])
def test_what_was_agreed_with_metrica_is_not_noted_too_late(
    make_shop: Any, monkeypatch: pytest.MonkeyPatch, place: Any, number: int
) -> None:
    """Between its calls about statuses, a worker loses the job; meanwhile a person maps another goal, which the next
    owner tells Metrica."""
    from apps.goals import status_sync

    shop = make_shop(mode="detailed")
    set_status(counter=shop.counter, crm_status="Lead", type="OTHER", goal_action_ids=["a1"])
    shop.push("M-1", "Lead", client_uniq_id="C-1")
    job = shop.ask()
    seam = Seam(shop, job)
    calls = itertools.count(1)

    def meanwhile() -> None:
        if not seam.taken_over and next(calls) == number:
            set_status(counter=shop.counter, crm_status="Lead", type="OTHER", goal_action_ids=["a2"])
            seam()

    place(monkeypatch, status_sync, "_theirs", meanwhile)
    run_job(job.pk)
    seam.check()
    # Where the first had told Metrica the old goal already, the next owner leaves the choice to a person.
    assert list(AgreedStatus.objects.values_list("goal_action_ids", flat=True)) in ([["a2"]], [])


def test_attributes_are_not_noted_too_late(make_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.counters.declaring import set_attributes

    shop = make_shop(mode="detailed")
    set_attributes(counter=shop.counter, attributes=[{"entity": "ORDER", "name": "city", "type": "text"}])
    shop.push("M-2", "IN_PROGRESS", client_uniq_id="C-1")
    job = shop.ask()
    seam = Seam(shop, job)

    def meanwhile() -> None:
        """The job ends; then the counter moves to another Metrica, which knows nothing yet."""
        if not seam.taken_over:
            seam()
            schema.declaring.nothing_sent(counter=shop.counter)
            seam.after = everything(shop)

    after(monkeypatch, MetricaClient, "create_attributes", meanwhile)
    run_job(job.pk)
    seam.check()


def test_a_job_that_is_put_back_too_late_stays_with_its_owner(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The turn of the first is over just as another has taken the job: the lease is not its own any more."""
    monkeypatch.setattr("apps.uploads.pacing.TURN_SECONDS", -1.0)
    shop.push("P-1", "a1")
    job = shop.ask()
    taken: list[Lease] = []

    def take() -> None:
        if not taken:
            expire()
            lease = claim(job.pk)
            assert lease is not None
            taken.append(lease)

    before(monkeypatch, Lease, "release", take)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.lease_until is not None, "the first let go of what is not its own"
    with taken[0].step():
        pass


def test_a_step_that_is_under_way_is_waited_for(shop: Shop) -> None:
    """Whoever wants the job meanwhile gets it only if the step did not renew the lease."""
    shop.push("Q-1", "a1")
    job = shop.ask()
    first = claim(job.pk)
    assert first is not None
    expire()
    got: list[Lease | None] = []

    def other() -> None:
        try:
            got.append(claim(job.pk))
        finally:
            connections.close_all()

    thread = threading.Thread(target=other)
    with first.step():
        thread.start()
        thread.join(0.2)
        assert thread.is_alive(), "the job was taken from within a step"
    thread.join(10)
    assert got == [None]
    first.extend(seconds=0)


class TestClocks:
    """Machines whose clocks differ: what decides who may write is told and read on one clock."""

    @pytest.fixture
    def hours_off(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
        """This machine's clock goes wrong by so many hours."""
        real = timezone.now

        def set_off(hours: float) -> None:
            monkeypatch.setattr(timezone, "now", lambda: real() + timedelta(hours=hours))

        return set_off

    @pytest.mark.parametrize("hours", [-5, 5])
    def test_a_machine_that_is_ahead_or_behind_takes_no_job_from_a_living_worker(
        self, shop: Shop, hours_off: Callable[[float], None], hours: float
    ) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("SQLite serves one machine, which has one clock")
        shop.push("C-1", "a1")
        job = shop.ask()
        owner = claim(job.pk)
        assert owner is not None
        hours_off(hours)
        assert claim(job.pk) is None, "a living worker's job was taken"
        assert heartbeats.job_in_hand()
        owner.extend(seconds=0)
        job.refresh_from_db()
        assert job.lease_until is not None
        assert abs((job.lease_until - clock.now()).total_seconds()) < 200, "the lease is told on the wrong clock"
        expire_in_database(job)
        assert not heartbeats.job_in_hand()
        assert claim(job.pk) is not None, "a dead worker's job was not taken"
        with pytest.raises(LeaseLost), owner.step():
            pass

    @pytest.mark.parametrize("hours", [-5, 5])
    def test_an_upload_is_found_whatever_this_machine_s_clock_shows(
        self, shop: Shop, hours_off: Callable[[float], None], hours: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Sent by a machine whose clock is right, looked up by one whose clock is wrong."""
        if connection.vendor != "postgresql":
            pytest.skip("SQLite serves one machine, which has one clock")
        shop.push("C-2", "a1")
        shop.fault("cut_after")
        job = shop.ask()
        before(monkeypatch, sender.settle, "unknown", lambda: hours_off(hours))
        run_job(job.pk)
        job.refresh_from_db()
        if job.state != JobState.SUCCEEDED:
            UploadJob.objects.update(not_before=None)
            Upload.objects.update(not_before=None)
            run_job(job.pk)
        assert (shop.sends(), shop.all_delivered()) == (1, True)


def expire_in_database(job: UploadJob) -> None:
    UploadJob.objects.filter(pk=job.pk).update(lease_until=clock.ahead(-1))


def test_leases_module_uses_one_clock(shop: Shop) -> None:
    """The lease that a claim writes ends so many seconds from now on the database's clock."""
    shop.push("C-3", "a1")
    job = shop.ask()
    assert claim(job.pk) is not None
    job.refresh_from_db()
    assert job.lease_until is not None
    left = (job.lease_until - clock.now()).total_seconds()
    assert left == pytest.approx(leases.settings.UPLOAD_LEASE_SECONDS, abs=2)
