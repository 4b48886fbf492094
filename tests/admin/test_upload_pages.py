"""Upload jobs: how far one is, what was asked and answered, the exact bytes, and stopping or repeating it."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from apps.counters.models import ApiCall
from apps.uploads.models import Upload, UploadJob, UploadState
from tests.admin.conftest import FILE, Place, keep
from tests.admin.pages import messages, words

pytestmark = pytest.mark.django_db

LIST = "/admin/uploads/uploadjob/"


def page(job: UploadJob) -> str:
    return reverse("admin:uploads_uploadjob_change", args=[job.pk])


def act(job: UploadJob, name: str) -> str:
    return reverse(f"admin:uploads_uploadjob_{name}", args=[job.pk])


def download(upload: Upload) -> str:
    return reverse("admin:uploads_uploadjob_file", args=[upload.job_id, upload.pk])


def test_the_list_tells_what_came_of_each(place: Place, browser: Browser, django_assert_num_queries: Any):
    place.job()
    with django_assert_num_queries(6):
        browser.get(LIST)
    place.job(state="failed", error_code="invalid_token", delivered=0, rejected=3)
    place.job(state="running", delivered=0)
    with django_assert_num_queries(6):
        text = words(browser.get(LIST))
    for expected in ("Succeeded", "Failed", "Running", "Mine person", "Mine shop"):
        assert expected in text


def test_an_empty_list_says_what_starts_uploads(place: Place, browser: Browser):
    assert "No upload yet" in words(browser.get(LIST))


def test_the_page_shows_files_requests_and_answers(place: Place, browser: Browser, django_assert_num_queries: Any):
    job = place.job(order=place.push("A-1", "won"))
    with django_assert_num_queries(7):
        answer = browser.get(page(job))
    text = words(answer)
    upload = Upload.objects.get()
    for expected in (
        *("Succeeded", "Wave 1", "1 row", "Passed", upload.sha256, "Mine-at-metrica", "Request and answer"),
        *("POST https://metrica.example/cdp/api/v1/counter", "authorization: •••", '"status": "PASSED"'),
    ):
        assert expected in text
    assert "hx-get" not in answer.content.decode().split('id="job"')[1].split(">")[0]


def test_the_page_costs_the_same_for_many_files(place: Place, browser: Browser, django_assert_num_queries: Any):
    job = place.job()
    for number in range(10):
        keep(Upload(job=job, wave=1 + number % 3, state=UploadState.PASSED, rows=1), place.counter)
    with django_assert_num_queries(7):
        text = words(browser.get(page(job)))
    assert "Wave 3" in text


def test_a_refused_row_is_named_with_its_cause(place: Place, browser: Browser):
    order = place.push("BAD-ROW", "won")
    job = place.job(state="partly_failed", delivered=0, rejected=1)
    Upload.objects.update(state="refused", error_code="invalid_uploading", error_message="line 2: no")
    order.changes.update(
        delivery="rejected",
        upload_id=Upload.objects.get().pk,
        reject_code="invalid_uploading",
        reject_message="line 2: no",
        reject_field="phones",
    )
    answer = browser.get(page(job))
    text = words(answer)
    assert "Metrica received the file and refused it as incorrect." in text
    assert "Metrica does not take a phone number of the order. line 2: no Correct it here" in text
    assert "line 2: no" in text
    assert "BAD-ROW · won" in text
    assert reverse("admin:orders_order_change", args=[order.pk]) in answer.content.decode()


def test_a_file_that_went_twice_says_why(place: Place, browser: Browser):
    job = place.job()
    Upload.objects.update(attempts=2, sent_again="several_fit")
    text = words(browser.get(page(job)))
    assert "Sent again because several uploads in Metrica's list could have been it" in text


def test_a_failed_job_says_the_next_step(place: Place, browser: Browser):
    text = words(browser.get(page(place.job(state="failed", error_code="invalid_token"))))
    assert "token" in text
    assert "Connect" in text or "connect" in text


def test_an_unfinished_job_follows_itself(place: Place, browser: Browser):
    job = place.job(state="running", changes=10, delivered=4)
    answer = browser.get(page(job))
    assert f'hx-get="{page(job)}?part=live"' in answer.content.decode()
    assert "40 % delivered" in answer.content.decode()
    part = browser.get(page(job), {"part": "live"})
    assert "<html" not in part.content.decode()
    assert 'id="job"' in part.content.decode()
    UploadJob.objects.update(state="succeeded", finished_at=timezone.now())
    assert browser.get(page(job), {"part": "live"}).headers["HX-Refresh"] == "true"


def test_a_job_that_waits_says_until_when(place: Place, browser: Browser):
    job = place.job(state="running", not_before=timezone.now() + timedelta(minutes=5))
    assert "The next step comes in 4 min" in words(browser.get(page(job)))


def test_the_exact_file_is_downloaded(place: Place, browser: Browser):
    place.job()
    answer = browser.get(download(Upload.objects.get()))
    assert b"".join(answer.streaming_content) == FILE
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="upload-')
    assert answer.headers["Content-Disposition"].endswith('.csv"')
    assert int(answer.headers["Content-Length"]) == len(FILE)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_big_file_comes_in_pieces(place: Place, browser: Browser):
    job = place.job()
    content = b"x" * 1_000_000
    upload = Upload(job=job, wave=2, rows=1, state=UploadState.PASSED)
    keep(upload, place.counter, content)
    pieces = list(browser.get(download(upload)).streaming_content)
    assert len(pieces) > 1
    assert b"".join(pieces) == content


def test_a_lost_file_is_told_with_the_next_step(place: Place, browser: Browser):
    place.job()
    upload = Upload.objects.get()
    default_storage.delete(upload.file)
    answer = browser.get(download(upload), follow=True)
    assert "no longer in the storage" in messages(answer)


def test_an_altered_file_is_not_passed_off_as_what_was_sent(place: Place, browser: Browser):
    place.job()
    Upload.objects.update(sha256="0" * 64)
    answer = browser.get(download(Upload.objects.get()), follow=True)
    assert "checksum differs" in messages(answer)


def test_a_waiting_job_is_cancelled(place: Place, browser: Browser):
    job = place.job(state="queued")
    answer = browser.post(act(job, "cancel"), follow=True)
    assert "stops before its next file" in messages(answer)
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert "cannot be done any more" in messages(browser.post(act(job, "cancel"), follow=True))


def test_an_ended_job_is_repeated(place: Place, browser: Browser):
    job = place.job(state="failed")
    assert "Cancel" not in [button["title"] for button in browser.get(page(job)).context["actions_detail"]]
    answer = browser.post(act(job, "retry"))
    again = UploadJob.objects.get(state="queued")
    assert answer.headers["Location"] == page(again)
    assert again.requested_by == place.owner.email


def test_the_ledger_shows_request_and_answer(place: Place, browser: Browser, django_assert_num_queries: Any):
    place.job()
    call = ApiCall.objects.get()
    with django_assert_num_queries(7):
        assert "POST data/simple_orders" in words(browser.get("/admin/counters/apicall/"))
    with django_assert_num_queries(4):
        text = words(browser.get(reverse("admin:counters_apicall_change", args=[call.pk])))
    assert "authorization: •••" in text
    assert "id,order_status Mine" in text
    assert '"status": "PASSED"' in text
    found = browser.get("/admin/counters/apicall/", {"q": str(call.subject)})
    assert len(found.context["cl"].result_list) == 1
    ApiCall.objects.update(outcome="permanent", error_code="invalid_uploading", status=400)
    text = words(browser.get(reverse("admin:counters_apicall_change", args=[call.pk])))
    assert "Metrica received the file and refused it as incorrect." in text


def test_answers_of_others_are_text(place: Place, browser: Browser):
    evil = "<script>alert(1)</script>"
    job = place.job(requested_by=evil, error_code="internal_error", error_message=evil, state="failed")
    ApiCall.objects.update(
        response_body=evil, request_body=evil, response_headers={evil: evil}, url=f"https://x/{evil}"
    )
    Upload.objects.update(error_code=evil, error_message=f"{evil} ({evil})", uploading_id=evil, state="failed")
    for url in (
        LIST,
        page(job),
        "/admin/counters/apicall/",
        reverse("admin:counters_apicall_change", args=[ApiCall.objects.get().pk]),
        "/admin/",
    ):
        assert "<script>alert(1)" not in browser.get(url).content.decode(), url
