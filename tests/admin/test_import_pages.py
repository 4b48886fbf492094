"""Imports in the admin: bringing a file, seeing how it will be read, following it, taking its report away."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from openpyxl import Workbook

from apps.audit.models import AuditEntry
from apps.counters.services import update_counter
from apps.imports import claims, services, uploading
from apps.imports.models import ImportJob
from apps.imports.tasks import take_in
from apps.orders.models import Order
from tests.admin.conftest import Place
from tests.admin.pages import messages, words

pytestmark = pytest.mark.django_db

ADD = "/admin/imports/importjob/add/"


def page_of(job: ImportJob) -> str:
    return reverse("admin:imports_importjob_change", args=[job.pk])


def export(place: Place, *lines: str, header: str = "Номер;Дата;Этап;Телефон;Сумма") -> bytes:
    day = f"{place.began - timedelta(days=1):%d.%m.%Y}"
    return "\n".join([header, *(line.replace("DAY", day) for line in lines), ""]).encode("cp1251")


@pytest.fixture
def bring(place: Place, browser: Browser) -> Any:
    """Upload a file as a person does. Gives the answer, and the job where there is one."""

    def go(content: bytes, name: str = "Выгрузка.csv", **data: Any) -> tuple[Any, ImportJob | None]:
        file = SimpleUploadedFile(name, content)
        answer = browser.post(ADD, {"counter": place.counter.pk, "file": file, **data})
        return answer, ImportJob.objects.order_by("id").last()

    return go


def choose(job: ImportJob, *, do: str = "look", **changes: str) -> dict[str, str]:
    """What the form of a draft sends, with some choices written anew by header."""
    header = services.peek_at(job).header
    own = {f"column-{at}": changes.get(text, job.columns.get(text, "")) for at, text in enumerate(header)}
    return {**own, "delimiter": changes.get("delimiter", job.delimiter), do: ""}


def test_from_the_file_to_its_report(place: Place, browser: Browser, bring: Any):
    content = export(place, "7;DAY;won;8 (903) 123-45-67;5000", "8;DAY;won;12;x", "9;DAY;won")
    answer, job = bring(content)
    assert (answer.status_code, answer.url) == (302, page_of(job))
    page = browser.get(page_of(job))
    text = words(page)
    assert "Windows-1251" in text and "79031234567" in text and "2 would be rejected" in text
    assert "This is no amount" in text and "The row has 3 cells, the header 5" in text
    assert not Order.objects.exists()
    started = browser.post(reverse("admin:imports_importjob_columns", args=[job.pk]), choose(job, do="start"))
    assert (started.status_code, started.url) == (302, page_of(job))
    live = browser.get(page_of(job))
    assert 'hx-trigger="every 2s"' in live.content.decode() and "starts as soon as a worker is free" in words(live)
    take_in(str(job.pk))
    assert browser.get(page_of(job) + "?part=live").headers["HX-Refresh"] == "true"
    ended = browser.get(page_of(job))
    assert "every 2s" not in ended.content.decode()
    assert "Some rows rejected" in words(ended) and "money_format" in words(ended)
    assert 'href="#report-title">2</a>' in ended.content.decode(), "rejected rows lead to their table"
    assert 'id="report-title"' in ended.content.decode()
    counter_page = reverse("admin:counters_counter_change", args=[place.counter.pk])
    for page in (reverse("admin:imports_importjob_changelist"), counter_page):
        assert f'href="{page_of(job)}#report-title">2</a>' in browser.get(page).content.decode(), page
    report = browser.get(reverse("admin:imports_importjob_report", args=[job.pk]))
    assert report.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "errors.csv" in report.headers["Content-Disposition"] and "\n" not in report.headers["Content-Disposition"]
    found = list(csv.reader(io.StringIO(report.getvalue().decode("utf-8-sig"), newline=""), delimiter=";"))
    assert found[0][:5] == ["line", "column", "code", "reason", "goalpost_import"]
    assert found[0][5:] == ["Номер", "Дата", "Этап", "Телефон", "Сумма"]
    assert [row[:3] for row in found[1:]] == [["3", "Сумма", "money_format"], ["4", "", "too_few_cells"]]
    order = Order.objects.get()
    assert order.changes.get().received_by == place.owner.email
    entries = AuditEntry.objects.filter(action__startswith="import.").order_by("pk")
    assert [(entry.action, entry.actor_label) for entry in entries] == [
        ("import.received", place.owner.email),
        ("import.started", place.owner.email),
    ]


def test_the_report_corrected_is_brought_back(place: Place, browser: Browser, bring: Any):
    _answer, first = bring(export(place, "7;DAY;won;8 (903) 123-45-67;x", "8;DAY;won;89031234567;1"))
    browser.post(reverse("admin:imports_importjob_columns", args=[first.pk]), choose(first, do="start"))
    take_in(str(first.pk))
    report = browser.get(reverse("admin:imports_importjob_report", args=[first.pk])).getvalue()
    _answer, again = bring(report.replace(b";x", b";15"), "Выгрузка.errors.csv")
    text = words(browser.get(page_of(again)))
    assert "This is a report of rejected rows" in text and "none would be rejected" in text
    browser.post(reverse("admin:imports_importjob_columns", args=[again.pk]), choose(again, do="start"))
    take_in(str(again.pk))
    again.refresh_from_db()
    assert (again.state, again.created, again.corrects) == ("succeeded", 1, first)


def test_a_report_knows_which_import_it_is_of(place: Place, browser: Browser, bring: Any):
    """Also where another import has written one since, and whatever the file is called by now."""
    reports = []
    for number in (7, 8):
        _answer, job = bring(export(place, f"{number};DAY;won;89031234567;x"))
        browser.post(reverse("admin:imports_importjob_columns", args=[job.pk]), choose(job, do="start"))
        take_in(str(job.pk))
        reports.append((job, browser.get(reverse("admin:imports_importjob_report", args=[job.pk])).getvalue()))
    for job, report in reports:
        _answer, again = bring(report.replace(b";x", b";15"), "renamed.csv")
        assert again.corrects == job
        assert again.columns.keys() == job.columns.keys()


def test_a_report_without_a_key_is_of_nobody_unless_only_one_can_be_meant(place: Place, browser: Browser, bring: Any):
    header = "line;column;code;reason;Номер;Дата;Этап;Телефон;Сумма"
    old = f"{header}\n3;Сумма;money_format;?;9;2026-01-01;won;89031234567;1\n"
    _answer, none = bring(old.encode())
    assert none.corrects is None
    assert "This is a report of rejected rows" in words(browser.get(page_of(none)))
    firsts = []
    for number in (7, 8):
        _answer, job = bring(export(place, f"{number};DAY;won;89031234567;x"))
        browser.post(reverse("admin:imports_importjob_columns", args=[job.pk]), choose(job, do="start"))
        take_in(str(job.pk))
        firsts.append(job)
        _answer, again = bring(old.encode())
        assert again.corrects == (firsts[0] if number == 7 else None)


def test_a_report_names_no_import_of_another_agency(place: Place, other: Place, browser: Browser, bring: Any):
    theirs = ImportJob.objects.create(counter=other.counter, name="x.csv", kind="csv", reported=3)
    header = "line;column;code;reason;goalpost_import;Номер;Дата;Этап;Телефон;Сумма"
    row = f"3;Сумма;money_format;?;{theirs.pk};9;2026-01-01;won;89031234567;1"
    _answer, job = bring(f"{header}\n{row}\n".encode())
    assert job.corrects is None


def test_what_leaves_by_itself_is_asked_about_before_the_import(place: Place, browser: Browser, bring: Any):
    _answer, job = bring(export(place, "7;DAY;won;89031234567;1", "8;DAY;won;89031234567;1", "9;DAY;?;89031234567;1"))
    assert "Nothing leaves for Metrica until somebody presses “Upload now”." in words(browser.get(page_of(job)))
    update_counter(counter=place.counter, schedule="as they come")
    url = reverse("admin:imports_importjob_columns", args=[job.pk])
    asked = browser.post(url, choose(job, do="start"))
    assert asked.status_code == 200
    told = "Import, and let it leave? About 2 status changes will leave for Metrica at once."
    assert told in words(asked)
    job.refresh_from_db()
    assert job.state == "draft"
    assert browser.post(url, {**choose(job, do="start"), "sure": "1"}).status_code == 302
    job.refresh_from_db()
    assert job.state == "queued"


def test_money_of_the_preview_has_its_currency(place: Place, browser: Browser, bring: Any):
    _answer, job = bring(export(place, "7;DAY;won;89031234567;5000"))
    assert "5,000 ₽" in words(browser.get(page_of(job))).replace("\xa0", " ")


def test_columns_are_chosen_and_shown_anew(place: Place, browser: Browser, bring: Any):
    _answer, job = bring(export(place, "7;DAY;won;89031234567;1", header="A;Дата;Этап;Телефон;B"))
    url = reverse("admin:imports_importjob_columns", args=[job.pk])
    text = words(browser.get(page_of(job)))
    assert "No column of the file is taken for “id”" in text
    refused = browser.post(url, choose(job, do="start", B="order_status"))
    assert refused.status_code == 200 and "Two columns of the file are taken for “order_status”" in words(refused)
    assert browser.post(url, choose(job, A="id", B="revenue")).status_code == 302
    job.refresh_from_db()
    assert (job.columns["A"], job.columns["B"], job.state) == ("id", "revenue", "draft")
    assert "none would be rejected" in words(browser.get(page_of(job)))
    assert browser.post(url, {**choose(job), "column-0": "price"}).status_code == 200
    # Another delimiter cuts other columns.
    wrong = browser.post(url, choose(job, delimiter=","))
    assert wrong.status_code == 200 and "No column of the file is taken for" in words(wrong)
    job.refresh_from_db()
    assert job.delimiter == ";"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"%PDF-1.4", "This is no text but PDF"),
        (b"PK\x03\x04nothing", "The workbook cannot be opened"),
        (b"\xff\xfei\x00d\x00", "UTF-16"),
    ],
)
def test_a_wrong_file_is_refused_with_what_to_do(bring: Any, content: bytes, said: str):
    answer, job = bring(content)
    assert answer.status_code == 200 and job is None
    assert said in words(answer)


def test_a_file_beyond_the_limit_is_not_even_kept(bring: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uploading, "MAX_CSV_BYTES", 100)
    answer, job = bring(b"x" * 200_000)
    assert answer.status_code == 200 and job is None
    assert "A file may have 200 MB at most. Split it" in words(answer)


def test_a_name_is_shown_as_text(browser: Browser, bring: Any, place: Place):
    _answer, job = bring(export(place, "7;DAY;won;;1"), '<img src=x onerror="alert(1)">.csv')
    assert "<img src=x" not in browser.get(page_of(job)).content.decode()
    assert "<img src=x" not in browser.get("/admin/imports/importjob/").content.decode()


def test_cells_are_shown_as_text(browser: Browser, bring: Any, place: Place):
    _answer, job = bring(export(place, "<script>alert(1)</script>;DAY;won;;1", header="Номер;Дата;Этап;<b>x</b>;Сумма"))
    shown = browser.get(page_of(job)).content.decode()
    assert "<script>alert(1)" not in shown and "<b>x</b>" not in shown


def test_a_workbook_has_no_delimiter_to_choose(browser: Browser, bring: Any, place: Place):
    book, kept = Workbook(), io.BytesIO()
    book.active.append(["Номер", "Дата", "Этап"])
    book.active.append(["7", place.began.replace(tzinfo=None), "won"])
    book.save(kept)
    _answer, job = bring(kept.getvalue(), "orders.xlsx")
    page = browser.get(page_of(job))
    assert 'name="delimiter"' not in page.content.decode() and "sheet “Sheet”" in words(page)


def test_a_person_stops_an_import(browser: Browser, bring: Any, place: Place):
    _answer, job = bring(export(place, "7;DAY;won;;1"))
    browser.post(reverse("admin:imports_importjob_columns", args=[job.pk]), choose(job, do="start"))
    turn = claims.claim(job.pk)
    answer = browser.post(reverse("admin:imports_importjob_cancel", args=[job.pk]), follow=True)
    assert "The import is being stopped" in messages(answer) and "It stops after the rows" in words(answer)
    assert turn is not None
    turn.release()
    take_in(str(job.pk))
    assert "A person stopped the import" in words(browser.get(page_of(job)))
    late = browser.post(reverse("admin:imports_importjob_columns", args=[job.pk]), choose(job, do="start"), follow=True)
    assert "gone on meanwhile" in messages(late)


def test_somebody_elses_counter_cannot_be_chosen(browser: Browser, bring: Any, other: Place, place: Place):
    answer, job = bring(export(place, "7;DAY;won;;1"), counter=other.counter.pk)
    assert answer.status_code == 200 and job is None
    assert "Zeta" not in words(browser.get(ADD))


def test_an_analyst_reads_and_does_not_take_the_report(place: Place, bring: Any, browser: Browser, login: Any):
    _answer, job = bring(export(place, "7;DAY;won;;x"))
    analyst = login(place.analyst)
    draft = analyst.get(page_of(job))
    assert draft.status_code == 200 and 'name="start"' not in draft.content.decode()
    assert (
        analyst.post(reverse("admin:imports_importjob_columns", args=[job.pk]), choose(job, do="start")).status_code
        == 403
    )
    browser.post(reverse("admin:imports_importjob_columns", args=[job.pk]), choose(job, do="start"))
    take_in(str(job.pk))
    report = reverse("admin:imports_importjob_report", args=[job.pk])
    assert analyst.get(report).status_code == 403  # its cells are those of the file, people and all
    page = analyst.get(page_of(job))
    assert "Import the corrected report" not in words(page) and report not in page.content.decode()
    assert report in browser.get(page_of(job)).content.decode()


def test_the_counters_page_leads_there(place: Place, bring: Any, browser: Browser):
    url = reverse("admin:counters_counter_change", args=[place.counter.pk])
    assert f"{ADD}?counter={place.counter.pk}" in browser.get(url).content.decode()
    assert "No file was imported yet" in words(browser.get(url))
    _answer, job = bring(export(place, "7;DAY;won;;1"))
    assert page_of(job) in browser.get(url).content.decode()
    chosen = browser.get(f"{ADD}?counter={place.counter.pk}").content.decode()
    assert f'<option value="{place.counter.pk}" selected>' in chosen


def test_what_pages_cost(place: Place, bring: Any, browser: Browser, django_assert_num_queries: Any):
    lines = [f"{n};DAY;won;8903123{n:04};{'x' if n % 7 == 3 else 5}" for n in range(30)]
    _answer, job = bring(export(place, *lines))
    # The first rows go through intake, and back.
    with django_assert_num_queries({"sqlite": 20, "postgresql": 21}[connection.vendor]):
        browser.get(page_of(job))
    browser.post(reverse("admin:imports_importjob_columns", args=[job.pk]), choose(job, do="start"))
    for url in (page_of(job), page_of(job) + "?part=live"):
        with django_assert_num_queries(5):
            browser.get(url)
    take_in(str(job.pk))
    with django_assert_num_queries(6):
        browser.get(page_of(job))
    for _more in range(3):
        bring(export(place, "7;DAY;won;;1"))
    with django_assert_num_queries(7):
        browser.get("/admin/imports/importjob/")
