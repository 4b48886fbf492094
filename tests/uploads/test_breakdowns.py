"""A worker may die between any two steps, one thought dead may come back: nothing is lost and nothing doubled."""

import contextlib
import itertools
from collections.abc import Iterator

import pytest
from django.db import connection

from apps.counters.models import ApiCall
from apps.orders.models import Delivery, Order, StatusChange
from apps.uploads import lease as leases
from apps.uploads import settle
from apps.uploads.lease import Lease, LeaseLost, claim
from apps.uploads.models import JobState, Upload, UploadJob, UploadState
from apps.uploads.planner import plan_file
from apps.uploads.runner import MOST_BREAKDOWNS, run_job
from tests.uploads.conftest import Shop


class Killed(BaseException):
    """The process is gone: no handler of ours runs to its end."""


@contextlib.contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, *, at: int, committed: bool) -> Iterator[list[int]]:
    """Die in the `at`-th step of the work, right before or right after its commit. Yields [steps that there were]."""
    whole_step = Lease.step
    numbers = itertools.count(1)
    taken = [0]

    @contextlib.contextmanager
    def step(self: Lease, **options: float) -> Iterator[None]:
        number = taken[0] = next(numbers)
        with whole_step(self, **options):
            yield
            if number == at and not committed:
                raise Killed
        if number == at:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Lease, "step", step)
        yield taken


def die_once(shop: Shop, job: UploadJob, monkeypatch: pytest.MonkeyPatch, *, at: int, committed: bool) -> bool:
    """True if the job had so many steps that the worker died."""
    try:
        with dying(monkeypatch, at=at, committed=committed):
            shop.upload(job)
    except Killed:
        # The lease of a dead worker runs out.
        UploadJob.objects.filter(state=JobState.RUNNING).update(lease_until=leases.timezone.now())
        return True
    return False


STORIES = {
    "a plain file": [],
    "a refused row": [("refuse_row", {"order_id": "K-2", "count": None})],
    "a lost answer": [("cut_after", {})],
    "a lost request": [("cut_before", {})],
    "a passing fault": [("server_error", {})],
}


@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
@pytest.mark.parametrize("story", STORIES)
def test_a_worker_may_die_at_every_step(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, quick: object, story: str, committed: bool
) -> None:
    quick.UPLOAD_UNKNOWN_SECONDS = 0.05  # type: ignore[attr-defined]
    for step in itertools.count(1):
        start_anew(shop)
        shop.push("K-1", "a3", at=5)
        StatusChange.objects.update(delivery=Delivery.DELIVERED)
        shop.push("K-1", "a1", "a2")  # late ones: the state must be repeated
        shop.push("K-2", "a1")
        shop.push("K-3", "a1", "a2")
        for kind, parameters in STORIES[story]:
            shop.fault(kind, **parameters)
        job = shop.ask()
        died = die_once(shop, job, monkeypatch, at=step, committed=committed)
        shop.upload(job)
        job.refresh_from_db()
        refused = story == "a refused row"
        assert job.state == (JobState.PARTLY_FAILED if refused else JobState.SUCCEEDED), (step, job.error_code)
        # What had arrived is found in Metrica's list and not sent again.
        assert shop.arrived("K-1") == ["a1", "a2", "a3"], step
        assert shop.arrived("K-2") == ([] if refused else ["a1"]), step
        assert shop.arrived("K-3") == ["a1", "a2"], step
        assert shop.states("K-2") == [("a1", "rejected" if refused else "delivered")], step
        assert shop.states("K-1") == [("a1", "delivered"), ("a2", "delivered"), ("a3", "delivered")], step
        assert not Upload.objects.unsettled().exists()
        if not died:
            assert step > 8, "the work has fewer steps than it should"
            return


def start_anew(shop: Shop) -> None:
    """Neither here nor in the sandbox is anything left of the last run."""
    for rows in (StatusChange, Order, Upload, UploadJob, ApiCall):
        rows.objects.all().delete()
    for rows in (shop.site.orders, shop.site.uploadings, shop.site.faults):
        rows.all().delete()


def test_a_worker_that_comes_back_writes_nothing(shop: Shop) -> None:
    shop.push("Z-1", "a1")
    job = shop.ask()
    old = claim(job.pk)
    assert old is not None
    job.refresh_from_db()
    plan = plan_file(lease=old, job=job, counter=shop.counter)
    upload = Upload.objects.get(pk=plan.upload_id)
    UploadJob.objects.update(lease_until=leases.timezone.now())
    new = claim(job.pk)
    assert new is not None and new.fence == old.fence + 1
    before = list(Upload.objects.values()), list(StatusChange.objects.values())
    with pytest.raises(LeaseLost):
        settle.given_up(lease=old, upload=upload, counter=shop.counter, code="interrupted", message="")
    shop.push("Z-1", "a2", at=1)
    Upload.objects.update(state=UploadState.FAILED)
    before = list(Upload.objects.values()), list(StatusChange.objects.values())
    with pytest.raises(LeaseLost):
        plan_file(lease=old, job=job, counter=shop.counter)
    old.release()
    assert (list(Upload.objects.values()), list(StatusChange.objects.values())) == before
    job.refresh_from_db()
    assert job.lease_until is not None, "the old worker let go of what is not its own"
    with new.step():
        pass


def test_one_owner_at_a_time(shop: Shop) -> None:
    shop.push("Z-2", "a1")
    job = shop.ask()
    assert claim(job.pk) is not None
    assert claim(job.pk) is None
    other = shop.ask()
    assert other.pk != job.pk
    assert claim(other.pk) is None, "two jobs of one counter ran at once"
    other.refresh_from_db()
    assert other.state == JobState.QUEUED


def test_a_half_written_file_is_given_up_and_its_bytes_are_removed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.files.storage import default_storage

    shop.push("Z-3", "a1")
    job = shop.ask()
    assert die_once(shop, job, monkeypatch, at=3, committed=False)  # the first notes the address of Metrica
    [upload] = shop.uploads()
    assert (upload.state, upload.file, shop.states("Z-3")) == (UploadState.PREPARED, "", [("a1", "sending")])
    shop.upload(job)
    first, second = shop.uploads()
    assert (first.state, first.error_code, second.state) == (UploadState.FAILED, "interrupted", UploadState.PASSED)
    assert default_storage.exists(second.file)
    directory = second.file.rpartition("/")[0]
    assert default_storage.listdir(directory)[1] == [second.file.rpartition("/")[2]]


def test_what_nobody_foresaw_is_tried_again_and_in_the_end_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_options: object) -> None:
        raise RuntimeError("what nobody foresaw")

    shop.push("Z-4", "a1")
    with monkeypatch.context() as patch:
        patch.setattr("apps.uploads.runner.plan_file", broken)
        job = shop.ask()
        for _turn in range(MOST_BREAKDOWNS + 1):
            UploadJob.objects.filter(state=JobState.RUNNING).update(not_before=None)
            run_job(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == (JobState.FAILED, "internal_error")
    assert shop.states("Z-4") == [("a1", "waiting")]
    assert shop.upload().state == JobState.SUCCEEDED


def test_a_stopped_worker_is_not_held_up(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """django-q2 stops a task by an exception that is no Exception: nothing here may catch it."""
    from django_q.exceptions import TimeoutException

    def out_of_time(**_options: object) -> None:
        raise TimeoutException("out of time")

    shop.push("Z-5", "a1")
    job = shop.ask()
    with monkeypatch.context() as patch:
        patch.setattr("apps.uploads.runner.plan_file", out_of_time)
        with pytest.raises(TimeoutException):
            run_job(job.pk)
    UploadJob.objects.update(lease_until=leases.timezone.now())
    assert shop.upload(job).state == JobState.SUCCEEDED


def test_a_connection_that_breaks_costs_no_more_than_a_short_wait(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is put back by another connection, instead of waiting until its lease runs out."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no server that could end a connection")
    shop.push("B-C", "a1")
    job = shop.ask()

    def cut_off(**_named: object) -> None:
        connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr("apps.uploads.runner.plan_file", cut_off)
        try:
            run_job(job.pk)
        finally:
            connection.close()
    job.refresh_from_db()
    assert (job.state, job.lease_until, job.breakdowns) == (JobState.RUNNING, None, 1)
    assert shop.upload(job).delivered == 1
