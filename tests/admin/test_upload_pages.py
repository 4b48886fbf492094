"""Upload jobs: how far one is, what was asked and answered, the exact bytes, and stopping or repeating it."""

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from apps.audit.services import record
from apps.counters.models import ApiCall
from apps.counters.services import pause
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
    with django_assert_num_queries(7):
        browser.get(LIST)
    place.job(state="failed", error_code="invalid_token", delivered=0, rejected=3)
    place.job(state="running", delivered=0)
    with django_assert_num_queries(7):
        text = words(browser.get(LIST))
    for expected in ("Succeeded", "Failed", "Running", "Mine person", "Mine shop"):
        assert expected in text


def test_an_empty_list_says_what_starts_uploads(place: Place, browser: Browser):
    assert "No upload yet" in words(browser.get(LIST))


def test_the_page_shows_files_requests_and_answers(place: Place, browser: Browser, django_assert_num_queries: Any):
    job = place.job(order=place.push("A-1", "won"))
    with django_assert_num_queries(9):
        answer = browser.get(page(job))
    text = words(answer)
    upload = Upload.objects.get()
    for expected in (
        *("Succeeded", "Wave 1", "1 row", "Passed", upload.sha256, "Mine-at-metrica", "Request and answer"),
        *("POST https://metrica.example/cdp/api/v1/counter", "authorization: •••", '"status": "PASSED"'),
    ):
        assert expected in text
    assert "hx-get" not in answer.content.decode().split('id="job"')[1].split(">")[0]


def test_a_job_leads_on(place: Place, login: Any):
    """To another upload, to what that would send, and to what Metrica's reports say."""
    job, number = place.job(), place.counter.pk
    upload = reverse("admin:counters_counter_upload", args=[number])
    dry_run = reverse("admin:uploads_uploadjob_dry_run", args=[number])
    compare = reverse("admin:dashboard_comparison_change", args=[number])
    text = login(place.manager).get(page(job)).content.decode()
    assert f'hx-get="{upload}?next=' in text
    for url, title in ((dry_run, "Dry run"), (compare, "Compare with Metrica")):
        assert f'href="{url}"' in text and title in text, url
        assert login(place.manager).get(url).status_code == 200
    seen = login(place.analyst).get(page(job)).content.decode()
    assert upload not in seen, "not theirs to press"
    assert compare in seen and dry_run in seen
    pause(counter=place.counter, reason="x")
    assert upload not in login(place.manager).get(page(job)).content.decode(), "nothing can leave"


def test_the_page_costs_the_same_for_many_files(place: Place, browser: Browser, django_assert_num_queries: Any):
    job = place.job()
    for number in range(10):
        keep(Upload(job=job, wave=1 + number % 3, state=UploadState.PASSED, rows=1), place.counter)
    with django_assert_num_queries(9):
        text = words(browser.get(page(job)))
    assert "Wave 3" in text


def test_of_many_calls_only_the_newest_is_read_whole(place: Place, browser: Browser):
    job = place.job()
    first = ApiCall.objects.get()
    for method in ("POST", "GET"):
        for number in range(25):
            ApiCall.objects.create(
                agency=place.agency,
                counter=place.counter,
                subject=first.subject,
                method=method,
                url="https://metrica.example/",
                status=200 if number % 2 else 500,
                request_body=f"asked {number}",
                response_body=f"answered {number}" if method == "POST" else json.dumps({"uploadings": []}),
                outcome="ok",
            )
    answer = browser.get(page(job))
    [line] = answer.context["waves"][0].lines
    newest = line.calls[0]
    assert newest.request_body in words(answer)
    assert line.answer == newest.response_body
    answered = next(number for number, call in enumerate(line.looked_up.looks) if call.status == 200)
    for calls, whole in ((line.calls, 0), (line.looked_up.looks, answered)):
        assert len(calls) == 20
        read = [number for number, call in enumerate(calls) if "response_body" not in call.get_deferred_fields()]
        assert read == [whole]


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


def follows_at(answer: Any) -> str:
    """The address from which the page's moving part fetches itself anew."""
    found = re.search(r'id="job" hx-get="([^"]+)"', answer.content.decode())
    assert found is not None
    return html.unescape(found[1])


def test_an_unfinished_job_follows_itself(place: Place, browser: Browser, django_assert_num_queries: Any):
    job = place.job(state="running", changes=10, delivered=4)
    answer = browser.get(page(job))
    assert "40 % delivered" in answer.content.decode()
    address = follows_at(answer)
    assert address.startswith(f"{page(job)}?part=live&seen=")
    UploadJob.objects.update(delivered=5)
    with django_assert_num_queries(7):  # the files are not read anew: the page shows them as they are
        part = browser.get(address)
    text = part.content.decode()
    assert "<html" not in text
    assert "50 % delivered" in text
    assert "job-files" not in text
    assert follows_at(part) == address
    Upload.objects.update(state="unknown")
    part = browser.get(address)
    assert 'id="job-files" hx-swap-oob="true"' in part.content.decode()
    assert "Outcome unknown" in words(part)
    assert follows_at(part) != address
    UploadJob.objects.update(state="succeeded", finished_at=timezone.now())
    assert browser.get(address).headers["HX-Refresh"] == "true"


def in_doubt(place: Place, job: UploadJob, listed: list[dict[str, Any]], **fields: Any) -> Upload:
    """The job's file after its answer was lost and Metrica's list was read."""
    upload = Upload.objects.get(job=job)
    Upload.objects.filter(pk=upload.pk).update(**fields)
    ApiCall.objects.create(
        agency=place.agency,
        counter=place.counter,
        subject=upload.pk,
        method="GET",
        url="https://metrica.example/cdp/api/v1/counter/1/last_uploadings?limit=1000",
        status=200,
        response_body=json.dumps({"uploadings": listed}),
        outcome="ok",
    )
    return upload


def entry(place: Place, upload: Upload, action: str, **details: Any) -> None:
    record(action=action, agency=place.agency, obj=upload, details=details)


def listed(uploading_id: str, *, rows: int = 1, status: str = "PASSED") -> dict[str, Any]:
    return {
        "uploading_id": uploading_id,
        "datetime": "2026-11-04 10:00:00",
        "api_validation_status": status,
        "elements_count": rows,
        "uploading_format": "CSV",
        "uploading_source": "API",
    }


def test_how_a_lost_answer_was_found_out_is_told(place: Place, browser: Browser, django_assert_num_queries: Any):
    job = place.job()
    rows = [
        listed("Mine-at-metrica"),
        listed("stranger"),
        listed("no-match", rows=7),
        listed("bad", status="FAILED"),
        listed("sibling"),
    ]
    upload = in_doubt(place, job, rows)
    keep(Upload(job=job, wave=2, state=UploadState.PASSED, rows=1, uploading_id="sibling"), place.counter)
    entry(place, upload, "upload.unknown", attempt=1)
    entry(place, upload, "upload.adopted", uploading_id="Mine-at-metrica")
    with django_assert_num_queries(11):
        text = words(browser.get(page(job)))
    for expected in (
        *("Looked up at Metrica 1 look", "Attempt 1: no answer came", "Looked for: an upload of 1 row"),
        "Found in Metrica's list as Mine-at-metrica and taken for this file.",
        *("Mine-at-metrica 1 CSV PASSED this file", "stranger 1 CSV PASSED could be this file"),
        *("no-match 7 CSV PASSED not this file", "bad 1 CSV FAILED Metrica has it as failed"),
        *("sibling 1 CSV PASSED another file of this counter", "POST https://metrica.example"),
    ):
        assert expected in text, expected


def test_a_file_sent_again_says_what_the_list_did_not_have(place: Place, browser: Browser):
    job = place.job()
    upload = in_doubt(place, job, [], attempts=2, sent_again="not_listed")
    entry(place, upload, "upload.sent_again", because="not_listed", candidates=0)
    text = words(browser.get(page(job)))
    assert "The same bytes were sent again: Metrica's list of uploads did not have it." in text
    assert "Metrica's list was empty, or could not be read." in text
    ApiCall.objects.filter(method="GET").delete()
    assert "What Metrica answered is no longer kept." in words(browser.get(page(job)))


def test_a_file_still_in_doubt_says_when_metrica_is_asked_next(place: Place, browser: Browser):
    job = place.job(state="running")
    in_doubt(place, job, [], state="unknown", not_before=timezone.now() + timedelta(minutes=3))
    assert "not decided yet" in words(browser.get(page(job)))
    assert "Nothing of this counter goes before it is decided. The next look comes in 2 min" in words(
        browser.get(page(job))
    )


def test_of_a_list_that_the_ledger_cut_its_beginning_is_read(place: Place, browser: Browser):
    job = place.job()
    in_doubt(place, job, [])
    whole = json.dumps({"uploadings": [listed("Mine-at-metrica"), listed("older", rows=2)]})
    ApiCall.objects.filter(method="GET").update(response_body=whole[:-30])
    text = words(browser.get(page(job)))
    assert "Mine-at-metrica 1 CSV PASSED this file" in text
    assert "older" not in text
    assert "only its beginning" in text
    for nonsense in ("", "[", "{", "<html>", '{"uploadings": 7}', "null"):
        ApiCall.objects.filter(method="GET").update(response_body=nonsense)
        assert "could not be read" in words(browser.get(page(job))), nonsense


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
