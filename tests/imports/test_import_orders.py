"""import_orders: what comes in, what is said of the rest, and how it ends."""

import hashlib
import io
import os

import pytest
from django.core.management import CommandError, call_command

from apps.audit.models import AuditEntry
from apps.orders.models import Order, Source, StatusChange
from tests.imports.conftest import DAY, HEADER, WHEN, report_of


def rows(*lines):
    return "\n".join([HEADER, *lines]) + "\n"


GOOD = f"D-1,{WHEN},IN_PROGRESS,1700000000123456789,5000.00"


def test_all_rows_in_is_0(run, counter):
    done = run(rows(GOOD, f"D-1,{WHEN},PAID,,5500", f"D-2,{WHEN},PAID,17000000001,1"))
    assert (done.status, done.report) == (0, None)
    assert "created" in done.out and "rows/s" in done.out
    first = Order.objects.get(order_id="D-1")
    assert [change.order_status for change in first.changes.in_timeline_order()] == ["IN_PROGRESS", "PAID"]
    assert first.identifiers == {"client_ids": ["1700000000123456789"]}  # an empty cell took nothing away
    change = StatusChange.objects.get(order__order_id="D-2")
    assert change.source == Source.CSV
    assert change.received_by.startswith("command import_orders by ")
    assert change.request_id


def test_again_the_same_file_changes_nothing(run, counter):
    content = rows(GOOD, f"D-2,{WHEN},PAID,17000000001,1")
    run(content)
    done = run(content)
    assert done.status == 0
    assert StatusChange.objects.count() == 2
    assert "unchanged              2" in done.out


def test_some_rows_rejected_is_3_and_the_rest_is_in(run, counter):
    done = run(
        rows(GOOD, f",{WHEN},PAID,17000000001,1", "D-3,2026-02-30,PAID,17000000001,x", "D-4,", f"D-5,{WHEN},PAID,,")
    )
    assert done.status == 3
    assert "3 rows were rejected" in done.message and "orders.errors.csv" in done.message
    assert set(Order.objects.values_list("order_id", flat=True)) == {"D-1", "D-5"}
    told = [(row["line"], row["column"], row["code"]) for row in done.report]
    assert told == [
        ("3", "id", "required"),
        ("4", "create_date_time, revenue", "date_nonexistent, money_format"),
        ("5", "", "too_few_cells"),
    ]
    assert all(row["reason"] for row in done.report)
    assert done.report[0]["order_status"] == "PAID"  # the row's own cells come along


def test_a_corrected_report_can_be_imported(run, counter, path):
    run(rows(GOOD, f"D-2,{WHEN},PAID,17000000001,-5", f"=D-3,{WHEN},PAID,+1,5"))
    report = path.with_name("orders.errors.csv")
    text = report.read_text()
    assert "'-5" in text and "'=D-3" in text
    path.write_text(text.replace("'-5", "5").replace("'+1", "17000000001"))
    done = run()
    assert (done.status, done.report) == (0, None)
    assert "mean nothing" not in done.message
    assert set(Order.objects.values_list("order_id", flat=True)) == {"D-1", "D-2", "=D-3"}


def test_no_cell_of_the_report_begins_a_formula(run, counter):
    done = run(
        rows("=cmd|' /C calc'!A0,x,PAID,,", "@SUM(A1),x,PAID,,", "-1+2,x,PAID,,", "+1,x,PAID,,", '"\t=1",x,PAID,,')
    )
    assert done.status == 3
    for row in done.report:
        assert all(not cell or cell[0] not in "=+-@\t\r" for cell in row.values())


def test_what_was_left_out_of_a_row_that_was_taken_is_reported(run, counter):
    header = "id,create_date_time,order_status,Mail,phones\n"
    content = header + f"D-1,{WHEN},PAID,no-mail,+7 (903) 123-45-67\nD-2,{WHEN},PAID,a@b.example,12\n"
    done = run(content, "--map", "emails=Mail")
    assert done.status == 0
    assert Order.objects.get(order_id="D-1").identifiers == {"phones": ["79031234567"]}
    assert Order.objects.get(order_id="D-2").identifiers == {"emails": ["a@b.example"]}
    assert [(row["line"], row["column"]) for row in done.report] == [("2", "Mail"), ("3", "phones")]
    assert all("taken all the same" in row["reason"] for row in done.report)


def test_old_orders_are_counted_and_not_listed(run, counter):
    done = run(rows("D-1,2020-01-01 10:00:00,PAID,17000000001,1"))
    assert (done.status, done.report) == (0, None)
    assert "outside_binding_window" in done.out


def test_a_stale_report_goes_when_all_is_well(run, counter, path):
    assert run(rows("D-1,x,PAID,,")).report is not None
    assert run(rows(GOOD)).report is None


def test_holds_are_told_with_their_reason(run, counter):
    done = run(rows(f"D-1,{WHEN},Новый лид,17000000001,1", f"D-2,{WHEN},PAID,,1"))
    assert done.status == 0
    assert "(unmapped_status) 1" in done.out and "(no_identifiers) 1" in done.out


def test_dry_run_says_all_and_keeps_nothing(run, counter):
    done = run(rows(GOOD, "D-2,x,PAID,,", f"D-3,{WHEN},Новый лид,17000000001,1"), "--dry-run")
    assert done.status == 3
    assert "dry run" in done.out and "created                2" in done.out and "unmapped_status" in done.out
    assert len(done.report) == 1
    assert not Order.objects.exists() and not AuditEntry.objects.filter(action="orders.imported").exists()


def test_the_file_leaves_one_entry_with_its_digest(run, counter, path):
    run(rows(GOOD, "D-2,x,PAID,,"))
    entry = AuditEntry.objects.get(action="orders.imported")
    assert entry.details["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (entry.details["rows"], entry.details["created"], entry.details["rejected"]) == (2, 1, 1)
    assert (entry.source, entry.details["file"], entry.details["complete"]) == ("command", "orders.csv", True)
    assert entry.request_id == StatusChange.objects.get().request_id


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("", (), "empty"),
        ("id|create_date_time|order_status\n", (), "vertical bar"),
        ("id;create_date_time;order_status\n", ("--delimiter", "comma"), "semicolon"),
        ("id,order_status\n", (), "create_date_time"),
        ("id,create_date_time,order_status,id\n", (), "twice"),
        ("id,create_date_time,order_status\n".encode("utf-16"), (), "UTF-16"),
        (rows(GOOD), ("--delimiter", "|"), "comma, semicolon or tab"),
        (rows(GOOD), ("--map", "price=revenue"), "price"),
        (rows(GOOD), ("--map", "id=Number"), "Number"),
        (rows(GOOD), ("--map", "id"), "column=header"),
    ],
)
def test_a_file_that_cannot_be_used_is_2_and_says_why(run, counter, content, options, said):
    done = run(content, *options)
    assert (done.status, done.report) == (2, None)
    assert said in done.message
    assert not Order.objects.exists()


def test_what_is_not_there_is_2_with_what_there_is(run, counter, path, tmp_path):
    assert run(rows(GOOD), agency="west").status == 2
    assert "north" in run(rows(GOOD), agency="west").message
    for number in ("40000002", "0", "-1", str(2**40)):
        done = run(rows(GOOD), counter=number)
        assert done.status == 2 and "40000001" in done.message
    path.unlink()
    assert (run().status, "No such file" in run().message) == (2, True)
    path.mkdir()
    assert (run().status, "no file" in run().message) == (2, True)
    assert not Order.objects.exists()


def test_a_place_without_rights_is_told_before_the_first_row(run, counter, path, monkeypatch):
    path.write_text(rows(GOOD))
    path.parent.chmod(0o555)
    if os.geteuid() == 0:  # who may write everywhere has to be told otherwise
        monkeypatch.setattr("apps.imports.report.os.access", lambda *_args: False)
    try:
        done = run()
        assert done.status == 2 and "orders.errors.csv" in done.message
    finally:
        path.parent.chmod(0o755)
    assert not Order.objects.exists()


def test_a_header_alone_is_no_fault(run, counter):
    assert run(HEADER + "\n").status == 0


def test_columns_under_other_names_and_unknown_ones(run, counter):
    content = f"Номер;Дата;Статус;Менеджер;client_ids\n1;{DAY:%d.%m.%Y};PAID;Иван;17000000001\n"
    done = run(content.encode("cp1251"), "--map", "id=Номер", "create_date_time=Дата", "--map", "order_status=Статус")
    assert done.status == 0
    assert "Менеджер" in done.message
    assert "Windows-1251, semicolon" in done.out
    assert Order.objects.get().order_id == "1"


def test_the_file_may_stand_behind_the_pairs_of_map(counter, path):
    path.write_text(HEADER.replace("id,", "Number,", 1) + "\n" + GOOD + "\n")
    where = ("--agency", "north", "--counter", "40000001")
    call_command("import_orders", *where, "--map", "id=Number", str(path), stdout=io.StringIO(), stderr=io.StringIO())
    assert Order.objects.get().order_id == "D-1"
    with pytest.raises(CommandError, match="Name the file"):
        call_command("import_orders", *where)


def test_the_bad_input_that_files_bring(run, counter):
    """Each line: what comes in, and what is said of it: (code of a rejection) or nothing."""
    header = "id,create_date_time,order_status,client_ids,emails,phones,revenue,currency,goals,products"
    cases = [
        (f"ok-1,{WHEN},PAID,17000000001,,,1,RUB,,", ""),
        (f",{WHEN},PAID,17000000001,,,1,RUB,,", "required"),
        (f"   ,{WHEN},PAID,17000000001,,,1,RUB,,", "required"),
        ("ok-2,,PAID,17000000001,,,1,RUB,,", "required"),
        (f"ok-2,{WHEN},,17000000001,,,1,RUB,,", "required"),
        ("n-1,2026-02-30,PAID,17000000001,,,1,RUB,,", "date_nonexistent"),
        ("n-2,yesterday,PAID,17000000001,,,1,RUB,,", "date_format"),
        ("n-3,1969-12-31,PAID,17000000001,,,1,RUB,,", "date_before_1970"),
        (f"n-4,{WHEN},PAID,17000000001,,,-1,RUB,,", "money_negative"),
        (f"n-5,{WHEN},PAID,17000000001,,,{'9' * 40},RUB,,", "money_too_large"),
        (f"n-6,{WHEN},PAID,17000000001,,,1e400,RUB,,", "money_format"),
        (f"n-7,{WHEN},PAID,17000000001,,,NaN,RUB,,", "money_format"),
        (f"n-8,{WHEN},PAID,17000000001,,,1,XYZ,,", "unknown_currency"),
        (f"{'x' * 300},{WHEN},PAID,17000000001,,,1,RUB,,", "too_long"),
        (f"a\0b,{WHEN},PAID,17000000001,,,1,RUB,,", "control_character"),
        (f"n-9,{WHEN},PA\0ID,17000000001,,,1,RUB,,", "control_character"),
        (f"😀,{WHEN},PAID,17000000001,,,1,RUB,,", ""),
        (f"=cmd|' /C calc'!A0,{WHEN},PAID,17000000001,,,1,RUB,,", ""),
        (f"ok-3,{WHEN},PAID,17000000001,no mail,12,1,RUB,,", "-"),  # the row stays, two identifiers are reported
        (f'ok-4,{WHEN},PAID,17000000001,,,"1,5",RUB,"a:5,b","sku-1:2,sku-2:1"', ""),
        (f"n-10,{WHEN},PAID,17000000001,,,1,RUB,a/b,", "goals"),
        (f"n-11,{WHEN},PAID,17000000001,,,1,RUB,,sku:0", "bad_quantity"),
    ]
    done = run("\n".join([header, *(line for line, _code in cases)]) + "\n")
    assert done.status == 3
    told = {int(row["line"]): row["code"] for row in done.report}
    for number, (line, code) in enumerate(cases, start=2):
        assert (number in told) == bool(code), (line, told.get(number))
        if code and code != "-":
            assert told[number].startswith(code), (line, told[number])
    rejected = sum(bool(code) and code != "-" for _line, code in cases)
    assert Order.objects.count() == len(cases) - rejected
    money = StatusChange.objects.get(order__order_id="ok-4")
    assert (str(money.revenue)[:3], money.products) == ("1.5", {"sku-1": 2, "sku-2": 1})


def test_a_report_writes_only_what_it_must(run, counter, path):
    run(rows(*(f"D-{n},{WHEN},PAID,17000000001,1" for n in range(4500)), "bad,x,PAID,,"))
    assert [row["line"] for row in report_of(path)] == ["4502"]
    assert Order.objects.count() == 4500
