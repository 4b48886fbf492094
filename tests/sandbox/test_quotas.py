"""Quotas over real HTTP, each with its error type, its release, and what it does not count (quotas page, quotas)."""

import threading
import time
from datetime import UTC, datetime, timedelta
from io import BytesIO

import httpx
import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.metrica.client import MetricaClient
from apps.metrica.errors import QuotaExceeded
from apps.metrica.serving.envelope import ApiError
from apps.sandbox import limits, quotas, services
from apps.sandbox.models import Endpoint, Permission, SandboxCounter, SandboxRunning, SandboxUsage
from tests.sandbox.conftest import NUMBER, TOKEN, Api, csv, error_of

GOOD = csv("D-1,2026-03-10 11:30:00,C-1,17,,,PAID,100,,,")
REPORT = f"ids={NUMBER}&metrics=ym:s:visits"


@pytest.fixture
def strict(api: Api) -> Api:
    """The documented numbers, also for the address, and nothing counted."""
    services.restore_limits()
    return api


def statuses(calls: list[httpx.Response]) -> list[int]:
    return [response.status_code for response in calls]


def test_the_documented_numbers_are_on_by_default(db: None) -> None:
    """quotas: 30 a second, 3 at once, 5,000 a day for a login and for a counter, 200 reports in 5 minutes, 3
    accesses."""
    assert limits.values() == {
        "requests_by_ip": 30,
        "parallel_requests": 3,
        "requests_by_uid": 5000,
        "requests_by_counter_id": 5000,
        "reports": 200,
        "grants": 3,
        "goals": 200,
    }


def test_thirty_calls_of_an_address_in_a_second(db: None) -> None:
    """quotas: released when the last second's count drops below. What was refused is not counted: waiting helps."""
    quota = quotas.Quota("requests_by_ip", "quota_requests_by_ip", "192.0.2.1", 1.0, slices=10)
    start = datetime(2026, 3, 10, 12, 0, 0, 50_000, tzinfo=UTC)

    def passes(milliseconds: int) -> bool:
        try:
            with transaction.atomic():
                quotas._count([quota], {"requests_by_ip": 30}, start + timedelta(milliseconds=milliseconds))
        except ApiError as error:
            assert error.error_type == "quota_requests_by_ip"
            return False
        return True

    assert [passes(20 * number) for number in range(34)] == [True] * 30 + [False] * 4
    assert not passes(890)
    assert [passes(1050) for _ in range(9)] == [True] * 8 + [False], "the eight of the first tenths are a second old"
    assert [passes(2100) for _ in range(31)] == [True] * 30 + [False]


def test_a_burst_of_one_address(strict: Api) -> None:
    services.set_limit(name="requests_by_ip", value=2)
    services.set_limit(name="parallel_requests", value=None)
    refused: list[tuple[int, str]] = []

    def call() -> None:
        with httpx.Client(headers=strict.client.headers, timeout=60) as client:
            answer = Api(client, strict.base).management("counters")
            if answer.status_code != 200:
                refused.append(error_of(answer))

    deadline = time.monotonic() + 60
    while not refused and time.monotonic() < deadline:
        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(refused) == {(429, "quota_requests_by_ip")}
    time.sleep(1.1)
    assert strict.management("counters").status_code == 200


def test_calls_without_a_token_count_for_the_address(strict: Api) -> None:
    assert error_of(httpx.get(f"{strict.base}/management/v1/counters")) == (401, "unauthorized")
    assert SandboxUsage.objects.get().key.startswith("requests_by_ip:127.0.0.1:")
    services.set_limit(name="requests_by_ip", value=0)
    assert error_of(httpx.get(f"{strict.base}/management/v1/counters")) == (429, "quota_requests_by_ip")


def test_three_calls_of_a_login_at_once(strict: Api) -> None:
    """quotas: released when fewer than 3 run."""
    services.create_counter(metrica_id=7, owner_login="south", token="y0_south")
    services.add_fault(kind="latency", seconds=3, count=3)
    answers: list[httpx.Response] = []

    def slow() -> None:
        with httpx.Client(headers=strict.client.headers, timeout=60) as client:
            answers.append(Api(client, strict.base).management("counters"))

    threads = [threading.Thread(target=slow) for _ in range(3)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while SandboxRunning.objects.count() < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert error_of(strict.upload(GOOD)) == (429, "quota_parallel_requests")
    other = strict.client.get(f"{strict.base}/management/v1/counters", headers={"Authorization": "OAuth y0_south"})
    assert other.status_code == 200, "another login has its own three"
    for thread in threads:
        thread.join()
    assert statuses(answers) == [200] * 3
    assert strict.upload(GOOD).status_code == 200
    assert not SandboxRunning.objects.exists()


def test_a_place_is_free_again_however_the_call_ended(strict: Api) -> None:
    services.add_fault(kind="cut_after", endpoint="any", count=4)
    for _ in range(4):
        with pytest.raises(httpx.RemoteProtocolError):
            strict.management("counters")
    services.add_fault(kind="server_error", count=4)
    assert statuses([strict.management("counters") for _ in range(4)]) == [503] * 4
    assert strict.management("counters").status_code == 200


def test_calls_of_a_killed_process_hold_no_place(strict: Api) -> None:
    gone = quotas._process().rsplit(":", 1)[0] + ":999999999"
    for process in (gone, gone, "elsewhere:1"):
        SandboxRunning.objects.create(login="north-metrica", process=process, started_at=timezone.now())
    assert strict.management("counters").status_code == 200
    assert list(SandboxRunning.objects.values_list("process", flat=True)) == ["elsewhere:1"]
    SandboxRunning.objects.update(started_at=timezone.now() - timedelta(hours=2))
    services.set_limit(name="parallel_requests", value=1)
    assert strict.management("counters").status_code == 200


def test_five_thousand_calls_of_a_login_in_a_day(api: Api) -> None:
    """quotas: counted apart for client_read, client_write and report_read; a refused call does not count."""
    services.set_limit(name="requests_by_uid", value=3)
    reads = [api.management("counters"), api.uploadings(), api.management(f"counter/{NUMBER}"), api.uploadings()]
    assert statuses(reads) == [200, 200, 200, 429]
    assert error_of(reads[-1]) == (429, "quota_requests_by_uid")
    writes = [api.upload(GOOD) for _ in range(4)]
    assert statuses(writes) == [200, 200, 200, 429]
    reports = [api.report(REPORT) for _ in range(4)]
    assert statuses(reports) == [200, 200, 200, 429]
    services.set_limit(name="requests_by_uid", value=4)
    assert statuses([api.management("counters"), api.management("counters")]) == [200, 429]


def test_five_thousand_calls_to_a_counter_in_a_day(api: Api) -> None:
    """quotas: the counter's count is of all logins together."""
    counter = SandboxCounter.objects.get(metrica_id=NUMBER)
    services.add_access(counter=counter, login="guest", permission=Permission.EDIT, token="y0_guest")
    services.create_counter(metrica_id=7, owner_login="north-metrica")
    services.set_limit(name="requests_by_counter_id", value=2)
    assert api.uploadings().status_code == 200
    guest = {"Authorization": "OAuth y0_guest"}
    assert api.client.get(f"{api.base}/management/v1/counter/{NUMBER}", headers=guest).status_code == 200
    assert error_of(api.uploadings()) == (429, "quota_requests_by_counter_id")
    assert statuses([api.uploadings(number=7), api.management("counters")]) == [200, 200]
    assert statuses([api.report(f"ids={NUMBER},7&metrics=ym:s:visits") for _ in range(3)]) == [200, 200, 429]
    assert error_of(api.report("ids=7&metrics=ym:s:visits")) == (429, "quota_requests_by_counter_id")


def test_two_hundred_reports_in_five_minutes(api: Api) -> None:
    services.set_limit(name="reports", value=2)
    answers = [api.report(REPORT) for _ in range(3)]
    assert [error_of(answer) for answer in answers[2:]] == [(429, "quota_requests_by_uid")]
    assert statuses(answers) == [200, 200, 429]
    assert api.management("counters").status_code == 200
    # What a report of five minutes ago left behind counts no more.
    later = quotas.Quota("reports", "quota_requests_by_uid", "north-metrica", 300.0, slices=30)
    now = timezone.now()
    assert quotas.used(later, now=now) == 2
    assert quotas.used(later, now=now + timedelta(seconds=280)) == 2
    assert quotas.used(later, now=now + timedelta(seconds=311)) == 0


def test_days_end_at_midnight_in_greenwich(db: None) -> None:
    """quotas: released at 00:00 GMT."""
    quota = quotas.Quota("requests_by_uid", "quota_requests_by_uid", "north:client_read", 86400.0)
    late, midnight = datetime(2026, 3, 10, 23, 59, 59, tzinfo=UTC), datetime(2026, 3, 11, tzinfo=UTC)
    quotas._count([quota], {"requests_by_uid": 1}, late)
    assert (quotas.used(quota, now=late), quotas.used(quota, now=midnight)) == (1, 0)
    assert quotas.next_day(late) == midnight


def test_three_accesses_in_an_hour(api: Api) -> None:
    """grants: adding access is limited to 3 per hour per counter; errors: quota_grants_requests."""
    path = f"counter/{NUMBER}/grants"
    answers = [api.send("POST", path, {"grant": {"user_login": f"guest{n}", "perm": "view"}}) for n in range(4)]
    if 200 in statuses(answers[3:]):
        pytest.skip("the hour changed in the middle")
    assert statuses(answers[:3]) == [200] * 3
    assert error_of(answers[3]) == (429, "quota_grants_requests")
    services.create_counter(metrica_id=7, owner_login="north-metrica")
    other = api.send("POST", "counter/7/grants", {"grant": {"user_login": "guest", "perm": "view"}})
    assert other.status_code == 200


def test_420_by_a_switch(api: Api) -> None:
    """quotas: 429 in Russian documents, 420 in English ones."""
    services.set_switch(name="quota_status", value="420")
    services.set_limit(name="requests_by_uid", value=0)
    answer = api.uploadings()
    assert error_of(answer) == (420, "quota_requests_by_uid")
    assert (answer.reason_phrase, "Retry-After" in answer.headers) == ("Too Many Requests", False)


def test_uploads_may_count_nowhere(api: Api) -> None:
    """quotas: which group CDP uploads fall into is not stated."""
    services.set_limit(name="requests_by_uid", value=1)
    assert statuses([api.upload(GOOD) for _ in range(2)]) == [200, 429]
    services.set_switch(name="upload_quota", value="none")
    assert statuses([api.upload(GOOD) for _ in range(2)]) == [200, 200]


def test_the_client_reads_a_quota(api: Api) -> None:
    services.set_limit(name="requests_by_uid", value=0)
    with MetricaClient(base_url=api.base, token=TOKEN) as client, pytest.raises(QuotaExceeded):
        client.upload_simple_orders(NUMBER, BytesIO(GOOD.encode()))


def test_exactly_as_many_as_allowed_among_many_at_once(api: Api) -> None:
    services.set_limit(name="parallel_requests", value=None)
    services.set_limit(name="requests_by_uid", value=5)
    answers: list[int] = []

    def call() -> None:
        with httpx.Client(headers=api.client.headers, timeout=60) as client:
            answers.append(Api(client, api.base).uploadings().status_code)

    threads = [threading.Thread(target=call) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] * 5 + [429] * 4


def test_control_addresses_and_pages_are_free(api: Api) -> None:
    services.set_limit(name="requests_by_ip", value=0)
    assert error_of(api.management("counters")) == (429, "quota_requests_by_ip")
    assert api.look("limits")["limits"]["requests_by_ip"] == 0
    assert api.control("limits", name="requests_by_ip", value=7)["limits"]["requests_by_ip"] == 7
    assert api.control("limits", name="requests_by_ip", value=None)["limits"]["requests_by_ip"] is None
    assert api.client.get(f"{api.base}/").status_code == 200
    restored = api.client.request("DELETE", f"{api.base}/control/limits", json={}).json()["limits"]
    assert restored["requests_by_ip"] == 30
    assert not SandboxUsage.objects.exists()


@pytest.mark.parametrize("body", [{"name": "gravity", "value": 1}, {"name": "reports", "value": -1}, {"value": 1}])
def test_limits_that_cannot_be(api: Api, body: dict) -> None:
    assert api.client.post(f"{api.base}/control/limits", json=body).status_code == 400


def test_what_is_over_is_forgotten(counter: SandboxCounter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "_CLEAN_EACH", 1)
    SandboxUsage.objects.create(key="old", used=1, expires_at=timezone.now() - timedelta(seconds=1))
    with quotas.taken([quotas.Quota("requests_by_ip", "quota_requests_by_ip", "::1", 1.0, slices=10)], login=""):
        assert [row.key.split(":")[0] for row in SandboxUsage.objects.all()] == ["requests_by_ip"]


def test_counting_costs_few_queries(counter: SandboxCounter, client: Client) -> None:
    client.get("/sandbox/management/v1/counters", headers={"Authorization": f"OAuth {TOKEN}"})
    found = quotas.of_call(kind=Endpoint.MANAGEMENT, method="GET", login="north-metrica", counters=[1], address="::1")
    with CaptureQueriesContext(connection) as captured, quotas.taken(found, login="north-metrica"):
        pass
    statements = [query["sql"] for query in captured if not query["sql"].upper().startswith(("SAVEPOINT", "RELEASE"))]
    assert len(statements) <= 6, statements
