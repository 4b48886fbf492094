"""What becomes of a file when Metrica does not simply take it (R6, R7, R8)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.counters.models import AccountState, ApiCall
from apps.counters.services import connect_account
from apps.orders.models import Delivery, StatusChange
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxToken
from apps.uploads.models import JobState, Upload, UploadState
from apps.uploads.problems import describe
from apps.uploads.runner import run_job
from tests.uploads.conftest import Shop


@pytest.mark.parametrize("kind", ["quota_429", "quota_420", "server_error"])
def test_a_passing_fault_is_waited_out_with_the_same_file(shop: Shop, kind: str) -> None:
    shop.push("T-1", "a1")
    shop.fault(kind, count=3, retry_after=0)
    job = shop.upload()
    [upload] = shop.uploads()
    assert (job.state, job.error_code) == (JobState.SUCCEEDED, "")
    assert (upload.attempts, upload.state, upload.error_code) == (4, UploadState.PASSED, "")
    assert shop.arrived("T-1") == ["a1"]


def test_metricas_own_word_on_waiting_wins(shop: Shop) -> None:
    shop.push("T-2", "a1")
    shop.fault("quota_429", retry_after=600)
    job = shop.ask()
    run_job(job.pk)
    job.refresh_from_db()
    [upload] = shop.uploads()
    assert (job.state, job.error_code, job.lease_until) == (JobState.RUNNING, "quota_requests_by_uid", None)
    assert job.not_before == upload.not_before
    assert timedelta(seconds=590) < job.not_before - timezone.now() < timedelta(seconds=610)
    run_job(job.pk)
    assert shop.sends() == 1, "it was taken up before its time"


def test_a_fault_that_does_not_pass_ends_the_job_and_frees_the_changes(shop: Shop, quick: object) -> None:
    quick.UPLOAD_MAX_ATTEMPTS = 3  # type: ignore[attr-defined]
    shop.push("T-3", "a1", "a2")
    shop.fault("server_error", count=None)
    job = shop.upload()
    [upload] = shop.uploads()
    assert (job.state, job.error_code, upload.state, upload.attempts) == (
        JobState.FAILED,
        "backend_error",
        UploadState.FAILED,
        3,
    )
    assert shop.states("T-3") == [("a1", "waiting"), ("a2", "waiting")]
    sandbox.clear_faults()
    assert shop.upload().state == JobState.SUCCEEDED
    assert shop.arrived("T-3") == ["a1", "a2"]


def test_a_refused_token_disconnects_the_account_and_holds_the_changes(shop: Shop) -> None:
    shop.push("A-1", "a1")
    shop.fault("bad_token", count=None)
    job = shop.upload()
    account = shop.counter.account
    assert account is not None
    account.refresh_from_db()
    assert (job.state, job.error_code) == (JobState.FAILED, "invalid_token")
    assert account.state == AccountState.DISCONNECTED
    change = StatusChange.objects.get(order__order_id="A-1")
    assert (change.delivery, change.hold_reason) == (Delivery.HELD, "account_disconnected")
    problem = describe(job.error_code)
    assert problem is not None and "again" in str(problem.next_step)
    assert shop.sends() == 1


def test_a_token_that_was_replaced_meanwhile_is_not_thrown_away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person connects the account anew while the call with the old token is under way: the new one serves then."""
    shop.push("A-2", "a1")
    account = shop.counter.account
    assert account is not None
    SandboxToken.objects.create(token="new", login=shop.site.owner_login)
    shop.fault("bad_token")
    started = ApiCall.objects.create

    def replace(**fields: object) -> ApiCall:
        monkeypatch.setattr(ApiCall.objects, "create", started)
        connect_account(agency=account.agency, login=account.login, token="new", base_url=account.base_url)
        return started(**fields)

    monkeypatch.setattr(ApiCall.objects, "create", replace)
    job = shop.upload()
    account.refresh_from_db()
    assert account.state == AccountState.CONNECTED
    assert (job.state, shop.states("A-2")) == (JobState.SUCCEEDED, [("a1", "delivered")])


def test_no_right_to_the_counter_ends_the_job_but_keeps_the_account(shop: Shop) -> None:
    shop.push("A-3", "a1")
    shop.site.owner_login = "somebody else"
    shop.site.save()
    job = shop.upload()
    assert (job.state, job.error_code) == (JobState.FAILED, "access_denied")
    assert shop.states("A-3") == [("a1", "waiting")]
    account = shop.counter.account
    assert account is not None
    account.refresh_from_db()
    assert account.state == AccountState.CONNECTED


def test_a_counter_that_metrica_does_not_know_ends_the_job(shop: Shop) -> None:
    shop.push("A-4", "a1")
    shop.site.metrica_id += 5_000_000
    shop.site.save()
    job = shop.upload()
    assert (job.state, job.error_code) == (JobState.FAILED, "not_found")
    assert shop.states("A-4") == [("a1", "waiting")]


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("bad", [1, 2, 5])
def test_bad_rows_stand_alone_and_the_rest_goes_through(shop: Shop, rows: int, bad: int) -> None:
    bad = min(rows, bad)
    for number in range(rows):
        shop.push(f"B-{number}", "a1")
        if number >= rows - bad:
            shop.fault("refuse_row", order_id=f"B-{number}", count=None)
    job = shop.upload()
    assert (job.state, job.delivered, job.rejected) == (JobState.PARTLY_FAILED, rows - bad, bad)
    for number in range(rows):
        is_bad = number >= rows - bad
        assert shop.states(f"B-{number}") == [("a1", "rejected" if is_bad else "delivered")]
        assert shop.arrived(f"B-{number}") == ([] if is_bad else ["a1"])
    change = StatusChange.objects.filter(delivery=Delivery.REJECTED).first()
    assert change is not None
    assert change.reject_code == "invalid_uploading"
    assert "The row is not valid." in change.reject_message, "Metrica's own words are missing"


def test_a_refused_file_keeps_its_bytes_and_its_halves_are_cut_from_it(shop: Shop) -> None:
    for number in range(9):
        shop.push(f"C-{number}", "a1", client_uniq_id=f'Anna "№{number}", Ltd')
    shop.fault("refuse_row", order_id="C-4", count=None, location=False)
    shop.upload()
    for parent in shop.uploads(parts__isnull=False, state=UploadState.REFUSED):
        first, second = parent.parts.order_by("pk")
        assert first.rows + second.rows == parent.rows
        header, rest = _body(first).split(b"\r\n", 1)
        assert header + b"\r\n" + rest + _body(second).split(b"\r\n", 1)[1] == _body(parent)
    assert [upload.rows for upload in Upload.objects.filter(parent__isnull=False)] == [4, 5, 2, 3, 1, 1]


def _body(upload: Upload) -> bytes:
    from apps.uploads import files

    with files.plain(upload) as file:
        body = file.read()
    assert len(body) == upload.bytes
    return body


def test_a_file_called_failed_is_split_as_well(shop: Shop) -> None:
    shop.push("D-1", "a1")
    shop.push("D-2", "a1")
    shop.fault("failed")
    job = shop.upload()
    assert job.state == JobState.SUCCEEDED
    assert [upload.state for upload in shop.uploads()] == ["refused", "passed", "passed"]


def test_splitting_ends_where_everything_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cause that spoils every row must not become a request for each row."""
    monkeypatch.setattr("apps.uploads.splitter.MAX_REFUSED_FILES", 6)
    for number in range(40):
        shop.push(f"E-{number}", "a1")
    shop.fault("refuse_row", contains="E-", count=None)
    job = shop.upload()
    assert (job.state, job.error_code) == (JobState.FAILED, "too_many_refused")
    assert shop.sends() <= 8
    changes = StatusChange.objects.filter(counter=shop.counter)
    assert changes.filter(delivery=Delivery.REJECTED).count() == job.rejected
    assert not changes.filter(delivery=Delivery.SENDING).exists()


def test_a_repeated_state_that_is_refused_stays_delivered(shop: Shop) -> None:
    shop.push("R-1", "a3", at=5)
    shop.upload()
    shop.push("R-1", "a1")
    shop.fault("refuse_row", contains="a3", count=None)
    job = shop.upload()
    assert shop.states("R-1") == [("a1", "delivered"), ("a3", "delivered")]
    assert (job.state, job.error_code) == (JobState.PARTLY_FAILED, "resend_refused")
    assert not shop.order("R-1").resend_due, "it would be tried for ever"


def test_a_paused_counter_sends_nothing_and_its_changes_say_why(shop: Shop) -> None:
    from apps.counters.services import pause

    shop.push("P-1", "a1")
    pause(counter=shop.counter, reason="holidays")
    job = shop.upload()
    assert (job.state, job.error_code) == (JobState.FAILED, "counter_paused")
    assert shop.states("P-1") == [("a1", "held")]
    assert shop.sends() == 0


def test_a_kept_file_that_is_gone_ends_the_job_and_the_next_writes_it_anew(shop: Shop) -> None:
    from apps.uploads import files

    shop.push("G-1", "a1")
    shop.fault("server_error", retry_after=600)
    job = shop.ask()
    run_job(job.pk)
    [upload] = shop.uploads()
    files.forget(upload.file)
    Upload.objects.update(not_before=None)
    type(job).objects.update(not_before=None)
    job = shop.upload(job)
    assert (job.state, job.error_code) == (JobState.FAILED, "file_missing")
    assert shop.upload().state == JobState.SUCCEEDED
    assert shop.arrived("G-1") == ["a1"]


def test_every_outcome_leaves_an_audit_entry_with_counts(shop: Shop) -> None:
    shop.push("X-1", "a1")
    shop.push("X-2", "a1")
    shop.fault("refuse_row", order_id="X-2", count=None)
    job = shop.upload()
    entries = {entry.action: entry for entry in AuditEntry.objects.filter(action__startswith="upload")}
    assert {"upload_job.requested", "upload.split", "upload.passed", "upload.refused", "upload_job.finished"} <= set(
        entries
    )
    passed = entries["upload.passed"].details
    [upload] = shop.uploads(state=UploadState.PASSED)
    assert (passed["rows"], passed["sha256"], passed["job"]) == (1, upload.sha256, str(job.pk))
    assert entries["upload_job.finished"].details["rejected"] == 1
