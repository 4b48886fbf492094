"""R10, R6: what waits for Metrica's quotas, or for Metrica to answer at all, has not been tried."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.counters import breaker
from apps.counters.breaker import open_breakers
from apps.counters.models import ApiCall, Breaker, MetricaAccount, QuotaState
from apps.counters.quotas import places
from apps.counters.quotas.kinds import Call, Kind
from apps.counters.quotas.places import Place, reserve
from apps.counters.quotas.sharing import Caller, caller_of
from apps.counters.services import connect_account
from apps.sandbox import services as sandbox
from apps.uploads.models import JobState, Upload, UploadJob, UploadState
from apps.uploads.problems import describe
from apps.uploads.runner import run_job
from tests.factories import make_agency
from tests.uploads.conftest import Shop


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "WAIT_SECONDS", 0.0)


def account_of(shop: Shop) -> MetricaAccount:
    assert shop.counter.account_id is not None
    return MetricaAccount.objects.get(pk=shop.counter.account_id)


def fill(shop: Shop) -> list[Place]:
    """Take all places of the shop's login."""
    caller = caller_of(account_of(shop))
    return [reserve(caller=caller, call=Call(Kind.READ), seconds=60) for _number in range(3)]


def run(job: UploadJob) -> UploadJob:
    run_job(job.pk)
    job.refresh_from_db()
    return job


def due(job: UploadJob) -> None:
    """Its time has come."""
    UploadJob.objects.filter(pk=job.pk).update(not_before=None)


def reachable() -> None:
    """It is time to look again."""
    Breaker.objects.filter(opened_at__isnull=False).update(retry_at=timezone.now() - timedelta(seconds=1))


def test_a_job_without_a_place_is_put_back_and_nothing_of_it_counts(shop: Shop) -> None:
    shop.push("Q-1", "a1")
    held = fill(shop)
    job = run(shop.ask())
    [upload] = shop.uploads()
    assert (upload.state, upload.attempts, shop.sends()) == (UploadState.PREPARED, 0, 0)
    assert (job.state, job.error_code, job.breakdowns) == (JobState.RUNNING, "quota_place_login", 0)
    assert job.not_before is not None and job.lease_until is None
    assert timedelta(0) < job.not_before - timezone.now() < timedelta(seconds=10)
    problem = describe(job.error_code)
    assert problem is not None and "Nothing needs to be done" in str(problem.next_step)
    for place in held:
        place.release()
    due(job)
    assert run(job).state == JobState.SUCCEEDED
    [upload] = shop.uploads()
    assert (upload.attempts, job.error_code) == (1, "")


def test_a_day_that_is_used_up_is_waited_out(shop: Shop, settings: Any) -> None:
    settings.METRICA_CALLS_PER_DAY = 1
    shop.push("Q-2", "a1", "a2")
    job = run(shop.ask())
    assert (job.state, job.error_code) == (JobState.RUNNING, "quota_day_login")
    assert job.not_before is not None and job.not_before.hour == 0, "GMT"
    assert shop.arrived("Q-2") == ["a1"]
    assert [upload.attempts for upload in shop.uploads()] == [1, 0]
    settings.METRICA_CALLS_PER_DAY = 5000
    due(job)
    assert run(job).state == JobState.SUCCEEDED


def test_a_look_for_a_lost_upload_waits_as_well_and_nothing_is_sent_instead(shop: Shop) -> None:
    shop.push("Q-3", "a1")
    shop.fault("cut_after")
    shop.fault("server_error", endpoint="last_uploadings", retry_after=600)
    job = run(shop.ask())
    [upload] = shop.uploads()
    assert upload.state == UploadState.UNKNOWN
    lookups, held = upload.lookups, fill(shop)
    upload.not_before = None
    upload.save()
    due(job)
    assert run(job).error_code == "quota_place_login"
    [upload] = shop.uploads()
    assert (upload.state, upload.lookups, shop.sends()) == (UploadState.UNKNOWN, lookups, 1)
    for place in held:
        place.release()
    due(job)
    assert run(job).state == JobState.SUCCEEDED
    assert shop.sends() == 1, "it was found, so it was not sent again"


def test_statuses_wait_for_their_turn_without_a_breakdown(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(mode="detailed")
    shop.push("Q-4", "PAID")
    held = fill(shop)
    job = run(shop.ask())
    assert (job.error_code, job.breakdowns, ApiCall.objects.count()) == ("quota_place_login", 0, 0)
    for place in held:
        place.release()
    due(job)
    assert run(job).state == JobState.SUCCEEDED


def test_what_metrica_refused_to_one_agency_the_others_do_not_ask(shop: Shop) -> None:
    """Both have the same login: the day is used up for both."""
    account = account_of(shop)
    other = connect_account(
        agency=make_agency(), login=account.login.upper(), token="token-x", base_url=account.base_url
    )
    shop.push("Q-5", "a1")
    shop.fault("quota_429")
    job = run(shop.ask())
    Upload.objects.update(not_before=None)
    due(job)
    job = run(job)
    assert (job.error_code, shop.sends(), shop.uploads()[0].attempts) == ("quota_shut", 1, 1)
    assert job.not_before is not None and job.not_before.hour == 0
    with pytest.raises(places.KeptBack):
        reserve(caller=caller_of(other), call=Call(Kind.CDP_WRITE), seconds=60)
    assert caller_of(other).login == caller_of(account).login


def test_an_attempt_that_could_not_be_noted_gives_its_place_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.push("Q-6", "a1")
    from apps.uploads import sender

    def broken(*_given: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(sender, "_note_attempt", broken)
        job = run(shop.ask())
    assert job.error_code == "internal_error"
    state = QuotaState.objects.get(key__startswith="login:").state
    assert '"running":{}' in state and '"client_write":0' in state


class TestOutage:
    def suffer(self, shop: Shop, job: UploadJob) -> UploadJob:
        """Work on the job until it does not try any more."""
        for _turn in range(3 * breaker.IN_A_ROW):
            due(job)
            Upload.objects.update(not_before=None)
            if run(job).error_code == "metrica_unreachable":
                return job
        raise AssertionError(job.error_code)

    def test_nobody_is_asked_until_it_is_time_and_no_attempt_is_spent(self, shop: Shop) -> None:
        shop.push("O-1", "a1")
        shop.fault("server_error", count=None)
        job = self.suffer(shop, shop.ask())
        [found] = open_breakers()
        assert (found.account_id, found.code) == (shop.counter.account_id, "backend_error")
        [upload] = shop.uploads()
        attempts = upload.attempts
        assert (attempts, shop.sends()) == (breaker.IN_A_ROW, breaker.IN_A_ROW)
        assert job.not_before is not None and abs(job.not_before - found.retry_at) < timedelta(seconds=1)
        for _turn in range(5):
            due(job)
            run(job)
        assert (shop.uploads()[0].attempts, shop.sends()) == (attempts, attempts)
        reachable()
        due(job)
        run(job)
        assert shop.sends() == attempts + 1, "one call tries"
        sandbox.clear_faults()
        reachable()
        Upload.objects.update(not_before=None)
        due(job)
        assert run(job).state == JobState.SUCCEEDED
        assert open_breakers() == []
        actions = AuditEntry.objects.filter(action__startswith="metrica.").order_by("pk")
        assert list(actions.values_list("action", flat=True)) == ["metrica.unreachable", "metrica.reachable"]

    def test_an_upload_of_unknown_outcome_is_looked_for_first_when_metrica_is_back(self, shop: Shop) -> None:
        shop.push("O-2", "a1")
        shop.fault("cut_after")
        shop.fault("server_error", endpoint="last_uploadings", count=None)
        job = self.suffer(shop, shop.ask())
        assert shop.uploads()[0].state == UploadState.UNKNOWN
        sandbox.clear_faults()
        reachable()
        Upload.objects.update(not_before=None)
        due(job)
        assert run(job).state == JobState.SUCCEEDED
        assert (shop.sends(), shop.arrived("O-2")) == (1, ["a1"])


def test_a_refused_token_is_told_once_and_nothing_is_asked_after_it(shop: Shop) -> None:
    shop.push("T-1", "a1")
    shop.fault("bad_token", count=None)
    for _number in range(4):
        shop.upload()
    assert ApiCall.objects.filter(counter=shop.counter).count() == 1
    assert AuditEntry.objects.filter(action="account.disconnected").count() == 1
    assert open_breakers() == []


def test_a_caller_whose_login_is_not_known_counts_for_the_address_only(shop: Shop) -> None:
    host = caller_of(account_of(shop)).host
    reserve(caller=Caller(host, "", 1), call=Call(Kind.READ), seconds=20).release()
    assert [row.key.partition(":")[0] for row in QuotaState.objects.all()] == ["address"]
