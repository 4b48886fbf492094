"""R6: after a cut connection first look, then adopt or send the same bytes again; never blindly."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.counters.models import ApiCall
from apps.orders.models import Delivery, StatusChange
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxUploading
from apps.uploads import heartbeats, scheduler
from apps.uploads.models import JobState, Upload, UploadJob, UploadState
from apps.uploads.runner import run_job
from tests.uploads.conftest import Shop


def looks(shop: Shop) -> int:
    return ApiCall.objects.filter(counter=shop.counter, url__contains="last_uploadings").count()


def test_an_upload_that_arrived_is_adopted_and_not_sent_again(shop: Shop) -> None:
    shop.push("U-1", "a1", "a2")
    shop.fault("cut_after")
    job = shop.upload()
    assert (job.state, job.delivered) == (JobState.SUCCEEDED, 2)
    first, _second = shop.uploads()
    assert (first.state, first.attempts) == (UploadState.PASSED, 1)
    assert first.uploading_id == str(shop.received()[0].uuid)
    assert (shop.sends(), looks(shop)) == (2, 1)
    assert shop.arrived("U-1") == ["a1", "a2"]
    assert AuditEntry.objects.filter(action="upload.adopted", object_id=str(first.pk)).exists()


def test_an_upload_that_did_not_arrive_goes_again_with_the_same_bytes(shop: Shop) -> None:
    shop.push("U-2", "a1")
    shop.fault("cut_before")
    job = shop.upload()
    [upload] = shop.uploads()
    [received] = shop.received()
    assert (job.state, upload.state, upload.attempts) == (JobState.SUCCEEDED, UploadState.PASSED, 2)
    assert received.sha256 == upload.sha256
    assert looks(shop) >= 1
    assert AuditEntry.objects.filter(action="upload.sent_again").exists()


def test_it_is_looked_for_until_it_may_no_longer_appear(shop: Shop, quick: object) -> None:
    """The list of uploads may be behind: several looks over UPLOAD_UNKNOWN_SECONDS before anything goes again."""
    quick.UPLOAD_UNKNOWN_SECONDS = 2.0  # type: ignore[attr-defined]
    shop.push("U-3", "a1")
    shop.fault("cut_before")
    shop.upload()
    first, second = ApiCall.objects.filter(counter=shop.counter, method="POST").order_by("started_at")
    assert (second.started_at - first.started_at).total_seconds() >= 2.0
    assert looks(shop) >= 3


def test_what_metrica_is_still_at_when_we_stop_waiting_is_not_sent_beside_it(shop: Shop, quick: object) -> None:
    """R4: both would come, and the first one perhaps after the order's next status."""
    quick.METRICA_TIMEOUT_SECONDS = 1.2  # type: ignore[attr-defined]
    quick.UPLOAD_UNKNOWN_SECONDS = 0.9  # type: ignore[attr-defined]
    shop.push("U-L", "a1", "a2")
    shop.fault("latency", seconds=1.7, endpoint="upload")
    shop.upload()
    assert shop.arrived("U-L") == ["a1", "a2"]
    first, _second = shop.uploads()
    assert (first.attempts, first.state) == (1, UploadState.PASSED)


def test_an_upload_that_appears_late_is_adopted(shop: Shop, quick: object, monkeypatch: pytest.MonkeyPatch) -> None:
    quick.UPLOAD_UNKNOWN_SECONDS = 30.0  # type: ignore[attr-defined]
    shop.push("U-4", "a1")
    shop.fault("cut_after")
    job = shop.ask()
    shop.fault("server_error", endpoint="last_uploadings", count=2)
    job = shop.upload(job)
    assert (job.state, shop.sends()) == (JobState.SUCCEEDED, 1)


def test_an_upload_of_others_is_never_taken_for_ours(shop: Shop) -> None:
    """Another program sends a file of the same length: it came before ours, or there are two that fit."""
    shop.push("U-5", "a1")
    for _number in range(2):
        SandboxUploading.objects.create(
            counter=shop.site, received_at=timezone.now(), status="PASSED", elements_count=1, merge_mode="SAVE"
        )
    shop.fault("cut_before")
    job = shop.upload()
    assert job.state == JobState.SUCCEEDED
    assert shop.arrived("U-5") == ["a1"], "the order was lost"
    assert shop.sends() == 2


def test_an_older_upload_of_the_same_length_is_not_ours(shop: Shop) -> None:
    SandboxUploading.objects.create(
        counter=shop.site,
        received_at=timezone.now() - timedelta(minutes=10),
        status="PASSED",
        elements_count=1,
        merge_mode="SAVE",
    )
    shop.push("U-6", "a1")
    shop.fault("cut_before")
    shop.upload()
    assert shop.arrived("U-6") == ["a1"]


def test_our_own_earlier_uploads_are_not_taken_twice(shop: Shop) -> None:
    shop.push("U-7", "a1")
    shop.upload()
    shop.push("U-8", "a1")
    shop.fault("cut_before")
    shop.upload()
    assert shop.arrived("U-8") == ["a1"]
    assert len(shop.received()) == 2


def test_what_failed_is_sent_again_so_that_the_answer_says_why(shop: Shop) -> None:
    """FAILED in the list, the answer lost: the bytes go once more and are split by what comes back."""
    shop.push("U-9", "a1")
    shop.push("U-10", "a1")
    shop.fault("failed")
    shop.fault("cut_after")
    job = shop.upload()
    assert job.state == JobState.SUCCEEDED
    assert shop.arrived("U-9") == shop.arrived("U-10") == ["a1"]


def test_the_list_is_read_page_by_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours lies behind a page of others that came in the same moment."""
    monkeypatch.setattr("apps.uploads.reconciler.MAX_UPLOADINGS_PER_PAGE", 2)
    from apps.metrica.client import MetricaClient

    whole = MetricaClient.last_uploadings
    monkeypatch.setattr(
        MetricaClient,
        "last_uploadings",
        lambda client, counter_id, *, before=None: whole(client, counter_id, limit=2, before=before),
    )
    shop.push("U-11", "a1")
    shop.fault("cut_after")
    job = shop.ask()
    run_job(job.pk)  # finds it at once: nothing else is there
    shop.push("U-12", "a1")
    shop.fault("cut_after")
    shop.fault("latency", endpoint="last_uploadings", seconds=0)
    for seconds in range(5):
        SandboxUploading.objects.create(
            counter=shop.site,
            received_at=timezone.now() + timedelta(seconds=seconds * 10),
            status="PASSED",
            elements_count=77,
            merge_mode="SAVE",
        )
    job = shop.upload()
    assert (job.state, len(shop.arrived("U-12"))) == (JobState.SUCCEEDED, 1)
    assert shop.sends() == 2


def test_without_an_account_the_outcome_stays_open_until_there_is_one(shop: Shop) -> None:
    """A bad token while looking: the orders keep waiting for the answer, and later it is found (nothing goes twice)."""
    from apps.counters.services import connect_account
    from apps.orders import holds

    shop.push("U-13", "a1", "a2")
    shop.fault("cut_after")
    shop.fault("bad_token", endpoint="last_uploadings")
    job = shop.upload()
    account = shop.counter.account
    assert account is not None
    assert (job.state, job.error_code) == (JobState.FAILED, "invalid_token")
    assert shop.states("U-13") == [("a1", "sending"), ("a2", "held")]
    token = f"token-{shop.counter.metrica_id}"
    connect_account(agency=account.agency, login=account.login, token=token, base_url=account.base_url)
    holds.review(shop.counter)
    job = shop.upload()
    assert shop.arrived("U-13") == ["a1", "a2"]
    assert shop.all_delivered()
    assert shop.sends() == 2


def test_the_tick_finds_out_what_an_ended_job_left_open(shop: Shop) -> None:
    """Nobody asks for an upload any more, and still the outcome is not left open; nothing else is sent for it."""
    shop.push("U-14", "a1")
    shop.push("U-15", "a1", at=1)
    shop.fault("cut_after")
    shop.fault("server_error", endpoint="last_uploadings", retry_after=600)
    job = shop.ask(only_orders=[shop.order("U-14").pk])
    run_job(job.pk)
    from apps.uploads.services import cancel_job

    assert cancel_job(job=job)
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.state, shop.states("U-14")) == (JobState.CANCELLED, [("a1", "sending")])
    Upload.objects.update(not_before=None)
    heartbeats.beat("nobody")
    scheduler.tick()
    [follower] = UploadJob.objects.filter(state=JobState.QUEUED)
    shop.upload(follower)
    assert shop.states("U-14") == [("a1", "delivered")]
    assert shop.states("U-15") == [("a1", "waiting")]
    assert shop.sends() == 1


def test_an_outcome_that_stays_unknown_ends_the_job(shop: Shop, quick: object) -> None:
    quick.UPLOAD_MAX_ATTEMPTS = 3  # type: ignore[attr-defined]
    quick.UPLOAD_UNKNOWN_SECONDS = 0.05  # type: ignore[attr-defined]
    shop.push("U-16", "a1")
    shop.fault("cut_before", count=None)
    job = shop.upload()
    assert (job.state, job.error_code, shop.sends()) == (JobState.FAILED, "unknown_outcome", 3)
    assert shop.states("U-16") == [("a1", "waiting")]
    sandbox.clear_faults()
    shop.upload()
    assert StatusChange.objects.get().delivery == Delivery.DELIVERED
