"""Faults on demand over real HTTP: each meets exactly the calls that it was set for."""

import threading
import time
from io import BytesIO

import httpx
import pytest

from apps.metrica.client import MetricaClient
from apps.metrica.errors import UnknownOutcome, UploadRefused
from apps.sandbox import services
from apps.sandbox.models import SandboxCounter, SandboxFault, SandboxOrder, SandboxRequest, SandboxUploading
from tests.sandbox.conftest import NUMBER, TOKEN, Api, csv, error_of

GOOD = csv("D-1,2026-03-10 11:30:00,C-1,17,,,PAID,100,,,")


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ({"kind": "quota_429"}, (429, "quota_requests_by_uid")),  # quotas: 429 in Russian documents
        (
            {"kind": "quota_420", "error_type": "quota_parallel_requests"},
            (420, "quota_parallel_requests"),
        ),  # 420 in English
        ({"kind": "server_error"}, (503, "backend_error")),
        ({"kind": "server_error", "status": 504}, (504, "timeout")),
        ({"kind": "server_error", "status": 500}, (500, "backend_error")),
        ({"kind": "bad_token"}, (403, "invalid_token")),
    ],
)
def test_answers_instead_of_the_calls_own(api: Api, fault: dict, answer: tuple[int, str]) -> None:
    services.add_fault(**fault, count=2)
    assert error_of(api.upload(GOOD)) == answer
    assert error_of(api.management("counters")) == answer
    assert api.upload(GOOD).status_code == 200
    assert SandboxUploading.objects.count() == 1


def test_420_has_a_reason_and_retry_after_where_asked(api: Api) -> None:
    services.add_fault(kind="quota_420", retry_after=7)
    response = api.uploadings()
    assert (response.reason_phrase, response.headers["Retry-After"]) == ("Too Many Requests", "7")
    services.add_fault(kind="quota_429")
    assert "Retry-After" not in api.uploadings().headers  # quotas: no Retry-After header is documented


def test_failed(api: Api) -> None:
    """2: FAILED means received but refused; the answer has no per-row error list."""
    services.add_fault(kind="failed")
    response = api.upload(GOOD)
    assert (response.status_code, set(response.json())) == (200, {"uploading"})
    assert response.json()["uploading"]["api_validation_status"] == "FAILED"
    assert not SandboxOrder.objects.exists()


def test_latency_is_waited_out_before_anything_happens(api: Api) -> None:
    services.add_fault(kind="latency", seconds=0.4)
    services.add_fault(kind="quota_429")
    started = time.monotonic()
    assert api.upload(GOOD).status_code == 429
    assert time.monotonic() - started >= 0.4
    assert SandboxRequest.objects.get().fault == "latency,quota_429"


def test_a_fault_of_one_counter_leaves_the_others_alone(api: Api) -> None:
    services.create_counter(metrica_id=7, owner_login="north-metrica", token=TOKEN)
    services.add_fault(kind="server_error", counter=7)
    assert api.upload(GOOD).status_code == 200
    assert api.management("counters").status_code == 200
    assert api.upload(GOOD, number=7).status_code == 503
    assert api.upload(GOOD, number=7).status_code == 200


def test_a_fault_meets_only_its_calls(api: Api) -> None:
    services.add_fault(kind="quota_429", endpoint="last_uploadings")
    services.add_fault(kind="cut_after")
    assert api.management("counters").status_code == 200
    assert api.uploadings().status_code == 429
    with pytest.raises(httpx.RemoteProtocolError):
        api.upload(GOOD)
    assert not SandboxFault.objects.exclude(remaining=0).exists()


def test_a_fault_until_it_is_removed(api: Api) -> None:
    fault = services.add_fault(kind="server_error", count=None)
    assert [api.uploadings().status_code for _ in range(4)] == [503] * 4
    services.clear_faults(fault_id=fault.pk)
    assert api.uploadings().status_code == 200


def test_each_application_is_counted_once_among_many_at_once(api: Api) -> None:
    services.set_limit(name="parallel_requests", value=None)
    services.add_fault(kind="quota_429", count=3)
    statuses: list[int] = []

    def call() -> None:
        with httpx.Client(headers=api.client.headers, timeout=60) as client:
            statuses.append(Api(client, api.base).uploadings().status_code)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 5 + [429] * 3
    assert SandboxFault.objects.get().applied == 3


@pytest.mark.parametrize("named", [{"order_id": "D-1"}, {"contains": "C-"}, {"contains": "PAI"}])
def test_refuse_row(api: Api, named: dict[str, str]) -> None:
    """The whole file is refused while the row is in it, so that halving the file finds the row."""
    services.add_fault(kind="refuse_row", count=None, **named)
    other = csv("D-10,2026-03-10,,17,,,SPAM,,,,")
    assert api.upload(other).status_code == 200
    response = api.upload(other + GOOD.split("\n")[1] + "\n")
    assert error_of(response) == (400, "invalid_uploading")
    assert response.json()["errors"][0]["location"] == "line 3, column id"
    services.clear_faults()
    assert api.upload(GOOD).status_code == 200


def test_refuse_row_can_keep_the_place_back(api: Api) -> None:
    services.add_fault(kind="refuse_row", order_id="D-1", location=False)
    response = api.upload(GOOD)
    assert error_of(response) == (400, "invalid_uploading")
    assert "location" not in response.json()["errors"][0]
    assert "line" not in response.json()["message"]
    assert api.upload(GOOD).status_code == 200


@pytest.mark.parametrize(
    ("fault", "stored"),
    [({"kind": "cut_before"}, 0), ({"kind": "cut_after"}, 1), ({"kind": "cut_before", "after_bytes": 100}, 0)],
)
def test_the_connection_is_cut(api: Api, counter: SandboxCounter, fault: dict, stored: int) -> None:
    """R6: after a cut connection the client cannot know; last_uploadings tells."""
    services.add_fault(**fault)
    started = time.monotonic()
    with MetricaClient(base_url=api.base, token=TOKEN, timeout=20) as client:
        with pytest.raises(UnknownOutcome):
            client.upload_simple_orders(NUMBER, BytesIO(GOOD.encode()))
        assert time.monotonic() - started < 5, "the connection must break, not time out"
        assert len(client.last_uploadings(NUMBER)) == stored
        assert SandboxOrder.objects.count() == stored
        assert client.upload_simple_orders(NUMBER, BytesIO(GOOD.encode())).elements_count == 1
    assert SandboxRequest.objects.order_by("pk").values_list("status", flat=True)[0] is None


def test_a_large_body_is_cut_in_its_middle(api: Api) -> None:
    services.add_fault(kind="cut_before", after_bytes=200_000)
    body = csv(*[f"D-{number},2026-03-10,,17,,,PAID,,,," for number in range(400_000)])
    with MetricaClient(base_url=api.base, token=TOKEN, timeout=20) as client, pytest.raises(UnknownOutcome):
        client.upload_simple_orders(NUMBER, BytesIO(body.encode()))
    assert SandboxRequest.objects.get().size == 200_000
    assert not SandboxUploading.objects.exists()


def test_reading_calls_are_cut_too(api: Api) -> None:
    services.add_fault(kind="cut_after", endpoint="any")
    with pytest.raises(httpx.RemoteProtocolError):
        api.management("counters")
    assert api.management("counters").status_code == 200


def test_the_client_reads_failed_and_refused_alike(api: Api) -> None:
    services.add_fault(kind="failed")
    services.add_fault(kind="refuse_row", order_id="D-1")
    with MetricaClient(base_url=api.base, token=TOKEN) as client:
        for _ in range(2):
            with pytest.raises(UploadRefused):
                client.upload_simple_orders(NUMBER, BytesIO(GOOD.encode()))
        assert client.upload_simple_orders(NUMBER, BytesIO(GOOD.encode())).passed


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "earthquake"},
        {"kind": "latency", "minutes": 1},
        {"kind": "latency", "seconds": -1},
        {"kind": "latency", "seconds": "long"},
        {"kind": "latency", "count": 0},
        {"kind": "latency", "counter": 12345},
        {"kind": "latency", "endpoint": "kitchen"},
        {"kind": "server_error", "status": 404},
        {"kind": "server_error", "status": True},
        {"kind": "quota_429", "error_type": "backend_error"},
        {"kind": "refuse_row"},
        {"kind": "refuse_row", "order_id": "a", "contains": "b"},
    ],
)
def test_faults_that_cannot_be(db: None, fault: dict) -> None:
    with pytest.raises(ValueError):
        services.add_fault(**fault)
    assert not SandboxFault.objects.exists()
