"""A file that a person brought: what is guessed of it, how it is taken in, and that a dead worker costs nothing."""

import csv
import io
import zlib
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.imports import claims, files, rounds, running, services
from apps.imports.models import ImportJob, ImportState, RememberedColumns, ReportPart
from apps.imports.preview import preview
from apps.imports.tasks import take_in
from apps.orders import intake
from apps.orders.models import Order, StatusChange
from tests.factories import make_counter
from tests.imports.conftest import DAY, HEADER, WHEN

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = f"D-1,{WHEN},IN_PROGRESS,1700000000123456789,5000.00"


def rows(*lines):
    return "\n".join([HEADER, *lines]) + "\n"


def many(number, *, first=1):
    return [f"D-{n},{WHEN},PAID,17000000001,{n}" for n in range(first, first + number)]


@pytest.fixture
def receive(counter):
    def go(content, name="orders.csv"):
        data = content if isinstance(content, bytes) else content.encode()
        return services.receive(counter=counter, name=name, content=io.BytesIO(data))

    return go


@pytest.fixture
def taken(receive):
    """The job of a file that was brought, started and worked on to its end."""

    def go(content, **more):
        job = receive(content, **more)
        services.start(job=job)
        take_in(str(job.pk))
        job.refresh_from_db()
        return job

    return go


def report_of(job):
    parts = [zlib.decompress(bytes(part.body)).decode() for part in job.report_parts.order_by("first_line")]
    return list(csv.reader(io.StringIO("".join(parts), newline=""), delimiter=job.delimiter))


def codes(refused):
    return [error.code for error in refused.value.error_list]


# What is guessed


def test_a_russian_export_is_understood_as_it_is(receive, counter):
    text = (
        "№ заказа;Дата создания;Стадия сделки;Телефон;E-mail;Сумма, руб;Менеджер\n"
        f"7;{DAY:%d.%m.%Y};PAID;89031234567;;5\n"
    )
    job = receive(text.encode("cp1251"), name="Выгрузка.csv")
    assert (job.encoding, job.delimiter, job.state) == ("Windows-1251", ";", "draft")
    assert job.columns == {
        "№ заказа": "id",
        "Дата создания": "create_date_time",
        "Стадия сделки": "order_status",
        "Телефон": "phones",
        "E-mail": "emails",
        "Сумма, руб": "",
        "Менеджер": "",
    }


def test_the_choice_is_remembered_for_the_counter(receive, counter):
    text = f"A\tB\tC\tСтатус\n7\t{DAY:%d.%m.%Y}\tPAID\tx\n"
    job = receive(text)
    assert job.delimiter == "\t"
    chosen = {"A": "id", "B": "create_date_time", "C": "order_status", "Статус": ""}
    services.name_columns(job=job, delimiter="\t", columns=chosen)
    services.start(job=job)
    assert receive(text).columns == chosen
    other = services.receive(counter=make_counter(), name="x.csv", content=io.BytesIO(text.encode()))
    assert other.columns == {"A": "", "B": "", "C": "", "Статус": "order_status"}
    assert RememberedColumns.objects.get().counter == counter


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        ({"id": "id"}, ["missing_column", "missing_column"]),
        ({"a": "id", "b": "id", "c": "create_date_time", "d": "order_status"}, ["duplicate_column"]),
        ({"a": "id", "b": "price", "c": "create_date_time", "d": "order_status"}, ["unknown"]),
    ],
)
def test_columns_that_do_not_do_are_refused_together(receive, columns, wrong):
    job = receive(rows(GOOD))
    with pytest.raises(ValidationError) as refused:
        services.name_columns(job=job, delimiter=",", columns=columns)
    assert codes(refused) == wrong


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\n\n", "no_header"),
        (b"%PDF-1.7 ....", "not_text"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 600, "not_text"),
        (b"PK\x03\x04 and no archive at all", "xlsx_damaged"),
        ("id,create_date_time,order_status\n".encode("utf-16"), "wrong_encoding"),
    ],
)
def test_what_is_no_table_is_refused_and_not_kept(receive, content, code):
    with pytest.raises(ValidationError) as refused:
        receive(content)
    assert codes(refused) == [code] and all(refused.value.messages)
    assert not ImportJob.objects.exists()
    assert not default_storage.exists("imports")


def test_limits_of_size_and_rows(receive, monkeypatch):
    monkeypatch.setattr(services, "MAX_ROWS", 3)
    assert receive(rows(*many(3)))
    with pytest.raises(ValidationError) as refused:
        receive(rows(*many(4)))
    assert codes(refused) == ["too_many_rows"]
    monkeypatch.setattr(services, "MAX_CSV_BYTES", 50)
    with pytest.raises(ValidationError) as refused:
        receive(rows(GOOD))
    assert codes(refused) == ["file_too_large"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\Анна\\Заказы №5.csv", "Заказы №5.csv"),
        ("<script>alert(1)</script>.csv", "script_.csv"),
        ('a"b\r\nSet-Cookie: x.csv', "a_b_Set-Cookie_ x.csv"),
        ("=cmd|' /C calc'!A0.csv", "C calc_A0.csv"),
        ("x" * 300 + ".csv", "x" * 140 + ".csv"),
        ("...", "orders.csv"),
        ("\x00\u202egpj.csv", "_gpj.csv"),
    ],
)
def test_hostile_names_are_names_only(receive, name, kept):
    job = receive(rows(GOOD), name=name)
    assert job.name == kept
    assert job.file.endswith(f"{job.pk}.csv.gz")


# The preview


def test_the_preview_shows_what_will_be_stored_and_keeps_nothing(receive):
    content = (
        "id,create_date_time,order_status,client_ids,phones,revenue\n"
        f"D-1,{WHEN},PAID,17000000001,8 (903) 123-45-67,5000.00\n"
        f"D-2,{WHEN},Новый,17000000001,12,1\n"
        "D-3,2026-02-30,PAID,,,x\n"
        "D-4,short\n"
    )
    shown = preview(receive(content))
    assert [line.result for line in shown.lines] == ["created", "created", "rejected", "rejected"]
    first, second, third, fourth = shown.lines
    assert [cell.text for cell in first.cells] == ["D-1", WHEN, "PAID", "17000000001", "79031234567", "5,000\xa0₽"]
    assert (first.type, second.type) == ("PAID", None)
    assert second.cells[4].warnings and "not mapped" in str(second.hold)
    assert [bool(cell.errors) for cell in third.cells] == [False, True, False, False, False, True]
    assert fourth.notes and not fourth.cells
    assert (shown.checked, shown.results["rejected"], shown.warned) == (4, 2, 1)
    assert not Order.objects.exists() and not AuditEntry.objects.filter(action="orders.accepted").exists()


def test_bad_rows_behind_the_first_ones_are_shown_too(receive):
    shown = preview(receive(rows(*many(60), "late,x,PAID,,", *many(30, first=100))))
    assert [line.line for line in shown.lines] == [*range(2, 22), 62]
    assert shown.checked == 91


# Taking it in


def test_a_file_comes_in_with_its_report(taken, counter):
    job = taken(
        rows(GOOD, f"=2+3,{WHEN},PAID,17000000001,-5", "D-3,2026-02-30,PAID,,x", "D-4,short", *many(3, first=10))
    )
    assert (job.state, job.created, job.rejected, job.rows) == ("partly_failed", 4, 3, 7)
    assert (job.position, job.file != "", job.lease_until) == (job.whole, True, None)
    found = report_of(job)
    assert [(row[0], row[1], row[2]) for row in found] == [
        ("3", "revenue", "money_negative"),
        ("4", "create_date_time, revenue", "date_nonexistent, money_format"),
        ("5", "", "too_few_cells"),
    ]
    assert found[0][4:] == ["'=2+3", WHEN, "PAID", "17000000001", "'-5"]
    entry = AuditEntry.objects.get(action="orders.imported")
    assert (entry.details["rows"], entry.details["sha256"], entry.details["complete"]) == (7, job.sha256, True)
    change = StatusChange.objects.filter(order__order_id="D-1").get()
    assert (change.source, change.received_by, change.request_id) == ("csv", job.requested_by, job.request_id)


def test_a_corrected_report_brings_in_only_its_rows(taken, receive):
    first = taken(rows(GOOD, f"=2,{WHEN},PAID,17000000001,-5", "D-3,x,PAID,17000000001,1"))
    from apps.imports.report_out import whole_report

    text = b"".join(whole_report(first)).decode("utf-8-sig")
    mended = text.replace("'-5", "5").replace("D-3,x", f"D-3,{WHEN}")
    again = taken(mended, name="orders.errors.csv")
    assert (again.state, again.created, again.rejected, again.corrects) == ("succeeded", 2, 0, first)
    assert set(Order.objects.values_list("order_id", flat=True)) == {"D-1", "=2", "D-3"}
    assert not any(name in again.columns for name in ("line", "column", "code", "reason"))


def test_again_the_same_file_changes_nothing(taken):
    content = rows(GOOD, *many(5, first=2))
    taken(content)
    again = taken(content)
    assert (again.state, again.created, again.updated, again.unchanged) == ("succeeded", 0, 0, 6)
    assert StatusChange.objects.count() == 6


class Killed(BaseException):
    """As SIGKILL: nobody gets to write anything."""


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_a_killed_worker_goes_on_where_it_stopped(receive, monkeypatch, moment):
    """Statuses without a time of their own: a row that came twice would be seen as a second status."""
    monkeypatch.setattr(intake, "CHUNK_SIZE", 10)
    monkeypatch.setattr(intake.accept, "__kwdefaults__", {**intake.accept.__kwdefaults__, "chunk_size": 10})
    lines = [f"D-{n // 2},{WHEN},{'PAID' if n % 2 else 'IN_PROGRESS'},17000000001,1" for n in range(40)]
    lines[33] = "bad,x,PAID,,"
    lines[3] = "early,x,PAID,,"
    job = receive(rows(*lines))
    services.start(job=job)
    steps = []
    write, settle = claims.Turn.write, running.Import._settle

    def dying_write(self, **fields):
        steps.append(1)
        if moment.startswith("before") and len(steps) == 3:
            raise Killed
        write(self, **fields)

    def dying_settle(self):
        if moment.startswith("after") and len(steps) == 3 and self._next is not None:
            raise Killed
        settle(self)

    with monkeypatch.context() as patch:
        patch.setattr(claims.Turn, "write", dying_write)
        patch.setattr(running.Import, "_settle", dying_settle)
        with pytest.raises(Killed):
            running.run(job.pk)
    job.refresh_from_db()
    done = 20 if moment.startswith("before") else 30
    assert (job.state, job.line, job.rows) == ("running", done + 1, done)
    assert StatusChange.objects.count() == done - 1
    running.run(job.pk)  # its lease is not over: nobody may take it
    job.refresh_from_db()
    assert job.line == done + 1
    ImportJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    running.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.rows, job.rejected, job.created + job.updated) == ("partly_failed", 40, 2, 38)
    assert StatusChange.objects.count() == 38
    assert [row[0] for row in report_of(job)] == ["5", "35"]
    assert job.breakdowns == 0


def test_who_was_thought_dead_writes_nothing(receive, monkeypatch):
    job = receive(rows(*many(3)))
    services.start(job=job)
    slow = claims.claim(job.pk)
    ImportJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(running, "claim", lambda job_id: slow)
    assert claims.claim(job.pk).fence == slow.fence + 1
    running.run(job.pk)
    assert not Order.objects.exists()
    job.refresh_from_db()
    assert (job.state, job.rows) == ("running", 0)


def test_a_turn_ends_and_the_next_one_goes_on(receive, monkeypatch):
    job = receive(rows(*many(30)))
    services.start(job=job)
    monkeypatch.setattr(claims, "TURN_SECONDS", -1.0)
    running.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.rows, job.lease_until) == ("running", 1, None)
    monkeypatch.setattr(claims, "TURN_SECONDS", 60.0)
    running.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.created) == ("succeeded", 30)


def test_one_import_of_a_counter_at_a_time(receive):
    first, second = receive(rows(*many(2))), receive(rows(*many(2, first=5)))
    for job in (first, second):
        services.start(job=job)
    turn = claims.claim(first.pk)
    assert claims.claim(second.pk) is None
    turn.release()
    running.run(first.pk)
    second.refresh_from_db()
    assert second.enqueued_at is not None
    running.run(second.pk)
    assert set(ImportJob.objects.values_list("state", flat=True)) == {"succeeded"}


def test_a_fault_is_tried_again_and_ends_told(receive, monkeypatch):
    job = receive(rows(*many(2)))
    services.start(job=job)

    def broken(*_args, **_more):
        raise RuntimeError("disk")

    monkeypatch.setattr(running, "_opened", broken)
    for _attempt in range(running.MOST_BREAKDOWNS + 1):
        running.run(job.pk)
        ImportJob.objects.update(not_before=None)
    job.refresh_from_db()
    assert (job.state, job.error_code) == ("failed", "internal_error")


def test_a_file_that_was_lost_or_spoiled_is_told(receive):
    for spoil, code in ((files.forget, "file_missing"), (_spoil, "file_damaged")):
        job = receive(rows(*many(2)))
        services.start(job=job)
        spoil(job)
        running.run(job.pk)
        job.refresh_from_db()
        assert (job.state, job.error_code) == ("failed", code)


def _spoil(job):
    with open(default_storage.path(job.file), "r+b") as file:
        file.seek(30)
        file.write(b"\x00\x00\x00\x00")


@pytest.mark.parametrize("state", ["draft", "queued", "running"])
def test_a_person_stops_it(receive, state):
    job = receive(rows(*many(2)))
    if state != "draft":
        services.start(job=job)
    turn = claims.claim(job.pk) if state == "running" else None
    services.cancel(job=job)
    job.refresh_from_db()
    assert job.state == ("running" if turn else "cancelled")
    if turn:
        turn.release()
    running.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code, Order.objects.count()) == ("cancelled", "cancelled", 0)
    with pytest.raises(ValidationError):
        services.cancel(job=job)
    with pytest.raises(ValidationError):
        services.start(job=job)


def test_attributes_have_columns_of_their_own(taken):
    header = "id,create_date_time,order_status,client_uniq_id,attribute:branch,client_attribute:card"
    job = taken(f"{header}\nD-1,{WHEN},PAID,C-1,north,gold\nD-2,{WHEN},PAID,C-1,,\n")
    assert job.state == "succeeded"
    assert [change.attributes for change in StatusChange.objects.order_by("order__order_id")] == [
        {"branch": "north"},
        {},
    ]


# The tick


def test_the_tick_tells_again_of_what_was_lost(receive, settings):
    job, draft = receive(rows(GOOD)), receive(rows(GOOD))
    services.start(job=job)
    now = timezone.now()
    assert rounds.bring_up(now) == 0
    later = now + timedelta(seconds=settings.UPLOAD_LEASE_SECONDS + 1)
    assert rounds.bring_up(later) == 1
    assert ImportJob.objects.get(pk=draft.pk).enqueued_at is None


def test_files_go_when_their_time_is_over(taken, receive):
    ended, draft, fresh = taken(rows("D-3,x,PAID,,")), receive(rows(GOOD)), receive(rows(GOOD))
    names = [ended.file, draft.file]
    ImportJob.objects.filter(pk=ended.pk).update(created_at=timezone.now() - rounds.FILE_KEPT)
    ImportJob.objects.filter(pk=draft.pk).update(created_at=timezone.now() - rounds.DRAFT_KEPT)
    assert rounds.prune(now=timezone.now()) == 2
    assert not any(map(default_storage.exists, names)) and default_storage.exists(fresh.file)
    assert not ReportPart.objects.exists()
    draft.refresh_from_db()
    ended.refresh_from_db()
    assert (draft.state, draft.error_code, ended.rejected) == (ImportState.CANCELLED, "expired", 1)
    assert rounds.prune(now=timezone.now()) == 0
