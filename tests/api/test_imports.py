"""Files of orders by REST: brought in one request, followed to their end, and only by who may (R11)."""

import gzip
import json
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEntry
from apps.imports import services, uploading
from apps.imports.models import ImportJob, ImportState, RememberedColumns, ReportPart
from apps.imports.tasks import take_in
from apps.orders import intake
from apps.orders.models import Order, Source, StatusChange
from tests.api.conftest import Answer
from tests.factories import make_counter
from tests.imports.conftest import HEADER, WHEN
from tests.imports.test_xlsx import workbook

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "counters/40000001/imports/"
GOOD = f"D-1,{WHEN},PAID,17000000001,5000"
BAD = "D-2,soon,PAID,17000000001,1"


def rows(*lines, header=HEADER):
    return "\n".join([header, *lines]) + "\n"


def bring(caller, content, name="orders.csv", path=LIST, **fields):
    data = content if isinstance(content, bytes) else content.encode()
    headers = {"authorization": f"Bearer {caller.key}"}
    if name is not None:
        fields = {"file": SimpleUploadedFile(name, data), **fields}
    response = caller.client.post(f"/api/v1/{path}", fields, headers=headers)
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return Answer(response.status_code, json.loads(body), response.headers)


def ended(caller, answer):
    assert answer.status == 202, answer.body
    take_in(answer.body["id"])
    return caller.get(answer.headers["Location"].removeprefix("/api/v1/")).body


def test_a_file_is_on_its_way_at_once_and_followed_to_its_end(api, counter):
    answer = bring(api, rows(GOOD, BAD))
    assert (answer.status, answer.body["state"], answer.body["file"]) == (202, "queued", "orders.csv")
    assert answer.headers["Location"] == f"/api/v1/imports/{answer.body['id']}/"
    body = ended(api, answer)
    assert (body["state"], body["rows"], body["created"], body["rejected"]) == ("partly_failed", 2, 1, 1)
    assert body["progress"] == {"percent": 100, "line": 3} and body["counter"] == 40000001
    assert body["requested_by"].startswith("key ") and body["error"] is None and not body["dry_run"]
    assert StatusChange.objects.get().source == Source.CSV
    assert AuditEntry.objects.filter(action="import.started", actor_kind="key", counter=40000001).count() == 1
    report = api.get(body["report"].removeprefix("/api/v1/"))
    assert report.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="orders.errors.csv"' in report.headers["Content-Disposition"]
    text = report.body.decode("utf-8-sig").splitlines()
    assert text[0] == f"line,column,code,reason,goalpost_import,{HEADER}"
    assert text[1].startswith("3,create_date_time,") and body["id"] in text[1]


def test_the_report_corrected_comes_back_as_it_is(api, counter):
    first = ended(api, bring(api, rows(GOOD, BAD)))
    report = api.get(first["report"].removeprefix("/api/v1/")).body.decode("utf-8-sig")
    again = ended(api, bring(api, report.replace("soon", WHEN)))
    assert (again["state"], again["created"], again["corrects"]) == ("succeeded", 1, first["id"])
    answer = api.get(f"imports/{again['id']}/errors.csv")
    assert (answer.status, answer.codes, again["report"]) == (404, {"no_report"}, None)


def test_a_row_is_the_same_by_file_and_by_json(api, counter):
    """R1."""
    ended(api, bring(api, rows(GOOD)))
    assert api.post(
        "counters/40000001/orders/",
        {"id": "D-1", "create_date_time": WHEN, "order_status": "PAID", "client_ids": ["17000000001"], "revenue": 5000},
    ).body["unchanged"] == 1  # fmt: skip


def test_columns_encoding_and_delimiter_as_they_are_named(api, counter):
    text = rows(f"D-1|{WHEN}|PAID|x", header="Code|When|Stage|Note").replace("|", ";")
    columns = json.dumps({"id": "code", "create_date_time": "When", "order_status": "Stage", "client_name": None})
    body = ended(api, bring(api, text.encode("cp1251"), columns=columns, delimiter="semicolon", encoding="utf-8"))
    assert (body["delimiter"], body["encoding"], body["created"]) == (";", "UTF-8", 1)
    assert body["columns"] == {"Code": "id", "When": "create_date_time", "Stage": "order_status", "Note": ""}
    remembered = RememberedColumns.objects.get()
    assert remembered.columns["Code"] == "id"
    assert ended(api, bring(api, text.replace("D-1", "D-3")))["created"] == 1  # as the last one


@pytest.mark.parametrize(
    ("content", "fields", "errors"),
    [
        ("", {}, {("file", "empty")}),
        ("\n", {}, {("file", "no_header")}),
        (b"PK\x03\x04no workbook", {}, {("file", "xlsx_damaged")}),
        ("a,b\n1,2\n", {}, {("columns", "missing_column")}),
        (rows(GOOD), {"delimiter": "colon"}, {("delimiter", "delimiter")}),
        (rows(GOOD), {"delimiter": "semicolon"}, {("columns", "missing_column")}),
        (rows(GOOD), {"encoding": "windows-1251"}, {("encoding", "wrong_encoding")}),
        (rows(GOOD), {"encoding": "koi8-r"}, {("encoding", "unknown_encoding")}),
        (rows(GOOD), {"columns": "id=Code"}, {("columns", "bad_columns")}),
        (rows(GOOD), {"columns": '["id"]'}, {("columns", "bad_columns")}),
        (rows(GOOD), {"columns": '{"id": 1}'}, {("columns", "bad_columns")}),
        (rows(GOOD), {"columns": '{"id": "Code"}'}, {("columns", "missing_header")}),
        (rows(GOOD), {"columns": '{"price": "revenue"}'}, {("columns", "unknown")}),
        (rows(GOOD), {"columns": '{"id": null}'}, {("columns", "missing_column")}),
        (rows(GOOD), {"columns": '{"cost": "revenue", "currency": "revenue"}'}, {("columns", "duplicate_header")}),
        (rows(GOOD), {"dry_run": "maybe"}, {("dry_run", "invalid_choice")}),
        (rows(GOOD), {"separator": ","}, {("separator", "unknown_field")}),
    ],
)
def test_a_file_that_cannot_be_read_so_is_refused_and_nothing_is_kept(api, counter, content, fields, errors, settings):
    answer = bring(api, content, **fields)
    assert answer.status == 400
    found = {(error["field"], error["code"]) for error in answer.body["errors"]}
    assert {field for field, _code in found} == {field for field, _code in errors}
    if errors != {("file", "empty")}:
        assert errors <= found, answer.body
    assert not ImportJob.objects.exists() and not AuditEntry.objects.filter(action__startswith="import.").exists()
    assert not [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]


def test_forms_that_are_none(api, counter):
    form = "multipart/form-data; boundary=x"
    for content_type, raw, status, code in (
        ("application/json", b"{}", 415, "unsupported_media_type"),
        ("text/csv", rows(GOOD).encode(), 415, "unsupported_media_type"),
        (form, b"", 400, "empty_body"),
        (form, b"nonsense", 400, "required"),
        ("multipart/form-data", b"--x", 400, "malformed_form"),
        (form, b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--x--\r\n', 400, "not_a_file"),
    ):
        answer = api("POST", LIST, raw=raw, content_type=content_type)
        assert (answer.status, answer.codes) == (status, {code}), (content_type, raw)
        assert answer.headers["Content-Type"] == "application/problem+json"
    two = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na\r\n' * 2 + b"--x--\r\n"
    assert api("POST", LIST, raw=two, content_type=form).codes == {"repeated_field"}
    assert not ImportJob.objects.exists()


def test_a_file_that_is_too_large_is_413(api, counter, monkeypatch):
    monkeypatch.setattr(services, "MAX_CSV_BYTES", 2_000)
    monkeypatch.setattr(uploading, "MAX_CSV_BYTES", 2_000)
    for size in (2_001, 3_000_000):  # passed over while it is read; refused for what the request announces
        answer = bring(api, b"x" * size)
        assert (answer.status, answer.codes) == (413, {"file_too_large"})
    monkeypatch.setattr(services, "MAX_ROWS", 2)
    answer = bring(api, rows(GOOD, GOOD, GOOD, GOOD))
    assert (answer.status, answer.codes) == (413, {"too_many_rows"})
    assert not ImportJob.objects.exists()


def test_a_file_may_be_checked_only(api, counter):
    more = [f"D-{n},{WHEN},PAID,17000000001,{n}" for n in range(10, 20)]
    body = ended(api, bring(api, rows(GOOD, BAD, *more), dry_run="true"))
    assert (body["state"], body["dry_run"]) == ("partly_failed", True)
    assert (body["created"], body["rejected"], body["rows"], body["progress"]["percent"]) == (11, 1, 12, 100)
    assert api.get(f"imports/{body['id']}/errors.csv").status == 200
    assert not Order.objects.exists() and not RememberedColumns.objects.exists()
    assert not AuditEntry.objects.filter(action__in=["orders.imported", "orders.accepted"]).exists()
    assert AuditEntry.objects.get(action="import.checked").details["created"] == 11
    assert ended(api, bring(api, rows(GOOD, BAD, *more)))["created"] == 11


def test_checking_goes_on_where_a_worker_died(api, counter, monkeypatch):
    lines = [f"D-{n},{WHEN},PAID,17000000001,{n}" for n in range(30)]
    lines[3], lines[25] = BAD, BAD
    job = bring(api, rows(*lines), dry_run="true").body["id"]
    monkeypatch.setattr(intake.accept, "__kwdefaults__", {**intake.accept.__kwdefaults__, "chunk_size": 10})
    told = intake._Call._apply
    calls = []

    def dies(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("the machine is gone")
        return told(self, *args, **kwargs)

    monkeypatch.setattr(intake._Call, "_apply", dies)
    take_in(job)
    assert 0 < ImportJob.objects.get().rows < 30
    ImportJob.objects.update(not_before=None)
    take_in(job)
    body = api.get(f"imports/{job}/").body
    assert (body["created"], body["rejected"], body["progress"]["line"]) == (28, 2, 31)
    assert ReportPart.objects.count() == 2 and not Order.objects.exists()


def test_a_workbook_too(api, counter):
    content = workbook(HEADER.split(","), ["D-1", WHEN, "PAID", "17000000001", 5000]).read()
    body = ended(api, bring(api, content, name="orders.xlsx"))
    assert (body["format"], body["created"], body["encoding"], body["delimiter"]) == ("xlsx", 1, None, None)


def test_stopped_once(api, counter):
    job = bring(api, rows(GOOD)).body["id"]
    answer = api.post(f"imports/{job}/cancel/")
    assert (answer.status, answer.body["state"], answer.body["error"]["code"]) == (200, "cancelled", "cancelled")
    again = api.post(f"imports/{job}/cancel/", {})
    assert (again.status, again.codes) == (409, {"import_ended"})
    assert api.post(f"imports/{job}/cancel/", {"now": True}).codes == {"unknown_field"}


def test_the_list_by_pages_and_with_the_same_number_of_queries(api, counter):
    made = [bring(api, rows(GOOD), name=f"{n}.csv").body["id"] for n in range(3)]
    seen, path = [], f"{LIST}?limit=2"
    while path:
        with CaptureQueriesContext(connection) as queries:
            answer = api.get(path)
        assert len(queries) == 3  # the key, the counter, imports
        seen += [row["id"] for row in answer.body["results"]]
        path = (answer.body["next"] or "").partition("/api/v1/")[2]
    assert seen == made[::-1]


def test_nobody_elses_imports(api, counter, outsider, caller_for, agency):
    make_counter(agency, metrica_id=40000009)
    job = ended(api, bring(api, rows(GOOD, BAD)))["id"]
    limited = caller_for(agency, counter_ids=[40000009])
    reader, writer = caller_for(agency, scopes=["read"]), caller_for(agency, scopes=["write"])
    for stranger in (outsider, limited):
        assert stranger.get(LIST).status == bring(stranger, rows(GOOD)).status == 404
        for path in (f"imports/{job}/", f"imports/{job}/errors.csv"):
            assert stranger.get(path).status == 404
        assert stranger.post(f"imports/{job}/cancel/").status == 404
    assert reader.get(f"imports/{job}/errors.csv").status == 403
    assert bring(reader, rows(GOOD)).status == reader.post(f"imports/{job}/cancel/").status == 403
    assert writer.get(f"imports/{job}/").status == writer.get(f"imports/{job}/errors.csv").status == 403
    assert api.get(f"imports/{uuid.uuid4()}/").status == 404
    assert ImportJob.objects.count() == 1


def test_the_admins_page_says_what_was_only_checked(api, counter, client):
    from tests.factories import make_staff

    job = ended(api, bring(api, rows(GOOD, BAD), dry_run="true"))["id"]
    client.force_login(make_staff())
    page = client.get(f"/admin/imports/importjob/{job}/change/").content.decode()
    assert "only checked: nothing of it is kept" in page and "Only checked" in page
    assert "Only checked" in client.get("/admin/imports/importjob/").content.decode()
    assert ImportJob.objects.get().state == ImportState.PARTLY_FAILED


def test_no_idempotency_key_and_no_compression_for_a_form(api, counter):
    answer = api.client.post(
        f"/api/v1/{LIST}",
        {"file": SimpleUploadedFile("orders.csv", rows(GOOD).encode())},
        headers={"authorization": f"Bearer {api.key}", "idempotency-key": "k-1"},
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_not_for_files")
    packed = api.client.post(
        f"/api/v1/{LIST}",
        gzip.compress(b"--x--"),
        content_type="multipart/form-data; boundary=x",
        headers={"authorization": f"Bearer {api.key}", "content-encoding": "gzip"},
    )
    assert (packed.status_code, packed.json()["code"]) == (415, "unsupported_content_encoding")
    assert not ImportJob.objects.exists()
