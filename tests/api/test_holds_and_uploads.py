"""The work list, and upload jobs asked for, looked at, repeated and cancelled."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.orders.models import StatusChange
from apps.uploads.models import JobState, Upload, UploadJob, UploadState
from tests.factories import make_counter

ORDERS = "counters/40000001/orders/"
UPLOADS = "counters/40000001/uploads/"
WHEN = (datetime.now(UTC) - timedelta(days=3)).isoformat()


def order(number=1, **fields):
    row = {"id": f"D-{number}", "create_date_time": WHEN, "order_status": "PAID", "client_ids": ["17000000001"]}
    return {**row, **fields}


def test_holds_say_why_and_what_next(api, agency, counter, outsider):
    make_counter(agency, metrica_id=40000005)
    api.post(ORDERS, [order(1, order_status="Новый лид"), order(2, client_ids=[]), order(3)])
    api.post("counters/40000005/orders/", order(4, order_status="Ещё один"))
    rows = api.get("holds/").body["results"]
    assert [(row["counter"], row["order"], row["hold"]) for row in rows] == [
        (40000005, "D-4", "unmapped_status"),
        (40000001, "D-2", "no_identifiers"),
        (40000001, "D-1", "unmapped_status"),
    ]
    assert all(row["message"] and row["next_step"] for row in rows)
    assert [row["order"] for row in api.get("holds/?counter=40000001&hold=unmapped_status").body["results"]] == ["D-1"]
    assert api.get("holds/?counter=77").body["results"] == []
    assert api.get("holds/?counter=x").codes == {"bad_counter"}
    assert api.get("holds/?hold=x").codes == {"invalid_choice"}
    assert outsider.get("holds/").body["results"] == []
    assert outsider.get("holds/?counter=40000001").body["results"] == []


def test_holds_come_by_pages_with_three_queries(api, counter):
    api.post(ORDERS, [order(n, order_status="Новый лид") for n in range(5)])
    seen, path = [], "holds/?limit=2"
    while path:
        with CaptureQueriesContext(connection) as queries:
            answer = api.get(path)
        assert len(queries) == 3  # the key; its counters; the changes with orders and counters
        seen += [row["order"] for row in answer.body["results"]]
        path = (answer.body["next"] or "").partition("/api/v1/")[2]
    assert seen == ["D-4", "D-3", "D-2", "D-1", "D-0"]


def test_an_upload_is_asked_for_and_found_at_its_address(api, counter):
    api.post(ORDERS, order(1))
    answer = api.post(UPLOADS, {})
    assert answer.status == 202
    job = UploadJob.objects.get()
    assert answer.body["id"] == str(job.pk)
    assert (answer.body["state"], answer.body["trigger"], answer.body["counter"]) == ("queued", "api", 40000001)
    assert answer.body["requested_by"].startswith("key ")
    assert answer.headers["Location"] == f"/api/v1/uploads/{job.pk}/"
    assert api.get(f"uploads/{job.pk}/").body == answer.body
    entry = AuditEntry.objects.get(action="upload_job.requested")
    assert entry.request_id == job.request_id == answer.headers["X-Request-ID"]


def test_asking_twice_means_the_same_job_while_it_waits(api, counter):
    first, second = api.post(UPLOADS), api.post(UPLOADS, {})
    assert first.body["id"] == second.body["id"]
    assert UploadJob.objects.count() == 1


def test_a_job_shows_its_files_and_what_went_wrong(api, counter):
    job = UploadJob.objects.create(counter=counter, trigger="api", state=JobState.PARTLY_FAILED, changes=3, delivered=2)
    Upload.objects.create(
        job=job,
        wave=1,
        state=UploadState.PASSED,
        rows=2,
        bytes=300,
        sha256="ab",
        attempts=1,
        http_status=200,
        uploading_id="17",
        started_at=timezone.now(),
        finished_at=timezone.now(),
    )
    Upload.objects.create(job=job, wave=2, state=UploadState.FAILED, rows=1, error_code="file_missing")
    body = api.get(f"uploads/{job.pk}/").body
    assert (body["state"], body["changes"], body["delivered"]) == ("partly_failed", 3, 2)
    passed, failed = body["uploads"]
    assert (passed["state"], passed["rows"], passed["uploading_id"], passed["error"]) == ("passed", 2, "17", None)
    assert failed["error"]["code"] == "file_missing" and failed["error"]["message"] and failed["error"]["next_step"]
    assert set(passed) == {
        *("id", "wave", "kind", "format", "state", "rows", "bytes", "sha256", "attempts", "http_status"),
        *("uploading_id", "error", "started_at", "finished_at", "cut_from", "part", "sent_again_because"),
    }


def test_jobs_are_listed_with_the_same_number_of_queries(api, counter):
    api.get(UPLOADS)
    for number in range(1, 6):
        job = UploadJob.objects.create(counter=counter, trigger="api", state=JobState.SUCCEEDED)
        Upload.objects.bulk_create(Upload(job=job, wave=wave) for wave in range(number))
    for limit in (2, 5):
        with CaptureQueriesContext(connection) as queries:
            answer = api.get(f"{UPLOADS}?limit={limit}")
        assert [len(row["uploads"]) for row in answer.body["results"]] == [5, 4, 3, 2, 1][:limit]
        assert len(queries) == 4  # the key, the counter, jobs, files
    assert api.get(answer.body["next"].partition("/api/v1/")[2]).status == 200 if answer.body["next"] else True


def test_an_ended_job_is_repeated_and_a_living_one_is_not(api, counter):
    job = UploadJob.objects.create(counter=counter, trigger="schedule", state=JobState.FAILED)
    answer = api.post(f"uploads/{job.pk}/retry/")
    assert (answer.status, answer.body["state"], answer.body["trigger"]) == (202, "queued", "api")
    assert answer.body["id"] != str(job.pk)
    refused = api.post(f"uploads/{answer.body['id']}/retry/", {})
    assert (refused.status, refused.codes) == (409, {"job_not_ended"})


def test_what_was_rejected_goes_once_more_where_that_is_asked(api, counter):
    job = UploadJob.objects.create(counter=counter, trigger="api", state=JobState.PARTLY_FAILED)
    upload = Upload.objects.create(job=job, wave=1)
    api.post(ORDERS, order(1))
    rejected = {
        "delivery": "rejected",
        "reject_code": "invalid_uploading",
        "reject_message": "No.",
        "upload_id": upload.pk,
    }
    StatusChange.objects.update(**rejected, reject_field="emails")
    shown = api.get(f"{ORDERS}D-1/").body["timeline"][0]["rejection"]
    assert (shown["code"], shown["said"], shown["field"], shown["overtaken"]) == (
        *("invalid_uploading", "No.", "emails"),
        False,
    )
    assert "e-mail" in shown["message"] and shown["next_step"]
    assert api.post(f"uploads/{job.pk}/retry/?rejected=maybe").status == 400
    assert api.post(f"uploads/{job.pk}/retry/").status == 202
    assert StatusChange.objects.get().delivery == "rejected"
    UploadJob.objects.exclude(pk=job.pk).delete()
    assert api.post(f"uploads/{job.pk}/retry/?rejected=true").status == 202
    assert StatusChange.objects.get().delivery == "waiting"


def test_a_waiting_job_is_cancelled_once(api, counter):
    job = api.post(UPLOADS).body["id"]
    assert api.post(f"uploads/{job}/cancel/").body["state"] == "cancelled"
    answer = api.post(f"uploads/{job}/cancel/", {})
    assert (answer.status, answer.codes) == (409, {"job_ended"})


def test_acts_take_no_parameters_yet(api, counter):
    assert api.post(UPLOADS, {"orders": ["D-1"]}).codes == {"unknown_field"}
    assert api.post(UPLOADS, []).codes == {"not_an_object"}
    assert not UploadJob.objects.exists()


@pytest.mark.parametrize("path", ["", "retry/", "cancel/"])
def test_nobody_elses_job(api, counter, outsider, caller_for, agency, path):
    job = UploadJob.objects.create(counter=counter, trigger="api", state=JobState.FAILED)
    method = "POST" if path else "GET"
    limited = caller_for(agency, counter_ids=[7])
    for caller in (outsider, limited):
        assert caller(method, f"uploads/{job.pk}/{path}").status == 404
    assert api(method, f"uploads/{uuid.uuid4()}/{path}").status == 404
    assert api(method, f"uploads/none/{path}").status == 404
    assert outsider.post(UPLOADS).status == outsider.get(UPLOADS).status == 404
    assert UploadJob.objects.count() == 1
